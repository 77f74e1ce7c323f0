"""`perijove build`: makes environments from locks, and checks that their kernels start."""

import sys

import click

from kernels.building.build import build_environment
from kernels.locking.lock import ensure_lock
from kernels.projects import Project
from kernels.publishing.publish import publish, published_version
from kernels.store import Environment
from operating.rebuild import rebuild_restored
from perijove.console import Report, print_json, print_table
from perijove.context import Installation, exit_code, for_each


@click.command(
    short_help="Build and check the environments of projects.",
    help="Build and check the environments of projects (locking them first if needed).",
)
@click.argument("projects", nargs=-1, metavar="[CLIENT/PROJECT]...")
@click.option("--publish", "and_publish", is_flag=True, help="Then show it in launchers.")
@click.option(
    "--publish-first",
    is_flag=True,
    help="The same, for projects of which nothing is published: what people see never changes.",
)
@click.option("--json", "as_json", is_flag=True, help="For a script.")
@click.pass_obj
def command(
    installation: Installation,
    projects: tuple[str, ...],
    and_publish: bool,
    publish_first: bool,
    as_json: bool,
) -> None:
    """Builds the projects named, or all."""
    chosen, problems = installation.chosen(projects)
    store = installation.store()

    def work(project: Project, report: Report) -> Environment:
        if restored := rebuild_restored(project, store, report):
            return restored  # as it was: what is newer comes with the next build
        environment = build_environment(project, ensure_lock(project, store, report), store, report)
        if and_publish or (publish_first and published_version(project, store) is None):
            publish(project, environment, store)
        return environment

    built, failures = for_each(chosen, work)
    if and_publish or publish_first:
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
