"""A bundle brings everything; what is not as it was made changes nothing at the other side."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from kernels import conda
from kernels.building.build import LOCK_COPY
from kernels.delivery.bundle import Bundle, make_bundle, plan_delivery
from kernels.delivery.receive import Taken, receive
from kernels.delivery.received import open_bundle
from kernels.delivery.sums import is_member, parse_sums, write_sums
from kernels.errors import BuildError, KernelsError, ProjectError, StoreError
from kernels.history import load_history
from kernels.locking.lock import ensure_lock, load_lock
from kernels.platform import Platform
from kernels.projects import Project, load_projects
from kernels.publishing.publish import pinned_environments, published_version
from kernels.store import MOUNT, Store, ensure_store
from tests.kernels.cut import cut_off
from tests.kernels.delivery.conftest import deliverable, quiet

MakeProject = Callable[..., Project]
MakeWheel = Callable[..., Path]
Tamper = Callable[[dict[str, bytes]], None]


@pytest.fixture(name="made_once", scope="module")
def _made_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Bundle]]:
    return tmp_path_factory.mktemp("bundle") / "made.tar", []


@pytest.fixture(name="bundle")
def _bundle(
    request: pytest.FixtureRequest, made_once: tuple[Path, list[Bundle]], tmp_path: Path
) -> Bundle:
    """Versions 1 and 2 of a project, of which 2 is published; each test has a copy of its own."""
    kept, made = made_once
    if not made:
        store: Store = request.getfixturevalue("store")
        deliverable(request.getfixturevalue("project"), store)
        make_project: MakeProject = request.getfixturevalue("make_project")
        project = make_project("a/b", "numpy=1.26.4", extra="  - pip: [report]\n")
        deliverable(project, store)
        made.append(make_bundle([plan_delivery(project, store)], [], store, kept, quiet))
    return replace(made[0], file=Path(shutil.copyfile(kept, tmp_path / "b.tar")))


@pytest.fixture(name="far")
def _far(tmp_path: Path, walled: bool) -> Store:
    """The other side: an empty store."""
    root = tmp_path / "far/store"
    return ensure_store(root, MOUNT if walled else root)


@pytest.fixture(name="vanished")
def _vanished(bundle: Bundle, wheelhouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No channel and no registry: what is asked for can only come from the bundle."""
    shutil.rmtree(wheelhouse)
    monkeypatch.setattr(conda.installing, "find_source", lambda *_arguments: None)
    monkeypatch.setattr(conda.installing, "local_path", _in_archives)


def _in_archives(address: str) -> Path | None:
    path = conda.network.local_path(address)
    return path if path and ".archives" in path.parts else None


def take(bundle: Path, far: Store, *, replacing: bool = False) -> list[Taken]:
    with open_bundle(bundle) as received:
        return receive(
            received, far, far.root.parent / "projects", lambda _slug: quiet, replace=replacing
        )


def contents(far: Store) -> set[str]:
    top = far.root.parent
    return {path.relative_to(top).as_posix() for path in top.rglob("*")}


@pytest.mark.slow
def test_the_other_side_builds_and_publishes_the_same_versions(
    bundle: Bundle, far: Store, vanished: None
) -> None:
    (taken,) = take(bundle.file, far)
    assert (taken.versions, taken.published) == ((1, 2), 2)
    there = load_projects(far.root.parent / "projects").find("a/b")
    assert published_version(there, far) == 2
    assert [one.version for one in pinned_environments(there, far)] == [1, 2]
    with tarfile.open(bundle.file) as tar:
        for environment in far.environments(there):
            lock = tar.extractfile(f"locks/a/b/v{environment.version}.json")
            assert lock is not None
            assert (environment.path / LOCK_COPY).read_bytes() == lock.read()
    assert (there.examples / "data/table.csv").read_text() == "1,2\n"
    events = [(one.what, one.version) for one in load_history(there, far)]
    assert ("imported", 1) in events
    assert ("imported", 2) in events
    # Nothing is solved there, where there is nobody to ask.
    newest = far.environments(there)[-1]
    assert ensure_lock(there, far, quiet) == load_lock(newest.path / LOCK_COPY)


@pytest.mark.slow  # environments of its own
def test_a_bundle_may_be_imported_again(bundle: Bundle, far: Store, vanished: None) -> None:
    take(bundle.file, far)
    before = contents(far)
    (taken,) = take(bundle.file, far)
    assert taken.versions == (1, 2)
    assert contents(far) == before


@pytest.mark.slow  # environments of its own
def test_two_imports_at_once_make_one(bundle: Bundle, far: Store, vanished: None) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: take(bundle.file, far), range(2)))
    assert both[0][0].versions == both[1][0].versions == (1, 2)
    there = both[0][0].project
    assert [one.version for one in far.environments(there)] == [1, 2]


def test_a_bundle_is_a_conda_channel_and_its_list_of_checksums_is_right(
    bundle: Bundle, tmp_path: Path
) -> None:
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    subprocess.run(["tar", "-xf", bundle.file, "-C", unpacked], check=True)
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=unpacked, check=True)
    listed = {
        path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()
    }
    assert parse_sums((unpacked / "SHA256SUMS").read_text()).keys() == listed - {"SHA256SUMS"}
    (channel,) = (unpacked / "channels").iterdir()
    found = conda.solve(["numpy=1.26"], [channel.as_uri()], Platform())
    assert {"numpy", "python"} >= {one.name for one in found}
    assert (unpacked / "sbom/a/b/v2.cdx.json").exists()
    assert bundle.sha256 == hashlib.sha256(bundle.file.read_bytes()).hexdigest()


def rewrite(bundle: Path, tamper: Tamper, *, honest: bool = False) -> None:
    """Changes members; with `honest` the list of checksums too, as one who tampers would."""
    with tarfile.open(bundle) as tar:
        members = {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]
    tamper(members)
    if honest:
        sums = {
            name: hashlib.sha256(data).hexdigest()
            for name, data in members.items()
            if name != "SHA256SUMS"
        }
        members["SHA256SUMS"] = write_sums(sums).encode()
    with tarfile.open(bundle, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            if data.startswith(b"link to "):
                info.type, info.linkname, info.size = tarfile.SYMTYPE, data[8:].decode(), 0
            tar.addfile(info, io.BytesIO(data))


def _package(members: dict[str, bytes]) -> None:
    name = next(name for name in members if name.endswith(".conda"))
    members[name] = members[name][:-1] + b"?"


def _lock(members: dict[str, bytes]) -> None:
    name = "locks/a/b/v1.json"
    members[name] = members[name].replace(b'"version": "2.1.0"', b'"version": "2.1.1"')


def _lock_leads_away(members: dict[str, bytes]) -> None:
    lock = json.loads(members["locks/a/b/v1.json"])
    lock["conda"][0]["file"] = "linux-64/../../../../evil"
    text = (json.dumps(lock, indent=2, ensure_ascii=False) + "\n").encode()
    manifest = json.loads(members["bundle.json"])
    manifest["projects"][0]["versions"]["1"] = hashlib.sha256(text).hexdigest()
    members |= {"locks/a/b/v1.json": text, "bundle.json": json.dumps(manifest).encode()}


def _manifest_names(text: str) -> Tamper:
    def change(members: dict[str, bytes]) -> None:
        members["bundle.json"] = members["bundle.json"].replace(b'"a/b"', f'"{text}"'.encode())

    return change


DISHONEST: dict[str, tuple[Tamper, str]] = {
    "a changed package": (_package, r"\.conda is not what its checksum says"),
    "a missing file": (lambda m: m.pop("locks/a/b/v1.json") and None, "v1.json is in it or in"),
    "a new file": (lambda m: m.update({"images/x.tar": b"x"}), "images/x.tar is in it or in"),
    "no checksums": (lambda m: m.pop("SHA256SUMS") and None, "list of checksums is missing"),
    "checksums of another kind": (lambda m: m.update(SHA256SUMS=b"?"), "is not one"),
}
CUNNING: dict[str, tuple[Tamper, str]] = {
    "a way out": (
        lambda m: m.update({"projects/a/b/../../../../evil": b"x"}),
        "nothing that a bun",
    ),
    "an absolute way": (lambda m: m.update({"/etc/evil": b"x"}), "nothing that a bundle holds"),
    "a link": (
        lambda m: m.update({"projects/a/b/x": b"link to /etc/passwd"}),
        "nothing that a bun",
    ),
    "another place": (lambda m: m.update({"perijove/x.py": b"x"}), "nothing that a bundle holds"),
    "a hidden file": (lambda m: m.update({"projects/a/b/.git": b"x"}), "nothing that a bundle h"),
    "a changed lock": (_lock, "the lock of a/b v1 is not the one it names"),
    "a lock that leads away": (_lock_leads_away, "is nothing that a package is called"),
    "a project's name": (_manifest_names("../evil"), "is no project's name"),
    "another project": (_manifest_names("a/c"), "manifest is not one"),
    "a missing package": (
        lambda m: m.pop(next(name for name in m if "numpy" in name)) and None,
        "needs, is not in it",
    ),
    "no definition": (lambda m: m.pop("projects/a/b/project.toml") and None, "nothing was written"),
    "a newer form": (
        lambda m: m.update({"bundle.json": m["bundle.json"].replace(b": 1,", b": 99,", 1)}),
        "a bundle of format 99, expected 1",
    ),
}


@pytest.mark.parametrize("how", [*DISHONEST, *CUNNING])
def test_a_bundle_that_was_tampered_with_changes_nothing(
    bundle: Bundle, far: Store, how: str
) -> None:
    tamper, told = (DISHONEST | CUNNING)[how]
    rewrite(bundle.file, tamper, honest=how in CUNNING)
    before = contents(far)
    with pytest.raises(KernelsError, match=told) as caught:
        take(bundle.file, far)
    assert str(bundle.file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {name for name in contents(far) - before if name != "projects"} == set()


@pytest.mark.parametrize("left", [0, 100, 0.5, 0.999])
def test_a_bundle_that_was_cut_off_changes_nothing(bundle: Bundle, far: Store, left: float) -> None:
    data = bundle.file.read_bytes()
    bundle.file.write_bytes(data[: int(left * len(data)) if left < 1 else int(left)])
    before = contents(far)
    with pytest.raises(StoreError, match="not the bundle that was made"):
        take(bundle.file, far)
    assert contents(far) == before


def test_the_checksum_of_the_whole_is_compared_if_it_is_known(bundle: Bundle) -> None:
    with open_bundle(bundle.file, bundle.sha256.upper()):
        pass
    with (
        pytest.raises(StoreError, match="its sha256 is another"),
        open_bundle(bundle.file, "ab" * 32),
    ):
        pass


def test_a_bundle_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no such bundle"), open_bundle(tmp_path / "x"):
        pass


@pytest.mark.slow  # environments of its own
def test_definitions_that_differ_are_kept_or_put_aside(
    bundle: Bundle, far: Store, vanished: None
) -> None:
    take(bundle.file, far)
    directory = far.root.parent / "projects"
    mine = directory / "a/b/examples/one.ipynb"
    mine.write_text("mine")
    (directory / "a/client.toml").write_text('title = "Mine"\n')
    with pytest.raises(
        ProjectError, match=r"a/client\.toml: not what the bundle brings, and nothing"
    ):
        take(bundle.file, far)
    assert mine.read_text() == "mine"
    (directory / "a/client.toml").write_text('title = "A"\n')
    with pytest.raises(ProjectError, match=r"one\.ipynb: not what the bundle brings"):
        take(bundle.file, far)
    (directory / "a/client.toml").write_text('title = "Mine"\n')
    take(bundle.file, far, replacing=True)
    assert mine.read_text() == '{"cells": []}'
    (aside,) = directory.glob(".replaced-*")
    assert (aside / "a/b/examples/one.ipynb").read_text() == "mine"
    assert (aside / "a/client.toml").read_text() == 'title = "Mine"\n'


@pytest.mark.slow  # environments of its own
def test_another_version_of_the_same_number_is_told_and_stays(
    bundle: Bundle, far: Store, make_project: MakeProject
) -> None:
    own = make_project("a/b")
    version = deliverable(own, far)
    with pytest.raises(BuildError, match="a/b: there is another v1 already"):
        take(bundle.file, far)
    assert far.environments(own) == [version.environment]


@pytest.mark.slow  # environments of its own
def test_what_the_site_has_published_since_stays_published(
    bundle: Bundle, far: Store, make_project: MakeProject
) -> None:
    (taken,) = take(bundle.file, far)
    newer = make_project("a/b", "matplotlib-base")
    assert deliverable(newer, far).environment.version == 3
    take(bundle.file, far)
    assert published_version(taken.project, far) == 3


@pytest.mark.slow  # environments of its own
def test_a_package_of_the_store_that_is_not_the_locked_one_is_not_bundled(
    project: Project, store: Store, tmp_path: Path
) -> None:
    version = deliverable(project, store)
    delivered = plan_delivery(project, store)
    (wheel,) = version.lock.pip
    (store.wheels / wheel.sha256 / wheel.file).write_bytes(b"evil")
    with pytest.raises(BuildError, match="not the wheel that was locked"):
        make_bundle([delivered], [], store, tmp_path / "out/b.tar", quiet)
    package = version.lock.conda[0]
    lock = replace(version.lock, pip=(), conda=(replace(package, sha256="ab" * 32),))
    other = replace(delivered, versions=(replace(version, lock=lock),))
    with pytest.raises(BuildError, match="is not the package that was locked"):
        make_bundle([other], [], store, tmp_path / "out/b.tar", quiet)
    gone = replace(package, file="linux-64/gone-1-0.conda")
    other = replace(delivered, versions=(replace(version, lock=replace(lock, conda=(gone,))),))
    with pytest.raises(BuildError, match="the locked package is gone"):
        make_bundle([other], [], store, tmp_path / "out/b.tar", quiet)
    assert [*(tmp_path / "out").iterdir()] == []


def test_nothing_published_is_nothing_to_bundle(make_project: MakeProject, store: Store) -> None:
    with pytest.raises(StoreError, match="c/d: nothing is published"):
        plan_delivery(make_project("c/d"), store)


@pytest.mark.parametrize(
    ("name", "may"),
    [
        ("SHA256SUMS", True),
        ("channels/conda-forge/noarch/repodata.json", True),
        ("channels/conda-forge/win-64/x.conda", False),
        ("wheels/" + "a" * 64 + "/x.whl", True),
        ("wheels/x/x.whl", False),
        ("projects/a/client.toml", True),
        ("projects/a/other.toml", False),
        ("projects/a/b/examples/über alles.ipynb", True),
        ("projects/a/b/examples/../../x", False),
        ("projects/a/b//x", False),
        ("projects/A/b/x", False),
        ("projects/a/b/x\ny", False),
        ("images/x.tar", True),
        ("images/x/y", False),
        ("", False),
    ],
)
def test_a_bundle_holds_only_what_it_may(name: str, may: bool) -> None:
    assert is_member(name) == may


def take_in(step: Callable[[str], None], bundle: Path, root: Path, mount: Path) -> None:
    with open_bundle(bundle) as received:
        store = ensure_store(root, mount)
        receive(received, store, root.parent / "projects", lambda _slug: step, replace=False)


@pytest.mark.slow  # an import for each place it is cut off at
def test_an_import_that_was_killed_anywhere_is_finished_by_the_next(
    bundle: Bundle, far: Store
) -> None:
    steps = ("Path.rename", "Path.replace")
    at = 1
    while cut_off(take_in, bundle.file, far.root, far.mount, at=at, counted=steps).is_cut:
        at += 3
    assert at > 10
    there = load_projects(far.root.parent / "projects").find("a/b")
    assert published_version(there, far) == 2
    assert [one.version for one in far.environments(there)] == [1, 2]
    left = [
        path
        for path in far.root.parent.rglob(".*")
        if path.name.startswith((".import-", ".keeping-", ".kernel.json"))
    ]
    assert left == []


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", disk]
    made = subprocess.run(mount, capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {made.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.mark.slow  # environments of its own
def test_a_full_disk_is_told_and_with_room_the_import_is_finished(
    bundle: Bundle, small_disk: Path, walled: bool
) -> None:
    root = small_disk / "store"
    far = ensure_store(root, MOUNT if walled else root)
    with pytest.raises(KernelsError) as caught:
        take(bundle.file, far)
    assert "No space left" in str(caught.value) or "has" in str(caught.value)
    assert "\n" not in str(caught.value)
    subprocess.run(["mount", "-o", "remount,size=300m", small_disk], check=True)
    assert take(bundle.file, far)[0].published == 2
