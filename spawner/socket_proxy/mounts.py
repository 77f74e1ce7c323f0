"""What a workspace's container may mount: its own home, and parts of the store to read. Pure."""

from spawner.socket_proxy.policy import Policy
from spawner.socket_proxy.shapes import (
    Check,
    RefusedError,
    any_text,
    empty,
    exactly,
    items,
    keys,
    mapping,
    optional,
    refuse,
    switch,
    text,
)

_TARGET = text(
    r"(/(?!\.{1,2}(/|\Z))[A-Za-z0-9_.@+-]+)+",
    "an absolute path below / without . and ..",
)
_STORE_PART = text(
    r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*",
    "a path in the store, with nothing hidden in it and no ..",
)
_TMPFS_OPTION = r"(size=[0-9]+[kmg%]?|mode=[0-7]{3,4}|[ug]id=[0-9]+|rw|nosuid|nodev|noexec|exec)"
_TMPFS_OPTIONS = text(
    f"({_TMPFS_OPTION}(,{_TMPFS_OPTION})*)?",
    "of size=, mode=, uid=, gid=, rw, nosuid, nodev, noexec and exec",
)

TMPFS: Check = mapping(_TARGET, _TMPFS_OPTIONS)
"""File systems in memory: they are the workspace's own, wherever they stand."""


def mounts(home: str, policy: Policy) -> Check:
    """The mounts of the workspace with this home."""
    of_homes = _mount(switch, exactly(home), switch)
    # With the image's files copied in (no NoCopy), an empty place in the store would be written to.
    of_store = _mount(exactly(True), _STORE_PART, exactly(True))

    def check(found: object, at: str) -> None:
        source = found.get("Source") if isinstance(found, dict) else None
        if source == policy.homes:
            of_homes(found, at)
        elif source == policy.store:
            of_store(found, at)
        elif isinstance(found, dict):
            raise refuse(source, f"{at}.Source", f"{policy.homes} or {policy.store}")
        else:
            raise RefusedError(f"{at} is no mount")

    return items(check)


def _mount(read_only: Check, subpath: Check, no_copy: Check) -> Check:
    return keys(
        {
            "Type": exactly("volume"),
            "Source": any_text,  # it is by this that the check was chosen
            "Target": _TARGET,
            "ReadOnly": read_only,
            "Consistency": optional(any_text),
            "BindOptions": empty,
            "TmpfsOptions": empty,
            "VolumeOptions": keys(
                {"Subpath": subpath, "NoCopy": no_copy, "Labels": empty, "DriverConfig": empty}
            ),
        }
    )
