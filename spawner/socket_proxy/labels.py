"""How the containers and networks of an installation are marked and listed. Pure."""

from typing import Any

from spawner.names import PROJECT_LABEL
from spawner.socket_proxy.policy import Policy
from spawner.socket_proxy.shapes import (
    Check,
    any_text,
    exactly,
    items,
    keys,
    mapping,
    optional,
    refuse,
    text,
)

_OURS = mapping(text(r"perijove\.[a-z.-]+", "a label of ours, as perijove.user"), any_text)
_TEXTS = items(any_text)


def labels(policy: Policy) -> Check:
    """Our own labels, the installation's among them.

    Others would speak to programs that act on labels: compose takes a container that carries its
    labels for one of its services.
    """

    def check(found: Any, at: str) -> None:
        _OURS(found, at)
        exactly(policy.project)(found.get(PROJECT_LABEL), f"{at}.{PROJECT_LABEL}")

    return check


def filters(policy: Policy, *others: str) -> Check:
    """The filters of a list: by the installation's label, and by `others`, which narrow it."""

    def check_labels(found: Any, at: str) -> None:
        _TEXTS(found, at)
        if policy.label not in found:
            raise refuse(found, at, f"a list with {policy.label}")

    return keys({"label": check_labels, **dict.fromkeys(others, optional(_TEXTS))})
