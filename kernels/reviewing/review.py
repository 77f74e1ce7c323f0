"""What is wrong with a project's lock, as `perijove check` finds it; pure, but for `load_`.

An error is what must not go into production: a lock that does not answer `environment.yml`, a
licensed channel, a package that nobody can verify, a package that is there twice. A warning is what
makes the next lock a surprise.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kernels.channels import Channels, hide_secrets
from kernels.conda import CondaPackage, channel_url, spec_name, spec_version
from kernels.environment_yml import Requirements
from kernels.errors import StoreError
from kernels.locking.changes import plan_differences
from kernels.locking.lock import Lock, parse_lock
from kernels.locking.package_names import conda_name
from kernels.locking.wheels import Wheel
from kernels.projects import Project
from kernels.site_channel import NAME as SITE

_Package = CondaPackage | Wheel
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LICENSED_HOST = "repo.anaconda.com"
_PUBLIC_HOST = "conda.anaconda.org"
_LICENSED = {"defaults", "anaconda", "free", "main", "mro", "msys2", "pkgs", "pro", "r"}
"""What stands for the licensed channels on the public host, which has free ones too."""
_USUAL = {"ipykernel", "pip"}
"""What people name without a version, and every environment has."""


class Severity(StrEnum):
    """Whether CI stops for a finding."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        severity: whether it must not go into production.
        rule: which kind of thing, such as `stale-lock`; one word for scripts.
        package: the package it is about, with its version, if it is about one.
        text: what is wrong and what to do, in a sentence.
    """

    severity: Severity
    rule: str
    package: str | None
    text: str


def load_any_lock(file: Path) -> Lock | None:
    """A lock, also one without hashes, for locks come from elsewhere too; None if it is missing.

    Raises:
        StoreError: it cannot be read, or is no lock.
    """
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
        for entry in (*table["conda"], *table["pip"]):
            entry["sha256"] = entry.get("sha256") or ""
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(
            f"{file}: the lock cannot be read ({error.strerror}); give leave to read it."
        ) from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{file}: not a lock ({error!r}); lock the project again.") from None
    return parse_lock(json.dumps(table), file)


def load_named_channels(file: Path) -> tuple[str, ...]:
    """The channels that a valid `environment.yml` names itself, be it none."""
    named = yaml.safe_load(file.read_text(encoding="utf-8")).get("channels") or ()
    return tuple(name for name in named if name != "nodefaults")


def plan_review(
    project: Project,
    requirements: Requirements,
    named: tuple[str, ...],
    lock: Lock | None,
    channels: Channels,
) -> tuple[Finding, ...]:
    """What is wrong with what a project asks for, and with its lock.

    Args:
        project: the project.
        requirements: what its `environment.yml` asks for.
        named: the channels that the file names itself.
        lock: its newest lock; None if there is none.
        channels: what the site calls its channels.
    """
    findings = [*_unpinned(requirements, named), *_licensed_by_name(requirements, named, channels)]
    if lock is None:
        text = f"there is no lock; run 'perijove lock {project.slug}'."
        return (Finding(Severity.ERROR, "no-lock", None, text), *findings)
    return (
        *_stale(project, requirements, lock),
        *findings,
        *_licensed_in_lock(lock),
        *_unverifiable(lock),
        *_twice(lock),
    )


def is_distribution(package: CondaPackage, pypi: str) -> bool:
    """Whether a conda package is what PyPI calls `pypi`, a canonical name.

    Only packages that need Python are: conda's `redis` is a server, PyPI's a library.
    """
    is_python = package.noarch == "python" or any(
        depend.split()[0] in {"python", "python_abi"} for depend in package.depends
    )
    if package.channel == SITE:
        return canonicalize_name(package.name) == pypi
    return is_python and conda_name(pypi) == package.name


def _unpinned(requirements: Requirements, named: tuple[str, ...]) -> Iterator[Finding]:
    if not named:
        yield Finding(
            Severity.WARNING,
            "unnamed-channel",
            None,
            "environment.yml names no channel, so conda-forge is taken; name it under 'channels'.",
        )
    loose = [
        name
        for spec in requirements.conda
        if spec_version(spec) is None and (name := spec_name(spec)) not in _USUAL
    ]
    parsed = map(Requirement, requirements.pip)
    for name in [*loose, *(one.name for one in parsed if not one.specifier)]:
        yield Finding(
            Severity.WARNING,
            "unpinned",
            name,
            "environment.yml names no version, so the next lock may bring any; give it a range.",
        )


def _licensed_by_name(
    requirements: Requirements, named: tuple[str, ...], channels: Channels
) -> Iterator[Finding]:
    in_specs = (spec.split("::")[0] for spec in requirements.conda if "::" in spec)
    for name in dict.fromkeys((*named, *in_specs)):
        if _is_licensed(channel_url(channels.address(name))):
            yield Finding(
                Severity.ERROR,
                "licensed-channel",
                None,
                f"environment.yml takes the channel {hide_secrets(name)}, which most "
                "organisations may only use with a licence; take conda-forge.",
            )


def _licensed_in_lock(lock: Lock) -> Iterator[Finding]:
    for channel in lock.channels:
        names = [package.name for package in lock.conda if package.channel == channel]
        if channel != SITE and _is_licensed(channel):
            yield Finding(
                Severity.ERROR,
                "licensed-channel",
                None,
                f"{len(names)} packages of the lock come from {hide_secrets(channel)}, which most "
                f"organisations may only use with a licence ({_few(names)}).",
            )


def _is_licensed(address: str) -> bool:
    parts = urlsplit(address)
    path = re.sub(r"^/t/[^/]*", "", parts.path).strip("/").split("/")
    host = parts.hostname or ""
    return host == _LICENSED_HOST or (host == _PUBLIC_HOST and path[0] in _LICENSED)


def _stale(project: Project, requirements: Requirements, lock: Lock) -> Iterator[Finding]:
    if lock.project != project.slug:
        yield Finding(
            Severity.ERROR,
            "stale-lock",
            None,
            f"the lock is that of {lock.project}; run 'perijove lock {project.slug}'.",
        )
    differences = plan_differences(lock.requirements, lock.platform, requirements, project.platform)
    if differences:
        yield Finding(
            Severity.ERROR,
            "stale-lock",
            None,
            f"the lock is older than what is asked for ({'; '.join(differences)}); run "
            f"'perijove lock {project.slug}'.",
        )


def _unverifiable(lock: Lock) -> Iterator[Finding]:
    packages: list[_Package] = [*lock.conda, *lock.pip]
    for package in packages:
        if not _SHA256.fullmatch(package.sha256):
            yield Finding(
                Severity.ERROR,
                "no-hash",
                f"{package.name} {package.version}",
                "the lock has no sha256 for it, so nobody can tell whether it is the same file; "
                "lock the project again.",
            )


def _twice(lock: Lock) -> Iterator[Finding]:
    for wheel in lock.pip:
        for package in lock.conda:
            if is_distribution(package, wheel.name):
                yield Finding(
                    Severity.ERROR,
                    "duplicate",
                    f"{wheel.name} {wheel.version}",
                    f"pip installs it over conda's {package.name} {package.version}; ask for it "
                    "under 'dependencies' or under 'pip', not both.",
                )


def _few(names: list[str]) -> str:
    shown = 3
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
