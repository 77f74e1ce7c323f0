"""What a JSON value may be: checks that are put together to the shape of a whole body. Pure.

A shape names every key that an object may have, spelled as the engine documents it. All other keys
are refused, empty or not: the engine takes keys in any case and the last of two, so an empty
`networkMode` after a good `NetworkMode` would undo it. A key that is absent is checked as null.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

Check = Callable[[Any, str], None]
"""Takes a value and where it stands; raises `RefusedError` if it may not. The body stands at ""."""

_LONGEST = 100


class RefusedError(Exception):
    """A call is not allowed; the text says what was found and what is allowed, for people."""


def refuse(found: object, at: str, allowed: str) -> RefusedError:
    """The refusal of what was found at `at`."""
    shown = json.dumps(found)
    if len(shown) > _LONGEST:
        shown = f"{shown[:_LONGEST]}..."
    return RefusedError(f"{at or 'the body'} is {shown}; it must be {allowed}")


def keys(shape: Mapping[str, Check]) -> Check:
    """An object with these keys, each of which has its check."""

    def check(found: Any, at: str) -> None:
        if not isinstance(found, dict):
            raise refuse(found, at, "an object")
        for key in found:
            if key not in shape:
                raise RefusedError(f"{_under(at, key)} is not among the keys that may be set")
        for key, check_value in shape.items():
            check_value(found.get(key), _under(at, key))

    return check


def mapping(check_key: Check, check_value: Check) -> Check:
    """An object with keys of the caller's choice."""

    def check(found: Any, at: str) -> None:
        if not isinstance(found, dict):
            raise refuse(found, at, "an object")
        for key, value in found.items():
            check_key(key, f"a key of {at}")
            check_value(value, _under(at, key))

    return check


def items(check_item: Check) -> Check:
    """A list of such items."""

    def check(found: Any, at: str) -> None:
        if not isinstance(found, list):
            raise refuse(found, at, "a list")
        for number, item in enumerate(found):
            check_item(item, f"{at}[{number}]")

    return check


def exactly(*allowed: Any) -> Check:
    """One of these values; true is not 1 here."""

    def check(found: Any, at: str) -> None:
        if not any(type(found) is type(value) and found == value for value in allowed):
            raise refuse(found, at, " or ".join(json.dumps(value) for value in allowed))

    return check


def among(allowed: Collection[str], what: str) -> Check:
    """One of these texts, which are called `what`."""

    def check(found: Any, at: str) -> None:
        if not isinstance(found, str) or found not in allowed:
            raise refuse(found, at, f"{what} ({', '.join(sorted(allowed)) or 'there are none'})")

    return check


def text(pattern: str, what: str) -> Check:
    """A text that the pattern describes as a whole."""
    whole = re.compile(pattern)

    def check(found: Any, at: str) -> None:
        if not isinstance(found, str) or not whole.fullmatch(found):
            raise refuse(found, at, what)

    return check


def number(least: int) -> Check:
    """A whole number of at least `least`."""

    def check(found: Any, at: str) -> None:
        if type(found) is not int or found < least:
            raise refuse(found, at, f"a whole number, {least} or more")

    return check


def optional(check_value: Check) -> Check:
    """The same, or null, or not there."""

    def check(found: Any, at: str) -> None:
        if found is not None:
            check_value(found, at)

    return check


def empty(found: Any, at: str) -> None:
    """Nothing: null, or the empty value of any type. Only for keys where all these mean "none"."""
    if found:
        raise refuse(found, at, "empty")


def any_text(found: Any, at: str) -> None:
    """Any text."""
    if not isinstance(found, str):
        raise refuse(found, at, "a text")


def switch(found: Any, at: str) -> None:
    """True or false, or not there."""
    if found is not None and not isinstance(found, bool):
        raise refuse(found, at, "true or false")


def _under(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key
