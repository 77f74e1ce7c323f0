"""What every engine does with a plan: keeps it, remembers what it granted, watches over it.

An engine only has to start a `Workspace`, say whether it runs, and stop it. That a workspace ends
when its user loses an entitlement, and that a deleted user's home is put aside, is decided here.
"""

from datetime import UTC, datetime
from typing import Any

from jupyterhub.spawner import Spawner
from traitlets import Any as AnyTrait
from traitlets import Float, Instance

from spawner.access import Grant
from spawner.entitlement import is_entitled
from spawner.names import safe_name
from spawner.plan import Workspace
from spawner.settings import Settings


class PlannedSpawner(Spawner):
    """A spawner that starts what `plan_at_spawn` planned, and nothing else."""

    settings = Instance(Settings, help="The installation that workspaces belong to.").tag(
        config=True
    )
    stop_seconds = Float(
        10, help="How long a workspace may take to shut its kernels down before it is ended."
    ).tag(config=True)

    workspace = AnyTrait(help="The plan to carry out; `plan_at_spawn` sets it at every spawn.")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._held: tuple[Grant, ...] = ()

    async def start(self) -> tuple[str, int]:
        """Starts the workspace and returns where it listens, once it answers there."""
        raise NotImplementedError

    async def poll(self) -> str | int | None:
        """None while the workspace runs as it should, else how it ended."""
        raise NotImplementedError

    async def stop(self, now: bool = False) -> None:
        """Ends the workspace: kernels are shut down first, unless it has to be `now`."""
        raise NotImplementedError

    def get_state(self) -> dict[str, Any]:
        """What is needed to find the workspace again, and to know what it may see."""
        state: dict[str, Any] = super().get_state()
        if self._held:
            state["grants"] = [[grant.client, grant.project] for grant in self._held]
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Takes up a workspace that an earlier hub started."""
        super().load_state(state)
        self._held = tuple(Grant(*grant) for grant in state.get("grants", ()))

    def clear_state(self) -> None:
        """Forgets the workspace."""
        super().clear_state()
        self._held = ()

    async def stop_if_not_entitled(self) -> bool:
        """Stops a running workspace whose user has lost what it still shows; whether it did."""
        if not self._held or is_entitled(self, self._held):
            return False
        self.log.warning(
            "%s has lost access to a project that the running workspace shows: stopping it.",
            self._log_name,
        )
        await self.stop(now=True)
        return True

    def delete_forever(self) -> None:
        """Puts the home of a deleted user aside: nobody loses work, nobody of that name gets it."""
        home = self.settings.homes / safe_name(self.user.name)
        if home.is_dir():
            removed = self.settings.homes / ".removed"
            removed.mkdir(mode=0o700, exist_ok=True)
            home.rename(removed / f"{home.name}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")


def prepare_home(workspace: Workspace) -> None:
    """The user's directory, for nobody else on the host."""
    for mount in workspace.mounts:
        if not mount.read_only:
            mount.source.mkdir(parents=True, exist_ok=True)
            mount.source.chmod(0o700)
