"""What `perijove doctor` asks of the files with secrets: who may read them, and what is in them."""

import re
import stat
from collections.abc import Mapping
from pathlib import Path

from operating.findings import Finding

_FIRST_PASSWORD = re.compile(r"^PERIJOVE_ADMIN_PASSWORD[ \t]*=[ \t]*['\"]?[^'\"\s#]", re.MULTILINE)


def check_secrets(secrets: Mapping[str, Path]) -> Finding:
    """Whether nobody but their owner may read them, and no first password is left in them."""
    read = []
    for name, file in secrets.items():
        if name.startswith("certificate"):
            continue  # everybody is shown it
        if not file.is_file():
            if file.name == "accounts.json":
                continue  # made at the first start
            return _bad(f"{name} is not a file; run 'make secrets'")
        # A key may be shared with a group: that of whoever renews certificates.
        others = 0o007 if name.startswith("key") else 0o077
        if stat.S_IMODE(file.stat().st_mode) & others:
            return _bad(f"others may read {name}; run 'chmod 600' on it")
        read.append(name)
    if ".env" in secrets and _FIRST_PASSWORD.search(secrets[".env"].read_text(encoding="utf-8")):
        return Finding(
            "secrets",
            None,
            "the first password of the account admin stands in .env; change it on the hub's pages, "
            "then empty PERIJOVE_ADMIN_PASSWORD",
        )
    text = f"only their owner may read {', '.join(read)}" if read else "none are made yet"
    return Finding("secrets", ok=True, text=text)


def _bad(text: str) -> Finding:
    return Finding("secrets", ok=False, text=text)
