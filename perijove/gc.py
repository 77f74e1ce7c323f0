"""`perijove gc`: makes room in the store."""

import sys

import click

from kernels.disk.collect import Plan, collect, plan_collection
from kernels.disk.room import show_size
from kernels.projects import parse_memory
from perijove.console import print_json, print_line, print_table, say
from perijove.context import Installation

_KEEP = 2


class _Size(click.ParamType[int]):
    name = "size"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        try:
            return value if isinstance(value, int) else parse_memory(value)
        except ValueError:
            self.fail(f"found {value!r}, expected a size such as '500M' or '20G'", param, ctx)


@click.command(
    name="gc",
    short_help="Remove versions and cached packages that nobody needs.",
    help="Remove versions and cached packages that nobody needs: neither published, nor among the "
    "newest, nor in use. With a size, only as much as it takes to come down to it.",
)
@click.option(
    "--max-size",
    type=_Size(),
    help="What the store may take, such as 20G.  [default: PERIJOVE_STORE_MAX_SIZE, else as "
    "little as possible]",
)
@click.option(
    "--keep",
    type=click.IntRange(1),
    default=_KEEP,
    show_default=True,
    help="How many of the newest versions of each project stay.",
)
@click.option("--dry-run", is_flag=True, help="Show what would go, and leave it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="For a script; removes only with --yes.")
@click.pass_obj
def command(
    installation: Installation,
    *,
    max_size: int | None,
    keep: int,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Shows what would go, asks, and removes it."""
    store = installation.store()
    limit = store.max_size if max_size is None else max_size
    plan = plan_collection(store, keep=keep, max_size=limit)
    may_remove = yes and not dry_run
    if not as_json:
        _show(plan)
        may_remove = bool(plan.removals) and not dry_run and (yes or _ask(plan))
    done = collect(store, plan, keep=keep) if may_remove else []
    left = plan.size - sum(removal.size for removal in done)
    if as_json:
        print_json(_told(plan, [removal.title for removal in done], left))
    elif done:
        print_line(f"Freed {show_size(plan.size - left)}; the store takes {show_size(left)} now.")
    if limit is not None and left > limit and not dry_run:
        say(
            f"The store is {show_size(left - limit)} over the {show_size(limit)} it may take; "
            "'perijove retire' withdraws versions, and --keep says how many stay."
        )
        sys.exit(1)


def _show(plan: Plan) -> None:
    versions = [removal for removal in plan.removals if removal.version]
    others = [removal for removal in plan.removals if not removal.version]
    rows = [(removal.title, show_size(removal.size)) for removal in versions]
    if others:
        size = sum(removal.size for removal in others)
        rows.insert(0, (f"{len(others)} cached files of no version", show_size(size)))
    print_table(("TO REMOVE", "FREES"), rows)
    for title in plan.kept:
        say(f"{title} is not published, but in use; it can go when its kernels have ended.")
    if not rows:
        print_line(f"Nothing to remove; the store takes {show_size(plan.size)}.")


def _ask(plan: Plan) -> bool:
    question = f"Remove this, {show_size(plan.freed)} of {show_size(plan.size)}?"
    if not sys.stdin.isatty():
        raise click.UsageError("Nobody is here to ask; --yes removes, --dry-run only shows.")
    return click.confirm(question, err=True)


def _told(plan: Plan, done: list[str], left: int) -> dict[str, object]:
    return {
        "size": plan.size,
        "removals": [{"what": one.title, "frees": one.size} for one in plan.removals],
        "in_use": list(plan.kept),
        "removed": done,
        "left": left,
    }
