"""Runs the programs that do what no library does (pg_dump, pg_restore, tar), streaming.

What they say on the way is kept out of the terminal, and told in a sentence when they fail.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import BinaryIO, Protocol

from operating.errors import OperatingError
from operating.findings import reason

CHUNK = 1024**2


class Sink(Protocol):
    """Takes bytes."""

    def write(self, data: bytes, /) -> int:
        """Takes these."""


def read_from(
    command: Sequence[str],
    sink: Sink,
    *,
    environment: Mapping[str, str] | None = None,
    fine: Sequence[int] = (0,),
) -> str:
    """Runs a program, hands what it writes to `sink`, and returns what it said besides.

    Raises:
        OperatingError: it is not there, or ends otherwise than is `fine`.
    """
    with _running(command, environment, None, subprocess.PIPE) as (process, said):
        assert process.stdout  # noqa: S101 - as asked for just above
        shutil.copyfileobj(process.stdout, sink, CHUNK)
        return _end(command, process, said, fine)


def write_to(
    command: Sequence[str], source: BinaryIO, *, environment: Mapping[str, str] | None = None
) -> None:
    """Runs a program that reads `source`. Raises OperatingError as `read_from`."""
    with _running(command, environment, subprocess.PIPE, None) as (process, said):
        assert process.stdin  # noqa: S101 - as asked for just above
        try:
            shutil.copyfileobj(source, process.stdin, CHUNK)
            process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended, and says why
        _end(command, process, said, (0,))


@contextmanager
def _running(
    command: Sequence[str],
    environment: Mapping[str, str] | None,
    stdin: int | None,
    stdout: int | None,
) -> "Iterator[tuple[subprocess.Popen[bytes], BinaryIO]]":
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                command,
                env={**os.environ, "LC_ALL": "C", **(environment or {})},
                stderr=said,
                stdin=stdin,
                stdout=stdout,
            )
        except FileNotFoundError:
            raise OperatingError(
                f"{command[0]} is not on this machine; install it and try again."
            ) from None
        try:
            yield process, said
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    pipe.close()


def _end(
    command: Sequence[str],
    process: "subprocess.Popen[bytes]",
    said: BinaryIO,
    fine: Sequence[int],
) -> str:
    status = process.wait()
    said.seek(0)
    text = said.read(CHUNK).decode(errors="replace")
    if status not in fine:
        words = reason(OperatingError(text)) if text.strip() else "it said nothing"
        raise OperatingError(f"{command[0]} failed (exit status {status}): {words}")
    return text
