"""`perijove lock`: decides which exact packages a project gets."""

import sys

import click

from kernels.lock import Lock, make_lock
from perijove.console import print_json, print_table
from perijove.context import Installation, exit_code, for_each


@click.command(help="Solve projects anew and keep the exact packages as their lock.")
@click.argument("projects", nargs=-1, metavar="[CLIENT/PROJECT]...")
@click.option("--json", "as_json", is_flag=True, help="For a script.")
@click.pass_obj
def command(installation: Installation, projects: tuple[str, ...], as_json: bool) -> None:
    """Locks the projects named, or all."""
    chosen, problems = installation.chosen(projects)
    store = installation.store()
    locks, failures = for_each(chosen, lambda project, report: make_lock(project, store, report))
    if as_json:
        print_json({slug: {"lock": lock.digest, **_summary(lock)} for slug, lock in locks.items()})
    else:
        print_table(
            ("PROJECT", "LOCK", "PYTHON", "CONDA", "PIP", "CHANNELS"),
            [
                (
                    slug,
                    lock.digest[:12],
                    lock.python,
                    str(len(lock.conda)),
                    str(len(lock.pip)),
                    ", ".join(lock.channels),
                )
                for slug, lock in sorted(locks.items())
            ],
        )
    sys.exit(exit_code(len(locks), [*problems, *failures]))


def _summary(lock: Lock) -> dict[str, object]:
    return {
        "python": lock.python,
        "conda": len(lock.conda),
        "pip": len(lock.pip),
        "channels": lock.channels,
    }
