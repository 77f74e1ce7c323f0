"""Programs of a build see the system, one directory of the store, and nothing else."""

import subprocess
from pathlib import Path

import pytest

from kernels.sandbox import as_seen_by_workspaces, system_mounts
from kernels.store import Store


def run(store: Store, tmp_path: Path, script: str) -> str:
    directory, writable = store.root / "a/b", tmp_path / "writable"
    directory.mkdir(parents=True, exist_ok=True)
    writable.mkdir(exist_ok=True)
    argv = as_seen_by_workspaces(["/bin/sh", "-c", script], store, directory, writable)
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()


@pytest.fixture
def wall(cold_store: Store, walled: bool) -> Store:
    if not walled:
        pytest.skip("bubblewrap does not run here")
    return cold_store


def test_the_whole_command_line(tmp_path: Path) -> None:
    store = Store(tmp_path, bwrap="/opt/bwrap")
    assert as_seen_by_workspaces(["python", "-c", "1"], store, tmp_path / "a/b", Path("/w")) == [
        "/opt/bwrap",
        *("--die-with-parent", "--unshare-ipc", "--cap-drop", "ALL"),
        *system_mounts(),
        *("--bind", "/w", "/w"),
        *("--ro-bind", f"{tmp_path}/a/b", "/opt/perijove/a/b"),
        *("--", "python", "-c", "1"),
    ]


def test_without_walls_programs_run_as_they_are(tmp_path: Path) -> None:
    argv = as_seen_by_workspaces(["x", "y"], Store(tmp_path, tmp_path), tmp_path / "a", tmp_path)
    assert argv == ["x", "y"]


def test_of_the_host_only_the_system_is_mounted() -> None:
    arguments = system_mounts()
    sources = [arguments[at + 1] for at, word in enumerate(arguments) if "bind" in word]
    assert "/usr" in sources
    assert all(
        source.startswith(("/usr", "/bin", "/sbin", "/lib", "/etc/", "/run/")) for source in sources
    )
    targets = [arguments[at + 2] for at, word in enumerate(arguments) if "bind" in word]
    for secret in ("passwd", "shadow", "group", "ssh", "hostname", "machine-id"):
        assert f"/etc/{secret}" not in targets


def test_all_mounts_are_read_only() -> None:
    assert "--bind" not in system_mounts()


def test_the_directory_stands_where_workspaces_see_it(wall: Store, tmp_path: Path) -> None:
    (wall.root / "a/b").mkdir(parents=True)
    (wall.root / "a/b/file").write_text("here")
    (wall.root / "a/other").mkdir()
    assert run(wall, tmp_path, "cat /opt/perijove/a/b/file; ls /opt/perijove/a") == "hereb"


def test_only_the_callers_directory_can_be_written(wall: Store, tmp_path: Path) -> None:
    script = f"touch /opt/perijove/a/b/x; touch /usr/x; touch {tmp_path}/writable/x && echo yes"
    assert run(wall, tmp_path, script) == "yes"
    assert list((wall.root / "a/b").iterdir()) == []


def test_a_builder_that_is_root_gives_none_of_its_powers_away(wall: Store, tmp_path: Path) -> None:
    assert run(wall, tmp_path, "grep CapEff /proc/self/status").split()[1] == "0" * 16


def test_other_data_of_the_host_is_not_there(wall: Store, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    assert run(wall, tmp_path, f"ls {tmp_path}; ls -A /root /home /var") == "writable"
