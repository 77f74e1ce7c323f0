from __future__ import annotations

import logging
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jupyter_client.kernelspec import NoSuchKernel

from workspace.kernelspecs import StoreKernelSpecManager

if TYPE_CHECKING:
    from collections.abc import Callable

    Publish = Callable[..., Path]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "home/.local/share/jupyter/kernels"


@pytest.fixture
def manager(store: Path, own: Path) -> StoreKernelSpecManager:
    return StoreKernelSpecManager(store=str(store), kernel_dirs=[str(own)])


@pytest.fixture
def add_own(own: Path, kernel_json: Callable[..., str]) -> Callable[[str], Path]:
    def add(name: str) -> Path:
        (own / name).mkdir(parents=True)
        (own / name / "kernel.json").write_text(kernel_json(f"my {name}"))
        return own / name

    return add


def test_kernels_appear_and_vanish_at_each_call(
    manager: StoreKernelSpecManager, store: Path, publish: Publish
) -> None:
    assert manager.get_all_specs() == {}
    publish(store, "acme.churn")
    assert list(manager.find_kernel_specs()) == ["acme.churn"]
    publish(store, "acme.churn.v2")
    assert list(manager.get_all_specs()) == ["acme.churn", "acme.churn.v2"]
    shutil.rmtree(store / "acme")
    assert manager.find_kernel_specs() == manager.get_all_specs() == {}


def test_a_listing_carries_what_kernel_json_says(
    manager: StoreKernelSpecManager, store: Path, publish: Publish
) -> None:
    kernel = publish(store, "acme.churn.v2", "Acme churn v2", env={"A": "1"})
    (kernel.parent / "logo-svg.svg").touch()
    listed = manager.get_all_specs()["acme.churn.v2"]
    assert listed["name"] == "acme.churn.v2"
    assert listed["resource_dir"] == str(kernel.parent)
    assert listed["resources"] == {"logo-svg": "/kernelspecs/acme.churn.v2/logo-svg.svg"}
    assert listed["spec"] == manager.get_kernel_spec("acme.churn.v2").to_dict()
    assert listed["spec"]["metadata"]["perijove"] == {"version": 2, "pinned": True}
    assert listed["spec"]["env"] == {"A": "1"}


def test_a_republished_kernel_is_read_anew(
    manager: StoreKernelSpecManager, store: Path, publish: Publish
) -> None:
    publish(store, "acme.churn", "version 1")
    assert manager.get_kernel_spec("acme.churn").display_name == "version 1"
    publish(store, "acme.churn", "version 2")
    assert manager.get_kernel_spec("acme.churn").display_name == "version 2"


@pytest.mark.parametrize("ending", ["py", "python3"])
def test_a_name_of_nb_conda_kernels_resolves_but_is_not_listed(
    manager: StoreKernelSpecManager, store: Path, publish: Publish, ending: str
) -> None:
    publish(store, "acme.churn.v2", "Acme churn v2")
    spec = manager.get_kernel_spec(f"conda-env-acme_churn_v2-{ending}")
    assert spec.display_name == "Acme churn v2"
    assert list(manager.find_kernel_specs()) == ["acme.churn.v2"]


@pytest.mark.parametrize(
    "name", ["acme.other", "acme.churn.v9", "conda-env-acme_churn_v9-py", "python3", "../x", ""]
)
def test_an_unknown_name_is_no_such_kernel(
    manager: StoreKernelSpecManager, store: Path, publish: Publish, name: str
) -> None:
    publish(store, "acme.churn.v2")
    with pytest.raises(NoSuchKernel, match="No such kernel named"):
        manager.get_kernel_spec(name)


def test_a_user_adds_kernels_but_never_shadows_the_store(
    manager: StoreKernelSpecManager,
    store: Path,
    publish: Publish,
    add_own: Callable[[str], Path],
) -> None:
    publish(store, "acme.churn", "Acme churn")
    for name in ("acme.churn", "julia-1.10", "Mine"):
        add_own(name)
    names = {name: model["spec"]["display_name"] for name, model in manager.get_all_specs().items()}
    assert names == {
        "acme.churn": "Acme churn",
        "julia-1.10": "my julia-1.10",
        "mine": "my Mine",
    }
    assert manager.get_kernel_spec("acme.churn").display_name == "Acme churn"
    assert manager.get_kernel_spec("Mine").display_name == "my Mine"


def test_a_user_cannot_stand_in_for_a_broken_kernel_of_the_store(
    manager: StoreKernelSpecManager,
    store: Path,
    publish: Publish,
    add_own: Callable[[str], Path],
) -> None:
    publish(store, "acme.churn").write_text("{")
    add_own("acme.churn")
    assert manager.get_all_specs() == {}
    with pytest.raises(NoSuchKernel):
        manager.get_kernel_spec("acme.churn")


def test_a_project_publishes_only_under_its_own_name(
    manager: StoreKernelSpecManager, store: Path, publish: Publish
) -> None:
    foreign = publish(store, "acme.churn").parent
    shutil.copytree(foreign, store / "evil/project/kernels/acme.other")
    shutil.copytree(foreign, store / "evil/project/kernels/python3")
    assert list(manager.find_kernel_specs()) == ["acme.churn"]
    with pytest.raises(NoSuchKernel):
        manager.get_kernel_spec("acme.other")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "Expecting property name"),
        ("[]", "expected an object, found list"),
        ('{"display_name": "x"}', "argv: expected a command, found none"),
        ('{"argv": "python"}', "argv: expected list, found str"),
        ('{"argv": ["x"], "metadata": null}', "metadata: expected dict, found NoneType"),
        ('{"argv": ["x"], "interrupt_mode": "x"}', "interrupt_mode: expected signal or message"),
        ("\udcff", "invalid start byte"),
    ],
)
def test_a_broken_kernel_is_left_out_and_said_once(
    manager: StoreKernelSpecManager,
    publish: Publish,
    caplog: pytest.LogCaptureFixture,
    content: str,
    reason: str,
) -> None:
    publish(Path(manager.store), "acme.churn")
    broken = publish(Path(manager.store), "acme.price")
    broken.write_bytes(content.encode(errors="surrogateescape"))
    with caplog.at_level(logging.WARNING, logger="traitlets"):
        for _ in range(3):
            assert list(manager.get_all_specs()) == ["acme.churn"]
    assert len(caplog.messages) == 1
    assert f"acme.price is left out: {broken}: " in caplog.messages[0]
    assert reason in caplog.messages[0]


def test_a_mended_kernel_that_breaks_again_is_said_again(
    manager: StoreKernelSpecManager,
    store: Path,
    publish: Publish,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, logger="traitlets"):
        for _ in range(2):
            publish(store, "acme.churn").write_text("{")
            manager.get_all_specs()
            publish(store, "acme.churn")
            manager.get_all_specs()
    assert len(caplog.messages) == 2


def test_a_kernel_that_vanishes_during_a_listing_is_silently_left_out(
    manager: StoreKernelSpecManager,
    store: Path,
    publish: Publish,
    caplog: pytest.LogCaptureFixture,
) -> None:
    publish(store, "acme.churn")
    publish(store, "acme.price").unlink()  # a half-published kernel looks the same
    assert list(manager.get_all_specs()) == list(manager.find_kernel_specs()) == ["acme.churn"]
    assert caplog.messages == []


def test_the_servers_own_environment_is_no_kernel(
    store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    manager = StoreKernelSpecManager(store=str(store))
    assert f"{sys.prefix}/share/jupyter/kernels" not in manager.kernel_dirs
    assert str(tmp_path / "data/kernels") in manager.kernel_dirs
    assert "python3" not in manager.find_kernel_specs()
    with pytest.raises(NoSuchKernel):
        manager.get_kernel_spec("python3")


def test_only_allowed_kernels_are_shown(store: Path, publish: Publish) -> None:
    for name in ("acme.churn", "acme.price"):
        publish(store, name)
    manager = StoreKernelSpecManager(
        store=str(store), kernel_dirs=[], allowed_kernelspecs={"acme.price"}
    )
    assert list(manager.get_all_specs()) == list(manager.find_kernel_specs()) == ["acme.price"]
    with pytest.raises(NoSuchKernel):
        manager.get_kernel_spec("acme.churn")


def test_a_kernel_with_an_unknown_provisioner_is_left_out(
    manager: StoreKernelSpecManager, store: Path, publish: Publish
) -> None:
    publish(store, "acme.churn", metadata={"kernel_provisioner": {"provisioner_name": "nowhere"}})
    publish(
        store,
        "acme.price",
        metadata={"kernel_provisioner": {"provisioner_name": "local-provisioner"}},
    )
    assert list(manager.get_all_specs()) == ["acme.price"]


def test_the_store_stands_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PERIJOVE_STORE", str(tmp_path))
    assert StoreKernelSpecManager().store == str(tmp_path)
    monkeypatch.delenv("PERIJOVE_STORE")
    assert StoreKernelSpecManager().store == "/opt/perijove"


def test_listing_100_kernels_opens_each_once_and_looks_in_each_folder_once(
    manager: StoreKernelSpecManager, store: Path, publish: Publish
) -> None:
    for project in range(25):
        for version in ("", ".v1", ".v2", ".v3"):
            publish(store, f"client-{project % 5}.project-{project}{version}")
    seen: list[str] = []
    watching = True

    def watch(event: str, _: tuple[object, ...]) -> None:
        if watching and event in {"open", "os.scandir", "os.listdir"}:
            seen.append(event)

    sys.addaudithook(watch)
    listed = manager.get_all_specs()
    watching = False
    assert len(listed) == 100
    assert seen.count("open") == 100
    # the store, 5 clients, 25 projects, 100 kernels for their logos, the user's own folder
    assert len(seen) - 100 == 1 + 5 + 25 + 100 + 1
