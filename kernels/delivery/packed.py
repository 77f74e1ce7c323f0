"""Gzip with all processors: blocks of a fixed size, so that how many there are does not show.

Each block is a gzip member of its own (RFC 1952); whatever reads gzip reads one after the other.
"""

import gzip
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import IO, Self

_BLOCK = 4 * 1024**2
_LEVEL = 6


class Packed:
    """A stream that passes on packed what is written to it; the rest at the end of the block."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._workers = len(os.sched_getaffinity(0))
        self._pool = ThreadPoolExecutor(self._workers)
        self._waiting = bytearray()
        self._packed: deque[Future[bytes]] = deque()

    def write(self, data: bytes) -> int:
        """Takes these."""
        self._waiting += data
        while len(self._waiting) >= _BLOCK:
            self._begin(bytes(self._waiting[:_BLOCK]))
            del self._waiting[:_BLOCK]
        return len(data)

    def _begin(self, block: bytes) -> None:
        while len(self._packed) > self._workers:
            self._stream.write(self._packed.popleft().result())
        self._packed.append(self._pool.submit(gzip.compress, block, _LEVEL, mtime=0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._pool:
            if kind is None:
                self._begin(bytes(self._waiting))
                while self._packed:
                    self._stream.write(self._packed.popleft().result())
