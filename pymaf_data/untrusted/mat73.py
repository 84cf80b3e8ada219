"""Read Matlab's v7.3 files (.mat): HDF5 behind 512 bytes of Matlab's; numbers, logical, text and cells of them.

HDF5's library is compiled and a damaged file can end or hang it, so it runs in a process of its own
(:mod:`~pymaf_data.untrusted.isolated`). Before anything is taken from a file its size is compared with the file's; what
would lead out of the file (external links and storage, virtual data sets) and what only plug-ins unpack is refused.

Values are those of :func:`~pymaf_data.untrusted.mat.read_mat`: axes in Matlab's order, text as an array of rows, cells
as object arrays.

Source: MathWorks, MAT-File Versions; HDF5's own files of Matlab R2006b and later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted import isolated
from pymaf_data.untrusted.bounds import DEEPEST, PER_BYTE, Bounds, cells, open_regular
from pymaf_data.untrusted.kinds import kind_of_file
from pymaf_data.untrusted.records import CONTAINER

_SECONDS, _PER_MB = 10.0, 20.0  # of computing: to unpack a mask of a megabyte takes five milliseconds and 2 KB
_GROUND = 1 << 29  # bytes for the library itself
_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32"}
_MOST = 1 << 40


def read_mat73(path: Path, names: Iterable[str], optional: Iterable[str] = ()) -> dict[str, Any]:
    """The named variables of a file, and of the optional ones those that it has; others are not read.

    Raises:
        RawDataCorrupt: it cannot be opened, is no v7.3 file, is damaged, or lacks a variable.
        WorkerError: reading was stopped twice; whether the file is damaged is not known.
    """
    wanted = tuple(names)
    found: dict[str, Any] = _asked(path, wanted, _read, wanted, tuple(optional))
    return found


def map_cells(
    path: Path,
    name: str,
    function: Callable[[np.ndarray], Sequence[float]],
    width: int,
    at: Sequence[int] | None = None,
) -> NDArray[np.float64]:
    """What a function makes of each cell of a cell array, one of them in memory at a time.

    Args:
        path: the file.
        name: of the cell array.
        function: of a module; is given the cell in Matlab's axes, returns ``width`` numbers.
        width: how many numbers.
        at: which cells, in Matlab's order, counted from 0; None: all.

    Returns:
        (cells, width); NaN for a cell that is absent or damaged, or of which the function makes nothing.

    Raises:
        RawDataCorrupt: as :func:`read_mat73`, or the variable is no cell array.
        WorkerError: reading was stopped twice; whether the file is damaged is not known.
    """
    called = [function.__module__, function.__qualname__]
    places = None if at is None else [int(place) for place in at]
    found: NDArray[np.float64] = _asked(path, (name,), _map, name, called, width, places)
    return found


def _asked(path: Path, wanted: tuple[str, ...], function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        with open_regular(path) as stream:
            size = stream.seek(0, 2)
        kind = kind_of_file(path)
        if "HDF5" not in kind:
            raise ValueError(f"it is {kind or 'nothing known'}")
        seconds, memory = _SECONDS + _PER_MB * size / (1 << 20), _GROUND + PER_BYTE * size
        return isolated.call(function, str(path.absolute()), *arguments, seconds=seconds, memory=memory)
    except ValueError as error:
        raise RawDataCorrupt(
            f"{path} is no Matlab v7.3 file, or damaged: {str(error)[:200]}",
            expected=f"a v7.3 file with {', '.join(wanted)}.",
            action="fetch the file again, or save it in Matlab with `save(name, '-v7.3')`.",
        ) from None


# In the child


def _read(path: str, names: list[str], optional: list[str]) -> dict[str, Any]:
    with _opened(path) as (file, bounds):
        there = [*names, *(name for name in optional if name in file)]
        return {name: _value(file, _named(file, name), bounds) for name in there}


def _map(path: str, name: str, called: list[str], width: int, at: list[int] | None) -> NDArray[np.float64]:
    function = getattr(import_module(called[0]), called[1])
    with _opened(path) as (file, bounds):
        references = _references(_named(file, name), bounds)
        places = range(references.size) if at is None else at
        bounds.charge(8 * width * len(places))
        found = np.full((len(places), width), np.nan)
        for row, place in enumerate(places):
            if not 0 <= place < references.size:
                continue
            try:
                cell = _value(file, _target(file, references.flat[place]), Bounds(Path(path).stat().st_size))
                found[row] = function(cell)
            except (ValueError, TypeError, KeyError, OSError, RuntimeError):
                continue  # stays NaN
    return found


@contextmanager
def _opened(path: str) -> Iterator[tuple[Any, Bounds]]:
    import h5py

    with h5py.File(path, "r", locking=False) as file:
        yield file, Bounds(Path(path).stat().st_size)


def _named(file: Any, name: str) -> Any:
    import h5py

    link = file.get(name, getlink=True)
    if link is None:
        raise ValueError(f"it lacks {name}")
    if not isinstance(link, h5py.HardLink):
        raise ValueError(f"{name} is a link, which Matlab does not write")
    return file[name]


def _target(file: Any, reference: Any) -> Any:
    if not reference:
        raise ValueError("a cell that refers to nothing")
    return file[reference]


def _value(file: Any, found: Any, bounds: Bounds, depth: int = 0) -> Any:
    import h5py

    bounds.charge(CONTAINER)
    if depth > DEEPEST:
        raise ValueError(f"it is nested deeper than {DEEPEST}")
    if not isinstance(found, h5py.Dataset):
        raise ValueError("a struct, sparse matrix or other class that is not read here")
    kind = _matlab_class(found)
    if _flag(found, "MATLAB_empty"):
        lengths = tuple(_numbers(found, bounds).ravel().tolist())
        if prod(lengths) != 0 or len(lengths) > 32:
            raise ValueError(f"an empty array of shape {str(lengths)[:60]}")
        return np.empty([int(n) for n in lengths], object if kind == "cell" else float)
    if h5py.check_ref_dtype(found.dtype) is h5py.Reference:
        references = _references(found, bounds)
        out = np.empty(references.size, object)
        for place, reference in enumerate(references.flat):
            out[place] = _value(file, _target(file, reference), bounds, depth + 1)
        return out.reshape(references.shape[::-1], order="F")
    values = _numbers(found, bounds).T
    if kind == "char":
        return _text(values)
    return values != 0 if kind == "logical" else values


def _references(found: Any, bounds: Bounds) -> np.ndarray:
    """As HDF5 has them: the axes are reversed, so that they lie in Matlab's order."""
    import h5py

    if not isinstance(found, h5py.Dataset) or h5py.check_ref_dtype(found.dtype) is not h5py.Reference:
        raise ValueError("it is no cell array")
    return _stored(found, bounds, CONTAINER)


def _numbers(found: Any, bounds: Bounds) -> np.ndarray:
    if found.dtype.kind not in "biuf":
        raise ValueError(f"values of type {str(found.dtype)[:60]}, which are no numbers")
    return _stored(found, bounds, found.dtype.itemsize).astype(found.dtype.newbyteorder("="), copy=False)


def _stored(found: Any, bounds: Bounds, cost: int) -> np.ndarray:
    """All values of a data set, as they lie in the file.

    Raises:
        ValueError: they lie elsewhere, only a plug-in unpacks them, some are not there, or they are too many.
    """
    from h5py import h5d

    plan = found.id.get_create_plist()
    filters = [plan.get_filter(i)[0] for i in range(plan.get_nfilters())]
    if plan.get_layout() not in (h5d.COMPACT, h5d.CONTIGUOUS, h5d.CHUNKED) or found.is_virtual or found.external:
        raise ValueError("values that lie outside the file")
    if not set(filters) <= _FILTERS.keys():
        raise ValueError(f"values packed by filter {filters}; read are {', '.join(_FILTERS.values())}")
    shape = found.shape or ()
    bounds.charge(cost * cells(shape, _MOST))
    if found.chunks:
        bounds.charge(found.dtype.itemsize * prod(found.chunks))
        expected = prod(-(-length // side) for length, side in zip(shape, found.chunks, strict=True))
        whole = found.id.get_num_chunks() == expected
    else:
        whole = plan.get_layout() == h5d.COMPACT or found.id.get_storage_size() == found.dtype.itemsize * prod(shape)
    if found.shape is None or not whole:  # the library would fill up with zeros
        raise ValueError("values that were never written")
    values: np.ndarray = np.asarray(found[()])
    return values


def _matlab_class(found: Any) -> str:
    value = _attribute(found, "MATLAB_class")
    return value.decode("ascii", "replace") if isinstance(value, bytes) else ""


def _flag(found: Any, name: str) -> bool:
    value = _attribute(found, name)
    return isinstance(value, np.generic | int) and bool(value)


def _attribute(found: Any, name: str) -> Any:
    if name not in found.attrs:
        return None
    kept = found.attrs.get_id(name)
    if kept.shape not in ((), (1,)) or kept.dtype.kind not in "Siu" or kept.dtype.itemsize > 64:
        raise ValueError(f"{name} is not as Matlab writes it")
    return np.asarray(found.attrs[name]).ravel()[0]


def _text(codes: np.ndarray) -> np.ndarray:
    """Rows of UTF-16 units as an array of the other axes."""
    if codes.dtype.kind != "u" or codes.dtype.itemsize > 2:
        raise ValueError("text that is none")
    rows = np.ascontiguousarray(codes.astype("<u2")).reshape(-1, codes.shape[-1] if codes.ndim else 1)
    texts = [row.tobytes().decode("utf-16-le") for row in rows]
    return np.array(texts, f"U{max(map(len, texts), default=1) or 1}").reshape(codes.shape[:-1])
