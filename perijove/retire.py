"""`perijove retire`: takes versions out of launchers; kernels that run go on."""

import click

from kernels.publishing.publish import retire
from perijove.console import print_json, print_line
from perijove.context import Installation


@click.command(
    short_help="Take versions out of launchers.",
    help="Take versions out of launchers; kernels that run go on. 'publish --version N' undoes it.",
)
@click.argument("project", metavar="CLIENT/PROJECT")
@click.option(
    "--version",
    "versions",
    type=click.IntRange(1),
    metavar="N",
    multiple=True,
    required=True,
    help="Which one; may be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="For a script.")
@click.pass_obj
def command(
    installation: Installation, project: str, versions: tuple[int, ...], as_json: bool
) -> None:
    """Retires versions of one project."""
    found = installation.projects().find(project)
    chosen = sorted(set(versions))
    retire(found, chosen, installation.store())
    if as_json:
        print_json({"project": found.slug, "retired": chosen})
        return
    what = ", ".join(f"v{version}" for version in chosen)
    names = ", ".join(f"{found.kernel_name}.v{version}" for version in chosen)
    print_line(
        f"{found.slug}: {what} retired. Kernels that run go on; notebooks that name {names} need "
        "another kernel."
    )
