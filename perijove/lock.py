"""`perijove lock`: decides which exact packages a project gets, and says what that changes."""

import sys
from dataclasses import asdict, dataclass
from typing import Any

import click

from kernels.disk.room import show_size
from kernels.locking.changes import Change, Changes, Kind, plan_changes, read_sizes
from kernels.locking.lock import Lock, find_lock, make_lock, solve_lock
from kernels.projects import Project
from kernels.store import Store
from perijove.console import Report, print_json, print_line, print_table
from perijove.context import Installation, exit_code, for_each

_KINDS: tuple[Kind, ...] = ("added", "removed", "up", "down", "rebuilt")


@dataclass(frozen=True)
class _Locked:
    """A project's lock as it was and as it is now."""

    before: Lock | None
    after: Lock
    changes: Changes


@click.command(
    short_help="Choose the exact packages of projects.",
    help="Solve projects anew, keep the exact packages as their lock, and show what changes.",
)
@click.argument("projects", nargs=-1, metavar="[CLIENT/PROJECT]...")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--json", "as_json", is_flag=True, help="For a script.")
@click.pass_obj
def command(
    installation: Installation, projects: tuple[str, ...], dry_run: bool, as_json: bool
) -> None:
    """Locks the projects named, or all."""
    chosen, problems = installation.chosen(projects)
    store = installation.store()

    def work(project: Project, report: Report) -> _Locked:
        before = find_lock(project, store)
        after = (solve_lock if dry_run else make_lock)(project, store, report)
        return _Locked(before, after, plan_changes(before, after, _sizes(before, after, store)))

    locked, failures = for_each(chosen, work)
    if as_json:
        print_json({slug: _summary(one) for slug, one in sorted(locked.items())})
    else:
        for slug, one in sorted(locked.items()):
            _show(slug, one, dry_run=dry_run)
    sys.exit(exit_code(len(locked), [*problems, *failures]))


def _sizes(before: Lock | None, after: Lock, store: Store) -> dict[str, int]:
    return (read_sizes(before, store) if before else {}) | read_sizes(after, store)


def _show(slug: str, locked: _Locked, *, dry_run: bool) -> None:
    changes, lock = locked.changes, locked.after
    if locked.before and not changes.packages and not changes.asked:
        print_line(f"{slug}: nothing changed.")
        return
    source = f"Python {lock.python}, {len(lock.conda)} packages from {', '.join(lock.channels)}"
    if lock.pip:
        source += f" and {len(lock.pip)} by pip"
    if locked.before is None:
        would = "would be " if dry_run else ""
        print_line(
            f"{slug}: {would}locked for the first time: {source}; {_total(changes)} to fetch."
        )
        return
    print_line(f"{slug}: {'would change' if dry_run else 'changed'}: {source}.")
    for sentence in changes.asked:
        print_line(f"  {sentence}")
    print_table(
        ("", "PACKAGE", "FROM", "TO", "SIZE"), [_row(change) for change in changes.packages]
    )
    counts = [f"{count} {kind}" for kind in _KINDS if (count := changes.count(kind))]
    print_line(
        f"  {', '.join(counts) or 'the same packages'}; {_total(changes)} in all, "
        f"{_difference(changes.growth)}."
    )


def _row(change: Change) -> tuple[str, ...]:
    package = change.name + (" (pip)" if change.tool == "pip" else "")
    size = _difference(change.growth, same="0 B")
    return f"  {change.kind}", package, change.before or "-", change.after or "-", size


def _total(changes: Changes) -> str:
    beside = f" and {changes.unknown} packages of unknown size" if changes.unknown else ""
    return f"{show_size(changes.total)}{beside}"


def _difference(size: int | None, same: str = "as much as before") -> str:
    if size is None:
        return "?"
    if size == 0:
        return same
    return f"{'+' if size > 0 else '-'}{show_size(abs(size))}"


def _summary(locked: _Locked) -> dict[str, Any]:
    lock = locked.after
    return {
        "lock": lock.digest,
        "before": locked.before.digest if locked.before else None,
        "python": lock.python,
        "conda": len(lock.conda),
        "pip": len(lock.pip),
        "channels": lock.channels,
        "size": locked.changes.total,
        "growth": locked.changes.growth,
        "asked": locked.changes.asked,
        "changes": [asdict(change) for change in locked.changes.packages],
    }
