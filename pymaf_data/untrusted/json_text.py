"""Parse JSON of strangers: whatever is wrong with it is one error of the tree."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from pydantic_core import from_json

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.bounds import open_regular

Pack = Callable[[dict[str, Any]], Any]
_BLOCK = 1 << 20
_SPACE = re.compile(r"[ \t\n\r]*")


def read_json(path: Path, pack: Pack | None = None) -> Any:
    """The value of a file; of a list, or of an object's lists, no more than a few members are text at a time.

    Args:
        path: the file.
        pack: turns each object into what is kept of it, while parsing: lists of numbers cost ten times their arrays.

    Raises:
        RawDataCorrupt: it cannot be opened, or is not JSON as :func:`parse_json` takes it.
    """
    with open_regular(path) as stream:
        try:
            return _Text(stream, pack).value()
        except (ValueError, RecursionError) as error:
            raise RawDataCorrupt(f"{path} is not JSON: {error}", action="fetch the file again.") from None


def parse_json(text: bytes, pack: Pack | None = None) -> Any:
    """The value of a text; ``pack`` as of :func:`read_json`.

    Raises:
        ValueError, RecursionError: it is not JSON, or an object has a key twice, of which Python would lose the first.
    """
    return json.loads(text, object_pairs_hook=_object(pack))


def _object(pack: Pack | None) -> Callable[[list[tuple[str, Any]]], Any]:
    def made(pairs: list[tuple[str, Any]]) -> Any:
        entry = dict(pairs)
        if len(entry) != len(pairs):
            twice = next(key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number]))
            raise ValueError(f"an object has the key {twice[:40]!r} twice")
        return pack(entry) if pack else entry

    return made


class _Text:
    """A window that moves over a file's text, from the beginning of one member to the next."""

    def __init__(self, stream: BinaryIO, pack: Pack | None) -> None:
        self._stream, self._pack, self._made = stream, pack, _object(pack)
        self._decoder = json.JSONDecoder(object_pairs_hook=self._made)
        start = stream.read(4)
        self._bytes = codecs.getincrementaldecoder(json.detect_encoding(start))("surrogatepass")
        self._text, self._at, self._before = self._bytes.decode(start), 0, 0

    def value(self) -> Any:
        """The file's value."""
        opening, found = self._next(), None
        if opening == "{":
            pairs: list[tuple[str, Any]] = []
            self._members("}", lambda: pairs.append(self._pair()))
            found = self._made(pairs)
        else:
            found = self._listed()
        if self._next():
            raise self._wrong("more behind its value")
        return found

    def _pair(self) -> tuple[str, Any]:
        key = self._whole() if self._next() == '"' else None
        if key is None or self._next() != ":":
            raise self._wrong("no key and value")
        self._at += 1
        return key, self._listed()

    def _listed(self) -> Any:
        """A list member by member, anything else as a whole."""
        if self._next() != "[":
            return self._whole()
        found: list[Any] = []
        self._members("]", lambda: found.append(self._whole()))
        return found

    def _members(self, closing: str, take: Callable[[], None]) -> None:
        self._at += 1
        if self._next() != closing:
            take()
            while self._next() == ",":
                self._at += 1
                take()
        if self._next() != closing:
            raise self._wrong(f"no comma and no {closing}")
        self._at += 1

    def _whole(self) -> Any:
        self._next()
        flat = self._flat()
        if flat is not None:
            return self._pack(flat) if self._pack else flat
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if not self._more():
                    self._at = error.pos
                    raise self._wrong(error.msg) from None
            else:
                if end + 2 < len(self._text) or not self._more():  # 1e- may go on
                    self._at = end
                    return value

    def _flat(self) -> dict[str, Any] | None:
        """An object without others inside, in a third of the time: as many colons as keys, so that none is twice."""
        if self._text[self._at : self._at + 1] != "{":
            return None
        while not (end := self._text.find("}", self._at) + 1) and self._more():
            pass
        if not end or self._text.count("{", self._at, end) > 1:
            return None
        try:
            value: dict[str, Any] = from_json(self._text[self._at : end])
        except (ValueError, TypeError):  # what it refuses the other one may take: half a surrogate pair
            return None
        if len(value) != self._text.count(":", self._at, end):
            return None
        self._at = end
        return value

    def _next(self) -> str:
        """The next character that is no space, where the window then begins; "" at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def _more(self) -> bool:
        """Widen the window, at least twofold: what begins in it is parsed anew."""
        block = self._stream.read(max(_BLOCK, len(self._text) - self._at))
        if not block:
            self._bytes.decode(b"", final=True)
            return False
        self._text = self._text[self._at :] + self._bytes.decode(block)
        self._at, self._before = 0, self._before + self._at
        return True

    def _wrong(self, said: str) -> ValueError:
        return ValueError(f"{said} at character {self._before + self._at}")
