"""The demonstration accounts: made once, at the first start, with passwords nobody else knows.

`accounts.json` is for its owner's eyes (0600). The passwords in it are first passwords; people and
groups are from then on managed on the hub's own pages.
"""

import json
import os
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from embedded.errors import EmbeddedError
from kernels.projects import Project

_NAMES = ("anna", "bruno", "carla", "dario", "elif", "farid", "greta", "hanna", "ivan", "jonas")


@dataclass(frozen=True)
class Account:
    """One person of the demonstration."""

    user: str
    password: str
    groups: tuple[str, ...] = ()
    admin: bool = False


def ensure_accounts(
    file: Path, projects: Sequence[Project], *, walled: bool = True
) -> list[Account]:
    """The accounts in `file`, made from the projects if there is no such file.

    Without walls there is one account only: nobody must share an unwalled machine.
    """
    if file.exists():
        accounts = load_accounts(file)
    else:
        accounts = plan_accounts(projects) if walled else [_single_account(projects)]
        _write_private(file, {"accounts": [asdict(account) for account in accounts]})
    if not walled and len(accounts) > 1:
        raise EmbeddedError(
            f"{file} has {len(accounts)} accounts, but this machine cannot wall off workspaces "
            "from each other; mend that, or use another PERIJOVE_HOME for a single account."
        )
    return accounts


def load_accounts(file: Path) -> list[Account]:
    """Reads the accounts file."""
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))["accounts"]
        return [
            Account(entry["user"], entry["password"], tuple(entry["groups"]), entry["admin"])
            for entry in entries
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise EmbeddedError(
            f"{file} is not a list of accounts ({error!r}); mend it, or remove it to have it made."
        ) from None


def plan_accounts(projects: Sequence[Project]) -> list[Account]:
    """A member of each client, of a single project, of two clients, of none, and an admin."""
    clients = list(dict.fromkeys(project.client for project in projects))
    members: list[tuple[str, ...]] = [(client,) for client in clients]
    shared = [client for client in clients if _count(client, projects) > 1]
    if shared:
        first = next(project for project in projects if project.client == shared[0])
        members.append((first.slug,))
    if len(clients) > 1:
        members.append((clients[0], clients[-1]))
    members.append(())
    people = [
        Account(_NAMES[number] if number < len(_NAMES) else f"user{number}", _password(), groups)
        for number, groups in enumerate(members)
    ]
    return [*people, Account("admin", _password(), admin=True)]


def describe_access(account: Account, projects: Iterable[Project]) -> str:
    """What an account may see, in words."""
    if account.admin:
        return "manages people; sees no project"
    if not account.groups:
        return "no project"
    known = {project.slug: f"{project.client_title}: {project.title}" for project in projects}
    known |= {project.client: f"{project.client_title}: all projects" for project in projects}
    return ", ".join(known.get(group, group) for group in account.groups)


def _single_account(projects: Sequence[Project]) -> Account:
    clients = tuple(dict.fromkeys(project.client for project in projects))
    return Account(_NAMES[0], _password(), clients, admin=True)


def _count(client: str, projects: Iterable[Project]) -> int:
    return sum(project.client == client for project in projects)


def _password() -> str:
    """Four groups of four characters that are not mistaken for each other: 80 bits."""
    letters = "abcdefghijkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(4))


def _write_private(file: Path, value: object) -> None:
    scratch = file.with_name(f".{file.name}.new")
    scratch.unlink(missing_ok=True)
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(json.dumps(value, indent=2) + "\n")
    scratch.replace(file)
