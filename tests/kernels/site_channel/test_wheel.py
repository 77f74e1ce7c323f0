"""Wheels become conda packages: markers, extras, tags, scripts, and bit for bit the same."""

import hashlib
import json
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conda_package_streaming.package_streaming import stream_conda_component
from packaging.requirements import Requirement

from kernels.locking.wheels import Wheel
from kernels.platform import Platform
from kernels.site_channel.package import PLACEHOLDER
from kernels.site_channel.wheel import (
    conda_spec,
    ensure_wheel_package,
    load_metadata,
    plan_package,
)

MakeWheel = Callable[..., Path]


def described(path: Path) -> Wheel:
    name, version, _ = path.name.split("-", 2)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Wheel(name.replace("_", "-"), version, path.name, sha256)


def package(
    channel: Path, path: Path, *others: Path, platform: Platform | None = None
) -> tuple[Path, dict[str, object]]:
    """The package made of a wheel, and what its index says."""
    platform = platform or Platform()
    metadata = {described(wheel).name: load_metadata(wheel) for wheel in (path, *others)}
    wheel = described(path)
    ensure_wheel_package(channel, wheel, path, python="3.11", platform=platform, metadata=metadata)
    index = plan_package(wheel, python="3.11", platform=platform, metadata=metadata)
    made = channel / index.subdir / f"{index.file_name}.conda"
    found: dict[str, object] = json.loads(dict(content(made, "info"))["info/index.json"][1])
    return made, found


def content(made: Path, component: str) -> Iterator[tuple[str, tuple[int, bytes]]]:
    with made.open("rb") as file:
        for tar, member in stream_conda_component(made.name, file, component):
            data = tar.extractfile(member)
            assert isinstance(tar, tarfile.TarFile)
            yield member.name, (member.mode, data.read() if data else b"")


def test_a_package_says_what_its_wheel_says(tmp_path: Path, make_wheel: MakeWheel) -> None:
    path = make_wheel("a-b", "1.2", "numpy>=1.26,<3", metadata="License-Expression: MIT\n")
    _, index = package(tmp_path, path)
    assert index | {"build": ""} == {
        "name": "a-b",
        "version": "1.2",
        "build": "",
        "build_number": 0,
        "subdir": "linux-64",
        "depends": ["python 3.11.*", "numpy <3,>=1.26"],
        "constrains": [],
        "license": "MIT",
    }
    assert str(index["build"]).startswith("py311_")


def test_the_same_wheel_gives_the_same_package_bit_for_bit(
    tmp_path: Path, make_wheel: MakeWheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_wheel("a", "1.0", scripts="a = a:main")
    one, _ = package(tmp_path / "one", path)
    monkeypatch.setattr(time, "time", lambda: 10**9)
    two, _ = package(tmp_path / "two", path)
    assert one.name == two.name
    assert one.read_bytes() == two.read_bytes()


def test_nothing_is_left_beside_the_package(tmp_path: Path, make_wheel: MakeWheel) -> None:
    made, _ = package(tmp_path / "channel", make_wheel("a", "1.0"))
    assert [path for path in (tmp_path / "channel").rglob("*") if path.is_file()] == [made]
    assert [path.name for path in (tmp_path / "channel").iterdir()] == ["linux-64"]


def test_markers_are_decided_for_the_declared_platform(
    tmp_path: Path, make_wheel: MakeWheel
) -> None:
    path = make_wheel(
        *("a", "1.0", "always"),
        *("linux-only; sys_platform == 'linux'", "windows-only; sys_platform == 'win32'"),
        *("old; python_version < '3.11'", "new; python_version >= '3.11'"),
        *("intel; platform_machine == 'x86_64'", "arm; platform_machine == 'aarch64'"),
        "optional; extra == 'more'",
    )
    _, index = package(tmp_path / "x", path)
    assert index["depends"] == ["python 3.11.*", "always", "intel", "linux-only", "new"]
    _, index = package(tmp_path / "y", path, platform=Platform("linux-aarch64"))
    assert index["depends"] == ["python 3.11.*", "always", "arm", "linux-only", "new"]


def test_extras_that_a_dependency_asks_for_are_spelled_out(
    tmp_path: Path, make_wheel: MakeWheel
) -> None:
    more = make_wheel(
        *("more", "2.0", "base", "table>=1; extra == 'all'", "both"),
        "both>1; extra == 'all' or sys_platform == 'linux'",
    )
    path = make_wheel("a", "1.0", "more[all]>=2")
    _, index = package(tmp_path, path, more)
    assert index["depends"] == ["python 3.11.*", "more >=2", "table >=1"]


def test_extras_of_extras_are_followed(tmp_path: Path, make_wheel: MakeWheel) -> None:
    inner = make_wheel("inner", "1.0", "deep; extra == 'x'")
    outer = make_wheel("outer", "1.0", "inner[x]; extra == 'y'")
    path = make_wheel("a", "1.0", "outer[y]")
    _, index = package(tmp_path, path, outer, inner)
    assert index["depends"] == ["python 3.11.*", "deep", "inner", "outer"]


def test_extras_that_ask_for_each_other_come_to_an_end(
    tmp_path: Path, make_wheel: MakeWheel
) -> None:
    ring = make_wheel("ring", "1.0", "ring[b]; extra == 'a'", "ring[a]; extra == 'b'", "t")
    _, index = package(tmp_path, make_wheel("a", "1.0", "ring[a]"), ring)
    assert index["depends"] == ["python 3.11.*", "ring"]


def test_packages_of_one_wheel_that_need_different_things_are_told_apart(
    tmp_path: Path, make_wheel: MakeWheel
) -> None:
    path = make_wheel("a", "1.0", "more[all]")
    old = make_wheel("more", "1.0", "old-table; extra == 'all'")
    new = make_wheel("more", "2.0", "new-table; extra == 'all'")
    first, _ = package(tmp_path, path, old)
    second, _ = package(tmp_path, path, new)
    assert first.name != second.name


@pytest.mark.parametrize(
    ("tag", "needs"),
    [
        ("cp311-cp311-manylinux_2_28_x86_64", ["__glibc >=2.28"]),
        ("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", ["__glibc >=2.17"]),
        ("cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64", ["__glibc >=2.27"]),
        ("cp36-abi3-manylinux2010_x86_64", ["__glibc >=2.12"]),
        ("py3-none-any", []),
    ],
)
def test_a_wheels_tag_says_which_c_library_it_needs(
    tmp_path: Path, make_wheel: MakeWheel, tag: str, needs: list[str]
) -> None:
    _, index = package(tmp_path, make_wheel("a", "1.0", tag=tag))
    assert index["depends"] == ["python 3.11.*", *needs]


def test_scripts_start_the_python_they_are_installed_with(
    tmp_path: Path, make_wheel: MakeWheel
) -> None:
    made, _ = package(tmp_path, make_wheel("a", "1.0", scripts="a = a:main"))
    files = dict(content(made, "pkg"))
    mode, script = files["bin/a"]
    assert mode == 0o755
    assert script.startswith(f"#!{PLACEHOLDER}/bin/python\n".encode())
    paths = json.loads(dict(content(made, "info"))["info/paths.json"][1])["paths"]
    entry = next(entry for entry in paths if entry["_path"] == "bin/a")
    assert (entry["prefix_placeholder"], entry["file_mode"]) == (PLACEHOLDER, "text")
    assert files["lib/python3.11/site-packages/a.py"][0] == 0o644
    assert files["lib/python3.11/site-packages/a-1.0.dist-info/INSTALLER"][1] == b"conda"


def test_paths_are_listed_with_size_and_hash(tmp_path: Path, make_wheel: MakeWheel) -> None:
    made, _ = package(tmp_path, make_wheel("a", "1.0"))
    files = dict(content(made, "pkg"))
    listed = json.loads(dict(content(made, "info"))["info/paths.json"][1])["paths"]
    assert {entry["_path"] for entry in listed} == set(files)
    for entry in listed:
        data = files[entry["_path"]][1]
        assert entry["size_in_bytes"] == len(data)
        assert entry["sha256"] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("requirement", "spec"),
    [
        ("Foo.Bar", "foo-bar"),
        ("a>=1,<2", "a <2,>=1"),
        ("a~=1.4", "a >=1.4,<2.0a0"),
        ("a~=1.4.5", "a >=1.4.5,<1.5.0a0"),
        ("a===1.0", "a ==1.0"),
        ("a==1.*,!=1.3", "a !=1.3,==1.*"),
    ],
)
def test_requirements_in_condas_words(requirement: str, spec: str) -> None:
    assert conda_spec(Requirement(requirement)) == spec
