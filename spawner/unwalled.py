"""Carries out a plan where the machine has no walls to give: for one person, at the host's paths.

The plan's mounts become what comes nearest: the home is used where it is, and the examples are
links in it. Nothing is hidden here; `embedded/accounts.py` sees to it that there is one account.
"""

from collections.abc import Mapping

from spawner.plan import Workspace


def prepare_home(workspace: Workspace) -> None:
    """Links the example folders into the home, and removes the links of others."""
    home = workspace.mounts[0].source
    examples = {
        home / mount.target.relative_to(workspace.home): mount.source
        for mount in workspace.mounts[1:]
        if mount.target.is_relative_to(workspace.examples)
    }
    for link in (home / "examples").glob("*/*"):
        if link.is_symlink():
            link.unlink()
    for link, source in examples.items():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(source)


def plan_environment(workspace: Workspace) -> Mapping[str, str]:
    """The plan's variables, in the host's paths."""
    return {**workspace.environment, "HOME": str(workspace.mounts[0].source)}
