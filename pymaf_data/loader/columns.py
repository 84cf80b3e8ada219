"""Numbers of many persons in as few bytes as hold them exactly.

    (N, K) numbers  →  columns that all persons share     held once: joints that a data set does not label, 1, 0
                       the others, each as the narrowest   float16 | float32 | float64 that gives every bit back

Of 49 keypoints a data set labels about seventeen, cameras have entries that are 0 or 1, pixel indices end on a half. A
batch gets its rows back as they were, bit by bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SHARED = 0
_TRIED = 4096  # rows that show most columns to need their full width, before all are looked at
_BLOCK = 16384


@dataclass(frozen=True)
class Columns:
    """(N, K) numbers of one type.

    Attributes:
        width: (K,) uint8: bytes of a number of each column, 0 where all rows share it.
        shared: (K,) that number, anything elsewhere; its type is what rows are given in.
        held: by width, narrowest first, the columns of that width (N, k).
    """

    width: NDArray[np.uint8]
    shared: NDArray[np.floating]
    held: tuple[NDArray[np.floating], ...]

    @classmethod
    def of(cls, values: NDArray[np.floating]) -> Columns:
        """Pack (N, K) float32 or float64."""
        N, K = values.shape
        shared = values[0].copy() if N else np.zeros(K, values.dtype)
        width = np.full(K, values.itemsize, np.uint8)
        width[_same(values, shared)] = _SHARED
        for narrow in (4, 2):
            tried = np.flatnonzero(width > narrow)
            for rows in (slice(_TRIED), slice(None)):
                tried = tried[_survives(values[rows], tried, narrow)]
            width[tried] = narrow
        held = tuple(values[:, width == size].astype(f"<f{size}") for size in widths(width))
        return cls(width, shared, held)

    def rows(self, rows: NDArray[np.int64] | slice, count: int) -> NDArray[np.floating]:
        """The numbers of ``count`` rows, (count, K)."""
        out = np.empty((count, len(self.width)), self.shared.dtype)
        out[:] = self.shared
        for size, values in zip(widths(self.width), self.held, strict=True):
            out[:, self.width == size] = values[rows]
        return out


def widths(width: NDArray[np.uint8]) -> list[int]:
    """Bytes of the numbers of the parts of :attr:`Columns.held`."""
    return [size for size in np.unique(width).tolist() if size != _SHARED]


class Table:
    """Rows (N, …) of one store, or of several, one after the other; ``table[rows]`` are some of them, unpacked."""

    def __init__(self, shape: tuple[int, ...], parts: Sequence[Columns], counts: Sequence[int]) -> None:
        self.shape_per_row, self.parts, self._counts = shape, tuple(parts), tuple(counts)
        self._first = np.cumsum([0, *counts])

    @classmethod
    def of(cls, values: NDArray[np.floating]) -> Table:
        """Pack (N, …)."""
        flat = values.reshape(len(values), -1)
        return cls(values.shape[1:], [Columns.of(flat)], [len(values)])

    @classmethod
    def join(cls, tables: Sequence[Table]) -> Table:
        """The rows of tables of one shape, one after the other; nothing is copied."""
        parts = [part for table in tables for part in table.parts]
        return cls(tables[0].shape_per_row, parts, [count for table in tables for count in table._counts])

    def __len__(self) -> int:
        return int(self._first[-1])

    @property
    def nbytes(self) -> int:
        """Bytes that are held."""
        return sum(values.nbytes for part in self.parts for values in (part.width, part.shared, *part.held))

    def __getitem__(self, rows: NDArray[np.int64] | slice) -> NDArray[np.floating]:
        """Rows by number, as a slice or one by one, not negative: (B, …)."""
        # Numbers are taken as they are: all that there are would be longer to count than a batch to unpack.
        wanted = np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else rows
        if len(self.parts) == 1:
            found = self.parts[0].rows(wanted, len(wanted))
        else:
            part = np.searchsorted(self._first, wanted, side="right") - 1
            found = np.empty((len(wanted), len(self.parts[0].width)), self.parts[0].shared.dtype)
            for number in np.unique(part).tolist():
                places = np.flatnonzero(part == number)
                found[places] = self.parts[number].rows(wanted[places] - self._first[number], len(places))
        return found.reshape(len(wanted), *self.shape_per_row)


def _bits(values: NDArray[np.floating]) -> NDArray[np.signedinteger]:
    return values.view(f"i{values.itemsize}")


def _same(values: NDArray[np.floating], shared: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(K,) whether all rows share a number, bit by bit."""
    found = np.ones(len(shared), bool)
    for first in range(0, len(values), _BLOCK):
        found &= (_bits(values[first : first + _BLOCK]) == _bits(shared)).all(0)
    return found


def _survives(values: NDArray[np.floating], columns: NDArray[np.int64], size: int) -> NDArray[np.bool_]:
    """Whether numbers of ``size`` bytes give every bit of these columns back."""
    found = np.ones(len(columns), bool)
    for first in range(0, len(values) if len(columns) else 0, _BLOCK):
        block = values[first : first + _BLOCK, columns]
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            back = block.astype(f"f{size}").astype(block.dtype)
        found &= (_bits(back) == _bits(block)).all(0)
    return found
