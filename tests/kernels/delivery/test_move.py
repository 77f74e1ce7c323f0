"""A folder is moved again and again, cut off anywhere, and every file names where it is."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kernels.delivery.onsite import move
from kernels.delivery.onsite.move import ChangedError, MoveError, ensure_moved, rewrite
from kernels.delivery.places import find_place
from kernels.errors import BuildError

HOME = "/opt/perijove/a/b/envs/v1-aaaaaaaaaaaa"
PLACEHOLDER = "/placehold" * 25
SCRIPT = f"#!{HOME}/bin/python -E\nimport sys\nHERE = '{HOME}/share'\n"
BINARY = (
    b"\x7fELF\0"
    + f"--prefix={HOME}/lib:{HOME}/lib64".encode()
    + bytes(2 * (len(PLACEHOLDER) - len(HOME)))
    + b"\0end"
)
LONG = "/srv/" + "very-long-name/" * 9 + "x"

MakeFolder = Callable[..., Path]


def moved(data: bytes, *paths: str, placeholder: str | None = None) -> bytes:
    """The content after moves from one path to the next."""
    place = find_place("bin/x", data, HOME, placeholder)
    assert place is not None
    home = HOME.encode()
    for old, new in zip((HOME, *paths), paths, strict=False):
        data = rewrite(data, place, home, old.encode(), new.encode())
    return data


@pytest.mark.parametrize("way", [("/a",), ("/a", "/a/b", "/"), (LONG, "/with space", "/a")])
def test_a_script_and_its_text_name_the_path_after_any_moves(way: tuple[str, ...]) -> None:
    text = moved(SCRIPT.encode(), *way, HOME).decode()
    assert text == SCRIPT
    assert f"HERE = '{way[-1]}/share'" in moved(SCRIPT.encode(), *way).decode()


def test_text_that_only_looks_like_a_path_is_left_alone() -> None:
    data = f"prefix={HOME}\nroot=/a and /a/b\n".encode()
    assert moved(data, "/a", "/b") == b"prefix=/b\nroot=/a and /a/b\n"


@pytest.mark.parametrize("path", [LONG, "/with space"])
def test_a_script_starts_where_no_shebang_can_name_its_python(tmp_path: Path, path: str) -> None:
    here = Path(f"{tmp_path}{path}")
    (here / "bin").mkdir(parents=True)
    (here / "bin/python").symlink_to(sys.executable)
    script = here / "bin/x"
    script.write_bytes(moved(SCRIPT.encode() + b"print(HERE, sys.argv[1:])\n", str(here)))
    script.chmod(0o755)
    done = subprocess.run([script, "a b"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{here}/share ['a b']\n"


def test_another_interpreter_is_found_by_its_name_where_no_shebang_can_say_it() -> None:
    data = f"#!{HOME}/bin/perl -w\n".encode()
    assert moved(data, "/a") == b"#!/a/bin/perl -w\n"
    assert moved(data, "/with space") == b"#!/usr/bin/env perl\n"
    assert moved(data, "/with space", "/a") == b"#!/a/bin/perl -w\n"


@pytest.mark.parametrize(
    "start",
    [
        f"#!/bin/sh\n'''exec' {HOME}/bin/python3.11 -E \"$0\" \"$@\" #'''\n' '''\n",
        f"#!/bin/sh\n'''exec' \"{HOME}/bin/python3.11\" -E \"$0\" \"$@\"\n' '''\n",
    ],
)
def test_what_installers_write_for_a_long_path_becomes_a_shebang_again(start: str) -> None:
    place = find_place("bin/x", start.encode(), HOME, None)
    assert place is not None
    assert (place["interpreter"], place["arguments"]) == ("bin/python3.11", " -E")


def test_a_binary_file_keeps_its_size_and_all_else() -> None:
    data = moved(BINARY, "/a", placeholder=PLACEHOLDER)
    assert len(data) == len(BINARY)
    assert data.startswith(b"\x7fELF\0--prefix=/a/lib:/a/lib64\0")
    assert data.endswith(b"\0end")
    longest = "/" + "x" * (len(PLACEHOLDER) - 1)
    assert moved(BINARY, "/a", longest, "/b c", HOME, placeholder=PLACEHOLDER) == BINARY


def test_a_path_that_a_binary_file_has_no_room_for_is_told() -> None:
    with pytest.raises(
        MoveError, match=r"the path is 3 bytes too long for bin/x; unpack it nearer"
    ):
        moved(BINARY, "/" + "x" * (len(PLACEHOLDER) + 2), placeholder=PLACEHOLDER)


def test_a_binary_file_that_says_not_how_to_change_it_is_refused() -> None:
    with pytest.raises(BuildError, match=r"bin/x: a binary file names the environment's path"):
        find_place("bin/x", BINARY, HOME, None)
    with pytest.raises(BuildError, match="what its package says about"):
        find_place("bin/x", BINARY.replace(b"\0\0end", b"x\0end"), HOME, PLACEHOLDER)


def test_a_file_without_the_path_has_no_place() -> None:
    assert find_place("bin/x", b"#!/usr/bin/python\n", HOME, None) is None


def test_a_file_that_was_changed_is_not_guessed_at() -> None:
    place = find_place("bin/x", SCRIPT.encode(), HOME, None)
    assert place is not None
    for changed in (SCRIPT.replace("import", "# import"), SCRIPT[2:]):
        with pytest.raises(ChangedError):
            rewrite(changed.encode(), place, HOME.encode(), HOME.encode(), b"/a")


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "un packed"
    files = {f"bin/s{number}": SCRIPT.encode() for number in range(5)}
    files |= {"lib/own.py": f"HERE = '{HOME}'\n".encode()}
    for name, data in files.items():
        (folder / "environment" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "environment" / name).write_bytes(data)
    (folder / "environment/lib/__pycache__").mkdir()
    (folder / "tools").mkdir()
    places = [find_place(name, data, HOME, None) for name, data in files.items()]
    bytecode = [["lib/own.py", "lib/__pycache__/own.pyc"]]
    told = {"home": HOME, "places": places, "bytecode": bytecode}
    (folder / "tools/places.json").write_text(json.dumps(told))
    (folder / "tools/prefix").write_text(HOME)
    return folder


def assert_in_place(folder: Path) -> None:
    here = str(folder / "environment")
    for script in (folder / "environment/bin").iterdir():
        assert script.read_text().endswith(f"HERE = '{here}/share'\n"), script
    assert (folder / "tools/prefix").read_text() == here
    assert here.encode() in (folder / "environment/lib/__pycache__/own.pyc").read_bytes()
    assert not (folder / "tools/moving").exists()
    assert [*folder.rglob("*.moving")] == []


def test_a_folder_is_moved_once_and_again_where_it_goes(folder: Path) -> None:
    assert ensure_moved(folder)
    assert_in_place(folder)
    assert not ensure_moved(folder)
    inside = folder.parent / "un packed elsewhere"
    folder.rename(inside)
    assert ensure_moved(inside)
    assert_in_place(inside)


def test_a_move_that_was_cut_off_anywhere_goes_on_also_from_another_place(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    replace, left = os.replace, [0]

    def cut(source: str, target: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise KilledError
        replace(source, target)
        left[0] -= 1
        if left[0] == 0:
            raise KilledError

    monkeypatch.setattr(move.os, "replace", cut)
    for steps in range(1, 15):
        left[0] = steps
        with pytest.raises(KilledError):
            ensure_moved(folder)
        # Deeper too, where the new path begins with the old one.
        deeper = folder / "deeper" if steps % 2 else tmp_path / f"up{steps}"
        folder.rename(tmp_path / "scratch")
        deeper.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "scratch").rename(deeper)
        folder = deeper
    left[0] = 0
    assert ensure_moved(folder)
    assert_in_place(folder)


def test_a_journal_cut_off_in_a_line_is_read(folder: Path) -> None:
    (folder / "tools/moving").write_text('\n{"file": "bin/s1", "sha')
    assert ensure_moved(folder)
    assert_in_place(folder)


def test_a_file_that_somebody_changed_is_left_and_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "environment/bin/s1").write_text("mine\n")
    (folder / "environment/bin/s2").unlink()
    assert ensure_moved(folder)
    assert (folder / "environment/bin/s1").read_text() == "mine\n"
    assert "Note: bin/s1 was changed" in capsys.readouterr().err


def test_a_path_that_scripts_could_not_name_is_refused_before_anything_is_changed(
    folder: Path,
) -> None:
    odd = folder.with_name('it"s')
    folder.rename(odd)
    with pytest.raises(MoveError, match="a path with quotes"):
        ensure_moved(odd)
    assert (odd / "environment/bin/s1").read_text() == SCRIPT


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is needed, so only root can")
def test_who_may_not_write_is_told_who_must(folder: Path) -> None:
    for path in (*folder.parents[:3], folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        try:
            ensure_moved(folder)
        except MoveError as error:
            os._exit(0 if "whoever unpacked it must run './run true'" in str(error) else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (folder / "environment/bin/s1").read_text() == SCRIPT
