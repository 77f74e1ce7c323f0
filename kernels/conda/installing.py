"""Puts exact packages into a prefix, from the package cache where it has them.

Post-link scripts are never run: building an environment must not run other people's code.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import rattler
from rattler.exceptions import InstallerError, IoError, LinkError, TransactionError

from kernels.channels import PLAIN, Channels, hide_secrets
from kernels.conda.network import explain_failure, find_source, local_path, make_client
from kernels.conda.records import CondaPackage, to_record
from kernels.conda.specs import parse_spec
from kernels.errors import BuildError, LockError

_NAMED = 5


def install(
    packages: Iterable[CondaPackage],
    prefix: Path,
    *,
    target: Path,
    cache_dir: Path,
    requested: Sequence[str],
    channels: Mapping[str, str],
    settings: Channels = PLAIN,
) -> None:
    """Installs `packages` into `prefix`, with every path inside written for `target`.

    Args:
        packages: exactly what to install; each file is verified by its sha256.
        prefix: where the files go.
        target: the path at which the environment will be used.
        cache_dir: extracted packages, shared by hard links between all environments.
        requested: the specs a person asked for, noted in `conda-meta/history`.
        channels: address to use for each package's channel, where it is not the channel itself.
        settings: how other channels are reached; asked only for what the cache does not have.

    Raises:
        BuildError: a package is missing, or is not the one that was locked.
    """
    records = _located(list(packages), cache_dir, channels, settings)
    specs = [parse_spec(spec)._match_spec for spec in requested]  # noqa: SLF001 - py-rattler 0.28 wants the inner object
    try:
        asyncio.run(
            rattler.install(
                records,
                prefix,
                cache_dir=cache_dir,
                client=make_client(settings),
                show_progress=False,
                requested_specs=specs,
                alternative_target_prefix=target,
                execute_link_scripts=False,
            )
        )
    except (InstallerError, IoError, LinkError, TransactionError) as error:
        raise BuildError(
            f"A package could not be installed: {explain_failure(error, settings)}"
        ) from error


def _located(
    packages: Sequence[CondaPackage],
    cache_dir: Path,
    channels: Mapping[str, str],
    settings: Channels,
) -> list[rattler.RepoDataRecord]:
    """Every package with the address it can be had from now."""
    cached = asyncio.run(rattler.PackageCache(cache_dir).index())
    records: list[rattler.RepoDataRecord] = []
    missing: dict[str, list[CondaPackage]] = {}
    for package in packages:
        address = channels.get(package.channel, package.channel)
        record = to_record(package, address)
        path = local_path(record.url)
        if cached.contains_record(record):  # by its sha256: verified when it was unpacked
            records.append(record)
        elif path is not None and path.exists():
            _verify(path, record)
            records.append(record)
        else:
            missing.setdefault(address, []).append(package)
    for address, lacking in missing.items():
        source = _source(address, lacking, settings)
        fetched = [to_record(package, source) for package in lacking]
        for record in fetched:
            path = local_path(record.url)
            if path is not None:
                _verify(path, record)
        records += fetched
    return records


def _source(address: str, lacking: Sequence[CondaPackage], settings: Channels) -> str:
    """Where the packages of a channel that the cache lacks are fetched from."""
    if settings.offline and local_path(address) is None:
        reason = "channels.toml says 'offline'"
    else:
        try:
            source = find_source(address, settings)
        except LockError as error:
            raise BuildError(str(error)) from None
        if source is not None:
            return source
        reason = "the channel does not answer"
    names = ", ".join(package.file for package in lacking[:_NAMED])
    more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
    raise BuildError(
        f"{hide_secrets(address)}: {reason}, and the store has no copy of {names}{more}."
    )


def _verify(path: Path, record: rattler.RepoDataRecord) -> None:
    """py-rattler verifies what it downloads; what it finds on disk it takes as it is."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").digest()
    except FileNotFoundError:
        raise BuildError(
            f"{path}: the locked package is gone, and the store has no copy; lock the project "
            "again."
        ) from None
    if found != record.sha256:
        raise BuildError(f"{path}: not the package that was locked; lock the project again.")
