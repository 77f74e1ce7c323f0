"""Whose a new file is: what root writes for others belongs to them."""

import os
from pathlib import Path


def is_root() -> bool:
    """Whether this process may give files away."""
    return os.geteuid() == 0


def give(what: Path | int, to_owner_of: Path) -> None:
    """Makes a file belong to whom a directory belongs to; nothing happens unless by root."""
    if is_root():
        owner = to_owner_of.stat()
        follow = isinstance(what, int)
        os.chown(what, owner.st_uid, owner.st_gid, follow_symlinks=follow)
