"""`perijove` in a workspace: a shell beside a kernel, and a person's own packages.

Exit codes: 0 all is well; 1 it failed, and the last line says why; 2 the command line was wrong.
"""

import argparse
import json
import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # this package is not installed

from workspace.overlay import Overlay, find_overlays
from workspace.proposal import ProposalError, load_environment, plan_proposal
from workspace.shell import ShellError, run_shell

_MIB = 1 << 20


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns its exit code."""
    parsed = _parser().parse_args(arguments)
    if parsed.verb == "shell":
        return _shell(parsed.project, parsed.command)
    found = find_overlays(Path.home())
    chosen = [one for one in found if parsed.project in (None, one.slug)]
    if parsed.project is not None and not chosen:
        return _complain(
            f"You have no packages of your own in {parsed.project}; '%pip install' in one of its "
            "notebooks puts them there."
        )
    if parsed.verb == "propose":
        return _propose(chosen[-1])
    if parsed.clear:
        return _clear(chosen)
    _list(chosen, as_json=parsed.json)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="perijove",
        description="A shell where a project's kernel is, and your own packages beside it.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    overlay = verbs.add_parser("overlay", help="list your own packages, or remove them")
    overlay.add_argument("project", nargs="?", metavar="CLIENT/PROJECT")
    overlay.add_argument("--clear", action="store_true", help="remove them")
    overlay.add_argument("--json", action="store_true", help="for a script")
    propose = verbs.add_parser(
        "propose", help="print the change of environment.yml that gives them to everybody"
    )
    propose.add_argument("project", metavar="CLIENT/PROJECT")
    shell = verbs.add_parser("shell", help="a shell (or a command) where the project's kernel is")
    shell.add_argument("project", metavar="CLIENT/PROJECT", help="or a kernel's name")
    shell.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    return parser


def _list(overlays: list[Overlay], *, as_json: bool) -> None:
    rows = [
        {
            "project": overlay.slug,
            "version": overlay.version,
            "package": package.name,
            "installed": package.version,
            "asked_for": package.is_asked_for,
        }
        for overlay in overlays
        for package in overlay.packages()
    ]
    if as_json:
        _say(json.dumps(rows, indent=2))
        return
    if not rows:
        _say("You have no packages of your own.")
        return
    table = [("PROJECT", "VERSION", "PACKAGE", "INSTALLED")]
    table += [
        (
            str(row["project"]),
            f"v{row['version']}",
            f"{row['package']}" if row["asked_for"] else f"  {row['package']} (came along)",
            str(row["installed"]),
        )
        for row in rows
    ]
    widths = [max(len(row[column]) for row in table) for column in range(4)]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        _say("  ".join(cells).rstrip())


def _clear(overlays: list[Overlay]) -> int:
    if not overlays:
        _say("You have no packages of your own.")
    for overlay in overlays:
        count, size = len(overlay.packages()), overlay.size()
        overlay.clear()
        _say(
            f"{overlay.slug} v{overlay.version}: {count} packages removed ({size / _MIB:.1f} MB); "
            "restart its kernels."
        )
    return 0


def _propose(overlay: Overlay) -> int:
    store = _store()
    try:
        change = plan_proposal(overlay, overlay.packages(), load_environment(overlay, store))
    except ProposalError as error:
        return _complain(str(error))
    sys.stdout.write(change)
    sys.stderr.write(
        f"Send this to the owner of {overlay.slug}{_owner(overlay, store)}; it is a patch for the "
        "projects directory (patch -p1).\n"
    )
    return 0


def _shell(project: str, command: list[str]) -> int:
    try:
        run_shell(project.replace("/", "."), command, _store())
    except (ShellError, OSError) as error:
        return _complain(str(error))
    return 0


def _store() -> Path:
    return Path(os.environ.get("PERIJOVE_STORE", "/opt/perijove"))


def _owner(overlay: Overlay, store: Path) -> str:
    project = store / overlay.client / overlay.project
    for file in project.glob(f"kernels/{overlay.client}.{overlay.project}/kernel.json"):
        about = json.loads(file.read_text(encoding="utf-8")).get("metadata", {})
        owner = about.get("perijove", {}).get("owner")
        return f" ({owner})" if owner else ""
    return ""


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _complain(message: str) -> int:
    sys.stderr.write(f"Error: {message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
