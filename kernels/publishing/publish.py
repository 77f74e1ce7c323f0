"""Makes a finished environment a kernel that people can choose, and takes it back again.

A publication is one file, `kernel.json`, put in place by an atomic rename: under the pinned name
`<client>.<project>.v<N>` until that version is retired, and under the stable name, which then means
this version. Retiring takes the pinned kernel away whole. Kernels that run are not touched.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kernels import history, names
from kernels.building.build import LOCK_COPY
from kernels.building.check import kernel_argv
from kernels.errors import ProjectError, StoreError
from kernels.locking.lock import Lock, load_lock
from kernels.projects import Project
from kernels.publishing.logo import draw_logo
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
            write_kernel(project, environment, lock, store, pinned=pinned)
        history.record(project, store, "published", version=environment.version, lock=lock.digest)


def write_kernel(
    project: Project, environment: Environment, lock: Lock, store: Store, *, pinned: bool
) -> None:
    """Puts a kernel in place, under the pinned name or the stable one; the caller holds it."""
    directory = _directory(project, store, environment.version if pinned else None)
    write_text(directory / "logo-svg.svg", draw_logo(project))
    write_json(
        directory / "kernel.json", plan_kernel(project, environment, lock, store, pinned=pinned)
    )


def retire(project: Project, versions: Sequence[int], store: Store) -> None:
    """Takes the pinned kernels of `versions` out of launchers, all of them or none.

    Their environments stay, for kernels that run.

    Raises:
        StoreError: one of them is what the stable kernel means, or is not published; or the store
            cannot be written.
    """
    with store.writing(project.slug), store.hold(project.kernel_name):
        environments = {one.version: one for one in pinned_environments(project, store)}
        published = published_version(project, store)
        for version in versions:
            if version == published:
                raise StoreError(
                    f"{project.slug}: v{version} is what its kernel means now; publish another "
                    "version, or roll back, before you retire it."
                )
            if version not in environments:
                known = ", ".join(f"v{number}" for number in environments) or "none"
                raise StoreError(
                    f"{project.slug}: v{version} is not in the launchers; these versions are: "
                    f"{known}."
                )
        with store.staging(project) as staging:
            for version in dict.fromkeys(versions):
                # Away with one rename: nobody ever lists half a kernel.
                _directory(project, store, version).rename(staging / f"v{version}")
                history.record(
                    project, store, "retired", version=version, lock=environments[version].digest
                )


def published_version(project: Project, store: Store) -> int | None:
    """The version that the project's stable kernel means now.

    Raises:
        StoreError: its kernel.json is not one of ours.
    """
    file = _directory(project, store, None) / "kernel.json"
    try:
        return int(json.loads(file.read_text(encoding="utf-8"))["metadata"]["perijove"]["version"])
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, ValueError):
        raise StoreError(
            f"{file}: not a kernel that was published; remove it and publish {project.slug} again."
        ) from None


def pinned_environments(project: Project, store: Store) -> list[Environment]:
    """The finished versions that can be chosen by their number, oldest first."""
    return [
        environment
        for environment in store.environments(project)
        if (_directory(project, store, environment.version) / "kernel.json").exists()
    ]


def _directory(project: Project, store: Store, version: int | None) -> Path:
    name = names.kernel_name(project.client, project.name, version)
    return store.project(project) / "kernels" / name


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
                "owner": project.owner,
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
