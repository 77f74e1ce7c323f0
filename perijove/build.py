"""`perijove build`: makes environments from locks, and checks that their kernels start."""

import sys

import click

from kernels.build import build_environment
from kernels.lock import ensure_lock
from kernels.projects import Project
from kernels.publish import publish
from kernels.store import Environment
from perijove.console import Report, print_json, print_table
from perijove.context import Installation, exit_code, for_each


@click.command(
    short_help="Build and check the environments of projects.",
    help="Build and check the environments of projects (locking them first if needed).",
)
@click.argument("projects", nargs=-1, metavar="[CLIENT/PROJECT]...")
@click.option("--publish", "and_publish", is_flag=True, help="Then show it in launchers.")
@click.option("--json", "as_json", is_flag=True, help="For a script.")
@click.pass_obj
def command(
    installation: Installation, projects: tuple[str, ...], and_publish: bool, as_json: bool
) -> None:
    """Builds the projects named, or all."""
    chosen, problems = installation.chosen(projects)
    store = installation.store()

    def work(project: Project, report: Report) -> Environment:
        environment = build_environment(project, ensure_lock(project, store, report), store, report)
        if and_publish:
            publish(project, environment, store)
        return environment

    built, failures = for_each(chosen, work)
    if and_publish:
        installation.ensure_groups(project for project in chosen if project.slug in built)
    if as_json:
        print_json(
            {
                slug: {"version": environment.version, "path": str(environment.path)}
                for slug, environment in sorted(built.items())
            }
        )
    else:
        print_table(
            ("PROJECT", "VERSION", "ENVIRONMENT"),
            [
                (slug, f"v{environment.version}", environment.path.name)
                for slug, environment in sorted(built.items())
            ],
        )
    sys.exit(exit_code(len(built), [*problems, *failures]))
