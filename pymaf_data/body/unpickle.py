"""Read pickles of strangers without running what they hold.

The field ships its models and labels as pickles: SMPL's .pkl with chumpy arrays, ``mesh_downsampling.npz`` with
scipy matrices, 3DPW's and 4D-Humans' label files. A pickle is a program. This reader lets it build *inert records*
only: every global it names is looked up in a short table of sealed stand-ins; NumPy, SciPy and chumpy themselves
are never called while the program runs. Arrays and matrices are made from the finished records afterwards, from
plain dtypes whose byte counts are checked. So no version of chumpy or SciPy matters, and a forged dtype or array
state cannot reach C code.

What is not in the table is refused as :class:`~pymaf_data.errors.UntrustedData` with the name of the global.
"""

from __future__ import annotations

import io
import math
import pickle
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from pymaf_data.body.pickle_records import (
    TABLE,
    Array,
    Buffer,
    Chumpy,
    ChumpySelect,
    Csc,
    Dtype,
    Record,
    Scalar,
)
from pymaf_data.errors import RawDataCorrupt, UntrustedData

_PLAIN_DTYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|c8|c16|[SU]\d{1,6}|O8?|\?|[bBhHiIlLqQefdgFD])")

# What a malformed program can make the machine below raise; each means "not a sound pickle".
_MALFORMED = (
    pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, KeyError, IndexError, OverflowError,
    ImportError, MemoryError, RecursionError,
)  # fmt: skip


class _AllowListed(pickle.Unpickler):
    """The standard machine with the table as its only source of globals."""

    def __init__(self, data: bytes, origin: str) -> None:
        # latin1 maps bytes to code points one to one, so Python 2 strings survive as text or as array bytes.
        super().__init__(io.BytesIO(data), fix_imports=False, encoding="latin1")
        self._origin = origin

    def find_class(self, module: str, name: str) -> Any:
        try:
            return TABLE[module][name]
        except KeyError:
            raise _refused(self._origin, f"{module}.{name}") from None


def _refused(origin: str, what: str) -> UntrustedData:
    return UntrustedData(
        f"{origin} asks for {what}, which is not on the allow-list of pickles.",
        expected="NumPy arrays, scipy csc/csr matrices, chumpy leaves and builtin containers only.",
        action="take the file from its official source; if it is genuine, report the name above.",
    )


class _Resolver:
    """Turns records into arrays, once each: an object that a pickle shares stays shared."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._done: dict[int, Any] = {}

    def __call__(self, value: Any) -> Any:
        if id(value) in self._done:
            return self._done[id(value)]
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
            return self._dtype(record)
        if isinstance(record, Array):
            _, shape, dtype, fortran, data = record.state
            return self._array(data, dtype, shape, "F" if fortran else "C")
        if isinstance(record, Buffer):
            data, dtype, shape, order = record.args
            return self._array(data, dtype, shape, order)
        if isinstance(record, Scalar):
            dtype, data = record.args
            return self._array(data, dtype, (), "C")[()]
        state = self(record.state)
        if isinstance(record, Chumpy):
            return np.asarray(state["x"])
        if isinstance(record, ChumpySelect):
            picked = np.asarray(state["a"]).ravel()[np.asarray(state["idxs"])]
            return picked.reshape(state["preferred_shape"])
        kind = sparse.csc_matrix if isinstance(record, Csc) else sparse.csr_matrix
        shape = state["_shape"] if "_shape" in state else state["shape"]
        matrix = kind((state["data"], state["indices"], state["indptr"]), shape=shape)
        matrix.check_format(full_check=True)
        return matrix

    def _dtype(self, record: Dtype) -> np.dtype[Any]:
        code = str(record.args[0])
        if _PLAIN_DTYPE.fullmatch(code) is None:
            raise _refused(self._origin, f"the dtype {code[:40]!r}")
        order: Any = "="
        if record.state is not None:
            _, order, subarray, names, fields = record.state[:5]
            if subarray is not None or names is not None or fields is not None:
                raise _refused(self._origin, "a structured dtype")
        dtype = np.dtype(code)
        return dtype if order == "|" else dtype.newbyteorder(order)

    def _array(self, data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
        kind, lengths = self(dtype), tuple(int(n) for n in shape)
        if kind.hasobject:
            items = data if isinstance(data, list) else [data]
            if len(items) != math.prod(lengths):
                raise ValueError(f"{len(items)} objects for shape {lengths}")
            flat = np.fromiter((self(item) for item in items), dtype=object, count=len(items))
            return flat.reshape(lengths, order=order)
        raw = data.encode("latin1") if isinstance(data, str) else data
        if not isinstance(raw, (bytes, bytearray)):
            raise TypeError("array data that are no bytes")
        if min(lengths, default=0) < 0 or len(raw) != math.prod(lengths) * kind.itemsize:
            raise ValueError(f"{len(raw)} bytes for shape {lengths} of {kind}")
        return np.frombuffer(raw, dtype=kind).reshape(lengths, order=order).copy(order=order)


def loads_trusted(data: bytes, origin: str) -> Any:
    """Read one pickle from memory.

    Args:
        data: the pickle, protocols 0 to 5; Python 2 strings are read as latin1.
        origin: what to call it in messages.

    Returns:
        Builtin containers, NumPy arrays and scalars, scipy csc/csr matrices; chumpy objects as plain arrays.

    Raises:
        UntrustedData: it names a global that is not on the allow-list.
        RawDataCorrupt: it is cut short or no pickle.
    """
    try:
        return _Resolver(origin)(_AllowListed(data, origin).load())
    except UntrustedData:
        raise
    except _MALFORMED as error:
        raise RawDataCorrupt(
            f"{origin} cannot be read as a pickle: {type(error).__name__}: {error}",
            expected="a complete pickle of arrays.",
            action="fetch the file again from its source.",
        ) from None


def load_trusted_pickle(path: Path) -> Any:
    """Read a pickle file of a stranger; see :func:`loads_trusted`.

    Raises:
        RawDataCorrupt: it cannot be opened or is cut short.
        UntrustedData: it names a global that is not on the allow-list.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RawDataCorrupt(f"cannot read {path}: {error.strerror}", action="check the path.") from None
    return loads_trusted(data, str(path))


def load_pickled_npz(path: Path, keys: Iterable[str]) -> dict[str, np.ndarray]:
    """Read chosen members of an .npz whose members may be pickled object arrays.

    Members that are not asked for are not opened: ``mesh_downsampling.npz`` also holds meshes of a class that
    nobody has installed.

    Raises:
        RawDataCorrupt: the archive or a member is damaged or absent.
        UntrustedData: a member names a global that is not on the allow-list.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {key: archive.read(f"{key}.npy") for key in keys}
    except (OSError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise RawDataCorrupt(
            f"cannot read {path} as .npz: {error}", expected=f"members {', '.join(keys)}.",
            action="fetch the file again from its source.",
        ) from None  # fmt: skip
    return {key: _read_npy(data, f"{path}:{key}") for key, data in members.items()}


def _read_npy(data: bytes, origin: str) -> np.ndarray:
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, _, dtype = read_header(stream)
        if not dtype.hasobject:
            return np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, KeyError, EOFError) as error:
        raise RawDataCorrupt(
            f"{origin} is not a NumPy array: {error}", action="fetch the file again from its source."
        ) from None
    value = loads_trusted(data[stream.tell() :], origin)
    if not isinstance(value, np.ndarray) or value.shape != shape:
        raise RawDataCorrupt(
            f"{origin} holds another object than its header says.", expected=f"an array of shape {shape}.",
            action="fetch the file again from its source.",
        )  # fmt: skip
    return value
