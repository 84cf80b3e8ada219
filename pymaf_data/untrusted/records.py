"""Inert stand-ins for what a pickle may name: the allow-list of :mod:`~pymaf_data.untrusted.unpickle`.

Nothing here computes. A :class:`Record` remembers arguments and state. A :class:`Maker` makes one builtin value, and
pays for what it copies.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from typing import Any

from pymaf_data.untrusted.bounds import Bounds

CONTAINER = 256
"""What a container costs: itself, what it becomes, and the note that it has."""

BRIEF = 96
"""What costs less: tuples, marks and stand-ins, of most of which nothing is left but what they tell, and numbers."""


class Record:
    """An inert stand-in: remembers arguments and state, does nothing with them."""

    __slots__ = ("args", "state")
    args: tuple[Any, ...]
    state: Any

    def __init__(self, *args: Any) -> None:
        self.args, self.state = args, None


class Dtype(Record):
    """``numpy.dtype``."""

    __slots__ = ()


class Array(Record):
    """``numpy.ndarray``, both as a class (argument of ``_reconstruct``) and as the array under construction."""

    __slots__ = ()


class Scalar(Record):
    """``numpy.core.multiarray.scalar(dtype, bytes)``."""

    __slots__ = ()


class Buffer(Record):
    """``numpy.core.numeric._frombuffer(bytes, dtype, shape, order)`` of protocol 5."""

    __slots__ = ()


class Sparse(Record):
    """A sparse matrix or array of scipy; its class says which."""

    __slots__ = ()


class Chumpy(Record):
    """``chumpy.ch.Ch``: a leaf that holds an array."""

    __slots__ = ()


class ChumpySelect(Record):
    """``chumpy.reordering.Select``: elements of another chumpy object."""

    __slots__ = ()


class Storage(Record):
    """``torch.storage._load_from_bytes(bytes)``: what a tensor in a pickle is a view of."""

    __slots__ = ()


class Tensor(Record):
    """``torch._utils._rebuild_tensor_v2(storage, offset, size, stride, …)``, or of version 1 without the rest."""

    __slots__ = ()


class Parameter(Record):
    """``torch._utils._rebuild_parameter(tensor, …)``."""

    __slots__ = ()


class Maker:
    """Makes one value of a builtin type."""

    @staticmethod
    def make(bounds: Bounds, *args: Any) -> Any:
        """The value.

        Raises:
            TypeError, ValueError: arguments that the field's writers do not write.
        """
        raise TypeError("a class that is not called")


_NUMBERS = {
    "b1": "?", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q",
    "f2": "e", "f4": "f", "f8": "d",
}  # fmt: skip


def as_key(bounds: Bounds, value: Any) -> Any:
    """A key of a dictionary or member of a set, see :meth:`Bounds.key`; NumPy's scalars are Python's own as such."""
    if type(value) is tuple and any(type(part) is Scalar for part in value):
        value = tuple(_plain(bounds, part) if type(part) is Scalar else part for part in value)
    return bounds.key(_plain(bounds, value) if type(value) is Scalar else value)


def _plain(bounds: Bounds, scalar: Scalar) -> Any:
    """The text or number that a scalar says, paid for since it is a copy.

    Raises:
        ValueError, TypeError, struct.error: it says none.
    """
    dtype, data = scalar.args
    code, big = dtype.args[0], (dtype.state or "=<")[1] == ">"
    if type(data) not in (str, bytes, bytearray):
        raise TypeError("a key is a scalar without its bytes")
    bounds.charge(BRIEF + len(data))
    raw = data.encode("latin1") if isinstance(data, str) else bytes(data)
    if code[:1] == "U" and len(raw) == 4 * int(code[1:]):
        return raw.decode("utf-32-be" if big else "utf-32-le").rstrip("\0")
    if code[:1] == "S" and len(raw) == int(code[1:]):
        return raw.rstrip(b"\0")
    if code not in _NUMBERS:
        raise ValueError(f"a key is a scalar of {code[:40]!r}")
    return struct.unpack((">" if big else "<") + _NUMBERS[code], raw)[0]


class Reconstruct(Maker):
    """``numpy.core.multiarray._reconstruct(class, shape, code)``: an empty array to be filled by BUILD."""

    @staticmethod
    def make(bounds: Bounds, *args: Any) -> Array:
        """Refuses every class but the array's stand-in."""
        if not args or args[0] is not Array:
            raise TypeError("only numpy.ndarray is reconstructed")
        return Array()


class CopyregReconstructor(Maker):
    """``copyreg._reconstructor(class, base, state)`` of protocols 0 and 1."""

    @staticmethod
    def make(bounds: Bounds, *args: Any) -> Record:
        """Refuses all but plain instances of stand-ins."""
        kind, base, state = args
        if not (isinstance(kind, type) and issubclass(kind, Record) and base is Object and state is None):
            raise TypeError("only stand-ins are reconstructed")
        return kind()


class Object(Maker):
    """``object``, the base that ``_reconstructor`` is told."""


class Bytes(Maker):
    """``_codecs.encode(text, "latin1")`` and ``bytes()``: how Python 3 writes bytes at protocol 2."""

    @staticmethod
    def make(bounds: Bounds, *args: Any) -> bytes:
        """Refuses numbers, which would be lengths, and every other codec."""
        value, encoding = (*args, "", "latin1")[:2] if not args else (*args, "latin1")[:2]
        if encoding not in ("latin1", "latin-1") or type(value) not in (str, bytes, bytearray):
            raise TypeError("bytes are made of bytes or of latin1 text")
        bounds.charge(len(value))
        return value.encode("latin1") if isinstance(value, str) else bytes(value)


class Bytearray(Maker):
    """``bytearray(bytes)``, or of latin1 text."""

    @staticmethod
    def make(bounds: Bounds, *args: Any) -> bytearray:
        """As :class:`Bytes`."""
        return bytearray(Bytes.make(bounds, *args))


class Set(Maker):
    """``set(list)`` of protocols 0 to 3."""

    @staticmethod
    def make(bounds: Bounds, *args: Any) -> set[Any]:
        """Members whose hash costs little."""
        members = _listed(bounds, *args)
        return {as_key(bounds, member) for member in members}


class Frozenset(Maker):
    """``frozenset(list)`` of protocols 0 to 3."""

    @staticmethod
    def make(bounds: Bounds, *args: Any) -> frozenset[Any]:
        """As :class:`Set`."""
        return frozenset(Set.make(bounds, *args))


class Ordered(Maker):
    """``collections.OrderedDict``, of nothing or of pairs as Python 2 writes it."""

    @staticmethod
    def make(bounds: Bounds, *args: Any) -> OrderedDict[Any, Any]:
        """Keys whose hash costs little."""
        return OrderedDict((as_key(bounds, key), value) for key, value in _listed(bounds, *args))


class Complex(Maker):
    """``complex(real, imaginary)``."""

    @staticmethod
    def make(bounds: Bounds, *args: Any) -> complex:
        """Of two floats."""
        real, imaginary = args
        if type(real) is not float or type(imaginary) is not float:
            raise TypeError("a complex number is made of two floats")
        return complex(real, imaginary)


def _listed(bounds: Bounds, *args: Any) -> list[Any] | tuple[Any, ...]:
    """The one list of an argument list, paid for since it is copied."""
    if not args:
        return ()
    (members,) = args
    if type(members) not in (list, tuple):
        raise TypeError("a collection is made of a list")
    bounds.charge(CONTAINER * (1 + len(members)))
    checked: list[Any] | tuple[Any, ...] = members
    return checked


SPARSE: dict[str, type[Sparse]] = {
    f"{layout}_{form}": type(f"{layout}_{form}", (Sparse,), {"__slots__": ()})
    for layout in ("csc", "csr", "coo", "bsr", "dia", "lil")
    for form in ("matrix", "array")
}
"""Name of scipy's class → its stand-in of the same name."""

_BUILTINS: dict[str, type] = {
    "object": Object, "set": Set, "frozenset": Frozenset, "bytes": Bytes, "bytearray": Bytearray, "complex": Complex,
}  # fmt: skip
TABLE: dict[str, dict[str, type]] = {
    "builtins": _BUILTINS,
    "__builtin__": _BUILTINS,
    "collections": {"OrderedDict": Ordered},
    "_codecs": {"encode": Bytes},
    "copyreg": {"_reconstructor": CopyregReconstructor},
    "copy_reg": {"_reconstructor": CopyregReconstructor},
    "numpy": {"ndarray": Array, "dtype": Dtype, "matrix": Array},
    "numpy.multiarray": {"_reconstruct": Reconstruct, "scalar": Scalar},
    "numpy.matrixlib.defmatrix": {"matrix": Array},
    "scipy.sparse": dict(SPARSE),
    "scipy.sparse._arrays": {name: kind for name, kind in SPARSE.items() if name.endswith("array")},
    "chumpy": {"Ch": Chumpy},
    "chumpy.ch": {"Ch": Chumpy},
    "chumpy.reordering": {"Select": ChumpySelect},
    "torch._utils": {"_rebuild_tensor": Tensor, "_rebuild_tensor_v2": Tensor, "_rebuild_parameter": Parameter},
    "torch.storage": {"_load_from_bytes": Storage},
}
"""Module → name → what stands for it. Whatever is not here is refused."""
for _core in ("numpy.core", "numpy._core"):
    TABLE[f"{_core}.multiarray"] = {"_reconstruct": Reconstruct, "scalar": Scalar}
    TABLE[f"{_core}.numeric"] = {"_frombuffer": Buffer}
for _name, _kind in SPARSE.items():
    for _module in (f"scipy.sparse.{_name[:3]}", f"scipy.sparse._{_name[:3]}"):
        TABLE.setdefault(_module, {})[_name] = _kind
