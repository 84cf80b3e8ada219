"""Inert stand-ins for what a pickle may name: the allow-list of :mod:`~pymaf_data.body.unpickle`.

Nothing here computes. A stand-in remembers arguments and state; its class is sealed, since the BUILD opcode may set
attributes on whatever a pickle holds, classes included.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NoReturn


class Sealed(type):
    """Classes that a pickle can call but not alter: BUILD may otherwise set attributes on whatever it holds."""

    def __setattr__(cls, name: str, value: object) -> NoReturn:
        raise TypeError(f"{cls.__name__} is sealed")


class Record(metaclass=Sealed):
    """An inert stand-in: remembers arguments and state, does nothing with them."""

    __slots__ = ("args", "state")
    args: tuple[Any, ...]
    state: Any

    def __new__(cls, *args: Any) -> Record:
        """What NEWOBJ and REDUCE call."""
        record = object.__new__(cls)
        record.args, record.state = args, None
        return record

    def __setstate__(self, state: Any) -> None:
        self.state = state


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


class Csc(Record):
    """``scipy.sparse.csc_matrix``."""

    __slots__ = ()


class Csr(Record):
    """``scipy.sparse.csr_matrix``."""

    __slots__ = ()


class Chumpy(Record):
    """``chumpy.ch.Ch``: a leaf that holds an array."""

    __slots__ = ()


class ChumpySelect(Record):
    """``chumpy.reordering.Select``: elements of another chumpy object."""

    __slots__ = ()


class Reconstruct(metaclass=Sealed):
    """``numpy.core.multiarray._reconstruct(class, shape, code)``: an empty array to be filled by BUILD."""

    def __new__(cls, kind: Any, *_: Any) -> Array:  # type: ignore[misc]
        """Refuses every class but the array's stand-in."""
        if kind is not Array:
            raise TypeError("only numpy.ndarray is reconstructed")
        return Array()


class CopyregReconstructor(metaclass=Sealed):
    """``copyreg._reconstructor(class, base, state)`` of protocols 0 and 1."""

    def __new__(cls, kind: Any, base: Any, state: Any) -> Record:  # type: ignore[misc]
        """Refuses all but plain instances of stand-ins."""
        if not (isinstance(kind, Sealed) and issubclass(kind, Record) and base is object and state is None):
            raise TypeError("only stand-ins are reconstructed")
        return kind()


class Encode(metaclass=Sealed):
    """``_codecs.encode(text, "latin1")``: how Python 3 writes bytes at protocol 2."""

    def __new__(cls, text: Any, encoding: Any = "utf-8") -> bytes:  # type: ignore[misc]
        """Refuses every other codec."""
        if not (isinstance(text, str) and encoding == "latin1"):
            raise TypeError("only latin1 text is encoded")
        return text.encode("latin1")


_BUILTINS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (object, dict, list, tuple, set, frozenset, bytes, bytearray, str, int, float, bool, complex, slice)
}
TABLE: dict[str, dict[str, Any]] = {
    "builtins": _BUILTINS,
    "__builtin__": _BUILTINS | {"unicode": str, "long": int},
    "collections": {"OrderedDict": OrderedDict},
    "_codecs": {"encode": Encode},
    "copyreg": {"_reconstructor": CopyregReconstructor},
    "copy_reg": {"_reconstructor": CopyregReconstructor},
    "numpy": {"ndarray": Array, "dtype": Dtype},
    "numpy.multiarray": {"_reconstruct": Reconstruct, "scalar": Scalar},
    "scipy.sparse": {"csc_matrix": Csc, "csr_matrix": Csr},
    "scipy.sparse.csc": {"csc_matrix": Csc},
    "scipy.sparse.csr": {"csr_matrix": Csr},
    "scipy.sparse._csc": {"csc_matrix": Csc},
    "scipy.sparse._csr": {"csr_matrix": Csr},
    "chumpy": {"Ch": Chumpy},
    "chumpy.ch": {"Ch": Chumpy},
    "chumpy.reordering": {"Select": ChumpySelect},
}
"""Module → name → what stands for it. Whatever is not here is refused."""
for _core in ("numpy.core", "numpy._core"):
    TABLE[f"{_core}.multiarray"] = {"_reconstruct": Reconstruct, "scalar": Scalar}
    TABLE[f"{_core}.numeric"] = {"_frombuffer": Buffer}
