"""An environment as it is delivered: its files, in the same bytes wherever it was built.

It is the environment that was built and checked, not another installation; each file is compared
with what its package says. What only tells of this store is left out (when it was built, where
packages were), paths are those of workspaces, bytecode is settled, and all is in order of names.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernels.building.build import LOCK_COPY, YML_COPY
from kernels.delivery.compiled import Bytecode, settle
from kernels.delivery.onsite.move import Place, rewrite
from kernels.delivery.places import find_place, normalize_header
from kernels.errors import BuildError
from kernels.locking.lock import Lock
from kernels.store import FINISHED, MOUNT, Environment, Store

_NOT_DELIVERED = {FINISHED, YML_COPY}


@dataclass(frozen=True)
class Entry:
    """One file, link or directory: its name, and its content, by path or as it is.

    Of a link `content` is its target as text, of a directory None.
    """

    name: str
    content: Path | bytes | str | None
    executable: bool = False


@dataclass(frozen=True)
class Tree:
    """An environment's files, for use at `home`.

    Attributes:
        home: the path at which it is used, and which its files name.
        entries: in the order of their names, a directory before what is in it.
        places: where files name `home`.
        bytecode: names of sources that do, and of their bytecode.
    """

    home: str
    entries: tuple[Entry, ...]
    places: tuple[Place, ...]
    bytecode: tuple[tuple[str, str], ...]


def load_tree(environment: Environment, lock: Lock, store: Store, scratch: Path) -> Tree:
    """Reads an environment as it is delivered.

    Args:
        environment: which.
        lock: what it was built from.
        store: where it is.
        scratch: an empty directory, for content that has to be written anew.

    Raises:
        BuildError: a file is not what its package brought.
    """
    home = str(MOUNT / environment.path.relative_to(store.root))
    reader = _Reader(environment.path, str(store.target(environment.path)), home)
    records = _load_records(environment.path)
    entries = {entry.name: entry for entry in reader.entries(_paths(records))}
    entries |= {
        entry.name: entry for entry in _settled(entries, environment.path, reader.places, scratch)
    }
    entries |= {
        name: Entry(name, _normalize_record(record, lock, reader.sums))
        for name, record in records.items()
    }
    entries[LOCK_COPY] = Entry(LOCK_COPY, lock.text.encode())
    moved = {place["file"] for place in reader.places}
    return Tree(
        home=home,
        entries=tuple(entries[name] for name in sorted(entries)),
        places=tuple(sorted(reader.places, key=lambda place: str(place["file"]))),
        bytecode=tuple(
            (source, name) for name in sorted(entries) if (source := _source_of(name)) in moved
        ),
    )


class _Reader:
    """Reads files and finds what in them names the environment's path."""

    def __init__(self, prefix: Path, target: str, home: str) -> None:
        self._prefix, self._target, self._home = prefix, target, home
        self.places: list[Place] = []
        self.sums: dict[str, str] = {}  # of files that name the path, as they are delivered

    def entries(self, paths: Mapping[str, Mapping[str, Any]]) -> Iterator[Entry]:
        for directory, folders, files in os.walk(self._prefix):
            base = Path(directory).relative_to(self._prefix)
            links = [name for name in folders if Path(directory, name).is_symlink()]
            for name in sorted({*folders} - {*links}):
                yield Entry((base / name).as_posix(), None)
            for name in sorted([*files, *links]):
                file = (base / name).as_posix()
                if file not in _NOT_DELIVERED:
                    yield self._entry(file, paths.get(file, {}))

    def _entry(self, file: str, told: Mapping[str, Any]) -> Entry:
        path = self._prefix / file
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            return Entry(file, self._link(file))
        executable = bool(mode & stat.S_IXUSR)
        data = path.read_bytes()
        expected = told.get("sha256_in_prefix", told.get("sha256"))
        if expected and hashlib.sha256(data).hexdigest() != expected:
            raise BuildError(
                f"{path}: not the file that its package brought; nothing was delivered. Build the "
                "version again."
            )
        if file.endswith(".pyc") or file.startswith("conda-meta/"):
            return Entry(file, path, executable)
        placeholder = told.get("prefix_placeholder") if told.get("file_mode") == "binary" else None
        place = find_place(file, data, self._target, placeholder)
        if place is None:
            return Entry(file, path, executable)
        data = self._at_home(file, data, place, placeholder)
        self.sums[file] = hashlib.sha256(data).hexdigest()
        return Entry(file, data, executable)

    def _at_home(self, file: str, data: bytes, place: Place, placeholder: str | None) -> bytes:
        old, home = os.fsencode(self._target), os.fsencode(self._home)
        data = rewrite(normalize_header(data, place, self._target), place, old, old, home)
        found = find_place(file, data, self._home, placeholder)
        assert found is not None  # noqa: S101 - it was written just now
        self.places.append(found)
        return data

    def _link(self, file: str) -> str:
        """Where a link leads, told so that it leads there from anywhere."""
        leads = os.readlink(self._prefix / file)  # noqa: PTH115 - the text as it is
        if not leads.startswith(self._target + "/"):
            return leads
        within = leads.removeprefix(self._target + "/")
        return os.path.relpath(within, os.path.dirname(file))  # noqa: PTH120 - relative text


def _settled(
    entries: Mapping[str, Entry], prefix: Path, places: list[Place], scratch: Path
) -> Iterator[Entry]:
    moved = {place["file"] for place in places}
    files = []
    for name in entries:
        source = _source_of(name)
        if source not in entries:
            continue
        text = entries[source].content
        if source in moved and isinstance(text, bytes):
            copy = scratch / "sources" / source
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(text)
            files.append(Bytecode(name, source, copy, None))
        else:
            files.append(Bytecode(name, source, prefix / source, prefix / name))
    folder = scratch / "bytecode"
    folder.mkdir(parents=True)
    settle(files, prefix / "bin/python", folder)
    for file in files:
        if (folder / file.name).exists():
            yield Entry(file.name, folder / file.name)


def _source_of(name: str) -> str:
    """The source of a file of bytecode; of another file, a name that no file has."""
    folder, _, file = name.rpartition("/__pycache__/")
    return f"{folder}/{file.split('.')[0]}.py" if folder and file.endswith(".pyc") else ""


def _load_records(prefix: Path) -> dict[str, dict[str, Any]]:
    """What is noted of each installed conda package, by file."""
    return {
        f"conda-meta/{file.name}": json.loads(file.read_text(encoding="utf-8"))
        for file in (prefix / "conda-meta").glob("*.json")
    }


def _paths(records: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {
        entry["_path"]: entry
        for record in records.values()
        for entry in record["paths_data"]["paths"]
        if entry["path_type"] == "hardlink"
    }


def _normalize_record(record: dict[str, Any], lock: Lock, sums: Mapping[str, str]) -> bytes:
    """A package's record without the places of this store, and with the delivered files' sums."""
    package = next(one for one in lock.conda if one.name == record["name"])
    table = {key: value for key, value in record.items() if key not in _OF_THIS_STORE}
    channel = package.channel if "://" in package.channel else f"file:///{package.channel}/"
    table |= {"channel": channel, "url": channel + package.file}
    for entry in table["paths_data"]["paths"]:
        if entry["_path"] in sums:
            entry["sha256_in_prefix"] = sums[entry["_path"]]
    return (json.dumps(table, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


_OF_THIS_STORE = {"extracted_package_dir", "package_tarball_full_path", "link"}
