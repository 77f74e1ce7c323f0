"""Built versions to deliver, and images to stand on."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from kernels.building.build import build_environment
from kernels.delivery.version import Version, find_version
from kernels.locking.lock import make_lock
from kernels.projects import Project
from kernels.publishing.publish import publish
from kernels.store import MOUNT, Store, ensure_store

MakeProject = Callable[..., Project]
MakeWheel = Callable[..., Path]
MakeBase = Callable[..., Path]


def quiet(_step: str) -> None:
    pass


def deliverable(project: Project, store: Store) -> Version:
    """Locks, builds and publishes a project."""
    environment = build_environment(project, make_lock(project, store, quiet), store, quiet)
    publish(project, environment, store)
    return find_version(project, store, None)


@pytest.fixture(name="project")
def _project(make_project: MakeProject, make_wheel: MakeWheel) -> Project:
    """A project with a package that names its path, a pip part with a script, and an example."""
    make_wheel("report", "1.0", scripts="report = report:main")
    project: Project = make_project("a/b", "numpy=2.1", extra="  - pip: [report]\n")
    (project.examples / "data").mkdir()
    (project.examples / "one.ipynb").write_text('{"cells": []}')
    (project.examples / "data/table.csv").write_text("1,2\n")
    return project


@pytest.fixture(name="other_store")
def _other_store(tmp_path: Path, warm_caches: Path, walled: bool) -> Store:
    """A second store, elsewhere, with the packages of the first but nothing else of it."""
    root = tmp_path / "far away" / "another store"
    store = ensure_store(root, MOUNT if walled else root)
    store.packages.symlink_to(warm_caches / store.packages.name)
    return store


@pytest.fixture(name="make_base")
def _make_base(tmp_path: Path) -> MakeBase:
    """Writes a base image of one layer, as `docker save` did before 25, or as an OCI layout."""

    def make(form: str = "saved", architecture: str = "amd64", command: str = "") -> Path:
        layer = _tar({"etc/base": b"base"})
        config = json.dumps(
            {
                "architecture": architecture,
                "os": "linux",
                "created": "2026-01-02T03:04:05Z",
                "config": {
                    "Env": ["PATH=/opt/conda/bin:/usr/bin", "LANG=C.UTF-8"],
                    "Cmd": command.split() or None,
                    "Entrypoint": ["tini", "--"],
                    "Labels": {"maker": "us", "com.docker.compose.project": "x"},
                },
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_sha256(layer)}"]},
            }
        ).encode()
        path = tmp_path / f"base-{form}.tar"
        if form == "saved":
            manifest = [{"Config": "c.json", "RepoTags": ["x:1"], "Layers": ["1/layer.tar"]}]
            files = {"c.json": config, "1/layer.tar": layer}
            path.write_bytes(_tar(files | {"manifest.json": json.dumps(manifest).encode()}))
            return path
        told = {
            "schemaVersion": 2,
            "config": {"digest": f"sha256:{_sha256(config)}"},
            "layers": [{"digest": f"sha256:{_sha256(layer)}"}],
        }
        described = json.dumps(told).encode()
        index = {"manifests": [{"digest": f"sha256:{_sha256(described)}"}]}
        files = {f"blobs/sha256/{_sha256(data)}": data for data in (config, layer, described)}
        path.write_bytes(_tar(files | {"index.json": json.dumps(index).encode()}))
        return path

    return make


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _tar(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()
