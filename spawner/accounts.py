"""Local accounts, for installations without an identity provider.

Passwords, sign-up and the page where an admin approves people are NativeAuthenticator's; the login
form is JupyterHub's own. `accounts.json` gives the demonstration accounts their first passwords;
once changed, a password is never set back. Groups are the hub's own: admins edit them on its pages.
"""

import json
from pathlib import Path
from typing import Any

import bcrypt
from nativeauthenticator import NativeAuthenticator
from nativeauthenticator.orm import UserInfo
from traitlets import Unicode


class LocalAccounts(NativeAuthenticator):
    """NativeAuthenticator with JupyterHub's own login form and first passwords from a file."""

    accounts_file = Unicode(
        "",
        help="A JSON file of accounts whose first password is in it; empty for none.",
    ).tag(config=True)

    def get_handlers(self, app: Any) -> list[tuple[str, type]]:
        """NativeAuthenticator's pages but for the login form, which is JupyterHub's."""
        return [handler for handler in super().get_handlers(app) if handler[0] != r"/login"]

    def add_user(self, user: Any) -> None:
        """Gives a new user of the accounts file the password that stands there."""
        super().add_user(user)
        password = self._first_password(user.name)
        if password and not self.user_exists(user.name):
            hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt())
            self.db.add(UserInfo(username=user.name, password=hashed, is_authorized=True))
            self.db.commit()

    def _first_password(self, user: str) -> str | None:
        file = Path(self.accounts_file)
        if not self.accounts_file or not file.exists():
            return None
        accounts = json.loads(file.read_text(encoding="utf-8"))["accounts"]
        return next((entry["password"] for entry in accounts if entry["user"] == user), None)
