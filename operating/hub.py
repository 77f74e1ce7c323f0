"""Whether the hub is there: what `perijove doctor` tells and a restore must not find."""

import urllib.error
import urllib.request

from operating.findings import Finding, reason

_SECONDS = 5
FORGET_WORKSPACES = "UPDATE spawners SET state = NULL"
"""In the hub's database: the containers and processes of workspaces that ran are not here."""


def find_obstacle(hub: str) -> str | None:
    """What keeps the hub at this address from answering; None if it answers."""
    try:
        with urllib.request.urlopen(f"{hub}health", timeout=_SECONDS):  # noqa: S310 - the hub's own address
            return None
    except urllib.error.URLError as error:
        return reason(error.reason if isinstance(error.reason, OSError) else error)
    except OSError as error:
        return reason(error)


def check_hub(hub: str | None, *, start: str) -> Finding:
    """Whether it answers; `start` is the command that starts it."""
    if hub is None:
        return Finding("hub", None, f"not running; '{start}' starts it")
    obstacle = find_obstacle(hub)
    if obstacle:
        return Finding(
            "hub", ok=False, text=f"does not answer at {hub} ({obstacle}); '{start}' starts it"
        )
    return Finding("hub", ok=True, text=f"answers at {hub}")
