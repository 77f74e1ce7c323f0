"""`perijove status`: what runs, who works, and which version of each project is published."""

import sys
import urllib.error
from typing import Any

import click

from kernels.build import LOCK_COPY
from kernels.lock import load_lock
from kernels.projects import Project
from kernels.publish import published_version
from kernels.store import Store
from perijove.console import print_json, print_line, print_table
from perijove.context import Installation, exit_code


@click.command(
    short_help="Show what runs and what is published.",
    help="Show what runs and what is published; exit code 1 if the platform is down.",
)
@click.option("--json", "as_json", is_flag=True, help="For a script.")
@click.pass_obj
def command(installation: Installation, as_json: bool) -> None:
    """Shows the platform, the workspaces and the projects."""
    found, store = installation.projects(), installation.store()
    platform = _platform(installation)
    projects = [_describe(project, store) for project in found.projects]
    if as_json:
        print_json({"platform": platform, "projects": projects})
    else:
        users = platform["workspaces"]
        if platform["running"]:
            print_line(f"Running at {platform['url']}, workspaces: {', '.join(users) or 'none'}.")
        else:
            print_line("Not running; 'make up' starts it.")
        print_table(
            ("PROJECT", "PUBLISHED", "BUILT", "PYTHON", "PACKAGES", "CHANNELS"),
            [
                (
                    entry["project"],
                    f"v{entry['published']}" if entry["published"] else "-",
                    ", ".join(f"v{version}" for version in entry["built"]) or "-",
                    entry["python"] or "-",
                    str(entry["packages"] or "-"),
                    ", ".join(entry["channels"]) or "-",
                )
                for entry in projects
            ],
        )
    problems = exit_code(len(projects), found.problems)
    sys.exit(problems if platform["running"] else 1)


def _platform(installation: Installation) -> dict[str, Any]:
    down: dict[str, Any] = {"running": False, "url": None, "workspaces": []}
    running = installation.running()
    if running is None:
        return down
    url, hub = running
    try:
        users = hub.running()
    except (urllib.error.URLError, ConnectionError):
        return down
    return {"running": True, "url": url, "workspaces": users}


def _describe(project: Project, store: Store) -> dict[str, Any]:
    environments = store.environments(project)
    published = published_version(project, store)
    shown = next((one for one in environments if one.version == published), None)
    lock = load_lock(shown.path / LOCK_COPY) if shown else None
    return {
        "project": project.slug,
        "published": published,
        "built": [environment.version for environment in environments],
        "python": lock.python if lock else None,
        "packages": len(lock.conda) + len(lock.pip) if lock else None,
        "channels": list(lock.channels) if lock else [],
    }
