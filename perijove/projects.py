"""`perijove projects`: what stands under the projects directory, and what is wrong with it."""

import sys

import click

from kernels.publishing.publish import published_version
from perijove.console import print_json, print_table
from perijove.context import Installation, exit_code


@click.command(help="List the client projects and check how they are written.")
@click.option("--json", "as_json", is_flag=True, help="For a script.")
@click.pass_obj
def command(installation: Installation, as_json: bool) -> None:
    """Lists projects; exit code 3 if some cannot be read."""
    found, store = installation.projects(), installation.store()
    rows = [(project, published_version(project, store)) for project in found.projects]
    if as_json:
        print_json(
            [
                {
                    "project": project.slug,
                    "title": project.display_name,
                    "owner": project.owner,
                    "kernel": project.kernel_name,
                    "published": version,
                }
                for project, version in rows
            ]
        )
    else:
        print_table(
            ("PROJECT", "KERNEL", "PUBLISHED", "OWNER"),
            [
                (
                    project.slug,
                    project.display_name,
                    f"v{version}" if version else "-",
                    project.owner,
                )
                for project, version in rows
            ],
        )
    sys.exit(exit_code(len(rows), found.problems))
