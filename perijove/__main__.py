"""The `perijove` command: its verbs, what they share, and how it ends.

Exit codes: 0 all is well; 1 it failed, and the last line says why; 2 the command line was wrong;
3 it worked for some projects and not for others; 130 it was interrupted.
"""

import importlib
import os
import sys
from pathlib import Path

import click

from embedded.errors import EmbeddedError
from kernels.errors import KernelsError
from operating.errors import OperatingError
from perijove.console import complain
from perijove.context import Installation
from spawner.settings import CHECKOUT, SettingsError

_VERBS = {
    "up": "Start the whole platform here, without Docker; Ctrl-C ends it.",
    "projects": "List the client projects and check how they are written.",
    "new": "Write a new project, and with --publish build it too.",
    "lock": "Choose the exact packages of projects.",
    "check": "Look for what is wrong with locks, for CI.",
    "build": "Build and check the environments of projects.",
    "publish": "Publish a built version; running workspaces see it at once.",
    "rollback": "Show the version published before again.",
    "retire": "Take versions out of launchers.",
    "history": "Show who did what to a project's versions.",
    "status": "Show what runs and what is published.",
    "gc": "Remove versions and cached packages that nobody needs.",
    "export": "Write a version into a file that runs at a client's site.",
    "bundle": "Write projects with all their packages into one file.",
    "import": "Take in a bundle: verify, build and publish, with no network.",
    "doctor": "Look at everything the installation needs.",
    "backup": "Copy database, homes, secrets and locks into one file.",
    "restore": "Bring database, homes and kernels back from a backup.",
}
"""Each as its own help begins, so that `perijove --help` need not load them all (two seconds)."""
_MODULES = {"import": "import_"}
"""Modules that cannot be called as their verbs."""


class _Verbs(click.Group):
    """Loads a verb's module only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's form
        return list(_VERBS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - the same
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        module = importlib.import_module(f"perijove.{_MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = module.command
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - the same
        formatter: click.HelpFormatter,
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="perijove")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="PERIJOVE_HOME",
    default=CHECKOUT / ".perijove",
    help="Where the installation keeps everything.  [env: PERIJOVE_HOME; default: .perijove]",
)
@click.option(
    "--projects",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="PERIJOVE_PROJECTS",
    default=CHECKOUT / "projects",
    help="The client projects.  [env: PERIJOVE_PROJECTS; default: projects]",
)
@click.pass_context
def cli(ctx: click.Context, home: Path, projects: Path) -> None:
    """A JupyterHub platform with a kernel per client project."""
    ctx.obj = Installation(home.absolute(), projects.absolute())


def main() -> None:
    """Runs the command line; errors made for people are one sentence, never a traceback."""
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except (KernelsError, EmbeddedError, OperatingError, SettingsError) as error:
        complain(str(error))
        sys.exit(1)
    except OSError as error:
        if os.environ.get("PERIJOVE_DEBUG"):
            raise
        where = f"{error.filename}: " if error.filename else ""
        complain(f"{where}{error.strerror or error}; make room or give leave, and try again.")
        sys.exit(1)


if __name__ == "__main__":
    main()
