"""Names of workspaces, their homes, containers and volumes: one pure, collision-free function.

Users may be called almost anything (`Ana.Ruiz@bank.example`, `..`); file systems and container
engines take little. So every character but `a-z0-9` is written as `-` and its bytes in hexadecimal,
which no two names share; what gets too long is cut and told apart by a hash.
"""

import hashlib
import string

_SAFE = frozenset(string.ascii_lowercase + string.digits)
_MAX_LENGTH = 48


def safe_name(text: str) -> str:
    """A name for `text` of letters, digits and hyphens that no other text has.

    Raises:
        ValueError: `text` is empty.
    """
    if not text:
        raise ValueError("a name must not be empty")
    escaped = "".join(
        character
        if character in _SAFE
        else "".join(f"-{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))
        for character in text
    )
    if len(escaped) <= _MAX_LENGTH:
        return escaped
    # A cut name ends in "--", which no escaped name contains, and the hash of the whole text.
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    cut = escaped[: _MAX_LENGTH - len(digest) - 2].rstrip("-")
    return f"{cut}--{digest}"


def workspace_name(user: str, server: str = "") -> str:
    """The name of a user's workspace; `server` tells named servers apart."""
    name = safe_name(user)
    return f"{name}---{safe_name(server)}" if server else name


PROJECT_LABEL = "perijove.project"
"""The label that marks a container or network as the work of one compose project."""


def object_name(project: str, workspace: str) -> str:
    """The name of a workspace's container, and of its network.

    Args:
        project: of compose.
        workspace: the name of the workspace.
    """
    return f"{project}-workspace-{workspace}"


def volume_name(project: str, volume: str) -> str:
    """The name compose gives to a volume of the project."""
    return f"{project}_{volume}"


def service_name(project: str, service: str) -> str:
    """The name compose gives to the only container of a service."""
    return f"{project}-{service}-1"
