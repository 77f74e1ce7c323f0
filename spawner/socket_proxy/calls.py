"""A call that may go on to the engine, and what it is about. Pure.

Only the engine knows what a name or an id stands for (a name may be the beginning of another's id).
So it is asked first, and the call goes on to what it found, not to what the hub wrote.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spawner.socket_proxy.policy import Policy
from spawner.socket_proxy.request import Request
from spawner.socket_proxy.shapes import RefusedError


@dataclass(frozen=True)
class Reference:
    """A container or network, by name or by id, as the hub refers to it.

    Attributes:
        kind: `containers` or `networks`.
        name: what the hub wrote.
        version: of the API, as paths begin with it.
    """

    kind: str
    name: str
    version: str

    @property
    def target(self) -> str:
        """Where the engine tells about it."""
        return f"{self.version}/{self.kind}/{self.name}" + (
            "/json" if self.kind == "containers" else ""
        )


@dataclass(frozen=True)
class Call:
    """A call that may go on to the engine.

    Attributes:
        request: what was checked, and is written anew.
        path: where it goes, with `{}` for the id of what it is about.
        about: what has to be a workspace's; None: nothing.
        is_inspection: whether it asks just what the engine tells about the reference.
    """

    request: Request
    path: str
    about: Reference | None = None
    is_inspection: bool = False

    def target(self, found: str = "") -> str:
        """Path and query for the engine, about the container or network with the id `found`."""
        return self.request.target(self.path.format(found) if self.about else self.path)


def find_id(about: Reference, answer: Mapping[str, Any], policy: Policy) -> str:
    """The id of what a call is about, from what the engine tells of it.

    Raises:
        RefusedError: it is no workspace of this installation.
    """
    if about.kind == "containers":
        name = answer["Name"].removeprefix("/")
        marks = answer["Config"]["Labels"]
    else:
        name, marks = answer["Name"], answer["Labels"]
    if not policy.is_ours(name, marks):
        raise RefusedError(f"{about.name} is no workspace of {policy.project}")
    found: str = answer["Id"]
    return found
