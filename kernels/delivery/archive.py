"""One environment and its examples in a file that unpacks anywhere and runs: no conda, no network.

    <client>-<project>-v<N>/
      README.txt run activate install-kernel
      environment/        the prefix
      examples/
      sbom.cdx.json       what it is made of
      tools/              what the first lines above use

It is a gzipped tar: every Linux unpacks it, where zstd has to be installed first. The environment's
files name the path that workspaces see, and are given their own at first use (`onsite/move.py`).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import IO, cast

from kernels.delivery.output import new_output
from kernels.delivery.packed import Packed
from kernels.delivery.readme import write_readme
from kernels.delivery.sbom import make_sbom
from kernels.delivery.tarball import Owner, Summed, Tarball
from kernels.delivery.tree import Entry, Tree, load_tree
from kernels.delivery.variables import plan_variables, shell_text, without_overlay
from kernels.delivery.version import Version, example_entries, holding
from kernels.locking.lock import Report
from kernels.publishing.logo import draw_logo
from kernels.publishing.publish import plan_kernel
from kernels.store import FINISHED, Store

_PROGRAMS = ("activate", "install-kernel", "run")
_TOOLS = ("kernel.py", "move.py", "notebook.py", "ready")


@dataclass(frozen=True)
class Written:
    """A file that was written: its size, and that of what is in it, in bytes; its sha256."""

    file: Path
    size: int
    unpacked: int
    sha256: str


def make_archive(version: Version, store: Store, to: Path, report: Report) -> Written:
    """Writes the archive of a version to the file `to`; the same version gives the same bytes.

    Raises:
        BuildError: the environment is damaged, or cannot be moved.
        ProjectError: an example is a link that leaves the project.
        StoreError: the file cannot be written.
    """
    with holding(version.environment), new_output(to) as output:
        report("reading the environment")
        tree = load_tree(version.environment, version.lock, store, output.scratch)
        report("writing the archive")
        summed = Summed(output.file)
        with Packed(cast("IO[bytes]", summed)) as packed:
            plain = Summed(cast("IO[bytes]", packed))
            tar = Tarball(cast("IO[bytes]", plain), Owner())
            tar.add([Entry(version.name, None)])
            tar.add(_entries(version, store, tree), below=version.name)
            tar.finish()
    return Written(to, summed.size, plain.size, summed.sha256)


def _entries(version: Version, store: Store, tree: Tree) -> Iterator[Entry]:
    onsite = files("kernels.delivery") / "onsite"
    yield Entry("README.txt", write_readme(version).encode())
    for name in _PROGRAMS:
        yield Entry(name, (onsite / name).read_bytes(), executable=name != "activate")
    yield Entry("sbom.cdx.json", make_sbom(version).encode())
    yield Entry("tools", None)
    for name in _TOOLS:
        yield Entry(f"tools/{name}", (onsite / name).read_bytes(), executable=name == "ready")
    yield Entry("tools/logo-svg.svg", draw_logo(version.project).encode())
    spec = _kernel(version, store, tree.home)
    variables = shell_text(spec["env"], tree.home, "$perijove_folder/environment")
    yield Entry("tools/variables", variables.encode())
    name = f"{version.project.kernel_name}.v{version.environment.version}"
    yield Entry("tools/kernel.json", _json({"name": name, "home": tree.home, "spec": spec}))
    told = {"home": tree.home, "places": tree.places, "bytecode": tree.bytecode}
    yield Entry("tools/places.json", _json(told))
    yield Entry("tools/prefix", tree.home.encode())
    yield Entry("examples", None)
    for entry in example_entries(version.project):
        yield Entry(f"examples/{entry.name}", entry.content)
    yield Entry("environment", None)
    for entry in tree.entries:
        yield Entry(f"environment/{entry.name}", entry.content, entry.executable)


def _kernel(version: Version, store: Store, home: str) -> dict[str, dict[str, str]]:
    """What `kernel.json` says, for an environment at `home`."""
    project, environment = version.project, version.environment
    spec = plan_kernel(project, environment, version.lock, store, pinned=True)
    finished = json.loads((environment.path / FINISHED).read_text(encoding="utf-8"))
    target = str(store.target(environment.path))
    argv = [part.replace(target, home) for part in spec["argv"]]
    variables = plan_variables(without_overlay(finished["variables"]), target, home)
    return spec | {"argv": argv, "env": variables}


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()
