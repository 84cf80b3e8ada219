"""Mutations of a file: seeded, so that a number names one for ever."""

from __future__ import annotations

import random
import struct

from structure import restructure

_EDGES = (
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    500_000_000,
    1 << 40,
    (1 << 63) - 1,
)
_WORDS = (
    b"\0", b"\xff" * 8, b"null", b"NaN", b"1e999", b"-1", b"9" * 400, b"[" * 2000, b"{}", b'""', b"true", b"\x1b[2J",
    b"\\ud800", b"../../etc/passwd", b": &a [*a, *a]", b"\xef\xbb\xbf", b"O8", b"1000000000", b"0x",
)  # fmt: skip


def mutate(sound: bytes, name: str, number: int) -> bytes:
    """The file of this number: one to four changes of a sound one, of its bytes or of what it says."""
    rng = random.Random(f"{name} {number}")
    said = restructure(sound, rng, _bytes) if rng.random() < 0.5 else None
    return _bytes(sound, rng) if said is None else said


def _bytes(sound: bytes, rng: random.Random) -> bytes:
    data = bytearray(sound)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        rng.choice((_flip, _flip, _byte, _cut, _drop, _repeat, _splice, _number, _number, _word, _digits))(data, rng)
    return bytes(data)


def _place(data: bytearray, rng: random.Random) -> int:
    # Formats keep their sizes at their ends: half of the changes go there.
    near = rng.random()
    if near < 0.25:
        return rng.randrange(min(len(data), 64) or 1)
    return max(len(data) - 1 - rng.randrange(96), 0) if near < 0.5 else rng.randrange(len(data) or 1)


def _flip(data: bytearray, rng: random.Random) -> None:
    if data:
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _byte(data: bytearray, rng: random.Random) -> None:
    if data:
        data[_place(data, rng)] = rng.randrange(256)


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[_place(data, rng) :]


def _stretch(data: bytearray, rng: random.Random) -> slice:
    first = _place(data, rng)
    return slice(first, first + rng.choice((1, 4, 8, 64, 512)))


def _drop(data: bytearray, rng: random.Random) -> None:
    del data[_stretch(data, rng)]


def _repeat(data: bytearray, rng: random.Random) -> None:
    stretch = _stretch(data, rng)
    data[stretch] = data[stretch] * rng.choice((2, 3, 100))


def _splice(data: bytearray, rng: random.Random) -> None:
    data[_stretch(data, rng)] = data[_stretch(data, rng)]


def _number(data: bytearray, rng: random.Random) -> None:
    form, place, value = rng.choice(("<B", "<H", "<I", "<I", "<Q", ">I")), _place(data, rng), rng.choice(_EDGES)
    size = struct.calcsize(form)
    data[place : place + size] = struct.pack(form, value & ((1 << 8 * size) - 1))


def _word(data: bytearray, rng: random.Random) -> None:
    data[_stretch(data, rng)] = rng.choice(_WORDS)


def _digits(data: bytearray, rng: random.Random) -> None:
    """Another number where the file has one in figures."""
    first = rng.randrange(len(data) or 1) if len(data) > 4096 else 0
    places = [place for place in range(first, min(first + 4096, len(data))) if 0x30 <= data[place] <= 0x39]
    if places:
        place = rng.choice(places)
        data[place : place + 1] = rng.choice((b"9" * 12, b"-1", b"0", b"1.5", b"1e400", b"null", b'"a"', b"[]"))
