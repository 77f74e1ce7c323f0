"""`perijove history`: what was done to a project's versions, when, by whom, from which commit."""

from dataclasses import asdict
from datetime import UTC, datetime

import click

from kernels.history import Event, load_history
from perijove.console import print_json, print_line, print_table
from perijove.context import Installation


@click.command(
    short_help="Show who did what to a project's versions.",
    help="Show who did what to a project's versions, and from which commit; newest first.",
)
@click.argument("project", metavar="CLIENT/PROJECT")
@click.option("--json", "as_json", is_flag=True, help="For a script.")
@click.pass_obj
def command(installation: Installation, project: str, as_json: bool) -> None:
    """Shows the history of one project."""
    found = installation.projects().find(project)
    events = load_history(found, installation.store())[::-1]
    if as_json:
        print_json([asdict(event) for event in events])
    elif not events:
        print_line(f"{found.slug}: nothing was done yet.")
    else:
        print_table(
            ("WHEN", "WHAT", "VERSION", "LOCK", "BY", "COMMIT"), [_row(event) for event in events]
        )


def _row(event: Event) -> tuple[str, ...]:
    when = datetime.fromtimestamp(event.time, UTC).astimezone()
    version = f"v{event.version}" if event.version else "-"
    return (
        f"{when:%Y-%m-%d %H:%M:%S}",
        event.what,
        version,
        event.lock[:12],
        event.by,
        _commit(event),
    )


def _commit(event: Event) -> str:
    if event.commit is None:
        return "-"
    return event.commit[:12] + ("+" if event.commit.endswith("+") else "")
