"""`perijove status`: what runs, who works, and which version of each project is published."""

import sys
import urllib.error
from dataclasses import asdict
from typing import Any

import click

from kernels.building.build import LOCK_COPY
from kernels.disk.room import load_size, measure_store, show_size
from kernels.errors import KernelsError
from kernels.history import load_history, plan_retired
from kernels.locking.lock import load_lock
from kernels.projects import Project
from kernels.publishing.publish import pinned_environments, published_version
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
    problems: list[KernelsError] = list(found.problems)
    projects = [_describe(project, store, problems) for project in found.projects]
    size = measure_store(store, store.all_environments())
    if as_json:
        print_json({"platform": platform, "projects": projects, "store": asdict(size)})
    else:
        users = platform["workspaces"]
        if platform["running"]:
            print_line(f"Running at {platform['url']}, workspaces: {', '.join(users) or 'none'}.")
        else:
            print_line("Not running; 'make up' starts it.")
        print_table(
            ("PROJECT", "PUBLISHED", "BUILT", "PYTHON", "PACKAGES", "SIZE", "CHANNELS"),
            [
                (
                    entry["project"],
                    f"v{entry['published']}" if entry["published"] else "-",
                    ", ".join(_mark(version, entry) for version in entry["built"]) or "-",
                    entry["python"] or "-",
                    str(entry["packages"] or "-"),
                    show_size(entry["size"]["apparent"]) if entry["size"] else "-",
                    ", ".join(entry["channels"]) or "-",
                )
                for entry in projects
            ],
        )
        limit = f" of {show_size(store.max_size)}" if store.max_size else ""
        print_line(
            f"The store takes {show_size(size.real)}{limit}; without shared files it would take "
            f"{show_size(size.apparent)}."
        )
    code = exit_code(len(projects), problems)
    sys.exit(code if platform["running"] else 1)


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


def _mark(version: int, entry: dict[str, Any]) -> str:
    """A version as people may choose it, or why they cannot."""
    if version in entry["pinned"]:
        return f"v{version}"
    return f"v{version} ({'retired' if version in entry['retired'] else 'not published'})"


def _describe(project: Project, store: Store, problems: list[KernelsError]) -> dict[str, Any]:
    environments = store.environments(project)
    pinned = [one.version for one in pinned_environments(project, store)]
    published, retired = None, frozenset[int]()
    try:
        published = published_version(project, store)
        retired = plan_retired(load_history(project, store))
    except KernelsError as error:  # the other projects are shown all the same
        problems.append(error)
    shown = next((one for one in environments if one.version == published), None)
    lock = load_lock(shown.path / LOCK_COPY) if shown else None
    return {
        "project": project.slug,
        "published": published,
        "built": [environment.version for environment in environments],
        "pinned": pinned,
        "retired": [one.version for one in environments if one.version in retired],
        "python": lock.python if lock else None,
        "packages": len(lock.conda) + len(lock.pip) if lock else None,
        "size": asdict(load_size(shown)) if shown else None,
        "channels": list(lock.channels) if lock else [],
    }
