"""Read Matlab's v5 files (.mat): numbers, text, cells, structs and sparse matrices, compressed or not.

SciPy's reader is compiled and can end the process on a damaged file. This one is Python over slices of bytes whose
sizes are compared with what is left, so that damage is always an error. Classes, functions and what else only Matlab
understands is refused.

Values are what ``scipy.io.loadmat`` gives, in Matlab's class however few bytes they are stored in: arrays of at least
two axes; text as an array of rows; cells as object arrays; structs as arrays of records of objects; sparse matrices as
csc.

Source: MathWorks, MAT-File Format (level 5).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.bounds import DEEPEST, PER_BYTE, Bounds, cells, read_whole
from pymaf_data.untrusted.kinds import kind_of
from pymaf_data.untrusted.records import CONTAINER

_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXT = {1: "latin1", 2: "latin1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _CHAR, _SPARSE = 1, 2, 4, 5
_NUMERIC = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_MALFORMED = (ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError, zlib.error)


def read_mat(path: Path, names: Iterable[str], per_byte: int = PER_BYTE) -> dict[str, Any]:
    """The named variables of a file; others are not read.

    Args:
        path: the file.
        names: of the variables.
        per_byte: memory that it may take for each of its bytes; structs of single numbers, packed, take hundreds.

    Raises:
        RawDataCorrupt: it cannot be opened, is no v5 file, is damaged, or lacks a variable.
    """
    wanted, data = tuple(names), read_whole(path)
    with _damage_of(path, f"a v5 file with {', '.join(wanted)}."):
        found = _Reader(data, per_byte).variables(frozenset(wanted))
        absent = [name for name in wanted if name not in found]
        if absent:
            raise ValueError(f"it lacks {', '.join(absent)}")
    return {name: found[name] for name in wanted}


def count_variables(path: Path) -> int:
    """How many variables a file holds, each of which is there to its end; none is read.

    Raises:
        RawDataCorrupt: it cannot be opened, is no v5 file, is cut off, or holds none.
    """
    data = read_whole(path)
    with _damage_of(path, "a v5 file with variables."):
        count = _Reader(data).count()
        if count == 0:
            raise ValueError("it holds no variable")
    return count


@contextmanager
def _damage_of(path: Path, expected: str) -> Iterator[None]:
    try:
        yield
    except _MALFORMED as error:
        raise RawDataCorrupt(
            f"{path} cannot be read as a Matlab file: {str(error)[:200] or type(error).__name__}",
            expected=expected,
            action="fetch the file again, or save it in Matlab with `save(name, '-v7')`.",
        ) from None


class _Part:
    """A stretch of bytes that is read from its start to its end."""

    def __init__(self, data: memoryview, order: str) -> None:
        self._data, self._order = data, order

    def __bool__(self) -> bool:
        return len(self._data) > 0

    def take(self, size: int) -> memoryview:
        if size > len(self._data):
            raise ValueError(f"it declares {size:,} bytes where {len(self._data):,} are left")
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    def element(self) -> tuple[int, memoryview]:
        """Type and bytes of the next element; up to four bytes may stand inside its tag."""
        tag = self.take(8)
        kind, size = np.frombuffer(tag, f"{self._order}u4").tolist()
        if kind >> 16:
            if kind >> 16 > 4:
                raise ValueError("a small element of more than four bytes")
            return kind & 0xFFFF, tag[4 : 4 + (kind >> 16)]
        body = self.take(size)
        if kind != _COMPRESSED:
            self.take(min(-size % 8, len(self._data)))
        return kind, body

    def numbers(self) -> np.ndarray:
        """The next element as an array of its stored type."""
        kind, body = self.element()
        return np.frombuffer(body, f"{self._order}{_STORED[kind]}")


class _Reader:
    """One file."""

    def __init__(self, data: bytes, per_byte: int = PER_BYTE) -> None:
        self._order = _byte_order(data)
        self._data, self._bounds = data, Bounds(len(data), per_byte)

    def count(self) -> int:
        part, number = self._elements(), 0
        while part:
            part.element()
            number += 1
        return number

    def _elements(self) -> _Part:
        return _Part(memoryview(self._data)[128:], self._order)

    def variables(self, wanted: frozenset[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        part = self._elements()
        while part and len(found) < len(wanted):
            kind, body = part.element()
            if kind == _COMPRESSED:
                kind, body = self._unpacked(body)
            if kind != _MATRIX:
                raise ValueError(f"an element of type {kind} where a variable should be")
            name, value = self._matrix(body, wanted)
            if name in wanted:
                found[name] = value
        return found

    def _unpacked(self, body: memoryview) -> tuple[int, memoryview]:
        stream = zlib.decompressobj()
        tag = stream.decompress(body, 8)
        kind, size = np.frombuffer(tag, f"{self._order}u4").tolist() if len(tag) == 8 else (0, 0)
        self._bounds.charge(size)
        content = stream.decompress(stream.unconsumed_tail, size) if size else b""
        if len(content) != size:
            raise ValueError(f"a variable unpacks to {len(content):,} of {size:,} bytes")
        return kind, memoryview(content)

    def _matrix(self, body: memoryview, wanted: frozenset[str] | None = None, depth: int = 0) -> tuple[str, Any]:
        """Name and value; the value is None where the name is not wanted."""
        self._bounds.charge(CONTAINER)
        if depth > DEEPEST:
            raise ValueError(f"it is nested deeper than {DEEPEST}")
        if not body:
            return "", np.empty((0, 0))
        part = _Part(body, self._order)
        flags = int(part.numbers()[0])
        kind, logical, imaginary = flags & 0xFF, bool(flags & 0x200), bool(flags & 0x800)
        if kind not in (_CELL, _STRUCT, _CHAR, _SPARSE, *_NUMERIC):
            raise ValueError(f"a Matlab object, function or other class ({kind}), which only Matlab reads")
        shape = tuple(part.numbers().tolist())
        name = str(part.element()[1], "latin1")
        if wanted is not None and name not in wanted:
            return name, None
        if len(shape) < 2:
            raise ValueError(f"a matrix of {len(shape)} axes")
        cells(shape, max(8 * len(self._data), 1 << 28))
        if kind == _SPARSE:
            return name, self._sparse(part, shape, logical, imaginary)
        if kind == _CELL:
            return name, self._cells(part, shape, depth)
        if kind == _STRUCT:
            return name, self._struct(part, shape, depth)
        if kind == _CHAR:
            return name, _text(*part.element(), shape, self._order)
        return name, _numbers(part, shape, "b1" if logical else _NUMERIC[kind], imaginary)

    def _values(self, part: _Part, count: int, depth: int) -> Iterator[Any]:
        self._bounds.charge(8 * count)
        for _ in range(count):
            kind, body = part.element()
            if kind != _MATRIX:
                raise ValueError(f"an element of type {kind} where a matrix should be")
            yield self._matrix(body, depth=depth + 1)[1]

    def _cells(self, part: _Part, shape: tuple[int, ...], depth: int) -> np.ndarray:
        flat = _objects(list(self._values(part, _count(shape), depth)))
        return flat.reshape(shape, order="F")

    def _struct(self, part: _Part, shape: tuple[int, ...], depth: int) -> np.ndarray:
        width = int(part.numbers()[0])
        packed = bytes(part.element()[1])
        if width <= 0 or len(packed) % width or len(packed) > 1 << 16:
            raise ValueError("a struct whose field names do not add up")
        fields = [packed[at : at + width].split(b"\0")[0].decode("latin1") for at in range(0, len(packed), width)]
        count = _count(shape)
        values = list(self._values(part, count * len(fields), depth))
        flat = np.empty(count, [(field, object) for field in fields])
        for place, field in enumerate(fields):
            flat[field] = _objects(values[place :: len(fields)])
        return flat.reshape(shape, order="F")

    def _sparse(self, part: _Part, shape: tuple[int, ...], logical: bool, imaginary: bool) -> Any:
        from pymaf_data.untrusted.matrices import compressed

        rows, starts, values = part.numbers(), part.numbers(), part.numbers()
        if imaginary:
            values = values + 1j * part.numbers()
        used = int(starts[-1])
        dtype = "b1" if logical else "c16" if imaginary else "f8"
        return compressed("csc_matrix", values[:used].astype(dtype), rows[:used], starts, shape)


def _byte_order(data: bytes) -> str:
    """The sign of the byte order that the header states.

    Raises:
        ValueError: it is no header of a v5 file; the text says of what.
    """
    kind = kind_of(data[:4096])
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if "v7.3" in kind or (kind and "Matlab" not in kind):
        raise ValueError(f"it is {kind}")
    if len(data) >= 20 and 0 in data[:4]:
        raise ValueError("it is a Matlab v4 file, or none")
    if order is None or int.from_bytes(data[124:126], "little" if order == "<" else "big") != 0x0100:
        raise ValueError("it has no header of a Matlab v5 file")
    return order


def _count(shape: tuple[int, ...]) -> int:
    return cells(shape, 1 << 40)


def _objects(values: list[Any]) -> np.ndarray:
    flat = np.empty(len(values), object)
    for place, value in enumerate(values):
        flat[place] = value
    return flat


def _numbers(part: _Part, shape: tuple[int, ...], dtype: str, imaginary: bool) -> np.ndarray:
    values = [part.numbers() for _ in range(1 + imaginary)]
    count = _count(shape)
    if any(len(value) != count for value in values):
        raise ValueError(f"{len(values[0])} numbers for shape {shape}")
    if imaginary:
        return (values[0] + 1j * values[1]).astype("c8" if dtype == "f4" else "c16").reshape(shape, order="F")
    return values[0].astype(dtype).reshape(shape, order="F")


def _text(kind: int, body: memoryview, shape: tuple[int, ...], order: str) -> np.ndarray:
    """Rows of text as an array of the other axes; trailing blanks stay."""
    encoding = _TEXT[kind]
    if encoding.startswith("utf-") and encoding != "utf-8":
        encoding += "-le" if order == "<" else "-be"
    text = str(body, encoding)
    if len(text) != _count(shape):
        raise ValueError(f"{len(text)} characters for shape {shape}")
    if not text:
        return np.empty(0 if 0 in shape[:-1] else shape[:-1], "U1")
    letters = np.frombuffer(text.encode("utf-32-le"), "<U1").reshape(shape, order="F")
    return np.ascontiguousarray(letters).view(f"U{shape[-1]}")[..., 0]
