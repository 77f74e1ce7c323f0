"""All that a site without a network needs to build and publish the same versions, in one plain tar.

Packages are files of conda channels, with their index; what they are is what the locks say, and
each is compared with its lock on the way in. Nothing is packed: packages are already.
"""

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path

from kernels import conda
from kernels.building.archives import archive_path
from kernels.channels import hide_secrets
from kernels.conda import CondaPackage
from kernels.conda.fetching import fetch_package
from kernels.delivery.definitions import definition_files
from kernels.delivery.members import Members
from kernels.delivery.output import Output, new_output
from kernels.delivery.readme import write_bundle_readme
from kernels.delivery.sbom import make_sbom
from kernels.delivery.sums import MANIFEST, README, SUMS, is_member, write_sums
from kernels.delivery.version import Version, find_version, holding
from kernels.errors import BuildError, StoreError
from kernels.locking.lock import Report
from kernels.locking.wheels import ensure_wheel
from kernels.projects import Project
from kernels.publishing.publish import pinned_environments, published_version
from kernels.site_channel import NAME as SITE
from kernels.store import Store

FORMAT = 1


@dataclass(frozen=True)
class Delivered:
    """A project as it is bundled: its published versions, and the one its kernel means."""

    project: Project
    published: int
    versions: tuple[Version, ...]


@dataclass(frozen=True)
class Bundle:
    """A bundle that was written: its size in bytes, and its sha256."""

    file: Path
    size: int
    sha256: str
    packages: int


def plan_delivery(project: Project, store: Store) -> Delivered:
    """What is bundled of a project: what people can choose now.

    Raises:
        StoreError: nothing of it is published.
    """
    published = published_version(project, store)
    if published is None:
        raise StoreError(
            f"{project.slug}: nothing is published, so there is nothing to bundle; run "
            f"'perijove publish {project.slug}'."
        )
    numbers = {environment.version for environment in pinned_environments(project, store)}
    versions = [find_version(project, store, number) for number in sorted(numbers | {published})]
    return Delivered(project, published, tuple(versions))


def make_bundle(
    delivered: Sequence[Delivered], images: Sequence[Path], store: Store, to: Path, report: Report
) -> Bundle:
    """Writes a bundle of these projects, with image files put in as they are, to the file `to`.

    Raises:
        BuildError: a package cannot be had, or is not the locked one.
        ProjectError: a project's file is a link that leaves the project.
        StoreError: the file cannot be written.
    """
    versions = [version for one in delivered for version in one.versions]
    with ExitStack() as stack:
        for version in versions:
            stack.enter_context(holding(version.environment))
        output = stack.enter_context(new_output(to))
        members = Members(output.file)
        report("collecting packages")
        channels = _add_channels(members, versions, store, output)
        _add_wheels(members, versions, store)
        report("writing definitions, locks and bills of materials")
        for one in delivered:
            _add_project(members, one)
        for image in images:
            report(f"copying {image.name}")
            members.add(_image_name(image), image)
        told = _manifest(delivered, channels, images)
        members.add(MANIFEST, (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode())
        members.add(
            README, write_bundle_readme(versions, [image.name for image in images]).encode()
        )
        sums = {name: sha256 for name, (_, sha256) in members.sums.items()}
        members.add(SUMS, write_sums(sums).encode())
        members.finish()
        report("reckoning its checksum")
        size, sha256 = members.whole()
    packages = sum(name.endswith((".conda", ".tar.bz2", ".whl")) for name in members.sums)
    return Bundle(to, size, sha256, packages)


def _manifest(
    delivered: Sequence[Delivered], channels: Mapping[str, str], images: Sequence[Path]
) -> dict[str, object]:
    return {
        "format": FORMAT,
        "perijove": installed_version("perijove"),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "channels": {name: hide_secrets(address) for address, name in channels.items()},
        "images": [image.name for image in images],
        "projects": [
            {
                "project": one.project.slug,
                "published": one.published,
                "versions": {
                    str(version.environment.version): version.lock.digest
                    for version in one.versions
                },
            }
            for one in delivered
        ],
    }


def _add_channels(
    members: Members, versions: Sequence[Version], store: Store, output: Output
) -> dict[str, str]:
    """Adds every package once, below a folder for its channel; returns the folders' names."""
    packages = {
        (package.channel, package.file): package
        for version in versions
        for package in version.lock.conda
    }
    channels = _name_channels(package.channel for package in packages.values())
    for package in packages.values():
        folder = output.scratch / channels[package.channel]
        target = folder / package.file
        target.parent.mkdir(parents=True, exist_ok=True)
        (folder / "noarch").mkdir(exist_ok=True)
        _bring(package, target, store)
    for name in sorted(channels.values()):
        folder = output.scratch / name
        conda.index(folder)
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                members.add(f"channels/{name}/{path.relative_to(folder).as_posix()}", path)
        shutil.rmtree(folder)
    _compare(members, channels, versions)
    return channels


def _bring(package: CondaPackage, target: Path, store: Store) -> None:
    kept = archive_path(package, store)
    if not kept.exists() and package.channel == SITE:
        kept = store.site_channel / package.file
    if kept.exists():
        _link(kept, target)
    elif package.channel == SITE:
        raise BuildError(f"{kept}: the locked package is gone; lock the project again.")
    else:
        fetch_package(package, target, store.channels)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another disk
        shutil.copyfile(source, target)


def _compare(members: Members, channels: Mapping[str, str], versions: Sequence[Version]) -> None:
    for version in versions:
        for package in version.lock.conda:
            name = f"channels/{channels[package.channel]}/{package.file}"
            if members.sums[name][1] != package.sha256:
                raise BuildError(
                    f"{package.file}: not the package that {version.name} is locked to; build that "
                    "version again, or retire it."
                )


def _name_channels(addresses: Iterable[str]) -> dict[str, str]:
    """A folder's name for each channel: the last part of its address, told apart by a number."""
    found: dict[str, str] = {}
    for address in sorted(set(addresses)):
        plain = hide_secrets(address).rstrip("/").rsplit("/", 1)[-1]
        name = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in plain)
        number = sum(one == name or one.startswith(f"{name}-") for one in found.values())
        found[address] = f"{name}-{number + 1}" if number else name
    return found


def _add_wheels(members: Members, versions: Sequence[Version], store: Store) -> None:
    for version in versions:
        lock = version.lock
        for wheel in lock.pip:
            path = ensure_wheel(
                wheel, python=lock.python_minor, platform=lock.platform, cache_dir=store.wheels
            )
            summed = members.add(f"wheels/{wheel.sha256}/{wheel.file}", path)
            if summed.sha256 != wheel.sha256:
                raise BuildError(
                    f"{path}: not the wheel that was locked; remove it, and build the version "
                    "again."
                )


def _add_project(members: Members, one: Delivered) -> None:
    for name, path in definition_files(one.project):
        if not is_member(name):
            raise BuildError(f"{path}: a file of this name cannot be bundled; rename it.")
        members.add(name, path)
    for version in one.versions:
        slug, number = one.project.slug, version.environment.version
        members.add(f"locks/{slug}/v{number}.json", version.lock.text.encode())
        members.add(f"sbom/{slug}/v{number}.cdx.json", make_sbom(version).encode())


def _image_name(image: Path) -> str:
    name = f"images/{image.name}"
    if not is_member(name):
        raise BuildError(f"{image}: a file of this name cannot be bundled; rename it.")
    return name
