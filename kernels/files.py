"""Files that several builders share: held by one at a time, and cleaned of what the killed left.

A file is held by `flock`, which ends with the process at the latest: no lock is ever left behind.
Whoever holds a directory's lock may remove all scratch in it, for nobody else is at work there.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def hold_file(path: Path, *, shared: bool = False) -> Iterator[TextIO]:
    """Waits until nobody else holds the file `path` (made if need be), and holds it.

    Any number may hold it `shared` at the same time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
            if _stands_at(path, file):  # and was not renamed or removed while we waited
                yield file
                return


def remove_tree(path: Path) -> None:
    """Removes a file, or a directory with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_leftovers(directory: Path, *prefixes: str) -> None:
    """Removes what killed builders left in `directory`; the caller holds its lock."""
    for path in directory.iterdir():
        if path.name.startswith(prefixes):
            remove_tree(path)


def _stands_at(path: Path, file: TextIO) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
