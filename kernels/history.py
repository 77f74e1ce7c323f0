"""What was done to a project's versions, when, by whom, and from which commit and lock.

One JSON object a line in `<store>/<client>/<project>/history.jsonl`, oldest first, and nothing is
ever taken back. A line is one write; what a writer that was killed (or a full disk) left of its
last line is no event, and the next writer cuts it off. Workspaces cannot read the file: it names
people.
"""

import errno
import fcntl
import getpass
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from kernels.commits import find_commit
from kernels.errors import StoreError
from kernels.projects import Project
from kernels.store import Store

What = Literal["locked", "built", "published", "rolled back", "retired", "removed", "imported"]
"""What can be done to a version."""


@dataclass(frozen=True)
class Event:
    """One thing that was done.

    Attributes:
        time: when, in seconds since 1970.
        what: what was done.
        version: to which version; None for a lock, which has none yet.
        lock: the sha256 of the lock it is made from, or its first digits.
        by: the person, as far as the machine knows.
        commit: the commit of the projects directory, with a `+` if the project differed from it.
    """

    time: int
    what: What
    version: int | None
    lock: str
    by: str
    commit: str | None


def record(project: Project, store: Store, what: What, *, version: int | None, lock: str) -> None:
    """Adds one event to a project's history, durably.

    Raises:
        OSError: it cannot be written; inside `Store.writing` that becomes a StoreError.
    """
    event = Event(int(time.time()), what, version, lock, _person(), find_commit(project))
    _append(history_file(project, store), json.dumps(asdict(event), ensure_ascii=False) + "\n")


def load_history(project: Project, store: Store) -> list[Event]:
    """What was done to a project's versions, oldest first.

    Raises:
        StoreError: a line is not an event.
    """
    file = history_file(project, store)
    try:
        lines = file.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(
            f"{file}: the history cannot be read ({error.strerror}); run this as the "
            "builder's user."
        ) from None
    events = []
    for number, line in enumerate(lines, 1):
        try:
            events.append(_parse(line))
        except (KeyError, TypeError, ValueError):
            if number < len(lines):
                raise StoreError(
                    f"{file}: line {number} is not an event of a history; remove that line."
                ) from None
    return events


def plan_retired(events: Sequence[Event]) -> frozenset[int]:
    """The versions that were retired, and not published since."""
    retired: set[int] = set()
    for event in events:
        if event.version is not None and event.what == "retired":
            retired.add(event.version)
        elif event.version is not None and event.what == "published":
            retired.discard(event.version)
    return frozenset(retired)


def history_file(project: Project, store: Store) -> Path:
    """Where a project's history stands."""
    return store.project(project) / "history.jsonl"


def _append(file: Path, line: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "r+b", buffering=0) as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0)
        content = stream.read()
        rest = content.rpartition(b"\n")[2]
        is_whole = _is_event(rest)  # all of it but its end was written
        if rest and not is_whole:
            stream.truncate(len(content) - len(rest))
        data = (b"\n" if is_whole else b"") + line.encode()
        if stream.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
        os.fsync(stream)


def _is_event(line: bytes) -> bool:
    try:
        _parse(line)
    except (KeyError, TypeError, ValueError):
        return False
    return True


def _parse(line: bytes) -> Event:
    """Raises KeyError, TypeError or ValueError if the line is not an event."""
    table: dict[str, Any] = dict(json.loads(line))
    event = Event(**table)
    texts = (event.lock, event.by, event.commit or "")
    if (
        event.what not in get_args(What)
        or type(event.time) is not int
        or type(event.version) not in (int, type(None))
        or not all(isinstance(text, str) for text in texts)
    ):
        raise ValueError(table)
    return event


def _person() -> str:
    named = os.environ.get("PERIJOVE_ACTOR") or os.environ.get("SUDO_USER")
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user that has no name
        return f"uid {os.getuid()}"
