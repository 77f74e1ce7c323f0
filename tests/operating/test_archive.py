"""The file of a backup: whole or not there, and every byte of it accounted for."""

import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from operating.archive import BackupWriter, load_backup, new_backup
from operating.errors import BackupError

PARTS = {"database.dump": b"d" * 1000, "homes.tar": b"", "secrets/.env": b"A=1\n" * 128}


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    file = tmp_path / "b.tar"
    write(file)
    return file


def write(file: Path) -> None:
    with new_backup(file) as stream:
        writer = BackupWriter(stream)
        for name, content in PARTS.items():
            with writer.part(name) as sink:
                for byte in range(0, len(content), 7):
                    sink.write(content[byte : byte + 7])
        writer.finish({"made": "now"})


def test_what_is_written_is_read(file: Path) -> None:
    backup = load_backup(file)
    backup.verify()
    assert backup.manifest["made"] == "now"
    assert list(backup.parts) == list(PARTS)
    for name, content in PARTS.items():
        with backup.open(name) as source:
            assert source.read() == content


def test_any_tar_can_read_it(file: Path) -> None:
    shown = subprocess.run(
        ["tar", "-xOf", file, "secrets/.env"], capture_output=True, check=True, timeout=60
    )
    assert shown.stdout == PARTS["secrets/.env"]


def test_it_is_for_its_owners_eyes(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_what_fails_on_the_way_leaves_nothing(tmp_path: Path) -> None:
    def break_off() -> None:
        with new_backup(tmp_path / "b.tar") as stream:
            assert [path.name for path in tmp_path.iterdir()] == ["b.tar.partial"]
            stream.write(b"x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    assert list(tmp_path.iterdir()) == []


def test_a_changed_byte_is_found_wherever_it_is(file: Path) -> None:
    """In a part, in the manifest, in a header: never taken for good, and never a traceback."""
    good = file.read_bytes()
    with tarfile.open(file) as tar:
        used = [
            place
            for member in tar.getmembers()
            for start in (member.offset, member.offset_data)
            for place in range(start, start + max(member.size, 1), 97)
        ]
    for place in used:
        changed = bytearray(good)
        changed[place] ^= 0x21
        file.write_bytes(changed)
        with pytest.raises(BackupError):
            load_backup(file).verify()


def test_a_cut_off_backup_is_refused(file: Path) -> None:
    good = file.read_bytes()
    for length in range(0, len(good) - 1200, 511):
        file.write_bytes(good[:length])
        with pytest.raises(BackupError, match="whole backup"):
            load_backup(file)


def test_what_does_not_belong_in_it_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "b.tar"
    with new_backup(file) as stream:
        writer = BackupWriter(stream)
        with writer.part("secrets/../../evil") as sink:
            sink.write(b"x")
        writer.finish({})
    with pytest.raises(BackupError, match="tampered"):
        load_backup(file)


def test_a_part_that_the_manifest_does_not_tell_of_is_refused(file: Path) -> None:
    with tarfile.open(file, "a") as tar:
        tar.add(__file__, "state.tar")
    with pytest.raises(BackupError, match=r"state\.tar is in the manifest or in the file"):
        load_backup(file)


def test_another_format_is_told_with_the_version_that_made_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operating.archive.FORMAT", 2)
    with pytest.raises(BackupError, match="a backup of format 1, expected 2"):
        load_backup(file)


@pytest.mark.parametrize("content", [b"", b"x" * 5000, json.dumps({"format": 1}).encode()])
def test_something_else_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(BackupError, match="use another"):
        load_backup(tmp_path / "x.tar")
    with pytest.raises(BackupError, match="there is no such backup"):
        load_backup(tmp_path / "y.tar")
