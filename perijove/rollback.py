"""`perijove rollback`: the stable kernel means again what it meant before."""

import click

from kernels.publishing.rollback import rollback
from perijove.console import print_json, print_line
from perijove.context import Installation


@click.command(
    short_help="Show the version published before again.",
    help="Let a project's kernel mean the version again that was published before; at once.",
)
@click.argument("project", metavar="CLIENT/PROJECT")
@click.option(
    "--to", type=click.IntRange(1), metavar="N", help="Which version; the one before by default."
)
@click.option("--json", "as_json", is_flag=True, help="For a script.")
@click.pass_obj
def command(installation: Installation, project: str, to: int | None, as_json: bool) -> None:
    """Rolls one project back."""
    found = installation.projects().find(project)
    before, now = rollback(found, installation.store(), to)
    if as_json:
        print_json({"project": found.slug, "from": before, "to": now})
    else:
        print_line(
            f"{found.slug}: back from v{before} to v{now}. Kernels that run stay on v{before} "
            "until they are restarted."
        )
