"""Read pickles of strangers without running what they hold.

The field ships its models and labels as pickles: SMPL's .pkl with chumpy arrays, ``mesh_downsampling.npz`` with
scipy matrices, 3DPW's and 4D-Humans' label files. A pickle is a program. This reader lets it build *inert records*
only (:mod:`~pymaf_data.untrusted.machine`): every global it names is looked up in a short table of stand-ins; NumPy,
SciPy, chumpy and PyTorch themselves are never called while the program runs. Arrays and matrices are made from the
finished records afterwards, from plain dtypes whose byte counts are checked; tensors become arrays. So no version of
chumpy, SciPy or PyTorch matters, and a forged dtype or array state cannot reach C code.

What is not in the table is refused as :class:`~pymaf_data.errors.UntrustedData` with the name of the global.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from pymaf_data.errors import RawDataCorrupt, UntrustedData
from pymaf_data.untrusted.bounds import DEEPEST, Bounds, cells, read_whole
from pymaf_data.untrusted.kinds import named
from pymaf_data.untrusted.machine import Machine, Refused
from pymaf_data.untrusted.matrices import compressed, coordinates, diagonals
from pymaf_data.untrusted.npz import member_array, npz_members, plain_dtype, require_characters
from pymaf_data.untrusted.records import (
    BRIEF,
    CONTAINER,
    Array,
    Buffer,
    Chumpy,
    ChumpySelect,
    Dtype,
    Parameter,
    Record,
    Scalar,
    Storage,
    Tensor,
)
from pymaf_data.untrusted.tensors import STREAM_MAGIC, storage_array, tensor_array

_MOST_ELEMENTS = 1 << 40
_OFFICIAL = "take the file from its official source; if it is genuine, report the name above."
_BY_THEIR_OWN = {  # what to do with objects of packages that are asked to save them otherwise
    "joblib": "open it with joblib.load where you trust it, and save what it holds with pickle.dump, or arrays with "
    "numpy.savez.",
    "pandas": "open it with pandas where you trust it, and save the columns that are needed as arrays: "
    "numpy.savez(NEW, key=numpy.stack(frame[key]), …).",
    "torch": "open it with torch.load(PATH, map_location='cpu', weights_only=True), and save its tensors as arrays: "
    "numpy.savez(NEW, key=tensor.float().numpy(), …).",
}

# What a damaged program, or records that do not add up, make the machine, NumPy and SciPy raise.
_MALFORMED = (
    ValueError, TypeError, AttributeError, KeyError, IndexError, OverflowError, MemoryError, struct.error,
)  # fmt: skip


class _Resolver:
    """Turns records into arrays, once each: an object that a pickle shares stays shared."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._done: dict[int, Any] = {}
        self._depth = 0

    def __call__(self, value: Any) -> Any:
        if id(value) in self._done:
            return self._done[id(value)]
        self._depth += 1
        if self._depth > DEEPEST:
            raise ValueError(f"it is nested deeper than {DEEPEST}")
        result = self._value(value)
        self._depth -= 1
        return result

    def _value(self, value: Any) -> Any:
        if isinstance(value, (tuple, Record)) and not isinstance(value, (Array, Buffer, Scalar)):
            self._bounds.charge(CONTAINER - BRIEF)  # something is left of it: it costs what others do
        if isinstance(value, dict):
            self._done[id(value)] = out = type(value)()
            out.update((self(key), self(item)) for key, item in value.items())
            return out
        if isinstance(value, list):
            items: list[Any] = []
            self._done[id(value)] = items
            items.extend(self(item) for item in value)
            return items
        if isinstance(value, (tuple, set, frozenset)):
            result: Any = type(value)(self(item) for item in value)
        elif isinstance(value, Record):
            result = self._record(value)
        elif isinstance(value, type):
            raise ValueError("a class stands where data should")
        else:
            return value
        self._done[id(value)] = result
        return result

    def _record(self, record: Record) -> Any:
        if isinstance(record, Dtype):
            return _dtype(record)
        if isinstance(record, Array):
            _, shape, dtype, fortran, data = record.state
            return self._array(data, dtype, shape, "F" if fortran else "C")
        if isinstance(record, Buffer):
            data, dtype, shape, order = record.args
            return self._array(data, dtype, shape, order)
        if isinstance(record, Scalar):
            dtype, data = record.args
            return self._array(data, dtype, (), "C")[()]
        if isinstance(record, Storage):
            (data,) = record.args
            return storage_array(data, self._bounds)
        if isinstance(record, Tensor):
            storage, offset, size, stride = record.args[:4]
            if type(storage) is not Storage:
                raise TypeError("a tensor of no storage")
            return tensor_array(self(storage), offset, size, stride, self._bounds)
        if isinstance(record, Parameter):
            return _is_array(self(record.args[0]))
        state = self(record.state)
        if isinstance(record, Chumpy):
            return _is_array(state["x"])
        if isinstance(record, ChumpySelect):
            of, picked = _is_array(state["a"]).ravel(), _is_array(state["idxs"])
            self._bounds.charge(of.itemsize * picked.size)
            return of[picked].reshape(state["preferred_shape"])
        return _matrix(type(record).__name__, state)

    def _array(self, data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
        kind, lengths = self(dtype), tuple(int(n) for n in shape)
        count = cells(lengths, _MOST_ELEMENTS)
        if kind.hasobject:
            items = data if isinstance(data, list) else [data]
            if len(items) != count:
                raise ValueError(f"{len(items)} objects for shape {lengths}")
            self._bounds.charge(CONTAINER + kind.itemsize * count)
            flat = np.fromiter((self(item) for item in items), dtype=object, count=count)
            return flat.reshape(lengths, order=order)
        raw = data.encode("latin1") if isinstance(data, str) else data
        if not isinstance(raw, (bytes, bytearray)):
            raise TypeError("array data that are no bytes")
        if len(raw) != count * kind.itemsize:
            raise ValueError(f"{len(raw)} bytes for shape {lengths} of {kind}")
        self._bounds.charge((CONTAINER if lengths else BRIEF) + len(raw))
        array = np.frombuffer(raw, dtype=kind)
        require_characters(array)
        return array.reshape(lengths, order=order).copy(order=order)


def _dtype(record: Dtype) -> np.dtype[Any]:
    code = record.args[0]
    dtype = plain_dtype(code) if isinstance(code, str) else None
    if dtype is None:
        raise Refused(f"the dtype {code[:40]!r}" if isinstance(code, str) else "a dtype of no name")
    order: Any = "="
    if record.state is not None:
        _, order, subarray, names, fields = record.state[:5]
        if subarray is not None or names is not None or fields is not None:
            raise Refused("a structured dtype")
    return dtype if order == "|" else dtype.newbyteorder(order)


def _is_array(value: Any) -> np.ndarray:
    """Of chumpy's own writing; nested lists would be of any size at all once they are an array."""
    if not isinstance(value, (np.ndarray, np.generic, float, int)):
        raise TypeError(f"a {type(value).__name__} stands where an array should")
    return np.asarray(value)


def _matrix(name: str, state: dict[str, Any]) -> Any:
    """A scipy matrix or array as its own class."""
    shape = tuple(int(n) for n in (state["_shape"] if "_shape" in state else state["shape"]))
    if name.startswith("coo"):
        row, column = state["coords"] if "coords" in state else (state["row"], state["col"])
        return coordinates(name, state["data"], row, column, shape)
    if name.startswith("dia"):
        return diagonals(name, state["data"], state["offsets"], shape)
    if name.startswith("lil"):
        return getattr(sparse, name)(_of_lists(state, shape))
    return compressed(name, state["data"], state["indices"], state["indptr"], shape)


def _of_lists(state: dict[str, Any], shape: tuple[int, ...]) -> Any:
    """The rows of a ``lil_matrix``: per row a list of columns and one of values."""
    columns, values = ([list(row) for row in state[key]] for key in ("rows", "data"))
    starts = np.cumsum([0, *map(len, columns)])
    flat = [np.array([x for row in rows for x in row], kind) for rows, kind in ((values, float), (columns, int))]
    return compressed("csr_matrix", flat[0], flat[1], starts, shape)


def loads_trusted(data: bytes, origin: str) -> Any:
    """Read one pickle from memory.

    Args:
        data: the pickle, protocols 0 to 5; Python 2 strings are read as latin1.
        origin: what to call it in messages.

    Returns:
        Builtin containers, NumPy arrays and scalars, scipy matrices and arrays; chumpy objects and PyTorch's tensors as
        plain arrays. Scalars that are keys are Python's own.

    Raises:
        UntrustedData: it names a global that is not on the allow-list.
        RawDataCorrupt: it is cut short, no pickle, or would take far more memory than its size explains.
    """
    bounds, other = Bounds(len(data)), named(data, but="pickle")
    try:
        value = _Resolver(bounds)(Machine(data, bounds).run())
        if type(value) is int and value == STREAM_MAGIC:
            other = " It is a PyTorch checkpoint."
            raise ValueError(other)
        return value
    except (Refused, *_MALFORMED) as error:
        if isinstance(error, Refused) and not other:
            package = str(error).partition(".")[0]
            raise UntrustedData(
                f"{origin} asks for {error}, which is not on the allow-list of pickles.",
                expected="NumPy arrays, scipy's sparse matrices, chumpy leaves, tensors and builtin containers only.",
                action=_BY_THEIR_OWN.get(package, _OFFICIAL),
            ) from None
        raise RawDataCorrupt(
            f"{origin} cannot be read as a pickle:{other or f' {type(error).__name__}: {str(error)[:200]}.'}",
            expected="a complete pickle of arrays.",
            action=_BY_THEIR_OWN["torch"] if "PyTorch" in other else "fetch the file again from its source.",
        ) from None


def load_trusted_pickle(path: Path) -> Any:
    """Read a pickle file of a stranger; see :func:`loads_trusted`.

    Raises:
        RawDataCorrupt: it cannot be opened or is cut short.
        UntrustedData: it names a global that is not on the allow-list.
    """
    return loads_trusted(read_whole(path), str(path))


def load_pickled_npz(path: Path, keys: Iterable[str]) -> dict[str, np.ndarray]:
    """Read chosen members of an .npz whose members may be pickled object arrays.

    Members that are not asked for are not opened: ``mesh_downsampling.npz`` also holds meshes of a class that
    nobody has installed.

    Raises:
        RawDataCorrupt: the archive or a member is damaged or absent.
        UntrustedData: a member names a global that is not on the allow-list.
    """
    members = npz_members(path, keys)
    return {key: member_array(data, f"{path}:{key}", loads_trusted) for key, data in members.items()}
