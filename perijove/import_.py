"""`perijove import`: takes a bundle in, and builds and publishes what it brings."""

from pathlib import Path

import click

from kernels.delivery.receive import receive
from kernels.delivery.received import open_bundle
from perijove.console import print_json, print_table, say, steps
from perijove.context import Installation


@click.command(
    name="import",
    short_help="Take in a bundle: verify, build and publish, with no network.",
    help="Take in a bundle: verify it, write its project definitions, build its versions and "
    "publish them. No network is needed.",
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--sha256", help="The checksum of the whole file, as whoever made it told you by another way."
)
@click.option(
    "--replace",
    is_flag=True,
    help="Put project definitions that differ aside; it would be an error otherwise.",
)
@click.option("--json", "as_json", is_flag=True, help="For a script.")
@click.pass_obj
def command(
    installation: Installation, file: Path, sha256: str | None, replace: bool, as_json: bool
) -> None:
    """Imports a bundle."""
    store = installation.store()
    say(f"Verifying {file}.")
    with open_bundle(file.absolute(), sha256) as received, steps() as progress:
        taken = receive(received, store, installation.projects_dir, progress.begin, replace=replace)
        images = received.images
    installation.ensure_groups(one.project for one in taken)
    for image in images:
        say(f"It holds an image too: tar -xOf {file} images/{image} | docker load")
    if as_json:
        print_json(
            {
                one.project.slug: {"versions": one.versions, "published": one.published}
                for one in taken
            }
        )
    else:
        print_table(
            ("PROJECT", "VERSIONS", "PUBLISHED"),
            [
                (one.project.slug, ", ".join(f"v{n}" for n in one.versions), f"v{one.published}")
                for one in taken
            ],
        )
