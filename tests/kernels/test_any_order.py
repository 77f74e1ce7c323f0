"""Whatever is done to a store, in any order and cut off anywhere: what is published starts.

hypothesis chooses sequences of lock, build, publish, rollback, retire and gc, some of them killed
half-way, and compares the store with a model of it.
"""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kernels.building import build
from kernels.building.build import build_environment
from kernels.building.check import check_kernel
from kernels.disk.collect import collect, plan_collection
from kernels.errors import StoreError
from kernels.locking.lock import ensure_lock, make_lock
from kernels.projects import Project, load_projects
from kernels.publishing.publish import pinned_environments, publish, published_version, retire
from kernels.publishing.rollback import rollback
from kernels.store import FINISHED, Environment, Store, ensure_store
from tests.kernels.cut import begin

pytestmark = pytest.mark.slow

SPECS = ("numpy=1.26", "numpy=2.1", "matplotlib-base=3.9")
STEPS = (
    *("Path.rename", "Path.replace", "Path.unlink", "Path.mkdir"),
    *("os.unlink", "os.rmdir", "os.fsync"),
)


def change(_step: object, places: tuple[Path, Path, Path], what: str, version: int) -> None:
    root, mount, projects = places
    build.check_kernel = lambda *_: None
    store = ensure_store(root, mount)
    project = load_projects(projects).find("a/b")
    if what == "build":
        build_environment(project, ensure_lock(project, store, quiet), store, quiet)
    elif what == "publish":
        chosen = [one for one in store.environments(project) if one.version == version]
        publish(project, chosen[0], store)
    elif what == "retire":
        retire(project, [version], store)
    elif what == "rollback":
        rollback(project, store)
    else:
        collect(store, plan_collection(store, keep=1, max_size=None), keep=1)


def quiet(_step: str) -> None:
    pass


@dataclass(frozen=True)
class Seen:
    """What people can choose from: the version of the stable kernel, and the pinned ones."""

    stable: int | None = None
    pinned: frozenset[int] = frozenset()


@dataclass
class Place:
    """Where one sequence happens; the caches are the session's."""

    root: Path
    channel: str
    caches: Path
    mount: Path
    count: int = 0
    store: Store = field(init=False)

    def renew(self) -> None:
        """An empty store, and a project that asks for nothing much."""
        self.count += 1
        directory = self.root / str(self.count)
        root = directory / "store"
        self.store = ensure_store(root, self.mount if self.mount != self.root else root)
        for cache in (self.store.packages, self.store.bytecode):
            shutil.copytree(self.caches / cache.name, cache, symlinks=True, copy_function=_link)
        project = directory / "projects/a/b"
        (project / "examples").mkdir(parents=True)
        (project / "examples/one.ipynb").write_text("{}")
        (project.parent / "client.toml").write_text('title = "A"\n')
        (project / "project.toml").write_text('title = "B"\ndescription = "d"\nowner = "o"\n')
        self.ask("numpy=1.26")

    @property
    def projects(self) -> Path:
        return self.root / str(self.count) / "projects"

    @property
    def project(self) -> Project:
        return load_projects(self.projects).find("a/b")

    def ask(self, spec: str) -> None:
        (self.projects / "a/b/environment.yml").write_text(
            f"channels: ['{self.channel}']\ndependencies: [python=3.11, {spec}]\n"
        )

    def seen(self) -> Seen:
        pinned = frozenset(one.version for one in pinned_environments(self.project, self.store))
        return Seen(published_version(self.project, self.store), pinned)

    def built(self) -> list[Environment]:
        return self.store.environments(self.project)


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


PLACE: list[Place] = []


class StoreMachine(RuleBasedStateMachine):
    """The model: what people can choose from, and every version number that was ever seen."""

    def __init__(self) -> None:
        super().__init__()
        self.place = PLACE[0]
        self.seen = Seen()
        self.highest = 0

    @initialize()
    def begin(self) -> None:
        self.place.renew()

    @rule(spec=st.sampled_from(SPECS))
    def ask(self, spec: str) -> None:
        self.place.ask(spec)

    @rule()
    def lock(self) -> None:
        make_lock(self.place.project, self.place.store, quiet)

    @rule()
    def build(self) -> None:
        self._build()

    def _build(self) -> Environment:
        before = {one.version for one in self.place.built()}
        project, store = self.place.project, self.place.store
        made = build_environment(project, ensure_lock(project, store, quiet), store, quiet)
        assert made.version in before or made.version > self.highest
        assert {one.version for one in self.place.built()} == before | {made.version}
        self.highest = max(self.highest, made.version)
        return made

    @rule(spec=st.sampled_from(SPECS))
    def build_and_publish(self, spec: str) -> None:
        """What people do most; without it few sequences come to have several versions."""
        self.place.ask(spec)
        made = self._build()
        publish(self.place.project, made, self.place.store)
        self.seen = Seen(made.version, self.seen.pinned | {made.version})

    @precondition(lambda self: self.place.built())
    @rule(data=st.data())
    def publish(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(self.place.built()), label="version")
        publish(self.place.project, chosen, self.place.store)
        self.seen = Seen(chosen.version, self.seen.pinned | {chosen.version})

    @rule()
    def roll_back(self) -> None:
        try:
            before, now = rollback(self.place.project, self.place.store)
        except StoreError:
            return  # nothing to go back to
        assert before == self.seen.stable != now
        assert now in self.seen.pinned
        self.seen = Seen(now, self.seen.pinned)

    @precondition(lambda self: self.seen.pinned)
    @rule(data=st.data())
    def retire(self, data: st.DataObject) -> None:
        version = data.draw(st.sampled_from(sorted(self.seen.pinned)), label="version")
        if version == self.seen.stable:
            with pytest.raises(StoreError):
                retire(self.place.project, [version], self.place.store)
        else:
            retire(self.place.project, [version], self.place.store)
            self.seen = Seen(self.seen.stable, self.seen.pinned - {version})

    @rule(keep=st.integers(1, 2), all_of_it=st.booleans())
    def collect(self, keep: int, all_of_it: bool) -> None:
        before = {one.version for one in self.place.built()}
        size = None if all_of_it else plan_collection(self.place.store, keep=1, max_size=None).size
        plan = plan_collection(self.place.store, keep=keep, max_size=size and size - 1)
        collect(self.place.store, plan, keep=keep)
        after = {one.version for one in self.place.built()}
        assert after <= before
        assert set(sorted(before)[-keep:]) <= after
        assert self.seen.pinned <= after

    @rule(
        what=st.sampled_from(["build", "publish", "retire", "rollback", "gc"]),
        at=st.integers(1, 25),
        data=st.data(),
    )
    def killed(self, what: str, at: int, data: st.DataObject) -> None:
        choices = self.place.built() if what == "publish" else sorted(self.seen.pinned)
        if what in {"publish", "retire"} and not choices:
            return
        chosen = data.draw(st.sampled_from(choices), label="version") if choices else 0
        version = chosen.version if isinstance(chosen, Environment) else chosen
        store = self.place.store
        places = (store.root, store.mount, self.place.projects)
        done = begin(change, places, what, version, at=at, counted=STEPS).wait()
        assert not done.error or "StoreError" in done.error, done.error
        now = self.place.seen()
        if what == "publish":
            assert now.pinned in (self.seen.pinned, self.seen.pinned | {version})
            assert now.stable in (self.seen.stable, version)
        elif what == "retire":
            assert now.pinned in (self.seen.pinned, self.seen.pinned - {version})
            assert now.stable == self.seen.stable
        elif what == "rollback":
            assert now.pinned == self.seen.pinned
            assert now.stable in {self.seen.stable, *now.pinned}
        else:
            assert now == self.seen
        self.seen = now

    @invariant()
    def the_store_is_as_the_model_says(self) -> None:
        if not hasattr(self.place, "store"):
            return
        assert self.place.seen() == self.seen
        built = {one.version for one in self.place.built()}
        assert self.seen.pinned <= built
        assert self.seen.stable is None or self.seen.stable in self.seen.pinned
        self.highest = max([self.highest, *built])

    def teardown(self) -> None:
        """Everything that can be chosen starts, and runs a cell."""
        for environment in pinned_environments(self.place.project, self.place.store):
            told = json.loads((environment.path / FINISHED).read_text())
            check_kernel(environment, self.place.store, told["variables"])


def test_what_is_published_starts_whatever_was_done_before(
    tmp_path: Path,
    channel: object,
    store: Store,
    make_project: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for spec in SPECS:  # fills the session's caches: a sequence is about order, not about packages
        project = make_project("a/b", spec)  # type: ignore[operator]
        build_environment(project, make_lock(project, store, quiet), store, quiet)
    # Kernels are started at the end of each sequence, not at each of its builds.
    monkeypatch.setattr(build, "check_kernel", lambda *_: None)
    PLACE[:] = [
        Place(
            tmp_path / "sequences",
            channel.url,  # type: ignore[attr-defined]
            store.packages.resolve().parent,
            store.mount if store.mount != store.root else tmp_path / "sequences",
        )
    ]
    StoreMachine.TestCase.settings = settings(
        max_examples=15,
        stateful_step_count=16,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    StoreMachine.TestCase().runTest()
