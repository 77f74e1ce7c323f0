"""The conda world: specs, channels, solving, installing. The only importer of py-rattler.

py-rattler changes its API between minor versions; everything that may break stands here. Records
cross this border as plain `CondaPackage` values. Post-link scripts are never run: building an
environment must not run other people's code.
"""

import asyncio
import hashlib
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import rattler
from rattler.exceptions import (
    GatewayError,
    InstallerError,
    InvalidChannelError,
    InvalidMatchSpecError,
    IoError,
    LinkError,
    SolverError,
    TransactionError,
)
from rattler.index import index_fs

from kernels.errors import BuildError, LockError, SolveError
from kernels.platform import Platform

_PROBE_SECONDS = 5


@dataclass(frozen=True)
class CondaPackage:
    """One exact conda package, with all that is needed to install it and to show it.

    `channel` is the channel's address, and `file` the package below it (`<subdir>/<file name>`).
    """

    name: str
    version: str
    build: str
    build_number: int
    channel: str
    file: str
    sha256: str
    md5: str | None
    size: int | None
    noarch: str | None
    license: str | None
    depends: tuple[str, ...]
    constrains: tuple[str, ...]
    site_packages: str | None

    @property
    def subdir(self) -> str:
        """conda's platform directory that holds the package."""
        return self.file.split("/")[0]


def is_match_spec(text: str) -> bool:
    """Whether conda would accept `text` as a package specification."""
    try:
        return bool(_parse(text).name)
    except InvalidMatchSpecError:
        return False


def spec_name(text: str) -> str:
    """The package name of a specification that `is_match_spec`."""
    return str(_parse(text)).split("::")[-1].split()[0].split("[")[0]


def spec_version(text: str) -> str | None:
    """The version part of a specification, in conda's normal form (`1.26.*`, `>=2,<3`)."""
    version = _parse(text).version
    return None if version is None else str(version)


def is_channel(text: str) -> bool:
    """Whether conda would accept `text` as a channel."""
    try:
        return bool(text.strip()) and bool(rattler.Channel(text).base_url)
    except InvalidChannelError:
        return False


@cache
def is_answering(channel: str) -> bool:
    """Whether a channel can be read from here. Asked once per process: an absent one costs time."""
    base = channel_url(channel)
    if urlsplit(base).scheme == "file":
        return Path(unquote(urlsplit(base).path)).is_dir()
    for name in ("repodata.json.zst", "repodata.json"):
        request = urllib.request.Request(f"{base}noarch/{name}", method="HEAD")  # noqa: S310 - the scheme is the operator's choice
        try:
            with urllib.request.urlopen(request, timeout=_PROBE_SECONDS):  # noqa: S310 - the same
                return True
        except urllib.error.HTTPError:
            continue  # not in this form
        except OSError:
            return False
    return False


def channel_url(channel: str) -> str:
    """The address of a channel given by name (`conda-forge`) or by address, ending in `/`."""
    return str(rattler.Channel(channel).base_url).rstrip("/") + "/"


def solve(specs: Sequence[str], channels: Sequence[str], platform: Platform) -> list[CondaPackage]:
    """The exact packages that satisfy `specs` on the declared `platform`, sorted by name.

    Raises:
        SolveError: nothing satisfies them; the text is the solver's own reason.
        LockError: a channel broke off while it was read.
    """
    try:
        records = asyncio.run(
            rattler.solve(
                [rattler.Channel(channel) for channel in channels],
                [_parse(spec) for spec in specs],
                gateway=rattler.Gateway(),
                platforms=[platform.subdir, "noarch"],  # type: ignore[list-item]
                virtual_packages=_virtual_packages(platform),
            )
        )
    except SolverError as error:
        raise SolveError(str(error)) from None
    except GatewayError as error:
        raise LockError(f"A channel of {', '.join(channels)} could not be read: {error}.") from None
    return sorted((_from_record(record) for record in records), key=lambda package: package.name)


def install(
    packages: Iterable[CondaPackage],
    prefix: Path,
    *,
    target: Path,
    cache_dir: Path,
    requested: Sequence[str],
    channels: Mapping[str, str],
) -> None:
    """Installs `packages` into `prefix`, with every path inside written for `target`.

    Args:
        packages: exactly what to install; each file is verified by its sha256.
        prefix: where the files go.
        target: the path at which the environment will be used.
        cache_dir: extracted packages, shared by hard links between all environments.
        requested: the specs a person asked for, noted in `conda-meta/history`.
        channels: address to use for each package's channel, where it is not the channel itself.

    Raises:
        BuildError: a package is missing, or is not the one that was locked.
    """
    records = [_to_record(package, channels) for package in packages]
    for record in records:
        _verify_local(record)
    specs = [_parse(spec)._match_spec for spec in requested]  # noqa: SLF001 - py-rattler 0.28 wants the inner object
    try:
        asyncio.run(
            rattler.install(
                records,
                prefix,
                cache_dir=cache_dir,
                show_progress=False,
                requested_specs=specs,
                alternative_target_prefix=target,
                execute_link_scripts=False,
            )
        )
    except (InstallerError, IoError, LinkError, TransactionError) as error:
        reason = " ".join(str(error).split())
        raise BuildError(f"A package could not be installed: {reason}") from error


def _verify_local(record: rattler.RepoDataRecord) -> None:
    """py-rattler verifies what it downloads; what it finds on disk it takes as it is."""
    if urlsplit(record.url).scheme != "file":
        return
    path = Path(unquote(urlsplit(record.url).path))
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").digest()
    except FileNotFoundError:
        raise BuildError(f"{path}: the locked package is gone; lock the project again.") from None
    if found != record.sha256:
        raise BuildError(f"{path}: not the package that was locked; lock the project again.")


def activation_script(prefix: Path, path: str) -> str:
    """The bash text that activates `prefix`, as conda would where PATH is `path`."""
    from rattler.shell import ActivationVariables, Shell, activate  # noqa: PLC0415 - rarely needed

    before = ActivationVariables(None, [Path(entry) for entry in path.split(":")])
    return str(activate(prefix, before, Shell.bash).script)


def index(directory: Path) -> None:
    """(Re)writes the index of a channel directory, which must have a `noarch` folder."""
    asyncio.run(index_fs(directory, force=True, write_shards=False))


def _parse(text: str) -> rattler.MatchSpec:
    return rattler.MatchSpec(text, strict=False)


def _virtual_packages(platform: Platform) -> list[rattler.GenericVirtualPackage]:
    declared = [
        ("__unix", "0", "0"),
        ("__linux", "5.10", "0"),
        ("__glibc", platform.glibc, "0"),
        ("__archspec", "1", platform.archspec),
        *([("__cuda", platform.cuda, "0")] if platform.cuda else []),
    ]
    return [
        rattler.GenericVirtualPackage(
            rattler.PackageName(name), rattler.Version(version), rattler.BuildString(build)
        )
        for name, version, build in declared
    ]


def _from_record(record: rattler.RepoDataRecord) -> CondaPackage:
    if record.sha256 is None:
        raise LockError(f"{record.url} has no sha256 in its channel's index; it cannot be locked.")
    channel = str(record.channel).rstrip("/") + "/"
    return CondaPackage(
        name=record.name.normalized,
        version=str(record.version),
        build=str(record.build),
        build_number=record.build_number,
        channel=channel,
        file=f"{record.subdir}/{record.file_name}",
        sha256=record.sha256.hex(),
        md5=record.md5.hex() if record.md5 else None,
        size=record.size,
        noarch=_noarch(record),
        license=record.license,
        depends=tuple(record.depends),
        constrains=tuple(record.constrains),
        site_packages=record.python_site_packages_path,
    )


def _noarch(record: rattler.RepoDataRecord) -> str | None:
    if record.noarch.python:
        return "python"
    return "generic" if record.noarch.generic else None


def _to_record(package: CondaPackage, channels: Mapping[str, str]) -> rattler.RepoDataRecord:
    channel = channels.get(package.channel, package.channel)
    return rattler.RepoDataRecord(
        rattler.PackageRecord(
            package.name,
            package.version,
            rattler.BuildString(package.build),
            package.build_number,
            package.subdir,
            noarch=package.noarch,  # type: ignore[arg-type]
            depends=list(package.depends),
            constrains=list(package.constrains),
            sha256=bytes.fromhex(package.sha256),
            md5=bytes.fromhex(package.md5) if package.md5 else None,
            size=package.size,
            license=package.license,
            python_site_packages_path=package.site_packages,
        ),
        file_name=package.file.split("/", 1)[1],
        url=f"{channel}{package.file}",
        channel=channel,
    )
