"""What an archive and a bundle say of themselves to whoever unpacks them."""

from collections.abc import Sequence

from kernels.delivery.version import Version

_TEXT = """\
{title}, version {version}
{rule}
{description}

Everything it needs is in this folder: Python {python} and {packages} packages. No conda, no
network and no administrator's rights are needed. It runs on Linux ({machine}) with glibc {glibc}
or newer, from wherever it lies; after the folder was moved, run one of these again.

Run an example:

    ./run examples/{example}

Use it in a Jupyter that you have here:

    ./install-kernel

It is the kernel "{kernel}" from then on; reload the page.
In a shell, `. ./activate` makes `python` this one; `./run python my.py` does without.

The environment is built from the lock {digest};
environment/perijove-lock.json names every package with its sha256, sbom.cdx.json says the same for
machines (CycloneDX 1.6). Questions: {owner}
"""

_BUNDLE = """\
A Perijove bundle: {versions}.

To take it in, on the site that is to have it (no network is needed):

    perijove import THIS-FILE

That compares every file with SHA256SUMS, writes the project definitions, builds each version from
its lock and publishes it. By hand: unpack with tar, then `sha256sum -c SHA256SUMS`. Whoever made
the bundle can tell you the checksum of the whole: `perijove import --sha256 CHECKSUM THIS-FILE`.

channels/   conda channels, with their index: conda, mamba and others can install from them
wheels/     wheels, below their sha256
projects/   the projects' definitions and example notebooks
locks/      what exactly each version is built from
sbom/       the same as CycloneDX 1.6
{images}"""


def write_bundle_readme(versions: Sequence[Version], images: Sequence[str]) -> str:
    """The text of a bundle's `README.txt`."""
    named = ", ".join(f"{one.project.slug} v{one.environment.version}" for one in versions)
    loads = "".join(f"images/     docker load -i images/{name}\n" for name in images)
    return _BUNDLE.format(versions=named, images=loads)


def write_readme(version: Version) -> str:
    """The text of `README.txt`."""
    project, lock = version.project, version.lock
    number = version.environment.version
    title = f"{project.display_name}, version v{number}"
    notebooks = sorted(path.name for path in project.examples.glob("*.ipynb"))
    return _TEXT.format(
        title=project.display_name,
        version=f"v{number}",
        rule="=" * len(title),
        description=project.description,
        python=lock.python,
        packages=len(lock.conda) + len(lock.pip),
        machine=lock.platform.machine,
        glibc=lock.platform.glibc,
        example=notebooks[0] if notebooks else "NAME.ipynb",
        kernel=f"{project.display_name} (v{number})",
        digest=lock.digest,
        owner=project.owner,
    )
