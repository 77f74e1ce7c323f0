"""The same bytecode for the same sources, whatever ran beside the compiler.

A compiler's output depends on more than the source: which equal texts are one object decides how
they are written (marshal's references), sets come in the order of the hash seed, and a file that
the compiler itself imports first is compiled by the import system, under its own path and with
times. So every file is read and written again by one process, without references in between.
"""

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kernels.errors import BuildError

_SETTLE = """
import importlib.util, json, marshal, os, sys
from _imp import source_hash
def ordered(value):  # sets come in the order in which they were made, up to Python 3.10
    if isinstance(value, frozenset):
        return frozenset(sorted(value, key=lambda one: (type(one).__name__, repr(one))))
    if isinstance(value, tuple):
        return tuple(map(ordered, value))
    if isinstance(value, type(ordered.__code__)):
        return value.replace(co_consts=ordered(value.co_consts))
    return value
for line in sys.stdin:
    source, compiled, name, target = json.loads(line)
    if compiled is not None:
        with open(compiled, "rb") as file:
            data = file.read()
        if data[:4] != importlib.util.MAGIC_NUMBER:
            continue
        if data[4:8] != b"\\1\\0\\0\\0":
            compiled = None  # of the import system: by time, and with the path of a builder
    if compiled is None:
        with open(source, "rb") as file:
            text = file.read()
        code = compile(text, name, "exec", dont_inherit=True, optimize=0)
        head = source_hash(importlib.util._RAW_MAGIC_NUMBER, text)
        head = importlib.util.MAGIC_NUMBER + b"\\1\\0\\0\\0" + head
    else:
        code, head = marshal.loads(data[16:]), data[:16]
    if sys.version_info < (3, 11):
        code = ordered(code)
    plain = marshal.loads(marshal.dumps(code, 2))
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as file:
        file.write(head + marshal.dumps(plain))
"""


@dataclass(frozen=True)
class Bytecode:
    """One file of bytecode.

    Attributes:
        name: its name in the environment.
        source: the name of what it was compiled from.
        text: where the source is.
        kept: where the bytecode is, None to compile the source.
    """

    name: str
    source: str
    text: Path
    kept: Path | None


def settle(files: Iterable[Bytecode], python: Path, folder: Path) -> None:
    """Writes settled bytecode under the same names into `folder`.

    Files that are for another Python are left out.

    Args:
        files: which.
        python: the Python that is to use them.
        folder: an empty directory.

    Raises:
        BuildError: it cannot be made.
    """
    lines = [
        json.dumps(
            [str(file.text), file.kept and str(file.kept), file.source, str(folder / file.name)]
        )
        for file in sorted(files, key=lambda file: file.name)
    ]
    done = subprocess.run(
        # Not `-I`, which would not take the seed; and the start-up code of packages does not run.
        [python, "-s", "-S", "-B", "-c", _SETTLE],
        input="\n".join(lines),
        env={"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise BuildError(f"{python}: bytecode could not be written anew: {reason}")
