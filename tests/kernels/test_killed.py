"""A builder may be killed at any point: nothing half-built shows, and the next one cleans up."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kernels.building.build import build_environment
from kernels.locking.lock import ensure_lock, make_lock
from kernels.projects import Project, load_projects
from kernels.publishing.publish import publish, published_version
from kernels.store import Store, ensure_store
from tests.kernels.cut import Cut, begin, cut_off

MakeProject = Callable[..., Project]
MakeWheel = Callable[..., Path]

pytestmark = pytest.mark.slow  # a real build for each stage it is killed at


FILES = ("Path.replace", "Path.rename", "Path.chmod", "os.link")


def in_stages(report: Callable[[str], None], root: Path, mount: Path, projects: Path) -> None:
    """All that a builder does for `a/b`, in the steps that it tells."""
    place = ensure_store(root, mount)
    project = load_projects(projects).find("a/b")
    lock = make_lock(project, place, report)
    environment = build_environment(project, lock, place, report)
    report("built")
    publish(project, environment, place)


def in_files(_step: object, root: Path, mount: Path, projects: Path) -> None:
    """The same, told as nothing but what it does to files."""
    in_stages(quiet, root, mount, projects)


STAGES = [
    *("solving", "solving the pip: part", "fetching wheels", "installing packages"),
    *("compiling bytecode", "starting its kernel", "finishing", "built"),
]

FAST = {"compiling bytecode", "finishing"}
"""The other stages take a minute; they are cut off with the slow tests."""


def quiet(_step: str) -> None:
    pass


def build_to_stage(store: Store, projects: Path, at: int) -> Cut:
    return cut_off(in_stages, store.root, store.mount, projects, at=at)


def build_to_file(store: Store, projects: Path, at: int) -> Cut:
    return cut_off(in_files, store.root, store.mount, projects, at=at, counted=FILES)


@pytest.fixture
def project(make_project: MakeProject, make_wheel: MakeWheel) -> Project:
    """Version 1 of a project with a pip part; `change` asks for version 2."""
    make_wheel("report", "1.0")
    made: Project = make_project("a/b", "numpy=1.26", extra="  - pip: [report]\n")
    (made.examples / "one.ipynb").write_text("1")
    return made


@pytest.fixture
def change(make_project: MakeProject, make_wheel: MakeWheel) -> Callable[[], Project]:
    def ask_for_more() -> Project:
        make_wheel("table", "2.0")
        made: Project = make_project("a/b", "numpy=2.1", extra="  - pip: [report, table]\n")
        (made.examples / "two.ipynb").write_text("2")
        return made

    return ask_for_more


def visible(store: Store) -> dict[str, str]:
    """What running workspaces can rely on: kernels, and that their environments are finished."""
    found = {}
    for file in store.root.glob("a/b/kernels/*/kernel.json"):
        text = file.read_text()
        python = Path(json.loads(text)["argv"][0])
        prefix = store.root / python.relative_to(store.mount).parents[1]
        assert (prefix / "perijove.json").exists()
        found[file.parent.name] = text
    return found


def scratch(store: Store) -> list[str]:
    caches = [store.packages, store.bytecode, store.unpacked, store.wheels]
    places = [store.root, *caches, store.root / "a/b"]
    places += [store.root / "a/b/envs", *store.root.glob("a/b/kernels/*"), store.root / ".staging"]
    known = {
        ".lock",
        ".cache.lock",
        ".locks",
        ".packages",
        ".bytecode",
        ".wheels",
        ".unpacked",
        ".removed",
        ".repodata",
        ".staging",
        ".store.json",
    }
    return [
        str(path.relative_to(store.root))
        for place in places
        for path in (place.iterdir() if place.is_dir() else ())
        if path.name.startswith(".") and path.name not in known
    ]


def finish(project: Project, store: Store, version: int) -> None:
    """The next builder succeeds with nothing to clean by hand, and leaves no litter."""
    environment = build_environment(project, ensure_lock(project, store, quiet), store, quiet)
    publish(project, environment, store)
    assert published_version(project, store) == environment.version == version
    assert len(store.environments(project)) == version
    assert len(list((store.project(project) / "envs").iterdir())) == version
    assert list((store.root / ".staging").iterdir()) == []
    assert scratch(store) == []
    published = {path.name for path in (store.project(project) / "examples").iterdir()}
    assert published == {path.name for path in project.examples.iterdir()}


@pytest.mark.parametrize(
    "at",
    [
        pytest.param(at, id=stage, marks=() if stage in FAST else pytest.mark.slow)
        for at, stage in enumerate(STAGES, 1)
    ],
)
def test_a_builder_killed_at_a_stage_leaves_nothing_half_built(
    project: Project, store: Store, projects: Path, at: int
) -> None:
    done = build_to_stage(store, projects, at)
    assert done.is_cut
    assert done.steps[-1] == STAGES[at - 1]
    assert len(store.environments(project)) == (1 if STAGES[at - 1] == "built" else 0)
    assert visible(store) == {}
    finish(project, store, 1)


@pytest.mark.slow
def test_the_published_version_stays_while_the_next_is_cut_off_at_every_stage(
    project: Project, store: Store, projects: Path, change: Callable[[], Project]
) -> None:
    finish(project, store, 1)
    before = visible(store)
    changed = change()
    for at, stage in enumerate(STAGES, 1):
        if stage in {"solving", "installing packages", "starting its kernel", "finishing"}:
            assert build_to_stage(store, projects, at).is_cut
            assert visible(store) == before
            assert published_version(changed, store) == 1
            assert len(store.environments(changed)) == 1
    finish(changed, store, 2)
    assert visible(store)["a.b.v1"] == before["a.b.v1"]


@pytest.mark.slow
def test_a_builder_killed_between_any_two_files_leaves_nothing_half_written(
    project: Project, store: Store, projects: Path, change: Callable[[], Project]
) -> None:
    finish(project, store, 1)
    before = visible(store)
    changed = change()
    steps = build_to_file(store, projects, 0).steps
    second = visible(store)
    assert len(steps) > 12
    # Once more from version 1 on, and cut off before every step that is not like the one before.
    for at in range(1, len(steps) + 1):
        if at > 2 and steps[at - 1] == steps[at - 2] == steps[at - 3]:
            continue
        # As it was before version 2, whose number would not be given again.
        (store.root / "a/b/history.jsonl").unlink(missing_ok=True)
        for path in (*store.root.glob("a/b/envs/v2-*"), *store.root.glob("a/b/kernels/*v2")):
            subprocess.run(["rm", "-r", path], check=True)
        for name, text in before.items():
            (store.root / f"a/b/kernels/{name}/kernel.json").write_text(text)
        build_to_file(store, projects, at)
        now = visible(store)
        assert all(now[name] in {before.get(name), second[name]} for name in now)
        assert set(before) <= set(now)
    finish(changed, store, 2)


@pytest.mark.slow
def test_a_builder_killed_while_it_works_leaves_nothing_half_built(
    project: Project, cold_store: Store, projects: Path
) -> None:
    """From cold caches: while packages are unpacked, linked, compiled, and the kernel starts."""
    seen = {
        "unpacked": lambda: list(cold_store.packages.glob("python-*/lib/*")),
        "linked": lambda: list(cold_store.root.glob(".staging/*/*/*/lib/*")),
        "compiled": lambda: list(cold_store.root.glob(".staging/*/*/*/lib/*/__pycache__/*")),
        "kept": lambda: list(cold_store.bytecode.glob("*")),
        "started": lambda: list(cold_store.root.glob("a/b/envs/*")),
    }
    for moment, has_come in seen.items():
        builder = begin(in_stages, cold_store.root, cold_store.mount, projects)
        while not has_come() and builder.process.is_alive():
            time.sleep(0.002)
        builder.process.kill()
        assert builder.wait().is_cut, moment
        assert cold_store.environments(project) == []
        assert visible(cold_store) == {}
    finish(project, cold_store, 1)


def test_a_lock_is_whole_or_not_there(project: Project, store: Store, projects: Path) -> None:
    assert build_to_stage(store, projects, 3).is_cut
    assert not store.lock_file(project).exists()
    assert make_lock(project, store, quiet).pip[0].name == "report"
