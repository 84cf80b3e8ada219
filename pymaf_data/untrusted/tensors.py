"""PyTorch's tensors in a pickle as NumPy arrays; PyTorch is not asked.

``pickle.dumps`` of a tensor names ``torch._utils._rebuild_tensor_v2`` and, as the storage, the bytes of a whole file as
``torch.save`` wrote them before version 1.6: pickles of a number, a version, the machine, the storage and its key, then
how many elements, and the elements. On which device they were is not looked at.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pymaf_data.untrusted.bounds import Bounds, cells
from pymaf_data.untrusted.machine import Machine, Refused
from pymaf_data.untrusted.records import Record

STREAM_MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of what ``torch.save`` wrote before version 1.6."""
_DTYPES = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4",
    "ShortStorage": "<i2", "CharStorage": "|i1", "ByteStorage": "|u1", "BoolStorage": "|b1",
}  # fmt: skip
_ROOMS = ("torch", "torch.cuda", "torch.storage")


class _Storage(Record):
    """A storage: dtype and number of elements; without the latter the class of such."""

    __slots__ = ()


class _StorageMachine(Machine):
    """Runs the pickles of a storage, which name its class and nothing else."""

    def _name(self, module: Any, name: Any) -> None:
        if module not in _ROOMS or name not in _DTYPES:
            raise Refused(f"{module}.{name}"[:200])
        self._container(_Storage(_DTYPES[name]))

    def _persistent(self, name: Any) -> None:
        kind, storage, _key, _device, count = name[:5]
        if kind != "storage" or type(storage) is not _Storage or name[5:] not in ((), (None,)):
            raise TypeError("a persistent id that names no storage")
        self._container(_Storage(*storage.args, count))


def storage_array(data: Any, bounds: Bounds) -> np.ndarray:
    """The elements (n,) of a storage's file, read-only.

    Raises:
        Refused: it names another class than a storage's.
        ValueError, TypeError, LookupError, struct.error: it is damaged, or too dear.
    """
    if not isinstance(data, (bytes, bytearray)):
        raise TypeError("a storage that is no bytes")
    values: list[Any] = []
    at = 0
    for _ in range(5):
        bounds.charge(len(data) - at)
        machine = _StorageMachine(bytes(data[at:]), bounds)
        values.append(machine.run())
        at += machine.end
        if values[0] != STREAM_MAGIC:
            raise ValueError("a storage that PyTorch did not write")
    storage, count = values[3], int.from_bytes(data[at : at + 8], "little")
    if type(storage) is not _Storage or len(storage.args) != 2 or values[2]["little_endian"] is not True:
        raise TypeError("no storage of little-endian elements")
    dtype = np.dtype(storage.args[0])
    if storage.args[1] != count or len(data) != at + 8 + count * dtype.itemsize:
        raise ValueError(f"{len(data) - at - 8} bytes for a storage of {str(storage.args[1])[:20]} {dtype}")
    return np.frombuffer(data, dtype, offset=at + 8)


def tensor_array(storage: np.ndarray, offset: Any, size: Any, stride: Any, bounds: Bounds) -> np.ndarray:
    """A tensor's view of its storage (n,), copied.

    Raises:
        ValueError, TypeError: it reaches beyond the storage, is of no size, or would take far more memory.
    """
    if type(size) is not tuple or type(stride) is not tuple or len(size) != len(stride):
        raise TypeError("a tensor of no size")
    if not all(type(number) is int and 0 <= number < 1 << 48 for number in (offset, *size, *stride)):
        raise ValueError("a tensor of an offset, size or stride that is none")
    if 0 in size:
        return np.empty(size, storage.dtype)
    count = cells(size, 1 << 40)
    if offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) >= len(storage):
        raise ValueError(f"a tensor of shape {size} reaches beyond its {len(storage)} elements")
    bounds.charge(count * storage.itemsize)
    steps = tuple(step * storage.itemsize for step in stride)
    return np.lib.stride_tricks.as_strided(storage[offset:], size, steps, writeable=False).copy()
