"""`perijove export`: one version of a project in a file that runs at a client's site."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version as installed_version
from pathlib import Path

import click

from kernels.delivery.archive import make_archive
from kernels.delivery.image import make_image
from kernels.delivery.output import place_output, working_directory
from kernels.delivery.version import Version, find_version
from kernels.disk.room import show_size
from kernels.errors import BuildError
from perijove.console import print_line, say, steps
from perijove.context import Installation

_VERSION = click.option(
    "--version", "number", type=click.IntRange(1), help="Which one; the published by default."
)
_TO = click.option(
    "--to",
    type=click.Path(path_type=Path),
    help="The file it is written to, or a directory for it.  [default: here, by its name]",
)


@click.group(help="Write a version into a file that runs at a client's site.")
def command() -> None:
    """Holds the two forms."""


@command.command(help="A folder in a .tar.gz that runs wherever it is unpacked.")
@click.argument("project", metavar="CLIENT/PROJECT")
@_VERSION
@_TO
@click.pass_obj
def archive(installation: Installation, project: str, number: int | None, to: Path | None) -> None:
    """Writes an archive; the last line of standard output is where it is."""
    version, store = _chosen(installation, project, number), installation.store()
    path = place_output(to, f"{version.name}.tar.gz")
    with steps() as progress:
        report = progress.begin(version.name)
        made = make_archive(version, store, path, report)
        report("done")
    say(f"{show_size(made.size)}, {show_size(made.unpacked)} unpacked; sha256 {made.sha256}.")
    print_line(str(made.file))


@command.command(help="A container image with JupyterLab, for 'docker load'.")
@click.argument("project", metavar="CLIENT/PROJECT")
@_VERSION
@click.option(
    "--base",
    help="The image it stands on: a file of 'docker save', or a name where Docker is.  "
    "[env: PERIJOVE_WORKSPACE_IMAGE; default: the site's workspace image]",
)
@_TO
@click.pass_obj
def image(
    installation: Installation, project: str, number: int | None, base: str | None, to: Path | None
) -> None:
    """Writes an image; the last line of standard output is where it is."""
    version, store = _chosen(installation, project, number), installation.store()
    path = place_output(to, f"{version.name}-image.tar")
    usual = f"perijove/workspace:{installed_version('perijove')}"
    name = base or os.environ.get("PERIJOVE_WORKSPACE_IMAGE") or usual
    with steps() as progress:
        report = progress.begin(version.name)
        with _base_file(name, path.parent) as file:
            made = make_image(version, store, file, path, report)
        report("done")
    say(
        f"{show_size(made.size)}; image {made.name}, id sha256:{made.digest}, its own layers "
        f"sha256:{made.layers[0]} and sha256:{made.layers[1]}."
    )
    print_line(str(made.file))


def _chosen(installation: Installation, project: str, number: int | None) -> Version:
    return find_version(installation.projects().find(project), installation.store(), number)


@contextmanager
def _base_file(name: str, folder: Path) -> Iterator[Path]:
    """The base image as a file; where Docker is, also by its name."""
    if Path(name).is_file():
        yield Path(name)
        return
    if shutil.which("docker") is None:
        raise BuildError(
            f"There is no base image: '{name}' is not a file, and Docker is not here to ask for "
            f"it by name; run 'docker save {name} -o base.tar' where it is, and give the file "
            "with --base."
        )
    with working_directory(folder, ".perijove-base-") as work:
        file = work / "base.tar"
        done = subprocess.run(
            ["docker", "save", "--output", file, name], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            reason = " ".join(done.stderr.split()) or "it said nothing"
            raise BuildError(
                f"There is no base image: '{name}' is not a file, and Docker does not give it by "
                f"that name ({reason}); give another with --base."
            )
        yield file
