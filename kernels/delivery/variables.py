"""The variables a kernel starts with, said for another place than the store."""

import re
import shlex
from collections.abc import Mapping

_OVERLAY = "PYTHONUSERBASE"
_SHELL = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def plan_variables(variables: Mapping[str, str], target: str, home: str) -> dict[str, str]:
    """The same for an environment at `home` in place of `target`, in Jupyter's form."""
    return {key: value.replace(target, home) for key, value in variables.items()}


def without_overlay(variables: Mapping[str, str]) -> dict[str, str]:
    """The same for an environment that belongs to whoever unpacked it: pip installs into it.

    What lies in `~/.local` stays out, for it was installed for another Python.
    """
    overlay = variables.get(_OVERLAY)
    kept = {key: value for key, value in variables.items() if key != _OVERLAY}
    if overlay:
        entries = kept["PATH"].split(":")
        kept["PATH"] = ":".join(entry for entry in entries if not entry.startswith(overlay))
    return kept | {"PYTHONNOUSERSITE": "1"}


def shell_text(variables: Mapping[str, str], home: str, folder: str) -> str:
    """Lines for a POSIX shell that set them, with the shell's text `folder` in place of `home`."""
    lines = [
        "# Written by Perijove: what the environment's kernel starts with.",
        *(f"export {key}={_shell_value(value, home, folder)}" for key, value in variables.items()),
    ]
    return "\n".join(lines) + "\n"


def _shell_value(value: str, home: str, folder: str) -> str:
    """Jupyter's `${NAME}` and `$$`, and the path, in a shell's words."""
    return f'"{folder}"'.join(_shell_part(part) for part in value.split(home))


def _shell_part(text: str) -> str:
    parts, at = [], 0
    for found in _SHELL.finditer(text):
        parts += [_quoted(text[at : found.start()]), f'"${{{found[1]}}}"' if found[1] else "'$'"]
        at = found.end()
    return "".join([*parts, _quoted(text[at:])])


def _quoted(text: str) -> str:
    return shlex.quote(text) if text else ""
