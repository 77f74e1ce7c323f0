"""`perijove bundle`: all that a site without a network needs, in one file."""

from pathlib import Path

import click

from kernels.delivery.bundle import make_bundle, plan_delivery
from kernels.delivery.output import place_output
from kernels.disk.room import show_size
from kernels.errors import StoreError
from kernels.publishing.publish import published_version
from perijove.console import print_line, say, steps, warn
from perijove.context import Installation


@click.command(
    short_help="Write projects with all their packages into one file.",
    help="Write projects, as they are published, with all their packages into one file, for "
    "'perijove import' at a site without a network.",
)
@click.argument("projects", nargs=-1, metavar="[CLIENT/PROJECT]...")
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    help="The file it is written to, or a directory for it.  [default: here, by its name]",
)
@click.option(
    "--with-image",
    "images",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="An image file to put in, as 'perijove export image' writes it; may be repeated.",
)
@click.pass_obj
def command(
    installation: Installation, projects: tuple[str, ...], to: Path | None, images: tuple[Path, ...]
) -> None:
    """Bundles the projects named, or all; the last line of standard output is where it is."""
    chosen, problems = installation.chosen(projects)
    if problems:
        raise problems[0]  # a bundle with something missing would be found out too late
    store = installation.store()
    delivered = []
    for project in chosen:
        if not projects and published_version(project, store) is None:
            warn(f"{project.slug} is left out: nothing of it is published.")
            continue
        delivered.append(plan_delivery(project, store))
    if not delivered:
        raise StoreError("Nothing is published, so there is nothing to bundle.")
    if len({image.name for image in images}) != len(images):
        raise click.UsageError("--with-image: two files have the same name; rename one.")
    name = delivered[0].project.slug.replace("/", "-") if len(delivered) == 1 else "projects"
    path = place_output(to, f"perijove-bundle-{name}.tar")
    with steps() as progress:
        report = progress.begin(path.name)
        made = make_bundle(delivered, images, store, path, report)
        report("done")
    say(
        f"{show_size(made.size)}, {made.packages} packages for "
        + ", ".join(
            f"{one.project.slug} v{version.environment.version}"
            for one in delivered
            for version in one.versions
        )
        + "."
    )
    say(f"Tell the other side its checksum by another way than the file's: {made.sha256}")
    print_line(str(made.file))
