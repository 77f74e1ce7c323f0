"""The names a kernel goes by, and the place work on an example goes to; pure.

A kernel of the store is named `<client>.<project>` (stable: always the newest version) or
`<client>.<project>.v<N>` (pinned). Notebooks written before Perijove carry the name that
nb_conda_kernels gave to the environment `<client>_<project>_v<N>`, which means the pinned kernel.
"""

import re
from typing import NamedTuple

_WORD = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_STORE = re.compile(rf"(?P<client>{_WORD})\.(?P<project>{_WORD})(?:\.v[1-9][0-9]*)?")
_CONDA = re.compile(
    rf"conda-env-(?P<client>{_WORD})_(?P<project>{_WORD})_v(?P<version>[1-9][0-9]*)-(?:py|python3)"
)


class Project(NamedTuple):
    """The client and the project that a kernel belongs to."""

    client: str
    project: str


def project_of(kernel: str) -> Project | None:
    """Return the project that the store's kernel of this name belongs to, None for other names."""
    match = _STORE.fullmatch(kernel)
    return Project(match["client"], match["project"]) if match else None


def pinned_name(kernel: str) -> str | None:
    """Return the pinned kernel that a name of nb_conda_kernels means, None for other names."""
    match = _CONDA.fullmatch(kernel.lower())
    return f"{match['client']}.{match['project']}.v{match['version']}" if match else None


def own_folder(folder: str) -> str:
    """Return the user's folder for work on a read-only one: `examples/a/b` gives `work/a/b`."""
    parts = [part for part in folder.split("/") if part]
    return "/".join(["work", *(parts[1:] if parts[:1] == ["examples"] else parts)])
