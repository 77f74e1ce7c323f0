"""Writes one `.conda` file from a directory tree, bit for bit the same for the same tree.

Source of the format: conda's package specification, version 2 (`.conda`), `info/index.json` and
`info/paths.json`.
"""

import hashlib
import io
import json
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conda_package_streaming.create import conda_builder

PLACEHOLDER = "/opt/perijove-site-channel-placeholder"
"""Stands in text files for the prefix; the installer writes the real one in its place."""
SCRATCH = ".package-"
"""How the names of unfinished packages in a channel begin."""


@dataclass(frozen=True)
class PackageIndex:
    """What a channel's index says of a package."""

    name: str
    version: str
    build: str
    subdir: str
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()
    noarch: str | None = None
    license: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        """`<name>-<version>-<build>`, without the ending."""
        return f"{self.name}-{self.version}-{self.build}"


def is_written(channel: Path, index: PackageIndex) -> bool:
    """Whether the channel has this package."""
    return (channel / index.subdir / f"{index.file_name}.conda").exists()


def write_package(channel: Path, index: PackageIndex, tree: Path | None) -> None:
    """Puts a package made of all files below `tree` into `channel`, atomically."""
    directory = channel / index.subdir
    directory.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=channel, prefix=SCRATCH))
    try:
        paths: list[dict[str, Any]] = []
        with conda_builder(index.file_name, scratch, compression_level=3) as tar:
            if tree is not None:
                paths += [
                    _add(tar, path, path.relative_to(tree).as_posix())
                    for path in sorted(_files(tree))
                ]
            _add_text(tar, "info/index.json", _index_json(index))
            _add_text(tar, "info/paths.json", {"paths": paths, "paths_version": 1})
            _add_text(tar, "info/about.json", {"summary": "Made by this site from a wheel."})
        name = f"{index.file_name}.conda"
        _copy_without_times(scratch / name, scratch / "timeless")
        (scratch / "timeless").rename(directory / name)
    finally:
        shutil.rmtree(scratch)


def _copy_without_times(made: Path, timeless: Path) -> None:
    """The same archive as if it were made at the beginning of time (1980, for zip files)."""
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(timeless, "w") as result:
        for entry in source.infolist():
            plain = zipfile.ZipInfo(entry.filename)
            plain.file_size = entry.file_size
            with source.open(entry) as data, result.open(plain, "w") as copy:
                shutil.copyfileobj(data, copy)


def _files(tree: Path) -> Iterator[Path]:
    for directory, names, files in os.walk(tree):
        links = [name for name in names if Path(directory, name).is_symlink()]
        yield from (Path(directory, name) for name in [*files, *links])


def _index_json(index: PackageIndex) -> dict[str, Any]:
    table: dict[str, Any] = {
        "name": index.name,
        "version": index.version,
        "build": index.build,
        "build_number": 0,
        "subdir": index.subdir,
        "depends": list(index.depends),
        "constrains": list(index.constrains),
        "license": index.license,
        **index.extra,
    }
    return table | ({"noarch": index.noarch} if index.noarch else {})


def _add(tar: tarfile.TarFile, path: Path, name: str) -> dict[str, Any]:
    if path.is_symlink():
        link = tarfile.TarInfo(name)
        link.type, link.linkname = tarfile.SYMTYPE, str(path.readlink())
        tar.addfile(link)
        target = path.read_bytes() if path.is_file() else b""
        return _path_entry(name, "softlink", target)
    data = path.read_bytes()
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644
    tar.addfile(entry, io.BytesIO(data))
    described = _path_entry(name, "hardlink", data)
    if PLACEHOLDER.encode() in data:
        described |= {"prefix_placeholder": PLACEHOLDER, "file_mode": "text"}
    return described


def _path_entry(name: str, kind: str, data: bytes) -> dict[str, Any]:
    sha256 = hashlib.sha256(data).hexdigest()
    return {"_path": name, "path_type": kind, "sha256": sha256, "size_in_bytes": len(data)}


def _add_text(tar: tarfile.TarFile, name: str, table: dict[str, Any]) -> None:
    data = json.dumps(table, sort_keys=True).encode()
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o644
    tar.addfile(entry, io.BytesIO(data))
