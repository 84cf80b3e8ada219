"""The pickle machine: reads the opcodes of protocols 0 to 5 and builds inert values, within bounds.

It is not Python's: that one calls what a pickle names, takes sizes and memo numbers as they are declared, and hashes
keys of any depth. Here a call is one of the stand-ins' own, a size is compared with the bytes that are left, the memo
is a dictionary, and a container is paid for (:class:`~pymaf_data.untrusted.bounds.Bounds`) before it is made.
"""

from __future__ import annotations

import codecs
import re
import struct
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from pymaf_data.untrusted.bounds import Bounds
from pymaf_data.untrusted.records import BRIEF, CONTAINER, TABLE, Maker, Record, as_key

_MEMO = 100
_MOST_ARGUMENTS = 16
_MOST_DIGITS = 1024
_DOTTED = re.compile(r"[A-Za-z0-9_.<>]+")


class Refused(Exception):
    """The pickle asks for something that is on no list; the text says for what."""


class Machine:
    """Runs one pickle. Names, calls, states and persistent ids are what readers of a format may take otherwise.

    Args:
        data: the pickle.
        bounds: what it may cost.
    """

    def __init__(self, data: bytes, bounds: Bounds) -> None:
        self._data, self._view, self._at, self._bounds = data, memoryview(data), 0, bounds
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The value that the pickle describes; what follows it is not looked at.

        Raises:
            Refused: it asks for what it may not have.
            ValueError, TypeError, IndexError, KeyError, OverflowError, struct.error: it is damaged or too dear.
        """
        data, end = self._data, len(self._data)
        while self._at < end:
            code = data[self._at]
            self._at += 1
            if code == _STOP:
                return self._stack.pop()
            if code not in _OPCODES:
                raise Refused(_REFUSED[code]) if code in _REFUSED else ValueError(f"0x{code:02x} is no opcode")
            _OPCODES[code](self)
        raise ValueError("it ends too early")

    @property
    def end(self) -> int:
        """Where the pickle ended, once it has run: what follows may be another."""
        return self._at

    # Reading

    def _take(self, size: int) -> memoryview:
        if not 0 <= size <= len(self._data) - self._at:
            raise ValueError(f"it declares {size:,} bytes where {len(self._data) - self._at:,} are left")
        self._at += size
        return self._view[self._at - size : self._at]

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _line(self) -> bytes:
        end = self._data.index(b"\n", self._at)
        line = self._data[self._at : end]
        self._at = end + 1
        return line

    def _sized(self, form: str, decode: Callable[[memoryview], Any]) -> None:
        self._stack.append(decode(self._take(self._number(form))))

    # Values

    def _integer_line(self) -> None:
        line = self._line()
        self._stack.append({b"00": False, b"01": True}[line] if line in (b"00", b"01") else _decimal(line))

    def _text_line(self) -> None:
        line = self._line().strip()
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in b"\"'":
            raise ValueError("a string without its quotes")
        self._stack.append(codecs.escape_decode(line[1:-1])[0].decode("latin1"))

    def _container(self, value: Any, cost: int = CONTAINER) -> None:
        self._bounds.charge(cost)
        self._stack.append(value)

    def _mark(self) -> None:
        self._bounds.charge(BRIEF)
        self._below.append(self._stack)
        self._stack = []

    def _to_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._below.pop()
        return items

    def _tuple(self, count: int) -> None:
        items = tuple(self._stack[-count:])
        if len(items) != count:
            raise IndexError("a tuple of more than the stack holds")
        del self._stack[-count:]
        self._container(items, BRIEF)

    def _pairs(self, pairs: list[Any]) -> list[tuple[Any, Any]]:
        if len(pairs) % 2:
            raise ValueError("a key without its value")
        return [(as_key(self._bounds, key), value) for key, value in zip(pairs[::2], pairs[1::2], strict=True)]

    def _dict(self) -> None:
        self._container(dict(self._pairs(self._to_mark())))

    def _top(self, *kinds: type) -> Any:
        value = self._stack[-1]
        if type(value) not in kinds:
            raise TypeError(f"a {type(value).__name__} stands where a {kinds[0].__name__} should")
        return value

    def _set_items(self, pairs: list[Any]) -> None:
        self._top(dict, OrderedDict).update(self._pairs(pairs))

    def _append(self, items: list[Any]) -> None:
        self._top(list).extend(items)

    def _add(self, items: list[Any]) -> None:
        self._bounds.charge(CONTAINER * len(items))
        self._top(set).update(as_key(self._bounds, item) for item in items)

    def _frozen(self) -> None:
        items = self._to_mark()
        self._container(frozenset(as_key(self._bounds, item) for item in items), CONTAINER * (1 + len(items)))

    # Memo

    def _put(self, number: int) -> None:
        self._bounds.charge(_MEMO)
        self._memo[number] = self._stack[-1]

    def _get(self, number: int) -> None:
        self._stack.append(self._memo[number])

    # Names and calls

    def _name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise TypeError("a name that is no text")
        known = TABLE.get(module, {}).get(name)
        if known is None:
            whole = f"{module}.{name}"
            plain = _DOTTED.fullmatch(whole) is not None
            raise Refused(whole[:200] if plain else f"a name that is none, {whole[:80]!r}")
        self._stack.append(known)

    def _call(self, kind: Any, args: Any) -> None:
        if not isinstance(kind, type) or not issubclass(kind, (Record, Maker)):
            raise TypeError(f"a {type(kind).__name__} is called")
        if type(args) is not tuple or len(args) > _MOST_ARGUMENTS:
            raise TypeError("a call without its arguments")
        made = kind(*args) if issubclass(kind, Record) else kind.make(self._bounds, *args)
        self._container(made, BRIEF if isinstance(made, Record) else CONTAINER)

    def _reduce(self) -> None:
        args = self._stack.pop()
        self._call(self._stack.pop(), args)

    def _new_with_names(self) -> None:
        if self._stack.pop() != {}:
            raise TypeError("a call with named arguments")
        self._reduce()

    def _object(self) -> None:
        kind, *args = self._to_mark()
        self._call(kind, tuple(args))

    def _instance(self) -> None:
        module, name = self._line().decode("ascii"), self._line().decode("ascii")
        args = tuple(self._to_mark())
        self._name(module, name)
        self._call(self._stack.pop(), args)

    def _build(self) -> None:
        state = self._stack.pop()
        record = self._stack[-1]
        if isinstance(record, Record):
            record.state = state
        elif state:
            raise TypeError(f"a state for a {type(record).__name__}")

    def _persistent(self, name: Any) -> None:
        raise Refused("a persistent id (PyTorch's checkpoints have such)")

    def _protocol(self) -> None:
        if self._take(1)[0] > 5:
            raise ValueError("a protocol above 5")

    def _frame(self) -> None:
        size = self._number("<Q")
        if size > len(self._data) - self._at:
            raise ValueError(f"it declares a frame of {size:,} bytes where {len(self._data) - self._at:,} are left")


def _short(data: Any) -> Any:
    """Digits that a number of the field may have; conversion takes the square of their count."""
    if len(data) > _MOST_DIGITS:
        raise ValueError("a number of too many digits")
    return data


def _decimal(line: bytes) -> int:
    return int(_short(line), 0)


def _little(data: memoryview) -> int:
    return int.from_bytes(_short(data), "little", signed=True)


def _latin1(data: memoryview) -> str:
    # Python 2's strings: code points one to one, so that they survive as text or as the bytes of arrays.
    return str(data, "latin1")


def _utf8(data: memoryview) -> str:
    return str(data, "utf-8", "surrogatepass")


_STOP = ord(".")
_OPCODES: dict[int, Callable[[Machine], Any]] = {
    ord(code): step
    for code, step in {
        "(": Machine._mark,
        "0": lambda m: m._stack.pop() if m._stack else m._to_mark(),
        "1": Machine._to_mark,
        "2": lambda m: m._stack.append(m._stack[-1]),
        "F": lambda m: m._stack.append(float(_short(m._line()))),
        "I": Machine._integer_line,
        "L": lambda m: m._stack.append(_decimal(m._line().rstrip(b"L"))),
        "S": Machine._text_line,
        "V": lambda m: m._stack.append(str(m._line(), "raw-unicode-escape")),
        "J": lambda m: m._stack.append(m._number("<i")),
        "K": lambda m: m._stack.append(m._take(1)[0]),
        "M": lambda m: m._stack.append(m._number("<H")),
        "G": lambda m: m._stack.append(m._number(">d")),
        "\x8a": lambda m: m._sized("<B", _little),
        "\x8b": lambda m: m._sized("<i", _little),
        "N": lambda m: m._stack.append(None),
        "\x88": lambda m: m._stack.append(True),
        "\x89": lambda m: m._stack.append(False),
        "T": lambda m: m._sized("<i", _latin1),
        "U": lambda m: m._sized("<B", _latin1),
        "X": lambda m: m._sized("<I", _utf8),
        "\x8c": lambda m: m._sized("<B", _utf8),
        "\x8d": lambda m: m._sized("<Q", _utf8),
        "B": lambda m: m._sized("<I", bytes),
        "C": lambda m: m._sized("<B", bytes),
        "\x8e": lambda m: m._sized("<Q", bytes),
        "\x96": lambda m: m._sized("<Q", bytearray),
        "]": lambda m: m._container([]),
        "}": lambda m: m._container({}),
        ")": lambda m: m._stack.append(()),
        "\x8f": lambda m: m._container(set(), 3 * CONTAINER),
        "l": lambda m: m._container(m._to_mark()),
        "d": Machine._dict,
        "t": lambda m: m._container(tuple(m._to_mark()), BRIEF),
        "\x85": lambda m: m._tuple(1),
        "\x86": lambda m: m._tuple(2),
        "\x87": lambda m: m._tuple(3),
        "a": lambda m: m._append([m._stack.pop()]),
        "e": lambda m: m._append(m._to_mark()),
        "s": lambda m: m._set_items([m._stack.pop(-2), m._stack.pop()]),
        "u": lambda m: m._set_items(m._to_mark()),
        "\x90": lambda m: m._add(m._to_mark()),
        "\x91": Machine._frozen,
        "c": lambda m: m._name(str(m._line(), "utf-8"), str(m._line(), "utf-8")),
        "\x93": lambda m: m._name(m._stack.pop(-2), m._stack.pop()),
        "i": Machine._instance,
        "o": Machine._object,
        "R": Machine._reduce,
        "\x81": Machine._reduce,
        "\x92": lambda m: m._new_with_names(),
        "b": lambda m: m._build(),
        "P": lambda m: m._persistent(m._line()),
        "Q": lambda m: m._persistent(m._stack.pop()),
        "p": lambda m: m._put(_decimal(m._line())),
        "q": lambda m: m._put(m._take(1)[0]),
        "r": lambda m: m._put(m._number("<I")),
        "\x94": lambda m: m._put(len(m._memo)),
        "g": lambda m: m._get(_decimal(m._line())),
        "h": lambda m: m._get(m._take(1)[0]),
        "j": lambda m: m._get(m._number("<I")),
        "\x80": Machine._protocol,
        "\x95": Machine._frame,
    }.items()
}
_REFUSED = {
    **dict.fromkeys(b"\x82\x83\x84", "the extension registry"),
    **dict.fromkeys(b"\x97\x98", "buffers outside the file"),
}
