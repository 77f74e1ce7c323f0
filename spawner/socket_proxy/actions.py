"""What may be done to a container or network that is a workspace's. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from spawner.socket_proxy.calls import Call, Reference
from spawner.socket_proxy.networks import connection, disconnection
from spawner.socket_proxy.policy import Policy
from spawner.socket_proxy.request import Request
from spawner.socket_proxy.shapes import Check, RefusedError, exactly, keys, optional, text

FLAG = optional(text("0|1|true|false|True|False", "0, 1, true or false"))
"""A parameter that is on or off."""

NO_BODY = exactly(None)

_ID = re.compile("[0-9a-f]{12,64}")
_Body = Callable[[Policy], Check]


@dataclass(frozen=True)
class _Action:
    """What may be done to a container or network: its parameters and its body."""

    query: Mapping[str, Check]
    body: _Body = lambda _: NO_BODY
    is_inspection: bool = False


_OFF = optional(text("0|false|False", "0 or false"))
_SECONDS = optional(text("[0-9]{1,10}", "a number of seconds"))
_MOMENT = optional(text(r"[0-9]{1,12}(\.[0-9]{1,9})?", "a moment in seconds"))

_ACTIONS: Mapping[str, Mapping[str, _Action]] = {
    "containers": {
        "GET /json": _Action({}, is_inspection=True),
        "GET /logs": _Action(
            {
                **dict.fromkeys(("stdout", "stderr", "timestamps"), FLAG),
                "follow": _OFF,
                "tail": optional(text("all|[0-9]{1,9}", "a number of lines or all")),
                **dict.fromkeys(("since", "until"), _MOMENT),
            }
        ),
        "POST /start": _Action({}),
        "POST /stop": _Action({"t": _SECONDS, "signal": optional(text("[A-Z0-9]+", "a signal"))}),
        "POST /kill": _Action({"signal": optional(text("[A-Z0-9]+", "a signal"))}),
        "POST /wait": _Action(
            {"condition": optional(text("not-running|next-exit|removed", "a condition"))}
        ),
        "DELETE ": _Action({"v": FLAG, "force": FLAG, "link": _OFF}),
    },
    "networks": {
        "GET ": _Action({}, is_inspection=True),
        "DELETE ": _Action({}),
        "POST /connect": _Action({}, connection),
        "POST /disconnect": _Action({}, disconnection),
    },
}


def plan_action(request: Request, kind: str, name: str, action: str, policy: Policy) -> Call:
    """What may go on of a request to do `action` to the container or network `name`.

    Raises:
        RefusedError: it is not allowed.
    """
    allowed = _ACTIONS[kind].get(f"{request.method} {action}")
    if allowed is None:
        raise RefusedError(f"this is not among what may be done with {kind}")
    if policy.find_home(name) is None and not _ID.fullmatch(name):
        raise RefusedError(f"{name} is no workspace of {policy.project}")
    keys(allowed.query)(request.query, "query")
    allowed.body(policy)(request.body, "")
    about = Reference(kind, name, request.version)
    return Call(request, f"/{kind}/{{}}{action}", about, allowed.is_inspection)
