"""`perijove new`: writes a project from a template, once its packages are known to fit together."""

import getpass
import sys
from pathlib import Path

import click

from kernels.building.build import build_environment
from kernels.draft import (
    PIP,
    TEMPLATES,
    Wishes,
    load_template,
    make_project,
    plan_draft,
    refuse_taken,
    try_draft,
)
from kernels.errors import SolveError
from kernels.locking.lock import ensure_lock
from kernels.projects import Project
from kernels.publishing.publish import publish
from kernels.store import Environment, Store
from perijove.console import Report, complain, print_json, print_line, say
from perijove.context import Installation, for_each


@click.command(
    short_help="Write a new project, and with --publish build it too.",
    help="Write a new project from a template, after a dry run of its packages. PROJECT is "
    "CLIENT/PROJECT.",
)
@click.argument("project", metavar="CLIENT/PROJECT")
@click.option(
    "--like",
    type=click.Choice(TEMPLATES),
    default="blank",
    show_default=True,
    help="What the project begins with: packages and an example notebook.",
)
@click.option(
    "--with",
    "wanted",
    multiple=True,
    metavar="PACKAGE",
    help="A conda package, such as 'pandas>=2,<3', or one of PyPI's, such as 'pip:tiktoken'. It "
    "replaces the template's of the same name.",
)
@click.option(
    "--channel",
    "channels",
    multiple=True,
    metavar="CHANNEL",
    help="Where packages come from, instead of conda-forge.",
)
@click.option("--python", metavar="3.11", help="Another Python version than the template's.")
@click.option("--title", help="The project's name for people; made from PROJECT by default.")
@click.option("--client-title", help="The same for a client that is new.")
@click.option("--description", help="One sentence; the template's by default.")
@click.option("--owner", help="Who answers for it; you by default.")
@click.option("--publish", "and_publish", is_flag=True, help="Then build it and show its kernel.")
@click.option("--json", "as_json", is_flag=True, help="For a script.")
@click.pass_obj
def command(  # noqa: PLR0917 - click calls it by keyword
    installation: Installation,
    project: str,
    like: str,
    wanted: tuple[str, ...],
    channels: tuple[str, ...],
    python: str | None,
    title: str | None,
    client_title: str | None,
    description: str | None,
    owner: str | None,
    and_publish: bool,
    as_json: bool,
) -> None:
    """Writes one project."""
    wishes = Wishes(
        slug=project,
        owner=owner or _person(),
        wanted=wanted,
        channels=channels or ("conda-forge",),
        python=python or "",
        title=title or "",
        client_title=client_title or "",
        description=description or "",
    )
    projects = installation.projects_dir
    known = installation.projects().projects if projects.is_dir() else ()
    draft = plan_draft(wishes, load_template(like), projects, known)
    refuse_taken(draft.project)
    store = installation.store()
    tried, failures = for_each(
        [draft.project], lambda _project, report: try_draft(draft, store, report)
    )
    for failure in failures:
        complain(str(failure))
        if isinstance(failure, SolveError) and failure.changes:
            say(f"Try again with: {_options(wanted, dict(failure.changes))}")
        say("Nothing was written.")
        sys.exit(1)
    made = make_project(draft, projects)
    environment = None
    if and_publish:
        environment = _publish(installation, made, store)
    if as_json:
        print_json(_summary(made, tried[made.slug], environment))
    else:
        _tell(made, tried[made.slug], environment)


def _publish(installation: Installation, project: Project, store: Store) -> Environment:
    def work(project: Project, report: Report) -> Environment:
        environment = build_environment(project, ensure_lock(project, store, report), store, report)
        publish(project, environment, store)
        return environment

    built, failures = for_each([project], work)
    for failure in failures:
        complain(str(failure))
        say(
            f"The project is written: {project.path}. When that is mended, run 'perijove build "
            f"--publish {project.slug}'."
        )
        sys.exit(1)
    installation.ensure_groups([project])
    return built[project.slug]


def _options(wanted: tuple[str, ...], changes: dict[str, str]) -> str:
    """What was asked for, with what has to change; the template's stands among it then."""
    kept = [changes.pop(text.removeprefix(PIP).strip(), text) for text in wanted]
    return " ".join(f'--with "{text}"' for text in [*kept, *changes.values()])


def _summary(project: Project, packages: int, environment: Environment | None) -> dict[str, object]:
    return {
        "project": project.slug,
        "path": str(project.path),
        "packages": packages,
        "version": environment.version if environment else None,
        "kernel": project.kernel_name if environment else None,
    }


def _tell(project: Project, packages: int, environment: Environment | None) -> None:
    print_line(f"{project.path}: written; its {packages} packages fit together.")
    if environment is None:
        print_line(f"Next: perijove build --publish {project.slug}")
        return
    print_line(
        f"'{project.display_name}' (v{environment.version}) is in the launchers of the groups "
        f"'{project.client}' and '{project.slug}'."
    )


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return Path.home().name or "nobody"
