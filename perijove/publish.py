"""`perijove publish`: shows a built version in the launchers of everybody who may see it."""

import sys

import click

from kernels.errors import StoreError
from kernels.projects import Project
from kernels.publishing.publish import publish
from kernels.store import Environment, Store
from perijove.console import Report, print_json, print_table
from perijove.context import Installation, exit_code, for_each


@click.command(help="Publish a built version; running workspaces see it at once.")
@click.argument("projects", nargs=-1, metavar="[CLIENT/PROJECT]...")
@click.option("--version", type=click.IntRange(1), help="Which one; the newest by default.")
@click.option("--json", "as_json", is_flag=True, help="For a script.")
@click.pass_obj
def command(
    installation: Installation, projects: tuple[str, ...], version: int | None, as_json: bool
) -> None:
    """Publishes the projects named, or all."""
    if version and len(projects) != 1:
        raise click.UsageError("--version is for one project: name it.")
    chosen, problems = installation.chosen(projects)
    store = installation.store()

    def work(project: Project, _report: Report) -> int:
        environment = _find(project, version, store)
        publish(project, environment, store)
        return environment.version

    published, failures = for_each(chosen, work)
    installation.ensure_groups(project for project in chosen if project.slug in published)
    if as_json:
        print_json(dict(sorted(published.items())))
    else:
        print_table(
            ("PROJECT", "PUBLISHED"),
            [(slug, f"v{number}") for slug, number in sorted(published.items())],
        )
    sys.exit(exit_code(len(published), [*problems, *failures]))


def _find(project: Project, version: int | None, store: Store) -> Environment:
    built = store.environments(project)
    if not built:
        raise StoreError(
            f"{project.slug} has no built version; run 'perijove build {project.slug}'."
        )
    for environment in built:
        if environment.version == version:
            return environment
    if version:
        known = ", ".join(f"v{environment.version}" for environment in built)
        raise StoreError(f"{project.slug} has no version v{version}; it has {known}.")
    return built[-1]
