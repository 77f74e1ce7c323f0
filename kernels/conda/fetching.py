"""Brings the file of one package here, by the way and with the login that installing would use."""

import asyncio
import hashlib
import shutil
from pathlib import Path

from rattler.exceptions import FetchRepoDataError, IoError
from rattler.package_streaming import download_to_path

from kernels.channels import Channels, hide_secrets
from kernels.conda.network import explain_failure, find_source, local_path, make_client
from kernels.conda.records import CondaPackage
from kernels.errors import BuildError, LockError


def fetch_package(package: CondaPackage, to: Path, settings: Channels) -> None:
    """Writes the file of `package` to `to`.

    Raises:
        BuildError: the channel does not answer, has it no more, or has another in its place.
    """
    address = package.channel
    if settings.offline and local_path(address) is None:
        raise BuildError(
            f"{hide_secrets(address)}: channels.toml says 'offline', and the store has no copy of "
            f"{package.file}."
        )
    try:
        source = find_source(address, settings)
    except LockError as error:
        raise BuildError(str(error)) from None
    if source is None:
        raise BuildError(
            f"{hide_secrets(address)} does not answer; {package.file} is not kept here."
        )
    _download(f"{source}{package.file}", to, settings)
    with to.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != package.sha256:
        raise BuildError(
            f"{hide_secrets(source)}{package.file} is not the package that was locked (its sha256 "
            "differs); lock the project again."
        )


def _download(url: str, to: Path, settings: Channels) -> None:
    path = local_path(url)
    try:
        if path is not None:
            shutil.copyfile(path, to)
        else:
            asyncio.run(download_to_path(make_client(settings), url, to))
    except FileNotFoundError:
        raise BuildError(f"{path}: the locked package is gone; lock the project again.") from None
    except (FetchRepoDataError, IoError, RuntimeError) as error:  # RuntimeError: the server's no
        raise BuildError(
            f"A package could not be fetched: {explain_failure(error, settings)}"
        ) from error
