"""A shorter JPEG of the rows that are asked for, cut out of one with a restart marker after each row of MCUs.

At a restart marker the decoder begins anew, so what lies between two of them is a row of its own: the header with
another height, the wanted rows, their markers counted from 0 again, and the end marker are a whole JPEG. Streams of
other make (no markers, or at other intervals; another sub-sampling; progressive) are found by their header, and stay
whole. See ``schemas/store.md``, section 2.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pymaf_data.kernels import njit
from pymaf_data.storage.shard import Bytes

MCU = 16
"""Pixels of a side of what 4:2:0 codes together."""

_SOF0, _DHT, _SOS, _DRI, _EOI = 0xC0, 0xC4, 0xDA, 0xDD, b"\xff\xd9"
_FRAMES = set(range(0xC0, 0xD0)) - {_SOF0, _DHT, 0xC8, 0xCC}  # the other ways to code an image
_SCAN, _SCAN_BYTES = b"\xff\xda\x00\x0c\x03", 14  # of three components
_HEADER = 4096  # a longer one is nobody's
_420 = [0x22, 0x11, 0x11]


class Cut(NamedTuple):
    """A JPEG of some of the rows of another.

    Attributes:
        data: the stream.
        rows: of pixels that it shows. The outermost of them, where they are not the image's, differ from those of the
            whole: smooth up-sampling of the colours looks at the row beyond.
    """

    data: NDArray[np.uint8]
    rows: slice


def cut_rows(data: Bytes, rows: slice, height: int) -> Cut | None:
    """The JPEG whose inner rows cover ``rows`` of an image of this height; None where it can only be decoded whole."""
    stream = np.frombuffer(data, np.uint8)
    head = stream[:_HEADER].tobytes()
    begin = head.find(_SCAN) + _SCAN_BYTES
    layout = _layout(head[:begin])
    if layout is None or layout.height != height or stream[-2:].tobytes() != _EOI:
        return None
    count = -(-height // MCU)
    first, end = max(rows.start - 1, 0) // MCU, min(-(-(rows.stop + 1) // MCU), count)
    if first == 0 and end == count:
        return None
    starts = _starts(stream, begin, end, count)
    if not len(starts):
        return None  # damaged: decoding the whole tells of it
    low, high = starts[first], starts[end]
    pixels = slice(first * MCU, min(end * MCU, height))
    short = np.empty(begin + high - low, np.uint8)
    short[:begin], short[begin:] = stream[:begin], stream[low:high]
    short[layout.height_at : layout.height_at + 2] = divmod(pixels.stop - pixels.start, 256)
    short[starts[first + 1 : end] + (begin - low - 1)] = 0xD0 + np.arange(end - first - 1) % 8
    short[-1] = 0xD9
    return Cut(short, pixels)


@njit(nogil=True, cache=True)
def _starts(stream: NDArray[np.uint8], begin: int, end: int, count: int) -> NDArray[np.int64]:
    """Where rows 0 … ``end`` of ``count`` start, each behind a marker; none where one is not in its place.

    ``begin`` is where the coded data begin. Behind the last row is the end of the image, as long as a marker.
    """
    starts, last = np.empty(end + 1, np.int64), len(stream) - 2
    starts[0] = begin
    for row in range(end):
        at = _next_marker(stream, starts[row], last)
        if (at == last) != (row == count - 1) or (at < last and stream[at + 1] != 0xD0 + row % 8):
            return starts[:0]
        starts[row + 1] = at + 2
    return starts


@njit(nogil=True, cache=True)
def _next_marker(stream: NDArray[np.uint8], at: int, last: int) -> int:
    """Where the next restart marker stands, ``last`` if there is none. A byte 0xFF of the data is followed by 0."""
    while at < last:
        if at + 32 <= last:
            block, found = stream[at : at + 32], np.uint8(0)
            for k in range(32):  # without a way out, so that it becomes SIMD: an eighth of the time
                found |= np.uint8(block[k] == np.uint8(0xFF))
            if not found:
                at += 32
                continue
        for k in range(at, min(at + 32, last)):
            if stream[k] == 0xFF and stream[k + 1] & 0xF8 == 0xD0:
                return k
        at += 32
    return last


class _Layout(NamedTuple):
    height: int
    height_at: int


@lru_cache(maxsize=64)  # a store has one
def _layout(header: bytes) -> _Layout | None:
    """What a header up to its scan says of the rows; None where it is not one that can be cut."""
    at, interval, frame = 2, 0, b""
    height_at = 0
    while at + 4 <= len(header) and header[at] == 0xFF:
        marker, size = header[at + 1], int.from_bytes(header[at + 2 : at + 4], "big")
        content = header[at + 4 : at + 2 + size]
        if marker == _SOF0 and len(content) == 15 and not frame:
            frame, height_at = content, at + 5
        elif marker == _DRI and len(content) == 2:
            interval = int.from_bytes(content, "big")
        elif marker in _FRAMES:
            return None
        at += 2 + size
    if at != len(header) or not frame or [frame[k] for k in (7, 10, 13)] != _420:
        return None
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    return _Layout(height, height_at) if height and interval == -(-width // MCU) else None
