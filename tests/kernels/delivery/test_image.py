"""An image is what an engine loads: the base's layers, and two that are always the same."""

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kernels.building.build import build_environment
from kernels.delivery.base import open_base
from kernels.delivery.image import make_image
from kernels.delivery.image_config import plan_command
from kernels.delivery.version import Version, find_version
from kernels.errors import BuildError
from kernels.projects import Project
from kernels.sandbox import system_mounts
from kernels.store import Store
from tests.kernels.delivery.conftest import deliverable, quiet

pytestmark = pytest.mark.slow  # each locks a project of its own, pip part and all

MakeBase = Callable[..., Path]
HUB = "/opt/server/bin/python -I -m jupyterhub.singleuser --config=/opt/x.py"


@pytest.fixture(name="version")
def _version(project: Project, store: Store) -> Version:
    return deliverable(project, store)


def read(image: Path) -> dict[str, bytes]:
    with tarfile.open(image, "r:") as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def parts(image: Path) -> tuple[dict[str, Any], dict[str, Any], dict[str, bytes]]:
    """The saved form's manifest, the configuration, and all members."""
    members = read(image)
    (saved,) = json.loads(members["manifest.json"])
    return saved, json.loads(members[saved["Config"]]), members


@pytest.mark.parametrize("form", ["saved", "layout"])
def test_both_forms_of_the_file_tell_of_the_same_layers(
    version: Version, store: Store, tmp_path: Path, make_base: MakeBase, form: str
) -> None:
    made = make_image(version, store, make_base(form), tmp_path / "i.tar", quiet)
    saved, config, members = parts(made.file)
    for name, data in members.items():
        if name.startswith("blobs/"):
            assert hashlib.sha256(data).hexdigest() == name.removeprefix("blobs/sha256/")
    (described,) = json.loads(members["index.json"])["manifests"]
    blob = "blobs/" + described["digest"].replace(":", "/")
    manifest = json.loads(members[blob])
    assert described["size"] == len(members[blob])
    layers = [layer["digest"].removeprefix("sha256:") for layer in manifest["layers"]]
    assert saved["Layers"] == [f"blobs/sha256/{layer}" for layer in layers]
    assert layers[1:] == list(made.layers)
    assert config["rootfs"]["diff_ids"] == [f"sha256:{layer}" for layer in layers]
    assert manifest["config"]["digest"] == f"sha256:{made.digest}"
    assert saved["RepoTags"] == ["a/b:v1"]
    assert json.loads(members["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}


@pytest.mark.slow  # two environments
def test_the_layers_are_the_same_from_another_store_at_another_time_on_another_base(
    version: Version, store: Store, other_store: Store, tmp_path: Path, make_base: MakeBase
) -> None:
    first = make_image(version, store, make_base(), tmp_path / "1.tar", quiet)
    build_environment(version.project, version.lock, other_store, quiet)
    other = find_version(version.project, other_store, None)
    base = make_base("layout", command=HUB)
    second = make_image(other, other_store, base, tmp_path / "2.tar", quiet)
    assert first.layers == second.layers
    assert first.digest != second.digest
    again = make_image(version, store, make_base(), tmp_path / "3.tar", quiet)
    assert again.file.read_bytes() == first.file.read_bytes()


def test_its_kernel_runs_at_the_path_that_workspaces_see(
    version: Version, store: Store, tmp_path: Path, make_base: MakeBase, walled: bool
) -> None:
    made = make_image(version, store, make_base(), tmp_path / "i.tar", quiet)
    saved, _, members = parts(made.file)
    root = tmp_path / "root"
    for number, layer in enumerate(saved["Layers"]):
        (tmp_path / f"{number}.tar").write_bytes(members[layer])
        root.mkdir(exist_ok=True)
        subprocess.run(["tar", "-xf", tmp_path / f"{number}.tar", "-C", root], check=True)
    for name in ("a.b", "a.b.v1"):
        spec = json.loads((root / f"opt/perijove/a/b/kernels/{name}/kernel.json").read_text())
        assert spec["argv"][0].startswith("/opt/perijove/a/b/envs/v1-")
    home = root / "home/examples"
    assert (home / "data/table.csv").read_text() == "1,2\n"
    with tarfile.open(tmp_path / "2.tar") as tar:
        found = {member.name: (member.uid, member.mode) for member in tar}
    assert found["home"] == (1000, 0o755)
    assert found["home/examples/one.ipynb"] == (1000, 0o644)
    assert found["opt/perijove/a/b/examples/one.ipynb"] == (0, 0o444)
    if not walled:
        pytest.skip("bubblewrap does not work here")
    code = "import sys, report; print(sys.prefix)"
    inside = ["--ro-bind", str(root / "opt"), "/opt"]
    done = subprocess.run(
        ["bwrap", *system_mounts(), *inside, "--", spec["argv"][0], "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{spec['argv'][0].removesuffix('/bin/python')}\n"


def test_it_opens_a_plain_jupyterlab_with_the_settings_of_the_base(
    version: Version, store: Store, tmp_path: Path, make_base: MakeBase
) -> None:
    base = make_base(command=HUB)
    _, config, _ = parts(make_image(version, store, base, tmp_path / "i.tar", quiet).file)
    prefix = f"/opt/perijove/a/b/envs/{version.environment.path.name}"
    assert config["config"] == {
        "User": "1000:1000",
        "WorkingDir": "/home",
        "Entrypoint": ["tini", "--"],
        "Cmd": [
            *("/opt/server/bin/python", "-I", "-m", "jupyterlab", "--config=/opt/x.py"),
            *("--ip=0.0.0.0", "--port=8888", "--no-browser"),
            "--MultiKernelManager.default_kernel_name=a.b",
        ],
        "Env": [
            f"PATH={prefix}/bin:/opt/server/bin:/opt/conda/bin:/usr/bin",
            "LANG=C.UTF-8",
            "HOME=/home",
            "JUPYTER_PATH=/opt/perijove/a/b",
        ],
        "ExposedPorts": {"8888/tcp": {}},
        "Labels": {
            "maker": "us",
            "org.opencontainers.image.title": "A · B",
            "org.opencontainers.image.description": "A test.",
            "org.opencontainers.image.version": "v1",
            "org.opencontainers.image.authors": "a@b.example",
            "perijove.project": "a/b",
            "perijove.lock": version.lock.digest,
        },
    }
    assert config["created"] == "2026-01-02T03:04:05Z"
    assert len(config["history"]) == 2


def test_on_another_base_its_own_jupyterlab_is_started() -> None:
    assert plan_command(["bash"], "a.b")[:2] == ["jupyter", "lab"]


def test_a_base_for_another_processor_is_refused(make_base: MakeBase) -> None:
    told = "the base image is for arm64, but the environment for amd64"
    with (
        pytest.raises(BuildError, match=told),
        open_base(make_base(architecture="arm64"), "x86_64"),
    ):
        pass


def test_an_index_of_images_for_many_processors_gives_the_one_that_fits(
    tmp_path: Path, make_base: MakeBase
) -> None:
    members = read(make_base("layout"))
    (described,) = json.loads(members["index.json"])["manifests"]
    platforms = [{"architecture": name, "os": "linux"} for name in ("arm64", "amd64")]
    missing = {"digest": "sha256:" + "0" * 64, "platform": platforms[0]}
    index = {"manifests": [missing, described | {"platform": platforms[1]}]}
    with tarfile.open(tmp_path / "many.tar", "w") as tar:
        for name, data in (members | {"index.json": json.dumps(index).encode()}).items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    with open_base(tmp_path / "many.tar", "x86_64") as base:
        assert base.config["architecture"] == "amd64"
        assert len(base.layers) == 1


@pytest.mark.parametrize("damage", ["cut", "text", "absent", "other"])
def test_what_is_no_base_is_told_in_a_sentence(make_base: MakeBase, damage: str) -> None:
    base = make_base()
    data = base.read_bytes()
    if damage == "cut":
        base.write_bytes(data[:1500])
    elif damage == "text":
        base.write_text("hello")
    elif damage == "absent":
        base.unlink()
    else:
        base.write_bytes(data.replace(b"manifest.json", b"something.els"))
    with pytest.raises(BuildError, match="docker save") as caught, open_base(base, "x86_64"):
        pass
    assert str(base) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow  # an environment of its own
def test_a_damaged_layer_of_the_base_is_told_and_nothing_stays(
    version: Version, store: Store, tmp_path: Path, make_base: MakeBase
) -> None:
    base = make_base("layout")
    base.write_bytes(base.read_bytes().replace(b"\0base\0", b"\0evil\0"))
    with pytest.raises(BuildError, match="is damaged; save the base image again"):
        make_image(version, store, base, tmp_path / "out/i.tar", quiet)
    assert list((tmp_path / "out").iterdir()) == []
