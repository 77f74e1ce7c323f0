"""Writes the folder's own path into the environment's files, at first use and after every move.

Where a file names the environment's path was found when the archive was made (`places.json`);
nothing is searched for here, so no other text is ever touched. Every file is replaced whole. What
is done is noted first (`moving`), so a move that was cut off goes on, also from yet another place.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import py_compile
import re
import sys
from pathlib import Path
from typing import Any, Dict  # noqa: UP035 - runs on Python 3.8 too

Place = Dict[str, Any]  # noqa: UP006 - the same
LONGEST_SHEBANG = 127
_BAD = re.compile(r"[\"'`$\\\n\r\t]")
_TOOLS = "tools"


class MoveError(Exception):
    """The environment cannot be used where it is; the text says why, and what to do."""


class ChangedError(Exception):
    """A file no longer is what the archive brought."""


def make_header(place: Place, prefix: bytes) -> bytes:
    """The first lines of a script that names its interpreter, for an environment at `prefix`."""
    if "interpreter" not in place:
        return b""
    program = prefix + b"/" + os.fsencode(place["interpreter"])
    arguments = os.fsencode(place["arguments"])
    line = b"#!" + program + arguments + b"\n"
    if len(line) <= LONGEST_SHEBANG and b" " not in program:
        return line
    name = program.rsplit(b"/", 1)[1]
    if name.startswith(
        b"python"
    ):  # the kernel takes no such line: sh starts it, Python sees a string
        return b"#!/bin/sh\n'''exec' \"" + program + b'"' + arguments + b' "$0" "$@"\n' + b"' '''\n"
    return b"#!/usr/bin/env " + name + b"\n"


def rewrite(data: bytes, place: Place, home: bytes, old: bytes, new: bytes) -> bytes:
    """The file's content for an environment at `new`, from that for one at `old`.

    Args:
        data: the file.
        place: where it names the environment, if that is at `home`.
        home: the path the archive was made for.
        old: the path that stands in the file now.
        new: the path that is to.

    Raises:
        ChangedError: `old` does not stand where it should.
        MoveError: `new` is too long for a binary file.
    """
    if place["kind"] == "binary":
        return _rewrite_fields(data, place, home, old, new)
    head = make_header(place, old)
    if not data.startswith(head):
        raise ChangedError
    body = _replace_at(data[len(head) :], place["offsets"], home, old, new)
    return make_header(place, new) + body


def _replace_at(data: bytes, offsets: list[int], home: bytes, old: bytes, new: bytes) -> bytes:
    parts, at = [], 0
    for index, offset in enumerate(offsets):
        start = offset + index * (len(old) - len(home))
        if data[start : start + len(old)] != old:
            raise ChangedError
        parts.append(data[at:start])
        at = start + len(old)
    return new.join([*parts, data[at:]])


def _rewrite_fields(data: bytes, place: Place, home: bytes, old: bytes, new: bytes) -> bytes:
    """Fixed fields of a binary file: text up to a NUL, and NULs up to the field's size."""
    result = bytearray(data)
    for at, size, offsets in place["fields"]:
        text = bytes(data[at : at + size]).split(b"\0", 1)[0]
        text = _replace_at(text, offsets, home, old, new)
        if len(text) > size:
            more = -(-(len(text) - size) // len(offsets))
            raise MoveError(
                f"{os.fsdecode(new)}: the path is {more} bytes too long for {place['file']}; "
                "unpack it nearer to the root."
            )
        result[at : at + size] = text.ljust(size, b"\0")
    return bytes(result)


def ensure_moved(folder: Path) -> bool:
    """Makes the environment in `folder` fit the path it is at; may be repeated.

    Returns whether there was anything to do.

    Raises:
        MoveError: the path cannot be used, or may not be written to.
    """
    tools, prefix = folder / _TOOLS, folder / "environment"
    here = os.fsencode(str(prefix))
    if _BAD.search(str(prefix)):
        raise MoveError(
            f"{folder}: a path with quotes, $, backslashes or line breaks cannot be used; "
            "unpack it elsewhere."
        )
    try:
        with (tools / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return _move(tools, prefix, here)
    except PermissionError as error:
        raise MoveError(
            f"{folder}: {error.filename} may not be written by you; whoever unpacked it must run "
            "'./run true' there once."
        ) from None
    except OSError as error:
        raise MoveError(f"{error.filename or folder}: {error.strerror}.") from None


def _move(tools: Path, prefix: Path, here: bytes) -> bool:
    journal = tools / "moving"
    before = (tools / "prefix").read_bytes()
    if before == here and not journal.exists():
        return False
    told = json.loads((tools / "places.json").read_text(encoding="utf-8"))
    home = os.fsencode(told["home"])
    done = _read_journal(journal, prefix)
    work = [(place, done.get(place["file"], before)) for place in told["places"]]
    work = [(place, old) for place, old in work if old != here]
    for place, old in work:
        if place["kind"] == "binary":  # too long a path is told before anything is changed
            _plan(prefix, place, home, old, here)
    with journal.open("a", encoding="utf-8") as notes:
        for place, old in work:
            new = _plan(prefix, place, home, old, here)
            if new is not None:
                note = {"file": place["file"], "sha256": _sha256(new), "to": os.fsdecode(here)}
                notes.write("\n" + json.dumps(note) + "\n")
                notes.flush()
                _replace(prefix / place["file"], new)
    for file, compiled in told["bytecode"]:
        py_compile.compile(
            str(prefix / file),
            cfile=str(prefix / compiled),
            dfile=file,
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    _replace(tools / "prefix", here)
    journal.unlink()
    return True


def _plan(prefix: Path, place: Place, home: bytes, old: bytes, new: bytes) -> bytes | None:
    """The new content of a file; None for one that somebody removed or changed: it is theirs."""
    try:
        return rewrite((prefix / place["file"]).read_bytes(), place, home, old, new)
    except FileNotFoundError:
        return None
    except ChangedError:
        sys.stderr.write(f"Note: {place['file']} was changed, and is left as it is.\n")
        return None


def _read_journal(journal: Path, prefix: Path) -> dict[str, bytes]:
    """Which files a move that was cut off had done, and for which path."""
    found: dict[str, bytes] = {}
    lines = journal.read_text(encoding="utf-8").splitlines() if journal.exists() else []
    for line in lines:
        try:
            note = json.loads(line)
        except ValueError:
            continue  # cut off while it was written
        file = prefix / note["file"]
        if file.exists() and _sha256(file.read_bytes()) == note["sha256"]:
            found[note["file"]] = os.fsencode(note["to"])
    return found


def _replace(path: Path, data: bytes) -> None:
    scratch = path.with_name(f".{path.name}.moving")
    scratch.write_bytes(data)
    scratch.chmod(path.stat().st_mode & 0o7777)
    os.replace(str(scratch), str(path))  # noqa: PTH105 - the same on every Python


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    try:
        ensure_moved(Path(__file__).resolve().parent.parent)
    except MoveError as told_error:
        sys.exit(f"Error: {told_error}")
