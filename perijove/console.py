"""How the command line looks: plain sentences, progress for what takes long, tables.

Standard output carries results, standard error everything said on the way; so `--json` can be
piped. Without a terminal progress becomes one line per step.
"""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


class Report(Protocol):
    """Says what is being done for one thing (a project, mostly)."""

    def __call__(self, message: str) -> None:
        """Takes a few words."""


def say(message: str) -> None:
    """One sentence on the way."""
    err.print(message, markup=False)


def complain(message: str) -> None:
    """One sentence about what went wrong."""
    err.print("[bold red]Error:[/] ", end="")
    err.print(message, markup=False)


def warn(message: str) -> None:
    """One sentence about what people should know."""
    err.print("[bold yellow]Note:[/] ", end="")
    err.print(message, markup=False)


def print_line(message: str) -> None:
    """The result, in a sentence."""
    out.print(message, markup=False)


def print_json(value: Any) -> None:
    """The result, for a script."""
    print(json.dumps(value, indent=2, ensure_ascii=False))  # noqa: T201 - this is the printer


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The result, for a person; nothing if there is none."""
    if not rows:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, width=None if out.is_terminal else 200).print(table, markup=False)


class Steps:
    """Progress of several things at once."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._lock = threading.Lock()

    def begin(self, name: str) -> Report:
        """A reporter for `name`."""
        begun = time.monotonic()
        if self._progress is None:

            def line(message: str) -> None:
                with self._lock:
                    say(f"{name}: {message} ({time.monotonic() - begun:.1f} s)")

            return line
        task = self._progress.add_task(name, total=None, message="waiting")
        progress = self._progress

        def update(message: str) -> None:
            progress.update(task, message=message)

        return update


@contextmanager
def steps() -> Iterator[Steps]:
    """Shows progress while the block runs: spinners on a terminal, lines elsewhere."""
    if not err.is_terminal:
        yield Steps(None)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<32}"),
        TextColumn("{task.fields[message]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True) as progress:
        yield Steps(progress)
