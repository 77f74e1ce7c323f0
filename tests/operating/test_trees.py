"""A tree comes back as it was; and a tar that nobody packed is refused."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from operating.errors import BackupError
from operating.trees import check_tree, pack_tree, unpack_tree
from tests.operating.conftest import snapshot, write_homes


def packed(root: Path, **how: object) -> io.BytesIO:
    sink = io.BytesIO()
    assert pack_tree(root, sink, **how) == []  # type: ignore[arg-type]
    sink.seek(0)
    return sink


def unpacked(source: io.BytesIO, to: Path) -> list[str]:
    to.mkdir()
    source.seek(0)
    return unpack_tree(source, to)


def test_a_tree_comes_back_byte_by_byte(tmp_path: Path) -> None:
    write_homes(tmp_path / "homes")
    tar = packed(tmp_path / "homes")
    assert check_tree(tar) == {"anna", "bruno-40example"}
    assert unpacked(tar, tmp_path / "back") == []
    wanted = snapshot(tmp_path / "homes")
    wanted.pop("anna/s")  # sockets are of processes, not of people
    assert snapshot(tmp_path / "back") == wanted


def test_links_to_one_file_stay_one_file_and_holes_stay_holes(tmp_path: Path) -> None:
    write_homes(tmp_path / "homes")
    tar = packed(tmp_path / "homes")
    assert len(tar.getvalue()) < 1024**2  # six that are holes are not read into it
    unpacked(tar, tmp_path / "back")
    anna = tmp_path / "back/anna"
    assert (anna / "secret").samefile(anna / "work/same as secret")
    holes = (tmp_path / "back/bruno-40example/holes").stat()
    assert holes.st_blocks * 512 < holes.st_size / 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_owners_come_back_by_number(tmp_path: Path) -> None:
    (tmp_path / "homes/anna").mkdir(parents=True)
    file = tmp_path / "homes/anna/file"
    file.write_text("x")
    os.chown(file, 1000, 4242)
    file.chmod(0o6755)
    tar = packed(tmp_path / "homes")
    unpacked(tar, tmp_path / "back")
    told = (tmp_path / "back/anna/file").stat()
    assert (told.st_uid, told.st_gid, oct(told.st_mode)) == (1000, 4242, "0o106755")


def test_what_vanishes_or_grows_while_it_is_read_is_no_failure(tmp_path: Path) -> None:
    """tar stops where its pipe is full: in the middle of the first file."""
    homes = tmp_path / "homes"
    for name in "abc":
        (homes / name).mkdir(parents=True)
        (homes / name / "file").write_bytes(name.encode() * 8 * 1024**2)
    order = [member.name[2] for member in members(packed(homes)) if member.isreg()]

    class Meddling(io.BytesIO):
        done = False

        def write(self, data: object, /) -> int:
            if not self.done:
                self.done = True
                with (homes / order[0] / "file").open("ab") as file:
                    file.truncate(4 * 1024**2)
                    file.write(b"more" * 8 * 1024**2)
                (homes / order[1] / "file").unlink()
                (homes / order[1]).rmdir()
            return super().write(data)  # type: ignore[arg-type]

    sink = Meddling()
    assert pack_tree(homes, sink) == []
    assert unpacked(sink, tmp_path / "back") == []
    last = tmp_path / "back" / order[2] / "file"
    assert last.read_bytes() == (homes / order[2] / "file").read_bytes()
    assert not (tmp_path / "back" / order[1] / "file").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_cannot_be_read_is_told_and_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "homes").mkdir()
    (tmp_path / "homes/closed").write_text("x")
    (tmp_path / "homes/closed").chmod(0)
    (note,) = pack_tree(tmp_path / "homes", io.BytesIO())
    assert "closed" in note
    assert "Permission denied" in note


def test_some_names_can_be_left_out(tmp_path: Path) -> None:
    for name in (".restoring/anna", ".replaced-1/anna", "anna/.restoring", "anna/.replaced-1"):
        (tmp_path / "homes" / name).mkdir(parents=True)
    tar = packed(tmp_path / "homes", leave_out=(".restoring", ".replaced-*"))
    names = [member.name for member in members(tar)]
    assert sorted(names) == [".", "./anna", "./anna/.replaced-1", "./anna/.restoring"]


def test_single_files_are_packed_with_what_they_stand_in(tmp_path: Path) -> None:
    for name in ("linux-64/b", "linux-64/a", "linux-64-x/a", "noarch/c"):
        (tmp_path / "from" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "from" / name).write_text(name)
    names = ["noarch/c", "linux-64/b", "linux-64/a", "linux-64-x/a"]
    tar = packed(tmp_path / "from", names=names)
    check_tree(tar)
    unpacked(tar, tmp_path / "back")
    assert snapshot(tmp_path / "back") == snapshot(tmp_path / "from")


def members(tar: io.BytesIO) -> list[tarfile.TarInfo]:
    tar.seek(0)
    with tarfile.open(fileobj=tar) as opened:
        found = opened.getmembers()
    tar.seek(0)
    return found


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, 0o755
    return info


HOME = entry("./anna", tarfile.DIRTYPE)
TAMPERED: dict[str, list[tarfile.TarInfo]] = {
    "up": [HOME, entry("./anna/../../evil")],
    "up at once": [entry("../evil")],
    "from the root": [entry("/evil")],
    "through a link": [HOME, entry("./anna/l", tarfile.SYMTYPE, "/etc"), entry("./anna/l/evil")],
    "through a link that was a directory": [
        HOME,
        entry("./anna/l", tarfile.DIRTYPE),
        entry("./anna/l", tarfile.SYMTYPE, "/etc"),
        entry("./anna/l/evil"),
    ],
    "a home that is a link": [entry("./anna", tarfile.SYMTYPE, "/etc")],
    "the same file as one elsewhere": [HOME, entry("./anna/x", tarfile.LNKTYPE, "/etc/passwd")],
    "the same file as one above": [HOME, entry("./anna/x", tarfile.LNKTYPE, "./../../etc/passwd")],
    "in no directory": [entry("./anna/x")],
    "back in a directory that was left": [
        HOME,
        entry("./bruno", tarfile.DIRTYPE),
        entry("./anna/x"),
    ],
    "an empty part": [HOME, entry("./anna//x")],
    "a kind that is none": [HOME, entry("./anna/x", b"Z")],
}


def write_tar(file: Path | io.BytesIO, entries: list[tarfile.TarInfo]) -> None:
    how = {"name": file} if isinstance(file, Path) else {"fileobj": file}
    with tarfile.open(mode="w", **how) as tar:  # type: ignore[call-overload]
        for info in entries:
            tar.addfile(info)


@pytest.mark.parametrize("entries", TAMPERED.values(), ids=TAMPERED)
def test_a_tar_that_leads_elsewhere_is_refused_by_looking_at_it(
    entries: list[tarfile.TarInfo],
) -> None:
    source = io.BytesIO()
    write_tar(source, entries)
    source.seek(0)
    with pytest.raises(BackupError, match="tampered"):
        check_tree(source)


@pytest.mark.parametrize(
    "entries",
    [
        [HOME, entry("./anna/x"), entry("./anna/x")],
        [HOME, entry("./anna/l", tarfile.SYMTYPE, "/etc"), entry("./anna/l", tarfile.DIRTYPE)],
        [
            HOME,
            entry("./anna/l", tarfile.SYMTYPE, "/etc"),
            entry("./anna/x", tarfile.LNKTYPE, "./anna/l/passwd"),
        ],
    ],
    ids=["twice", "a directory over a link", "a hard link through a link"],
)
def test_what_only_unpacking_finds_stays_in_the_directory(
    tmp_path: Path, entries: list[tarfile.TarInfo]
) -> None:
    source = io.BytesIO()
    write_tar(source, entries)
    with pytest.raises(BackupError, match="tampered"):
        unpacked(source, tmp_path / "back")


def test_devices_are_left_out_and_root_lends_no_rights(tmp_path: Path) -> None:
    lent = entry("./anna/lent")
    lent.mode = 0o4755
    source = io.BytesIO()
    write_tar(source, [HOME, entry("./anna/disk", tarfile.BLKTYPE), lent])
    (note,) = unpacked(source, tmp_path / "back")
    assert note == "./anna/disk is a device, and was left out"
    assert (tmp_path / "back/anna/lent").stat().st_mode & 0o7777 == 0o755


def test_a_cut_off_tar_is_refused() -> None:
    source = io.BytesIO(b"not a tar at all" * 100)
    with pytest.raises(BackupError):
        check_tree(source)


def test_memory_does_not_grow_with_the_number_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tarfile keeps a note of every member unless it is made to forget."""
    (tmp_path / "homes/anna").mkdir(parents=True)
    for number in range(200):
        (tmp_path / "homes/anna" / str(number)).touch()
    kept: list[int] = []
    real = tarfile.TarFile.next

    def counting(self: tarfile.TarFile) -> tarfile.TarInfo | None:
        kept.append(len(self.members))  # type: ignore[attr-defined]
        return real(self)

    tar = packed(tmp_path / "homes")
    monkeypatch.setattr(tarfile.TarFile, "next", counting)
    check_tree(tar)
    assert len(kept) > 200
    assert max(kept) <= 1
