"""What is written as it comes is a tar file that everybody reads."""

import io
import tarfile
from pathlib import Path

from kernels.delivery.members import Members

LONG = "wheels/" + "a" * 64 + "/a-wheel-with-quite-a-long-name-1.2.3-py3-none-any.whl"


def write(path: Path, *members: tuple[str, bytes]) -> Members:
    with path.open("w+b") as file:
        written = Members(file)
        for name, data in members:
            written.add(name, data)
        written.finish()
    return written


def read(path: Path) -> dict[str, bytes]:
    with tarfile.open(path, "r:") as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def test_members_of_any_size_and_length_of_name_come_back(tmp_path: Path) -> None:
    members = [("a", b""), (LONG, b"x" * 513), ("b", b"y" * 512), (LONG + "2", b"z")]
    write(tmp_path / "t.tar", *members)
    assert read(tmp_path / "t.tar") == dict(members)


def test_the_second_of_a_name_is_dropped(tmp_path: Path) -> None:
    written = write(tmp_path / "t.tar", (LONG, b"1" * 2000), (LONG, b"2" * 9000), ("b", b"3"))
    assert read(tmp_path / "t.tar") == {LONG: b"1" * 2000, "b": b"3"}
    assert written.sums[LONG][0] == 2000


def test_a_member_can_be_named_by_its_checksum(tmp_path: Path) -> None:
    with (tmp_path / "t.tar").open("w+b") as file:
        members = Members(file)
        summed = members.add(lambda sha256: f"blobs/{sha256}", io.BytesIO(b"data"))
        members.finish()
        size, _ = members.whole()
    assert read(tmp_path / "t.tar") == {f"blobs/{summed.sha256}": b"data"}
    assert size == (tmp_path / "t.tar").stat().st_size
