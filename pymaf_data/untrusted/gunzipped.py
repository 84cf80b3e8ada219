"""What a gzip file unpacks to, read from any position: states of the unpacker are kept on the one way through it."""

from __future__ import annotations

import os
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from typing import BinaryIO

_BLOCK = 1 << 16
_MARKS = 2048  # states of 40 KB
_GROUND, _PER_BYTE = 1 << 26, 100  # what a file, and each of its bytes, may unpack to


class Gunzipped:
    """What a gzip file unpacks to, by positions.

    Kept on the first way through it are `marks`: (position unpacked, position in the file, state of the unpacker).
    Reading begins at the last one before what is asked for, so that few megabytes are unpacked and not all before it.
    """

    def __init__(self, size: int) -> None:
        self._size, self._every = size, max(1 << 20, size // _MARKS)
        self._marks = [(0, 0, zlib.decompressobj(31))]

    def read(self, descriptor: int, at: int, count: int) -> bytes:
        """Bytes from a position on; fewer where it ends."""
        start, position, state = self._marks[bisect_right(self._marks, at, key=lambda mark: mark[0]) - 1]
        skip, out = at - start, bytearray()
        for block, _, _ in _inflated(descriptor, position, state.copy()):
            out += block[skip:]
            skip = max(0, skip - len(block))
            if len(out) >= count:
                break
        return bytes(out[:count])

    def walk(self, descriptor: int) -> Iterator[bytes]:
        """All of it, once, setting the marks."""
        total = last = 0
        for block, position, state in _inflated(descriptor, 0, self._marks[0][2].copy()):
            total += len(block)
            if total > _GROUND + _PER_BYTE * self._size:
                raise ValueError("it unpacks to far more than its size explains")
            if position - last >= self._every:
                self._marks.append((total, position, state.copy()))
                last = position
            yield block


def _inflated(descriptor: int, position: int, state: zlib._Decompress) -> Iterator[tuple[bytes, int, zlib._Decompress]]:
    """Unpacked blocks of a gzip file from a position on; each with the position behind it, and the state there."""
    while packed := os.pread(descriptor, _BLOCK, position):
        position += len(packed)
        block = state.decompress(packed)
        while state.eof and state.unused_data:
            if not state.unused_data.strip(b"\0"):
                if block:
                    yield block, position, state
                return  # padding
            rest, state = state.unused_data, zlib.decompressobj(31)  # one gzip file behind the other is one, too
            block += state.decompress(rest)
        if block:
            yield block, position, state
    if not state.eof:
        raise ValueError("it ends before its end mark")


class Forward:
    """What a gzip file unpacks to, as a file that is read forward."""

    def __init__(self, file: BinaryIO, gunzipped: Gunzipped) -> None:
        self._blocks, self._held, self._at = gunzipped.walk(file.fileno()), b"", 0

    def tell(self) -> int:
        """Position, unpacked."""
        return self._at

    def seek(self, to: int) -> int:
        """Go on to a position; not back."""
        if to < self._at:
            raise ValueError("its heads lead back")
        while to > self._at + len(self._held):
            self._at += len(self._held)
            self._held = next(self._blocks, b"")
            if not self._held:
                self._at = to
        self._held, self._at = self._held[to - self._at :], to
        return to

    def read(self, count: int) -> bytes:
        """The next bytes; fewer at the end."""
        while len(self._held) < count and (block := next(self._blocks, b"")):
            self._held += block
        out, self._held = self._held[:count], self._held[count:]
        self._at += len(out)
        return out

    def finish(self) -> None:
        """Go to the end, where checksum and length stand.

        Raises:
            zlib.error, ValueError: they differ, or it is not there.
        """
        for _ in self._blocks:
            pass
