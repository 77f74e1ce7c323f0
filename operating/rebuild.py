"""Brings a restored project's versions back: built from their locks, under their own numbers."""

import json
import re
from pathlib import Path

from kernels.building.build import build_environment
from kernels.errors import BuildError, KernelsError
from kernels.files import remove_tree
from kernels.locking.lock import Report, load_lock
from kernels.projects import Project
from kernels.publishing.publish import publish
from kernels.store import Environment, Store
from operating.versions import PUBLISHED, RESTORED


def rebuild_restored(project: Project, store: Store, report: Report) -> Environment | None:
    """Builds what a restore left to build, and publishes what was published; may be repeated.

    Returns the environment that its stable kernel means now; None if nothing was left to do.

    Raises:
        BuildError: a version could not be built; the others are there all the same.
        StoreError: the store cannot be written.
    """
    waiting = store.root / RESTORED / project.kernel_name
    with store.writing(project.slug), store.hold(f"{project.kernel_name}.restored"):
        if not waiting.is_dir():
            return None
        failures = _build(waiting, project, store, report)
        published = _publish(waiting, project, store)
        if failures:
            (file, error), *_ = failures.items()
            raise BuildError(
                f"{project.slug}: {file.stem} could not be built again from its lock: {error} "
                f"The next build tries again; to do without it, remove {file}."
            ) from error
        remove_tree(waiting)
        return published


def find_waiting(store: Store) -> list[str]:
    """The projects, by their kernel names, whose versions are still to be built again."""
    return sorted(path.parent.name for path in store.root.glob(f"{RESTORED}/*/{PUBLISHED}"))


def _build(
    waiting: Path, project: Project, store: Store, report: Report
) -> dict[Path, KernelsError]:
    failures: dict[Path, KernelsError] = {}
    files = {int(file.stem[1:]): file for file in waiting.glob("v*.json") if _is_lock(file)}
    for version, file in sorted(files.items()):
        try:
            build_environment(project, load_lock(file), store, report, version=version)
        except KernelsError as error:
            failures[file] = error
        else:
            file.unlink()
    return failures


def _is_lock(file: Path) -> bool:
    return re.fullmatch(r"v[1-9][0-9]*", file.stem) is not None


def _publish(waiting: Path, project: Project, store: Store) -> Environment | None:
    told = json.loads((waiting / PUBLISHED).read_text(encoding="utf-8"))
    environments = {environment.version: environment for environment in store.environments(project)}
    last = told["published"]
    # The stable kernel means the version that was published last.
    order = [version for version in told["pinned"] if version != last]
    for version in (*order, *([] if last is None else [last])):
        if version in environments:
            publish(project, environments[version], store)
    return environments.get(last)
