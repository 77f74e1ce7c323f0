"""What `perijove doctor` asks of what the installation keeps: people's homes and the store."""

import json
from collections.abc import Sequence
from pathlib import Path

from kernels import names
from kernels.projects import Project
from kernels.publishing.publish import published_version
from kernels.store import FINISHED, Store
from operating.findings import Finding
from operating.rebuild import find_waiting
from operating.site import REPLACED, RESTORING


def check_homes(homes: Path, *, restore: str) -> Finding:
    """Whether they are there, and no restore was cut off; `restore` is its command."""
    there = {path.name for path in homes.iterdir()} if homes.is_dir() else set()
    if RESTORING in there:
        return Finding(
            "homes", ok=False, text=f"a restore was cut off; run '{restore}' again with its backup"
        )
    count = sum(not name.startswith(".") for name in there)
    aside = sorted(name for name in there if name.startswith(REPLACED))
    if aside:
        return Finding(
            "homes",
            None,
            f"{count}; what a restore replaced is still in homes/{aside[0]}: remove it when "
            "nobody needs it",
        )
    return Finding("homes", ok=True, text=str(count))


def check_store(store: Store, projects: Sequence[Project], *, build: str) -> Finding:
    """Whether every kernel that can be chosen is whole; `build` is the command that mends it."""
    waiting = find_waiting(store)
    if not waiting and not (store.root / ".store.json").is_file():
        return Finding("store", None, f"empty; '{build}' fills it")
    there = [store.project(project) for project in store.projects()]
    kernels = sorted(kernel for path in there for kernel in path.glob("kernels/*"))
    broken = [kernel for kernel in kernels if not _is_whole(kernel)]
    if broken:
        return Finding(
            "store",
            ok=False,
            text=f"the environment of {', '.join(kernel.name for kernel in broken)} is gone or "
            f"not finished; '{build}' builds what is missing",
        )
    published = [one for one in projects if published_version(one, store) is not None]
    versions = sum(len(store.environments(project)) for project in projects)
    text = f"{len(published)} of {len(projects)} projects published, {versions} versions"
    if waiting:
        return Finding(
            "store",
            None,
            f"{text}; still to be built again after a restore: {', '.join(waiting)}; '{build}'",
        )
    if len(published) < len(projects):
        others = ", ".join(one.slug for one in projects if one not in published)
        return Finding("store", None, f"{text}; '{build}' publishes {others}")
    left = _count_leftovers(store, there)
    if left:
        text += f"; {left} builds were cut off, or are at work: the next one clears up"
    return Finding("store", ok=True, text=text)


def _is_whole(kernel: Path) -> bool:
    """Whether the environment of a published kernel is there and finished."""
    try:
        spec = json.loads((kernel / "kernel.json").read_text(encoding="utf-8"))
        told = spec["metadata"]["perijove"]
        prefix = kernel.parents[1] / "envs" / names.prefix_name(told["version"], told["lock"])
    except FileNotFoundError:
        return True  # its publisher was cut off, or is at work
    return (prefix / FINISHED).exists() and (prefix / "bin/python").exists()


def _count_leftovers(store: Store, projects: Sequence[Path]) -> int:
    staging = store.root / ".staging"
    begun = list(staging.iterdir()) if staging.is_dir() else []
    prefixes = [prefix for path in projects for prefix in path.glob("envs/*")]
    unfinished = [prefix for prefix in prefixes if not (prefix / FINISHED).exists()]
    return len(begun) + len(unfinished)
