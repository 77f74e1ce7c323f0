"""Where the files of an environment name the environment's own path, so that it can be changed.

Found once, by looking for the path the environment was built for: long and its own, it is no other
text. From then on places are known by offset, and moving (`onsite/move.py`) searches for nothing.
"""

import os
import re
from collections.abc import Iterator
from typing import Any

from kernels.delivery.onsite.move import Place, make_header
from kernels.errors import BuildError

_SHEBANG = rb"#!%s/(\S+)([^\n]*)\n"
# How installers start a Python whose path is too long for a shebang, or has spaces.
_BY_SHELL = rb"""#!/bin/sh\n'''exec' "?%s/([^\s"]+)"?(.*?) "\$0" "\$@"[^\n]*\n' '''[^\n]*\n"""


def find_place(file: str, data: bytes, path: str, placeholder: str | None) -> Place | None:
    """Where the content `data` of `file` names `path`, None if nowhere.

    Args:
        file: its name in the environment.
        data: its content.
        path: the environment's path.
        placeholder: for a binary file, the text that the package had in place of the path.

    Raises:
        BuildError: a binary file names the path where it cannot be changed.
    """
    wanted = os.fsencode(path)
    if wanted not in data:
        return None
    if placeholder is not None:
        fields = [*_fields(data, wanted, len(os.fsencode(placeholder)), file)]
        return {"file": file, "kind": "binary", "fields": fields}
    if b"\0" in data:
        raise BuildError(
            f"{file}: a binary file names the environment's path, and its package does not say "
            "how to change it; this environment can only be delivered as an image."
        )
    place: dict[str, Any] = {"file": file, "kind": "text"}
    head = _header(data, wanted)
    if head:
        place |= {"interpreter": head[1].decode(), "arguments": head[2].decode()}
    body = data[head.end() if head else 0 :]
    return place | {"offsets": [*_occurrences(body, wanted)]}


def normalize_header(data: bytes, place: Place, path: str) -> bytes:
    """The same file with its first lines as `make_header` writes them."""
    head = _header(data, os.fsencode(path))
    return make_header(place, os.fsencode(path)) + data[head.end() :] if head else data


def _header(data: bytes, path: bytes) -> re.Match[bytes] | None:
    escaped = re.escape(path)
    return re.match(_SHEBANG % escaped, data) or re.match(_BY_SHELL % escaped, data)


def _fields(data: bytes, path: bytes, room: int, file: str) -> Iterator[list[Any]]:
    """Offset, size in bytes, and offsets of the path within it, of each text that has the path."""
    at = data.find(path)
    while at >= 0:
        end = data.find(b"\0", at)
        text = data[at : len(data) if end < 0 else end]
        offsets = [*_occurrences(text, path)]
        size = len(text) + len(offsets) * (room - len(path))
        if data[at + len(text) : at + size].strip(b"\0") or at + size > len(data):
            raise BuildError(
                f"{file}: what its package says about the environment's path in it is not so; "
                "this environment can only be delivered as an image."
            )
        yield [at, size, offsets]
        at = data.find(path, at + size)


def _occurrences(data: bytes, path: bytes) -> Iterator[int]:
    at = data.find(path)
    while at >= 0:
        yield at
        at = data.find(path, at + len(path))
