"""Makes a finished environment a kernel that people can choose.

A publication is one file, `kernel.json`, put in place by an atomic rename: under the pinned name
`<client>.<project>.v<N>` once and for all, and under the stable name, which then means this
version. Kernels that run are not touched.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from kernels import names
from kernels.build import LOCK_COPY
from kernels.check import kernel_argv
from kernels.errors import ProjectError
from kernels.lock import Lock, load_lock
from kernels.logo import draw_logo
from kernels.projects import Project
from kernels.store import FINISHED, Environment, Store, write_json, write_text


def publish(project: Project, environment: Environment, store: Store) -> None:
    """Publishes `environment` under its pinned name and as the project's stable kernel.

    Raises:
        ProjectError: an example is a link that leaves the project.
        StoreError: the store cannot be written.
    """
    with store.writing(project.slug), store.hold(project.kernel_name):
        sync_examples(project, store)
        lock = load_lock(environment.path / LOCK_COPY)
        for pinned in (True, False):
            spec = plan_kernel(project, environment, lock, store, pinned=pinned)
            name = names.kernel_name(
                project.client, project.name, environment.version if pinned else None
            )
            directory = store.project(project) / "kernels" / name
            write_text(directory / "logo-svg.svg", draw_logo(project))
            write_json(directory / "kernel.json", spec)


def published_version(project: Project, store: Store) -> int | None:
    """The version that the project's stable kernel means now."""
    file = store.project(project) / "kernels" / project.kernel_name / "kernel.json"
    try:
        return int(json.loads(file.read_text(encoding="utf-8"))["metadata"]["perijove"]["version"])
    except FileNotFoundError:
        return None


def plan_kernel(
    project: Project, environment: Environment, lock: Lock, store: Store, *, pinned: bool
) -> dict[str, Any]:
    """The content of `kernel.json`."""
    finished = json.loads((environment.path / FINISHED).read_text(encoding="utf-8"))
    version = f" (v{environment.version})" if pinned else ""
    return {
        "argv": kernel_argv(environment, store),
        "display_name": project.display_name + version,
        "language": "python",
        "interrupt_mode": "signal",
        "env": finished["variables"],
        "metadata": {
            "debugger": True,
            "perijove": {
                "client": project.client,
                "project": project.name,
                "version": environment.version,
                "pinned": pinned,
                "description": project.description,
                "python": lock.python,
                "lock": lock.digest,
                "channels": list(lock.channels),
            },
        },
    }


def sync_examples(project: Project, store: Store) -> None:
    """Makes the published examples the same as the project's, file by file.

    The directory itself stays: running workspaces have it mounted.
    """
    source, published = project.examples, store.project(project) / "examples"
    published.mkdir(parents=True, exist_ok=True)
    wanted = {
        path.relative_to(source)
        for path in source.rglob("*")
        if path.is_file() and ".ipynb_checkpoints" not in path.parts
    }
    for relative in sorted(wanted):
        if not (source / relative).resolve().is_relative_to(source.resolve()):
            raise ProjectError(
                f"{source / relative}: found a link that leaves the project's examples, expected "
                "a file of the project's own."
            )
    for path in sorted(published.rglob("*"), reverse=True):
        if path.is_file() and path.relative_to(published) not in wanted:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    for relative in sorted(wanted):
        _copy_atomically(source / relative, published / relative)


def _copy_atomically(source: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=destination.parent, prefix=".copying-")
    os.close(handle)
    shutil.copyfile(source, scratch)
    Path(scratch).chmod(0o444)
    Path(scratch).replace(destination)
