"""One exact conda package, as a plain value and as py-rattler's record of it."""

from dataclasses import dataclass

import rattler

from kernels.errors import LockError


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

    @property
    def cache_name(self) -> str:
        """The folder that py-rattler unpacks it to in its package cache."""
        return f"{self.name}-{self.version}-{self.build}"


def from_record(record: rattler.RepoDataRecord) -> CondaPackage:
    """The value of a record. Raises LockError if its channel gives no sha256 for it."""
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


def to_record(package: CondaPackage, channel: str) -> rattler.RepoDataRecord:
    """The record of a package that is to be had from the address `channel`."""
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
