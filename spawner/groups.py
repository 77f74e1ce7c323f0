"""The hub groups: one for each client, one for each project, and one for admins. Pure reading.

They are made empty, but for the first admin: who is a member is the business of admins, or of the
identity provider.
"""

from pathlib import Path
from typing import Any

from kernels.names import ADMINS
from kernels.projects import load_projects

__all__ = ["ADMINS", "plan_groups"]


def plan_groups(projects: Path, admin: str | None = None) -> dict[str, dict[str, Any]]:
    """JupyterHub's `load_groups` for a projects directory, with `admin` as a first admin."""
    found = load_projects(projects).projects
    names = {*(project.client for project in found), *(project.slug for project in found)}
    empty: dict[str, dict[str, Any]] = {name: {"users": []} for name in sorted(names)}
    return empty | {ADMINS: {"users": [admin] if admin else []}}
