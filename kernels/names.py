"""Names: of clients, projects, environments and kernels. Pure, and the only place they are made.

A client or project is `[a-z0-9]` words joined by single `-`; so `.` and `_` are free to join them,
and no two projects can ever share a kernel name or an environment name.
"""

import re

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_MAX_LENGTH = 40

ADMINS = "admins"
"""The hub group whose members manage people; so no client may have this name."""

# JupyterHub's API has the first two behind a group's name.
_RESERVED = {"users", "properties", ADMINS}

NAME_RULE = (
    f"lower-case letters, digits and single hyphens between them, at most {_MAX_LENGTH}, "
    "and not 'users', 'properties' or 'admins'"
)


def is_name(text: str) -> bool:
    """Whether `text` may name a client or a project."""
    return len(text) <= _MAX_LENGTH and _NAME.fullmatch(text) is not None and text not in _RESERVED


def kernel_name(client: str, project: str, version: int | None = None) -> str:
    """The stable kernel name of a project, or with `version` the name pinned to that version."""
    return f"{client}.{project}" if version is None else f"{client}.{project}.v{version}"


def environment_name(client: str, project: str, version: int) -> str:
    """The name of one built version, as conda (and `CONDA_DEFAULT_ENV`) shows it."""
    return f"{client}_{project}_v{version}"


def prefix_name(version: int, digest: str) -> str:
    """The directory of one built version: its number, and the lock it came from."""
    return f"v{version}-{digest[:12]}"


def parse_prefix_name(text: str) -> tuple[int, str] | None:
    """Version and shortened lock digest of a directory named by `prefix_name`, else None."""
    found = re.fullmatch(r"v([1-9][0-9]*)-([0-9a-f]{12})", text)
    return (int(found[1]), found[2]) if found else None
