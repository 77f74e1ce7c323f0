"""What `perijove doctor` finds: one line for each thing it looked at.

A check looks and changes nothing. One that breaks is itself a finding: people ask a doctor when
things are broken.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from operating.errors import OperatingError

_LONGEST_REASON = 200


@dataclass(frozen=True)
class Finding:
    """What a check has to say.

    Attributes:
        name: what was looked at.
        ok: whether it is as it must be; None: worth knowing, and no failure.
        text: how it is, and what to do about it if it is not well.
    """

    name: str
    ok: bool | None
    text: str


Check = Callable[[], Finding]


def examine(checks: Mapping[str, Check]) -> list[Finding]:
    """The findings of all checks, in their order."""
    return [_examine(name, check) for name, check in checks.items()]


def reason(error: BaseException) -> str:
    """What an error says, on one line short enough for the middle of a sentence."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}..."


def _examine(name: str, check: Check) -> Finding:
    try:
        return check()
    except OperatingError as error:
        return Finding(name, ok=False, text=str(error).rstrip("."))
    except Exception as error:  # noqa: BLE001 - whatever a broken machine makes of a check
        return Finding(
            name, ok=False, text=f"could not be checked: {type(error).__name__}: {reason(error)}"
        )
