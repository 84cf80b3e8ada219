"""Sparse matrices from arrays of strangers, checked before SciPy's compiled code follows their indices.

SciPy's own check passes over a matrix without entries whatever its row pointers say, and takes differences of pointers
that wrap around: ``toarray`` then reads and writes outside its memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from pymaf_data.untrusted.bounds import cells

# A matrix over the vertices of a body, by as many: SMPL-X has 10,475. More cells would fill memory as a dense array.
_MOST_CELLS = 1 << 28


def compressed(name: str, data: Any, indices: Any, indptr: Any, shape: tuple[int, ...]) -> Any:
    """A ``csc_``, ``csr_`` or ``bsr_`` ``matrix`` or ``array``.

    Args:
        name: of scipy's class.
        data: (n,) values, or (n, R, C) blocks.
        indices: (n,) columns (of csc: rows) of the entries, of blocks in blocks.
        indptr: (rows + 1,) where each row's (of csc: column's) entries start.
        shape: (rows, columns).

    Raises:
        ValueError: they are not one sound matrix, or one of too many cells.
    """
    cells(shape, _MOST_CELLS)
    values, at, starts = _values(data), _whole(indices), _whole(indptr)
    block = values.shape[1:] if name.startswith("bsr") else (1, 1)
    if len(shape) != 2 or len(block) != 2 or 0 in block or shape[0] % block[0] or shape[1] % block[1]:
        raise ValueError(f"blocks of shape {block} in a sparse matrix of shape {shape}")
    rows, columns = shape[0] // block[0], shape[1] // block[1]
    if name.startswith("csc"):
        rows, columns = columns, rows
    if (starts.shape, at.shape) != ((rows + 1,), values.shape[:1]) or (values.ndim, block) not in (
        (1, (1, 1)),
        (3, block),
    ):
        raise ValueError(f"{values.shape}, {at.shape} and {starts.shape} for a sparse matrix of shape {shape}")
    if starts[0] != 0 or starts[-1] != len(at) or (starts[1:] < starts[:-1]).any():
        raise ValueError("pointers of a sparse matrix that do not rise from 0 to the number of its entries")
    _within(at, columns)
    return getattr(sparse, name)((values, at, starts), shape=shape)


def coordinates(name: str, data: Any, row: Any, column: Any, shape: tuple[int, ...]) -> Any:
    """A ``coo_matrix`` or ``coo_array``: (n,) values at rows and columns; see :func:`compressed`."""
    cells(shape, _MOST_CELLS)
    values, places = _values(data), (_whole(row), _whole(column))
    if len(shape) != 2 or any(place.shape != values.shape or values.ndim != 1 for place in places):
        raise ValueError(f"{values.shape} values for a sparse matrix of shape {shape}")
    for place, length in zip(places, shape, strict=True):
        _within(place, length)
    return getattr(sparse, name)((values, places), shape=shape)


def diagonals(name: str, data: Any, offsets: Any, shape: tuple[int, ...]) -> Any:
    """A ``dia_matrix`` or ``dia_array``: (n, L) values at n offsets; see :func:`compressed`."""
    cells(shape, _MOST_CELLS)
    values, at = _values(data), _whole(offsets)
    if len(shape) != 2 or values.ndim != 2 or at.shape != values.shape[:1] or values.shape[1] > max(shape):
        raise ValueError(f"{values.shape} values for a sparse matrix of shape {shape}")
    _within(at + shape[0], sum(shape))
    return getattr(sparse, name)((values, at), shape=shape)


def _values(data: Any) -> np.ndarray:
    if not isinstance(data, np.ndarray) or data.dtype.kind not in "biufc":
        raise ValueError("a sparse matrix of what is no number")
    return data


def _whole(indices: Any) -> np.ndarray:
    if not isinstance(indices, np.ndarray) or indices.dtype.kind not in "iu":
        raise ValueError("a sparse matrix whose indices are no whole numbers")
    return indices.astype(np.int64)


def _within(indices: np.ndarray, length: int) -> None:
    if len(indices) and not (indices.min() >= 0 and indices.max() < length):
        raise ValueError("a sparse matrix with an index outside its shape")
