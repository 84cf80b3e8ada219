"""Read Matlab's v5 files (.mat): numbers, text, cells, structs and sparse matrices, compressed or not.

SciPy's reader is compiled and can end the process on a damaged file. This one is Python over slices of bytes whose
sizes are compared with what is left, so that damage is always an error. Classes, functions and what else only Matlab
understands is refused.

Values are what ``scipy.io.loadmat`` gives, in Matlab's class however few bytes they are stored in: arrays of two axes
or more; text as an array of rows; cells as object arrays; structs as arrays of records of objects; sparse ones as csc.

Source: MathWorks, MAT-File Format (level 5).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import Struct
from typing import Any, NamedTuple

import numpy as np

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.bounds import DEEPEST, PER_BYTE, Bounds, cells, read_whole
from pymaf_data.untrusted.kinds import kind_of
from pymaf_data.untrusted.records import CONTAINER

_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXT = {1: "latin1", 2: "latin1", 4: "utf-16-{}", 16: "utf-8", 17: "utf-16-{}", 18: "utf-32-{}"}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _CHAR, _SPARSE = 1, 2, 4, 5
_NUMERIC = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_USUAL = 40  # bytes of a head: flags, two axes and a name of up to four letters, as most have
_KEPT = 256  # heads that are known again
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
        if absent := [name for name in wanted if name not in found]:
            raise ValueError(f"it lacks {', '.join(absent)}")
    return {name: found[name] for name in wanted}


def count_variables(path: Path) -> int:
    """How many variables a file holds, each of which is there to its end; none is read.

    Raises:
        RawDataCorrupt: it cannot be opened, is no v5 file, is cut off, or holds none.
    """
    with _damage_of(path, "a v5 file with variables."):
        count = sum(1 for _ in _Reader(read_whole(path)).listed())
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


class _Elements:
    """Bytes that are elements one after another, each a tag and what it declares; read by where one starts."""

    def __init__(self, data: bytes, order: str) -> None:
        self.data, self.order = data, order
        self._tag = Struct(f"{order}II").unpack_from
        self._stored = {kind: np.dtype(f"{order}{name}") for kind, name in _STORED.items()}

    def element(self, at: int, end: int) -> tuple[int, int, int, int]:
        """Type, start and stop of an element, and where the next begins; up to four bytes may stand inside its tag."""
        start = at + 8
        if start > end:
            raise ValueError(f"it declares 8 bytes where {end - at:,} are left")
        kind, size = self._tag(self.data, at)
        if kind >> 16:
            if kind >> 16 > 4:
                raise ValueError("a small element of more than four bytes")
            return kind & 0xFFFF, at + 4, at + 4 + (kind >> 16), start
        stop = start + size
        if stop > end:
            raise ValueError(f"it declares {size:,} bytes where {end - start:,} are left")
        after = stop if kind == _COMPRESSED else stop + -size % 8
        return kind, start, stop, after if after < end else end

    def numbers(self, at: int, end: int) -> tuple[np.ndarray, int]:
        """An element as an array of its stored type, and where the next begins."""
        kind, start, stop, after = self.element(at, end)
        return np.frombuffer(self.data[start:stop], self._stored[kind]), after

    def array(self, at: int, end: int, head: _Head) -> tuple[np.ndarray, int]:
        """The same in the shape that a matrix has."""
        kind, start, stop, after = self.element(at, end)
        stored = self._stored[kind]
        if stop - start != head.size * stored.itemsize:
            raise ValueError(f"{stop - start:,} bytes of numbers for shape {head.shape}")
        return np.ndarray(head.shape, stored, self.data, start, None, "F"), after


class _Reader(_Elements):
    """One file."""

    def __init__(self, data: bytes, per_byte: int = PER_BYTE) -> None:
        super().__init__(data, _byte_order(data))
        self._bounds = Bounds(len(data), per_byte)

    def listed(self) -> Iterator[tuple[int, int, int]]:
        """Type, start and stop of each variable."""
        at = 128
        while at < len(self.data):
            kind, start, stop, at = self.element(at, len(self.data))
            yield kind, start, stop

    def variables(self, wanted: frozenset[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for kind, start, stop in self.listed():
            data = self.data
            if kind == _COMPRESSED:
                kind, data = self._unpacked(data[start:stop])
                start, stop = 0, len(data)
            if kind != _MATRIX:
                raise ValueError(f"an element of type {kind} where a variable should be")
            self._bounds.charge(CONTAINER)
            matrices = _Matrices(data, self.order, self._bounds, max(8 * len(self.data), 1 << 28))
            name = matrices.said(start, stop)[0] if start < stop else ""
            if name in wanted:
                found[name] = matrices.value(start, stop)
            if len(found) == len(wanted):
                break
        return found

    def _unpacked(self, packed: bytes) -> tuple[int, bytes]:
        stream = zlib.decompressobj()
        tag = stream.decompress(packed, 8)
        kind, size = Struct(f"{self.order}II").unpack(tag) if len(tag) == 8 else (0, 0)
        self._bounds.charge(size)
        content = stream.decompress(stream.unconsumed_tail, size) if size else b""
        if len(content) != size:
            raise ValueError(f"a variable unpacks to {len(content):,} of {size:,} bytes")
        return kind, content


class _Head(NamedTuple):
    """What stands before a matrix's value."""

    read: Callable[[_Head, int, int, int], Any]
    shape: tuple[int, ...]
    size: int
    dtype: np.dtype[Any]  # of what is numeric
    imaginary: bool


class _Matrices(_Elements):
    """A variable's matrices, within each other.

    A label file has millions, most of one number. What a head of the usual length says, and the fields of a struct, are
    worked out once for all that are of the same bytes.
    """

    def __init__(self, data: bytes, order: str, bounds: Bounds, most: int) -> None:
        super().__init__(data, order)
        self._bounds, self._most = bounds, most
        self._heads: dict[bytes, _Head] = {}
        self._records: dict[tuple[int, bytes], np.dtype[Any]] = {}

    def said(self, at: int, end: int) -> tuple[str, int, tuple[int, ...], int]:
        """Name, flags and shape of a matrix, and where what it holds begins."""
        flags, at = self.numbers(at, end)
        kind = int(flags[0]) & 0xFF
        if kind not in (_CELL, _STRUCT, _CHAR, _SPARSE, *_NUMERIC):
            raise ValueError(f"a Matlab object, function or other class ({kind}), which only Matlab reads")
        shape, at = self.numbers(at, end)
        _, start, stop, at = self.element(at, end)
        return self.data[start:stop].decode("latin1"), int(flags[0]), tuple(shape.tolist()), at

    def value(self, at: int, end: int, depth: int = 0) -> Any:
        """Of the matrix of these bytes."""
        if at == end:
            return np.empty((0, 0))
        after = at + _USUAL
        head = self._heads.get(self.data[at:after]) if after <= end else None
        if head is None:
            head, after = self._head(at, end)
        return head.read(head, after, end, depth)

    def _head(self, at: int, end: int) -> tuple[_Head, int]:
        _, flags, shape, after = self.said(at, end)
        if len(shape) < 2:
            raise ValueError(f"a matrix of {len(shape)} axes")
        kind, imaginary = flags & 0xFF, bool(flags & 0x800)
        dtype = np.dtype("b1" if flags & 0x200 else _NUMERIC.get(kind, "c16" if imaginary else "f8"))
        reads = {_CELL: self._cells, _STRUCT: self._struct, _CHAR: self._text, _SPARSE: self._sparse}
        read = reads.get(kind, self._complex if imaginary else self._real)
        head = _Head(read, shape, cells(shape, self._most), dtype, imaginary)
        if after - at == _USUAL and len(self._heads) < _KEPT:
            self._heads[self.data[at:after]] = head
        return head, after

    def _values(self, count: int, at: int, end: int, depth: int) -> list[Any]:
        """Of so many matrices, one after another."""
        self._bounds.charge((8 + CONTAINER) * count)
        if count and depth >= DEEPEST:
            raise ValueError(f"it is nested deeper than {DEEPEST}")
        values = []
        for _ in range(count):
            kind, start, stop, at = self.element(at, end)
            if kind != _MATRIX:
                raise ValueError(f"an element of type {kind} where a matrix should be")
            values.append(self.value(start, stop, depth + 1))
        return values

    def _cells(self, head: _Head, at: int, end: int, depth: int) -> np.ndarray:
        return np.fromiter(self._values(head.size, at, end, depth), object, head.size).reshape(head.shape, order="F")

    def _struct(self, head: _Head, at: int, end: int, depth: int) -> np.ndarray:
        longest, at = self.numbers(at, end)
        _, start, stop, at = self.element(at, end)
        dtype = self._record(int(longest[0]), self.data[start:stop])
        if not dtype.names:
            return np.empty(head.shape, dtype, "F")
        values = iter(self._values(head.size * len(dtype.names), at, end, depth))
        flat = np.fromiter(zip(*[values] * len(dtype.names), strict=True), dtype, head.size)
        return flat.reshape(head.shape, order="F")

    def _record(self, width: int, names: bytes) -> np.dtype[Any]:
        """Of objects by the names of a struct's fields, of which each takes so many bytes."""
        if (width, names) not in self._records:
            if width <= 0 or len(names) % width or len(names) > 1 << 16:
                raise ValueError("a struct whose field names do not add up")
            fields = [names[at : at + width].split(b"\0")[0].decode("latin1") for at in range(0, len(names), width)]
            if "" in fields:
                raise ValueError("a struct with a field without a name")
            self._bounds.charge(CONTAINER * (1 + len(fields)) + len(names))
            self._records[width, names] = np.dtype([(field, object) for field in fields])
        return self._records[width, names]

    def _text(self, head: _Head, at: int, end: int, depth: int) -> np.ndarray:
        """Rows of text as an array of the other axes; trailing blanks stay."""
        kind, start, stop, _ = self.element(at, end)
        text = self.data[start:stop].decode(_TEXT[kind].format("le" if self.order == "<" else "be"))
        if len(text) != head.size:
            raise ValueError(f"{len(text)} characters for shape {head.shape}")
        if not text:
            return np.empty(0 if 0 in head.shape[:-1] else head.shape[:-1], "U1")
        if head.shape == (1, len(text)):
            return np.array([text])
        letters = np.frombuffer(text.encode("utf-32-le"), "<U1").reshape(head.shape, order="F")
        return np.ascontiguousarray(letters).view(f"U{head.shape[-1]}")[..., 0]

    def _real(self, head: _Head, at: int, end: int, depth: int) -> np.ndarray:
        return self.array(at, end, head)[0].astype(head.dtype)

    def _complex(self, head: _Head, at: int, end: int, depth: int) -> np.ndarray:
        real, at = self.array(at, end, head)
        return (real + 1j * self.array(at, end, head)[0]).astype("c8" if head.dtype == "f4" else "c16")

    def _sparse(self, head: _Head, at: int, end: int, depth: int) -> Any:
        from pymaf_data.untrusted.matrices import compressed

        rows, at = self.numbers(at, end)
        starts, at = self.numbers(at, end)
        values, at = self.numbers(at, end)
        if head.imaginary:
            values = values + 1j * self.numbers(at, end)[0]
        used = int(starts[-1])
        return compressed("csc_matrix", values[:used].astype(head.dtype), rows[:used], starts, head.shape)


def _byte_order(data: bytes) -> str:
    """The sign of the byte order that the header states; the error, where it is none of a v5 file, says of what."""
    kind = kind_of(data[:4096])
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if "v7.3" in kind or (kind and "Matlab" not in kind):
        raise ValueError(f"it is {kind}")
    if len(data) >= 20 and 0 in data[:4]:
        raise ValueError("it is a Matlab v4 file, or none")
    if order is None or int.from_bytes(data[124:126], "little" if order == "<" else "big") != 0x0100:
        raise ValueError("it has no header of a Matlab v5 file")
    return order
