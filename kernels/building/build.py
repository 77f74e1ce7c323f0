"""From a lock to a finished environment in the store.

The steps are in `build_environment`. Everything before the last one happens where no workspace
looks; a builder may be killed at any point, and the next one starts over on clean ground.
"""

import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

from kernels import conda, history, names
from kernels.building.activation import plan_activation
from kernels.building.archives import with_archives
from kernels.building.bytecode import Sources, ensure_bytecode
from kernels.building.check import check_kernel
from kernels.building.damage import DamagedPackagesError, forget_packages, refuse_damaged
from kernels.building.unpacked import link_wheel
from kernels.disk.room import BLOCK, Size, ensure_room
from kernels.errors import BuildError
from kernels.files import remove_tree
from kernels.locking.lock import Lock, Report
from kernels.projects import Project
from kernels.site_channel import NAME as SITE
from kernels.store import CACHES, FINISHED, Environment, Store, write_json, write_text

LOCK_COPY = "perijove-lock.json"
"""The lock an environment was built from, kept inside it."""
YML_COPY = "perijove-environment.yml"
"""The project's `environment.yml` at that time, for those who propose a change to it."""
_INSIDE = Path(__file__).with_name("inside.py")
INSIDE_SHA256 = hashlib.sha256(_INSIDE.read_bytes()).hexdigest()
"""By this the cache knows the bytecode of what every environment has inside."""


def build_environment(
    project: Project, lock: Lock, store: Store, report: Report, *, version: int | None = None
) -> Environment:
    """The environment of `lock`: the one that is there already, or a new version.

    With `version` it is the one of this number, as it was before the store was lost.

    Raises:
        BuildError: a package is not the locked one, or the kernel does not start.
        StoreError: the store cannot be written, or has no room for it.
    """
    with (
        store.writing(project.slug),
        store.hold(project.kernel_name),
        store.hold(CACHES, shared=True),
    ):
        for environment in store.environments(project):
            is_wanted = version in {None, environment.version}
            if is_wanted and environment.digest == lock.digest[:12]:
                return environment
        ensure_room(project.slug, lock, store)
        try:
            environment = _build(project, lock, store, report, version)
        except DamagedPackagesError as error:
            forget_packages(error.packages, lock, store)
            report("fetching damaged packages anew")
            environment = _build(project, lock, store, report, version)
        history.record(
            project, store, "built", version=environment.version, lock=environment.digest
        )
        return environment


def _build(
    project: Project, lock: Lock, store: Store, report: Report, wanted: int | None
) -> Environment:
    environment = _next_version(project, lock, store, wanted)
    with store.staging(project) as staging:
        prefix = staging / environment.path.name
        report("installing packages")
        _install(lock, prefix, store.target(environment.path), store)
        report("compiling bytecode")
        sources = [*_sources(prefix, lock), _put_inside(prefix, lock)]
        ensure_bytecode(prefix, sources, lock.python_minor, store.bytecode)
        write_text(prefix / LOCK_COPY, lock.text)
        if project.environment_yml.exists():
            shutil.copyfile(project.environment_yml, prefix / YML_COPY)
        environment.path.parent.mkdir(parents=True, exist_ok=True)
        prefix.rename(environment.path)
    try:
        report("starting its kernel")
        variables = plan_activation(environment, lock, store)
        with ThreadPoolExecutor(1) as pool:
            looking = pool.submit(_look_through, environment.path, lock, store)
            try:
                check_kernel(environment, store, variables)
            finally:
                size = looking.result()  # damage is why a kernel does not start, if there is any
        report("finishing")
        write_json(
            environment.path / FINISHED,
            {
                "version": environment.version,
                "built": int(time.time()),
                "size": asdict(size),
                "variables": variables,
            },
        )
    except BaseException:
        remove_tree(environment.path)
        raise
    return environment


def _next_version(project: Project, lock: Lock, store: Store, wanted: int | None) -> Environment:
    """The next free number, or the one wanted; prefixes left unfinished are removed."""
    envs = store.project(project) / "envs"
    finished = store.environments(project)
    kept = {environment.path for environment in finished}
    for path in envs.iterdir() if envs.is_dir() else ():
        if path not in kept:
            remove_tree(path)
    taken = {environment.version for environment in finished}
    if wanted in taken:
        raise BuildError(
            f"{project.slug}: there is another v{wanted} already, and notebooks may use it; the "
            "lock can only be built as a new version."
        )
    # A number that was once given is never given again: notebooks may name it.
    past = {event.version for event in history.load_history(project, store) if event.version}
    version = wanted or max(taken | past, default=0) + 1
    path = envs / names.prefix_name(version, lock.digest)
    return Environment(project.client, project.name, version, lock.digest[:12], path)


def _install(lock: Lock, prefix: Path, target: Path, store: Store) -> None:
    try:
        conda.install(
            with_archives(lock.conda, store),
            prefix,
            target=target,
            cache_dir=store.packages,
            requested=lock.requirements.conda,
            channels={SITE: store.site_channel.as_uri() + "/"},
            settings=store.channels,
        )
    except BuildError:
        cached = [one for one in lock.conda if (store.packages / one.cache_name).is_dir()]
        refuse_damaged(replace(lock, conda=tuple(cached), pip=()), store)  # is that why?
        raise
    for wheel in lock.pip:
        link_wheel(wheel, lock, prefix, target, store)


def _sources(prefix: Path, lock: Lock) -> Iterator[Sources]:
    for file in (prefix / "conda-meta").glob("*.json"):
        record = json.loads(file.read_text(encoding="utf-8"))
        entries = record["paths_data"]["paths"]
        own = {entry["_path"] for entry in entries if entry.get("prefix_placeholder")}
        files = _python_files(record["files"])
        yield Sources(
            record["sha256"],
            files=tuple(file for file in files if file not in own),
            own=tuple(file for file in files if file in own),
        )
    site_packages = f"lib/python{lock.python_minor}/site-packages"
    for wheel in lock.pip:
        info = next(
            (prefix / site_packages).glob(f"{wheel.file.split('-')[0]}-*.dist-info/RECORD"), None
        )
        listed = info.read_text(encoding="utf-8").splitlines() if info else []
        paths = [line.split(",")[0] for line in listed]
        yield Sources(
            wheel.sha256,
            _python_files(
                [f"{site_packages}/{path}" for path in paths if not path.startswith("..")]
            ),
        )


def _python_files(files: list[str]) -> tuple[str, ...]:
    """Those that get bytecode: all but packages' own tests, often a third of them."""
    return tuple(
        file
        for file in files
        if file.endswith(".py")
        and file.startswith("lib/")
        and "/tests/" not in file
        and "/test/" not in file
    )


def _put_inside(prefix: Path, lock: Lock) -> Sources:
    """Has every Python of the environment hold it while it runs: see `inside.py`."""
    folder = f"lib/python{lock.python_minor}/site-packages"
    shutil.copyfile(_INSIDE, prefix / folder / "_perijove.py")
    (prefix / folder / "_perijove.pth").write_text("import _perijove\n")
    return Sources(INSIDE_SHA256, (f"{folder}/_perijove.py",))


def _look_through(prefix: Path, lock: Lock, store: Store) -> Size:
    size = _make_readable(prefix)
    refuse_damaged(lock, store)
    return size


def _make_readable(prefix: Path) -> Size:
    """All may read, none may write: py-rattler writes `conda-meta` for its owner alone."""
    apparent = own = 0
    for directory, _, files in os.walk(prefix):
        os.chmod(directory, 0o755)  # noqa: PTH101, S103 - by the thousand: text is faster
        for name in files:
            path = f"{directory}/{name}"
            found = os.lstat(path)
            wanted = 0o555 if found.st_mode & stat.S_IXUSR else 0o444
            if stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) != wanted:
                os.chmod(path, wanted)  # noqa: PTH101 - the same
            apparent += found.st_blocks * BLOCK
            own += found.st_blocks * BLOCK if found.st_nlink == 1 else 0
    return Size(apparent, own)
