"""What every verb starts from: where the installation is, its projects and its store."""

import os
import urllib.error
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from embedded.hub import Hub
from embedded.platform import find_running
from embedded.tools import ensure_bwrap
from kernels.channels import Channels, load_channels
from kernels.errors import KernelsError, StoreError
from kernels.projects import Project, Projects, load_projects, parse_memory
from kernels.store import MOUNT, Store, ensure_store
from perijove.console import Report, complain, say, steps, warn

Result = TypeVar("Result")
PARTLY = 3
"""The exit code for "some projects, not all"."""


@dataclass(frozen=True)
class Installation:
    """Where things are."""

    home: Path
    projects_dir: Path

    def projects(self) -> Projects:
        """All projects; what is wrong with others is in `problems`."""
        return load_projects(self.projects_dir)

    def store(self) -> Store:
        """The installation's store, made if need be, at the mount it was made for."""
        store = ensure_store(
            self.home / "store",
            self.mount(),
            str(ensure_bwrap(self.home, say).path),
            self.channels(),
        )
        return replace(store, max_size=_max_size())

    def channels(self) -> Channels:
        """How conda channels are reached from here."""
        named = os.environ.get("PERIJOVE_CHANNEL_SECRETS")
        usual = self.home / "channel-secrets.json"
        secrets = Path(named).absolute() if named else usual if usual.exists() else None
        return load_channels(
            self.projects_dir / "channels.toml", secrets, self.home / "store/.repodata"
        )

    def mount(self) -> Path:
        """Where workspaces see the store."""
        unwalled = self.home / "state" / "unwalled"
        return self.home / "store" if unwalled.exists() else MOUNT

    def running(self) -> tuple[str, Hub] | None:
        """The address of the platform and its hub, if it runs here; in a container, always."""
        hub = os.environ.get("PERIJOVE_HUB")
        if hub is None:
            return find_running(self.home)
        token = os.environ.get("PERIJOVE_SERVICE_TOKEN", "")
        return os.environ.get("PERIJOVE_PUBLIC_URL", hub), Hub(f"{hub}api/", token)

    def ensure_groups(self, projects: Iterable[Project]) -> None:
        """Makes the groups of published projects in a hub that runs; otherwise it does at start."""
        running = self.running()
        if running is None:
            return
        names = {name for project in projects for name in (project.client, project.slug)}
        try:
            running[1].ensure_groups(sorted(names))
        except (urllib.error.URLError, ConnectionError):
            warn("The hub does not answer; groups of new projects are made when it starts next.")

    def chosen(self, slugs: Sequence[str]) -> tuple[list[Project], list[KernelsError]]:
        """The projects named, or all, and what could not be read of them."""
        found = self.projects()
        if slugs:
            return [found.find(slug) for slug in slugs], []
        return list(found.projects), list(found.problems)


def _max_size() -> int | None:
    text = os.environ.get("PERIJOVE_STORE_MAX_SIZE")
    try:
        return parse_memory(text) if text else None
    except ValueError:
        raise StoreError(
            f"PERIJOVE_STORE_MAX_SIZE: found {text!r}, expected a size such as '20G'."
        ) from None


def for_each(
    projects: Sequence[Project], work: Callable[[Project, Report], Result]
) -> tuple[dict[str, Result], list[KernelsError]]:
    """Does `work` for all, two at a time, with progress; one failure does not stop the others."""
    results: dict[str, Result] = {}
    failures: list[KernelsError] = []
    with steps() as progress, ThreadPoolExecutor(max_workers=2) as pool:

        def run(project: Project) -> None:
            report = progress.begin(project.slug)
            try:
                results[project.slug] = work(project, report)
                report("done")
            except KernelsError as error:
                report("failed")
                failures.append(error)

        for future in [pool.submit(run, project) for project in projects]:
            future.result()
    return results, failures


def exit_code(done: int, failures: Sequence[KernelsError]) -> int:
    """Complains about every failure; 0 without any, 3 if something was done, else 1."""
    for failure in failures:
        complain(str(failure))
    if not failures:
        return 0
    return PARTLY if done else 1
