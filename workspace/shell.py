"""A shell with the variables of a project's kernel, so that a terminal is where the kernel is."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from string import Template

from workspace.names import project_of


class ShellError(Exception):
    """There is no such kernel; the text is for people."""


def plan_environment(kernel: str, store: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that a kernel of the store starts with, put into these as Jupyter does.

    Raises ShellError if the store has no kernel of this name for this person.
    """
    project = project_of(kernel)
    try:
        if project is None:
            raise FileNotFoundError
        file = store.joinpath(*project, "kernels", kernel, "kernel.json")
        told = json.loads(file.read_text(encoding="utf-8"))["env"]
    except (OSError, ValueError, KeyError):
        known = sorted(path.parent.name for path in store.glob("*/*/kernels/*/kernel.json"))
        raise ShellError(
            f"You have no kernel '{kernel}'; there are: {', '.join(known) or 'none'}."
        ) from None
    filled = {key: Template(value).safe_substitute(environment) for key, value in told.items()}
    return {**environment, **filled}


def run_shell(kernel: str, command: list[str], store: Path) -> None:
    """Becomes the shell, or `command`. Raises ShellError; OSError if it cannot be started."""
    environment = plan_environment(kernel, store, os.environ)
    argv = command or [environment.get("SHELL", "/bin/sh")]
    os.execvpe(argv[0], argv, environment)  # noqa: S606 - the person's own choice
