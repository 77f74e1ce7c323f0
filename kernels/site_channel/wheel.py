"""Turns one wheel into one conda package, for one Python version.

What conda-forge does by recipe is done here by the wheel's own metadata: environment markers are
evaluated for the declared platform, extras that a dependency asks for are spelled out, and the
manylinux tag becomes a `__glibc` requirement (PEP 508, PEP 600).
"""

import hashlib
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import Specifier
from packaging.utils import canonicalize_name

from kernels.locking.wheels import Wheel, install_wheel
from kernels.platform import Platform
from kernels.site_channel.package import PLACEHOLDER, PackageIndex, is_written, write_package


def load_metadata(path: Path) -> Message:
    """The core metadata of a wheel."""
    with zipfile.ZipFile(path) as archive:
        name = next(
            name
            for name in archive.namelist()
            if name.count("/") == 1 and name.endswith(".dist-info/METADATA")
        )
        return HeaderParser().parsestr(archive.read(name).decode())


def ensure_wheel_package(
    channel: Path,
    wheel: Wheel,
    path: Path,
    *,
    python: str,
    platform: Platform,
    metadata: Mapping[str, Message],
) -> None:
    """Puts the wheel at `path` into the channel as a package for Python `python` (`3.11`).

    Args:
        channel: the channel's directory.
        wheel: which wheel it is.
        path: where it is.
        python: the Python version the package is for.
        platform: the platform it is for.
        metadata: of every wheel that was resolved with this one, by canonical name.
    """
    index = plan_package(wheel, python=python, platform=platform, metadata=metadata)
    if is_written(channel, index):
        return
    with tempfile.TemporaryDirectory(prefix="perijove-wheel-") as scratch:
        tree = Path(scratch)
        install_wheel(path, tree, target=Path(PLACEHOLDER), python=python, tool="conda")
        write_package(channel, index, tree)


def plan_package(
    wheel: Wheel, *, python: str, platform: Platform, metadata: Mapping[str, Message]
) -> PackageIndex:
    """What the channel's index will say of the wheel's package."""
    own = metadata[wheel.name]
    needed = _depends(own, "", metadata, _environment(python, platform), set())
    depends = (f"python {python}.*", *_glibc(wheel.file), *sorted(set(needed)))
    # Extras are spelled out by what was resolved together: other company, another package.
    digest = hashlib.sha256("\n".join([wheel.sha256, *depends]).encode()).hexdigest()
    return PackageIndex(
        name=wheel.name,
        version=wheel.version,
        build=f"py{python.replace('.', '')}_{digest[:8]}_0",
        subdir=platform.subdir,
        depends=depends,
        license=own.get("License-Expression", ""),
    )


def conda_spec(requirement: Requirement) -> str:
    """A PyPI requirement in conda's words."""
    terms = [_term(specifier) for specifier in requirement.specifier]
    return f"{canonicalize_name(requirement.name)} {','.join(sorted(terms))}".strip()


def _term(specifier: Specifier) -> str:
    if specifier.operator == "~=":
        # The compatible-release operator: at least this, and the same up to the last part.
        kept = specifier.version.split(".")[:-1]
        upper = [*kept[:-1], str(int(kept[-1]) + 1)]
        return f">={specifier.version},<{'.'.join(upper)}.0a0"
    if specifier.operator == "===":
        return f"=={specifier.version}"
    return f"{specifier.operator}{specifier.version}"


def _depends(
    own: Message,
    extra: str,
    metadata: Mapping[str, Message],
    environment: dict[str, str],
    followed: set[tuple[str, str]],
) -> Iterator[str]:
    for text in own.get_all("Requires-Dist") or []:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is not None and not marker.evaluate(environment | {"extra": extra}):
            continue
        if extra and (marker is None or marker.evaluate(environment | {"extra": ""})):
            continue  # needed without the extra too: the package itself asks for it
        yield conda_spec(requirement)
        name = canonicalize_name(requirement.name)
        for asked in requirement.extras if name in metadata else ():
            if (name, asked) not in followed:
                followed.add((name, asked))
                yield from _depends(metadata[name], asked, metadata, environment, followed)


def _environment(python: str, platform: Platform) -> dict[str, str]:
    """The marker environment of PEP 508 on the declared platform."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_machine": platform.machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }


def _glibc(file: str) -> list[str]:
    """The C library a wheel's tag asks for."""
    versions = [int(minor) for minor in re.findall(r"manylinux_2_([0-9]+)_", file)]
    versions += [
        {"2014": 17, "2010": 12, "1": 5}[year]
        for year in re.findall(r"manylinux(2014|2010|1)_", file)
    ]
    return [f"__glibc >=2.{min(versions)}"] if versions else []
