"""The image that an exported one stands on, from a file: of `docker save`, or an OCI layout.

Sources of the forms: OCI image-spec 1.1 (image layout, index, manifest, configuration) and the
`manifest.json` of `docker save`, whose layers may have any name and be packed or not.
"""

import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from kernels.errors import BuildError

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""Processors as `uname` says, and as images say."""
LAYER = "application/vnd.oci.image.layer.v1.tar"
_MAGIC = {b"\x1f\x8b": "+gzip", b"\x28\xb5\x2f\xfd": "+zstd"}
_LARGEST = 64 * 1024**2


@dataclass(frozen=True)
class BaseLayer:
    """A layer: its member in the file, its kind, and its sha256 where the file tells it."""

    member: str
    media_type: str
    sha256: str | None


@dataclass(frozen=True)
class Base:
    """An image in a file: its configuration, and its layers from the lowest."""

    config: Mapping[str, Any]
    layers: tuple[BaseLayer, ...]
    _tar: tarfile.TarFile

    def open(self, layer: BaseLayer) -> IO[bytes]:
        """A layer's bytes, as they are in the file."""
        return _open(self._tar, layer.member)


@contextmanager
def open_base(file: Path, machine: str) -> Iterator[Base]:
    """Reads the image in `file`, for the processor `machine` (`x86_64`).

    Raises:
        BuildError: it is not an image, is damaged, or is for another processor.
    """
    try:
        with tarfile.open(file, "r:") as tar:
            names = set(tar.getnames())
            if "manifest.json" in names:
                config, layers = _read_saved(tar, file)
            elif "index.json" in names:
                config, layers = _read_layout(tar, file, machine)
            else:
                raise BuildError(f"{file}: {_NO_IMAGE}")
            found = config.get("architecture")
            if found != ARCHITECTURES[machine]:
                raise BuildError(
                    f"{file}: the base image is for {found}, but the environment for "
                    f"{ARCHITECTURES[machine]}; give another one with --base."
                )
            yield Base(config, tuple(layers), tar)
    except FileNotFoundError:
        raise BuildError(f"{file}: there is no such file; {_HOW}") from None
    except (tarfile.TarError, EOFError) as error:
        raise BuildError(f"{file}: {_NO_IMAGE} ({error})") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BuildError(f"{file}: {_NO_IMAGE} ({error!r})") from None


_HOW = "save a base image with 'docker save NAME -o FILE', and give that file."
_NO_IMAGE = f"not an image, or not a whole one; {_HOW}"


def _read_saved(tar: tarfile.TarFile, file: Path) -> tuple[dict[str, Any], list[BaseLayer]]:
    saved = json.loads(_read(tar, "manifest.json"))
    if len(saved) != 1:
        raise BuildError(f"{file}: holds {len(saved)} images; save one alone, and give that.")
    layers = []
    for member in saved[0]["Layers"]:
        with _open(tar, member) as layer:
            packed = _media_type(layer.read(4))
        name = member.removeprefix("blobs/sha256/")
        layers.append(BaseLayer(member, packed, name if name != member else None))
    return json.loads(_read(tar, saved[0]["Config"])), layers


def _read_layout(
    tar: tarfile.TarFile, file: Path, machine: str
) -> tuple[dict[str, Any], list[BaseLayer]]:
    table = json.loads(_read(tar, "index.json"))
    while "manifests" in table:
        fitting = [
            one
            for one in table["manifests"]
            if one.get("platform", {}).get("architecture", ARCHITECTURES[machine])
            == ARCHITECTURES[machine]
        ]
        if len(fitting) != 1:
            raise BuildError(
                f"{file}: holds {len(fitting)} images for {ARCHITECTURES[machine]}; give a file "
                "with one."
            )
        table = json.loads(_read(tar, _blob(fitting[0])))
    layers = []
    for one in table["layers"]:
        with _open(tar, _blob(one)) as layer:
            packed = _media_type(layer.read(4))
        layers.append(BaseLayer(_blob(one), packed, one["digest"].removeprefix("sha256:")))
    return json.loads(_read(tar, _blob(table["config"]))), layers


def _media_type(head: bytes) -> str:
    return LAYER + next((ending for magic, ending in _MAGIC.items() if head.startswith(magic)), "")


def _blob(descriptor: Mapping[str, str]) -> str:
    return "blobs/" + descriptor["digest"].replace(":", "/", 1)


def _read(tar: tarfile.TarFile, member: str) -> bytes:
    with _open(tar, member) as file:
        return file.read(_LARGEST)


def _open(tar: tarfile.TarFile, member: str) -> IO[bytes]:
    found = tar.extractfile(member)  # also through links, which older archives have
    if found is None:
        raise KeyError(member)
    return found
