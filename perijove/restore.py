"""`perijove restore`: brings an installation back from the file of a backup."""

from pathlib import Path

import click

from operating.restore import restore
from perijove.console import print_line, say, warn
from perijove.context import Installation
from perijove.site import find_site


@click.command(
    short_help="Bring database, homes and kernels back from a backup.",
    help="Bring database, homes, state and kernels back from a backup, into an empty installation.",
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--replace", is_flag=True, help="Put aside what is there; it would be an error otherwise."
)
@click.pass_obj
def command(installation: Installation, file: Path, replace: bool) -> None:
    """Restores, and says what to do next."""
    site = find_site(installation)
    done = restore(file.absolute(), site, lambda step: say(f"Restore: {step}."), replace=replace)
    for note in done.notes:
        warn(f"Left out: {note}.")
    start = "docker compose up -d" if site.docker else "make up"
    builds = "; it builds them again under their numbers, which takes a while"
    print_line(
        f"Restored the backup of {done.made}: the database, {done.homes} homes, and the locks of "
        f"{done.versions} environments. Now run '{start}'{builds if done.versions else ''}."
    )
