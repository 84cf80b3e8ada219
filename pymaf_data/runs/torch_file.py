"""Files that ``torch.save`` wrote, read as tensors and plain values; nothing that they hold is run.

``torch.load`` stops at the first object that it does not know, believes the sizes that a file declares, and hands on
advice to run the file. Here a pickle builds inert records (:mod:`pymaf_data.untrusted.machine`); tensors are made of
them afterwards, from bytes whose counts were checked, and take no more memory than the file has bytes. What is neither
tensor nor container nor plain value (training arguments, configurations, NumPy scalars) is left out and named.

Both layouts are read: the zip archive of PyTorch 1.6 and later, and the stream of pickles and bytes before it.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pymaf_data.errors import CheckpointError
from pymaf_data.storage.archives import Archive, ArchiveDamaged
from pymaf_data.storage.files import LocalFiles
from pymaf_data.untrusted.bounds import DEEPEST, Bounds
from pymaf_data.untrusted.kinds import kind_of
from pymaf_data.untrusted.machine import Machine, Refused
from pymaf_data.untrusted.records import TABLE, Record

_DTYPES = {
    "DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
    "UntypedStorage": torch.uint8,
}  # fmt: skip
_PLAIN = ("builtins", "__builtin__", "collections", "_codecs")
_STORAGE_ROOMS = ("torch", "torch.cuda", "torch.storage")
_LARGEST_PICKLE = 1 << 26
_STREAM_MAGIC = 0x1950A86A20F9469CFC6C
_ARCHIVE_START = b"PK\x03\x04"
_AGAIN = "fetch it again, or take an earlier copy."
# What pickles that are damaged, or records that do not add up, make machine and builder raise.
_MALFORMED = (
    Refused, ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError, MemoryError, RuntimeError,
    struct.error,
)  # fmt: skip


class LeftOut(Record):
    """A class, or an object of it, that is none of ours to build; its name remains."""

    __slots__ = ()

    def __str__(self) -> str:
        return str(self.args[0])


class _Kind(Record):
    """A storage class: the dtype of its elements."""

    __slots__ = ()


class _Stored(Record):
    """A storage: kind, key, number of elements."""

    __slots__ = ()


class _View(Record):
    """``torch._utils._rebuild_tensor[_v2](storage, offset, size, stride, …)``."""

    __slots__ = ()


class _Parameter(Record):
    """``torch._utils._rebuild_parameter(tensor, requires_grad, hooks)``."""

    __slots__ = ()


_TENSORS = {"_rebuild_tensor": _View, "_rebuild_tensor_v2": _View, "_rebuild_parameter": _Parameter}


class TorchFile(NamedTuple):
    """What a file holds."""

    content: Any
    """Containers, plain values, tensors on the CPU; :class:`LeftOut` in the place of everything else."""
    left_out: tuple[str, ...]
    """The names of what was left out, NumPy's aside."""


class _TorchMachine(Machine):
    """Tensors and storages become records; every name that is not known becomes one that says its name."""

    def __init__(self, data: bytes, bounds: Bounds) -> None:
        super().__init__(data, bounds)
        self.kinds: dict[str, torch.dtype] = {}

    def _name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise TypeError("a name that is no text")
        if module in _PLAIN and name in TABLE[module]:
            super()._name(module, name)
        elif module == "torch._utils" and name in _TENSORS:
            self._stack.append(_TENSORS[name])
        elif module in _STORAGE_ROOMS and name in _DTYPES:
            self._container(_Kind(_DTYPES[name]))
        else:
            self._container(LeftOut(f"{module}.{name}"[:100]))

    def _persistent(self, name: Any) -> None:
        if type(name) is tuple and name[:1] == ("module",) and len(name) == 4:  # a class with its source, in streams
            self._stack.append(name[1])
            return
        if type(name) is not tuple or len(name) not in (5, 6) or type(name[1]) is not _Kind or type(name[2]) is not str:
            raise TypeError("a persistent id that names no storage")
        self.kinds[name[2]] = name[1].args[0]
        # A sixth part, in old files, makes it a piece of another storage; those went with PyTorch 0.4.
        self._container(_Stored(name[1].args[0], name[2], name[4]) if name[5:] in ((), (None,)) else LeftOut("a piece"))

    def _call(self, kind: Any, args: Any) -> None:
        if isinstance(kind, LeftOut):
            self._stack.append(kind)
        else:
            super()._call(kind, args)

    def _new_with_names(self) -> None:
        self._stack.pop()
        self._reduce()

    def _pairs(self, pairs: list[Any]) -> list[tuple[Any, Any]]:
        # Older training frameworks name their callbacks' states by class.
        keys = [str(key) if isinstance(key, LeftOut) else key for key in pairs[::2]]
        return super()._pairs([part for pair in zip(keys, pairs[1::2], strict=True) for part in pair])

    def _set_items(self, pairs: list[Any]) -> None:
        if not isinstance(self._stack[-1], LeftOut):
            super()._set_items(pairs)

    def _append(self, items: list[Any]) -> None:
        if not isinstance(self._stack[-1], LeftOut):
            super()._append(items)

    def _build(self) -> None:
        # The state of a state dict is the versions of its modules; that of what is left out is left out.
        if isinstance(self._stack[-2], (OrderedDict, LeftOut)):
            self._stack.pop()
        else:
            super()._build()


class _Builder:
    """Makes tensors of records, each storage and each shared container once.

    Args:
        bytes_of: the bytes of a storage, by its key.
        most: how many bytes all storages may have together.
    """

    def __init__(self, bytes_of: Callable[[str], NDArray[np.uint8]], most: int) -> None:
        self._bytes_of, self._left = bytes_of, most
        self._storages: dict[str, Tensor] = {}
        self._done: dict[int, Any] = {}
        self.left_out: dict[str, None] = {}

    def __call__(self, value: Any, depth: int = 0) -> Any:
        """The value with its tensors.

        Raises:
            ValueError, TypeError: records that do not add up.
            ArchiveDamaged: a storage is damaged or absent.
        """
        if not isinstance(value, (dict, list, tuple, Record, type)):
            return value
        if id(value) not in self._done:
            if depth > DEEPEST:
                raise ValueError(f"it is nested deeper than {DEEPEST}")
            self._done[id(value)] = self._made(value, depth + 1)
        return self._done[id(value)]

    def _made(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            return {key: self(item, depth) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self(item, depth) for item in value)
        if isinstance(value, _View):
            return self._tensor(*value.args[:4])
        if isinstance(value, _Parameter):
            return self(value.args[0], depth)
        if isinstance(value, LeftOut):
            if not str(value).startswith("numpy."):
                self.left_out[str(value)] = None
            return value
        return LeftOut("a storage or class")

    def _tensor(self, stored: Any, offset: Any, size: Any, stride: Any) -> Any:
        if isinstance(stored, LeftOut):
            return stored
        numbers = (offset, *size, *stride)
        if not isinstance(stored, _Stored) or len(size) != len(stride) or not all(_count(n) for n in numbers):
            raise TypeError("a tensor of no storage, or of no size")
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        storage = self._storage(*stored.args)
        if 0 not in size and last >= len(storage):
            raise ValueError(f"a tensor of shape {size} reaches beyond its {len(storage):,} elements")
        return torch.as_strided(storage, size, stride, offset if 0 not in size else 0)

    def _storage(self, dtype: torch.dtype, key: str, count: Any) -> Tensor:
        if key not in self._storages:
            part = self._bytes_of(key)
            self._left -= len(part)
            if self._left < 0 or not _count(count) or len(part) != count * dtype.itemsize:
                raise ValueError(f"a storage of {len(part):,} bytes is declared to have another size")
            memory = torch.empty(len(part), dtype=torch.uint8)
            memory.numpy()[:] = part
            self._storages[key] = memory.view(dtype)
        if self._storages[key].dtype != dtype:
            raise TypeError("a storage of two kinds")
        return self._storages[key]


def _count(number: Any) -> bool:
    return type(number) is int and 0 <= number < 1 << 48


def read_torch_file(path: Path) -> TorchFile:
    """Read a file onto the CPU; its digest, where it carries one, is compared first.

    Raises:
        CheckpointError: it is missing, damaged or no file of ``torch.save``.
    """
    try:
        return _read_archive(path) if _is_archive(path) else _read_stream(path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}", action="check the path.") from None
    except ArchiveDamaged as error:
        raise CheckpointError(f"{path} {error}", expected="a whole checkpoint", action=_AGAIN) from None
    except _MALFORMED as error:
        # What KeyError and torch's RuntimeError say is meant for programmers.
        told = f": {str(error)[:160]}" if not isinstance(error, (KeyError, RuntimeError)) else ""
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint{told}", expected="a whole file of torch.save", action=_AGAIN
        ) from None


def _is_archive(path: Path) -> bool:
    """Whether a file is a zip archive rather than the older stream.

    Raises:
        CheckpointError: it is neither; the message says what it is instead.
    """
    if not path.is_file():
        found = f"{path} is no file" if path.exists() else f"there is no checkpoint {path}"
        raise CheckpointError(found, action="check the path.")
    with path.open("rb") as handle:
        start = handle.read(4096)
    if start.startswith((_ARCHIVE_START, b"\x80")):
        return start.startswith(_ARCHIVE_START)
    if start[8:10] == b'{"' or path.suffix == ".safetensors":
        found, action = "a safetensors file", "write it with torch.save(safetensors.torch.load_file(PATH), NEW_PATH)."
    else:
        found, action = kind_of(start) or "no file of torch.save", _AGAIN
    raise CheckpointError(f"{path} cannot be read as a checkpoint: it is {found}", action=action)


def _run(data: bytes) -> _TorchMachine:
    """A machine that is ready to run a pickle at the beginning of some bytes."""
    return _TorchMachine(data, Bounds(len(data)))


def _read_archive(path: Path) -> TorchFile:
    archive = Archive(path)
    pickles = [name for name in archive.names if name.endswith("/data.pkl")]
    root = pickles[0].removesuffix("data.pkl") if pickles else ""
    if not pickles or root + "constants.pkl" in archive:
        raise CheckpointError(
            f"{path} is {'a TorchScript program' if pickles else 'an archive, but none of torch.save'}",
            expected="the state dict of a network",
            action="save model.state_dict() with torch.save.",
        )
    if root + "byteorder" in archive and archive[root + "byteorder"].tobytes() != b"little":
        raise ValueError("its numbers are big-endian")
    pickle = archive[root + "data.pkl"]
    if len(pickle) > _LARGEST_PICKLE:
        raise ValueError(f"its list of tensors has {len(pickle):,} bytes")
    build = _Builder(lambda key: archive[f"{root}data/{key}"], path.stat().st_size)
    return TorchFile(build(_run(pickle.tobytes()).run()), tuple(build.left_out))


def _read_stream(path: Path) -> TorchFile:
    """Five pickles (a number, a version, the machine, the content, the keys of storages), then the storages."""
    data = LocalFiles(path.parent).view(path.name)
    head, at = data[:_LARGEST_PICKLE].tobytes(), 0
    values: list[Any] = []
    kinds: dict[Any, Any] = {}
    for _ in range(5):
        machine = _run(head[at:])
        values.append(machine.run())
        kinds |= machine.kinds
        at += machine.end
        if values[0] != _STREAM_MAGIC:
            raise ValueError("it is a pickle, but none of torch.save")
    _, _, system, content, keys = values
    if system["little_endian"] is not True:
        raise ValueError("its numbers are big-endian")
    places = {}
    for key in keys:
        count = int.from_bytes(data[at : at + 8].tobytes(), "little")
        places[key] = slice(at + 8, at + 8 + count * kinds[key].itemsize)
        at = places[key].stop
    build = _Builder(lambda key: data[places[key]], len(data))
    return TorchFile(build(content), tuple(build.left_out))
