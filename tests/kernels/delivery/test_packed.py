"""Packing is gzip, and does not depend on how the bytes came."""

import gzip
import io
import os

import pytest

from kernels.delivery import packed
from kernels.delivery.packed import Packed


def pack(data: bytes, step: int) -> bytes:
    stream = io.BytesIO()
    with Packed(stream) as writer:
        for at in range(0, len(data), step):
            writer.write(data[at : at + step])
    return stream.getvalue()


def test_the_same_bytes_come_out_however_they_went_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "_BLOCK", 1000)
    data = os.urandom(3000) + bytes(2500)
    first = pack(data, 7)
    assert gzip.decompress(first) == data
    assert pack(data, 5500) == first
    monkeypatch.setattr(packed.os, "sched_getaffinity", lambda _process: range(7))
    assert pack(data, 999) == first


def test_nothing_is_an_empty_file() -> None:
    assert gzip.decompress(pack(b"", 1)) == b""


def test_a_full_disk_is_passed_on() -> None:
    class Full(io.BytesIO):
        def write(self, _data: object) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"), Packed(Full()) as writer:
        writer.write(b"x")
