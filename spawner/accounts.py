"""Local accounts, for installations without an identity provider.

Passwords, sign-up and the page where an admin approves people are NativeAuthenticator's; the login
form is JupyterHub's own. First passwords come from `accounts.json` (the demonstration) or from the
settings (the account `admin`); once changed, a password is never set back. Groups are the hub's
own: admins edit them on its pages.
"""

import json
from typing import Any

import bcrypt
from nativeauthenticator import NativeAuthenticator
from nativeauthenticator.orm import UserInfo
from traitlets import Dict

from spawner.settings import Settings

ADMIN = "admin"
"""The first admin of an installation without an identity provider."""


class LocalAccounts(NativeAuthenticator):
    """NativeAuthenticator with JupyterHub's own login form and first passwords from a file."""

    first_passwords = Dict(
        help="The password that a user of this name gets when it is made.",
    ).tag(config=True)

    def get_handlers(self, app: Any) -> list[tuple[str, type]]:
        """NativeAuthenticator's pages but for the login form, which is JupyterHub's."""
        return [handler for handler in super().get_handlers(app) if handler[0] != r"/login"]

    def add_user(self, user: Any) -> None:
        """Gives a new user of the accounts file the password that stands there."""
        super().add_user(user)
        password = self.first_passwords.get(user.name)
        if password and not self.user_exists(user.name):
            hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt())
            self.db.add(UserInfo(username=user.name, password=hashed, is_authorized=True))
            self.db.commit()


def load_first_passwords(settings: Settings) -> dict[str, str]:
    """The first passwords that this installation gives out."""
    passwords: dict[str, str] = {}
    if settings.accounts.exists():
        accounts = json.loads(settings.accounts.read_text(encoding="utf-8"))["accounts"]
        passwords = {account["user"]: account["password"] for account in accounts}
    if settings.admin_password:
        passwords[ADMIN] = settings.admin_password
    return passwords
