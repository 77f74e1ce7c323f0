"""What a version is made of, as a CycloneDX 1.6 bill of materials; the same text every time.

A conda package is named by its channel, build and file, a wheel by its file; a package that the
site channel made from a wheel is that wheel's project on the registry, which advisories know.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from email.parser import HeaderParser
from pathlib import Path
from urllib.parse import urlsplit

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import License
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from packaging.utils import canonicalize_name

from kernels.conda import CondaPackage
from kernels.delivery.version import Version
from kernels.locking.wheels import Wheel
from kernels.site_channel import NAME as SITE

_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/perijove")
_LONGEST_LICENSE = 80  # some wheels put the whole text where the name belongs


def make_sbom(version: Version) -> str:
    """The bill of materials of a version, as JSON."""
    project, lock = version.project, version.lock
    licenses = _wheel_licenses(version.environment.path)
    root = Component(
        name=project.slug,
        version=f"v{version.environment.version}",
        type=ComponentType.APPLICATION,
        bom_ref=version.name,
        description=project.description,
        properties=[Property(name="perijove:lock", value=lock.digest)],
    )
    packages = {one.name: _conda_component(one, licenses) for one in lock.conda}
    wheels = [_wheel_component(wheel, licenses) for wheel in lock.pip]
    bom = Bom(
        serial_number=uuid.uuid5(_SPACE, f"{version.name} {lock.digest}"),
        metadata=BomMetaData(component=root),
        components=[*packages.values(), *wheels],
        dependencies=[
            Dependency(
                root.bom_ref, [Dependency(one.bom_ref) for one in (*packages.values(), *wheels)]
            ),
            *_dependencies(lock.conda, packages),
        ],
    )
    text = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string()
    table = json.loads(text)
    del table["metadata"]["timestamp"]  # of this text, and not of what it tells
    return json.dumps(table, indent=2, ensure_ascii=False) + "\n"


def _conda_component(package: CondaPackage, licenses: Mapping[str, str]) -> Component:
    told = package.license or licenses.get(str(canonicalize_name(package.name)), "")
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"conda:{package.file}",
        purl=_conda_purl(package),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=package.sha256)],
        licenses=_license(told),
        properties=[
            Property(name="perijove:channel", value=_public(package.channel)),
            Property(name="perijove:file", value=package.file),
        ],
    )


def _wheel_component(wheel: Wheel, licenses: Mapping[str, str]) -> Component:
    return Component(
        name=wheel.name,
        version=wheel.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"pypi:{wheel.file}",
        purl=PackageURL("pypi", None, wheel.name, wheel.version, {"file_name": wheel.file}),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=wheel.sha256)],
        licenses=_license(licenses.get(wheel.name, "")),
    )


def _conda_purl(package: CondaPackage) -> PackageURL:
    if package.channel == SITE:
        kind = "generic" if package.name == "python" else "pypi"
        return PackageURL(kind, None, package.name, package.version)
    qualifiers = {
        "build": package.build,
        "channel": _public(package.channel),
        "subdir": package.subdir,
        "type": "conda" if package.file.endswith(".conda") else "tar.bz2",
    }
    return PackageURL("conda", None, package.name, package.version, qualifiers)


def _public(channel: str) -> str:
    """A channel's address without what may be secret in it, or a path of this machine."""
    parts = urlsplit(channel)
    if parts.scheme in {"http", "https"}:
        path = parts.path.split("/t/", 1)
        rest = path[1].split("/", 1)[-1] if len(path) > 1 else ""
        shown = f"{path[0]}/{rest}" if rest else path[0]
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{shown}"
    return Path(parts.path.rstrip("/")).name if parts.scheme else channel


def _dependencies(
    packages: tuple[CondaPackage, ...], components: Mapping[str, Component]
) -> Iterator[Dependency]:
    for package in packages:
        names = {spec.split()[0].split("::")[-1].split("[")[0] for spec in package.depends}
        yield Dependency(
            components[package.name].bom_ref,
            [Dependency(components[name].bom_ref) for name in sorted(names & components.keys())],
        )


def _license(text: str) -> list[License]:
    return [LicenseFactory().make_from_string(text)] if text else []


def _wheel_licenses(prefix: Path) -> dict[str, str]:
    """What installed Python packages say of their licences, by canonical name."""
    found = {}
    for file in sorted(prefix.glob("lib/python3.*/site-packages/*.dist-info/METADATA")):
        told = HeaderParser().parsestr(file.read_text(encoding="utf-8", errors="replace"))
        text = told.get("License-Expression") or told.get("License") or ""
        if len(text) > _LONGEST_LICENSE or "\n" in text:
            text = ""
        classified = [
            line.split(" :: ")[-1]
            for line in told.get_all("Classifier") or []
            if line.startswith("License :: ") and not line.endswith("OSI Approved")
        ]
        name = str(canonicalize_name(told.get("Name", "")))
        if text := text.strip() or " AND ".join(classified):
            found[name] = text
    return found
