"""conda's doings on this machine's own disk: activating a prefix, indexing a channel directory."""

import asyncio
from pathlib import Path

from rattler.index import index_fs


def activation_script(prefix: Path, path: str) -> str:
    """The bash text that activates `prefix`, as conda would where PATH is `path`."""
    from rattler.shell import ActivationVariables, Shell, activate  # noqa: PLC0415 - rarely needed

    before = ActivationVariables(None, [Path(entry) for entry in path.split(":")])
    return str(activate(prefix, before, Shell.bash).script)


def index(directory: Path) -> None:
    """(Re)writes the index of a channel directory, which must have a `noarch` folder."""
    asyncio.run(index_fs(directory, force=True, write_shards=False))
