"""`perijove backup`: one file that holds everything that cannot be made anew."""

from pathlib import Path

import click

from operating.backup import make_backup
from perijove.console import print_line, say, warn
from perijove.context import Installation
from perijove.site import find_site

_SHOWN_NOTES = 5


@click.command(
    short_help="Copy database, homes, secrets and locks into one file.",
    help="Copy database, homes, secrets and locks into one file, while people work.",
)
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    help="The directory it is written to.  [default: backups, in the installation's home]",
)
@click.pass_obj
def command(installation: Installation, to: Path | None) -> None:
    """Makes a backup, and prints where it is."""
    site = find_site(installation)
    folder = (to or installation.home / "backups").absolute()
    done = make_backup(site, folder, lambda step: say(f"Backup: {step}."))
    for note in done.notes[:_SHOWN_NOTES]:
        warn(f"Not in the backup: {note}.")
    if len(done.notes) > _SHOWN_NOTES:
        warn(f"{len(done.notes) - _SHOWN_NOTES} more files are not in the backup.")
    say(
        f"{_size(done.size)}; it holds the installation's secrets: keep it as such, and on "
        "another machine."
    )
    # The container's home stands nowhere on the machine, but its backups do, by this name.
    within = site.docker is not None and done.file.is_relative_to(installation.home)
    print_line(str(done.file.relative_to(installation.home) if within else done.file))


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:  # noqa: PLR2004 - units are thousands
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
