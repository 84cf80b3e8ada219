"""Parse JSON of strangers: whatever is wrong with it is one error of the tree."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from pydantic_core import from_json

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.bounds import open_regular

Pack = Callable[[dict[str, Any]], Any]
_BLOCK = 1 << 20
_SPACE = re.compile(r"[ \t\n\r]*")
_LEFT = re.compile(r"[-+.\w]{0,24}\s*")  # of a number or a word that a file ends in
_OPEN = "Unterminated string"  # as Python's parser says it, at the string's first character
_SHOWN = 40


class Rest(NamedTuple):
    """Members of a list, up to its end, that somebody else parses meanwhile.

    Args:
        cut: byte of the file at which the first of them begins, if a member does begin there.
        taken: gives them, and the bytes from there to their list's end; ``None``: they are not to be had.
    """

    cut: int
    taken: Callable[[], tuple[list[Any], int] | None]


def read_json(path: Path, pack: Pack | None = None, rest: Rest | None = None) -> Any:
    """The value of a file; of a list, or of an object's lists, no more than a few members are text at a time.

    Args:
        path: the file.
        pack: turns each object into what is kept of it, while parsing: lists of numbers cost ten times their arrays.
        rest: of a list, which need not be parsed here. What is said of a file that is damaged then is not what is said
            of it without: read it again.

    Raises:
        RawDataCorrupt: it cannot be opened, or is not JSON as :func:`parse_json` takes it.
    """
    with open_regular(path) as stream:
        try:
            return _Text(stream, pack, rest).value()
        except (ValueError, RecursionError) as error:
            raise RawDataCorrupt(
                f"{path} is not JSON: {error}",
                action="let the program that wrote it write it again, or, if it was fetched, fetch it again.",
            ) from None


def read_members(path: Path, first: int, pack: Pack | None = None) -> tuple[list[Any], int]:
    """The members of a list from a byte of a UTF-8 file on, and the bytes from there to the list's end.

    Raises:
        ValueError, RecursionError: no such member begins there, or what follows is not JSON.
        RawDataCorrupt: the file cannot be opened.
    """
    with open_regular(path) as stream:
        if json.detect_encoding(stream.read(4)) != "utf-8":
            raise ValueError("it is not in UTF-8")
        stream.seek(first)
        return _Text(stream, pack, encoding="utf-8").members()


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

    def __init__(
        self, stream: BinaryIO, pack: Pack | None, rest: Rest | None = None, encoding: str | None = None
    ) -> None:
        self._stream, self._pack, self._made, self._rest = stream, pack, _object(pack), rest
        self._decoder = json.JSONDecoder(object_pairs_hook=self._made)
        start = stream.read(4)
        self._bytes = codecs.getincrementaldecoder(encoding or json.detect_encoding(start))("surrogatepass")
        self._text, self._at, self._before = self._bytes.decode(start), 0, 0

    def value(self) -> Any:
        """The file's value."""
        opening, found = self._next(), None
        if opening == "{":
            pairs: list[tuple[str, Any]] = []
            self._at += 1
            self._members("}", lambda: pairs.append(self._pair()))
            found = self._made(pairs)
        else:
            found = self._listed()
        if self._next():
            raise self._wrong("more behind its value", whole=True)
        return found

    def members(self) -> tuple[list[Any], int]:
        """Of a list that began before this text, and the bytes before its end."""
        first, found = self._byte(0), self._to_the_end()
        if not found:
            raise self._wrong("no member of a list")
        return found, self._byte(self._at - 1) - first

    def _byte(self, at: int) -> int:
        """Of the file, at which a character of the window begins, in UTF-8."""
        ahead = len(self._text[at:].encode("utf-8", "surrogatepass")) + len(self._bytes.getstate()[0])
        return self._stream.tell() - ahead

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
        self._at += 1
        return self._to_the_end()

    def _to_the_end(self) -> list[Any]:
        found: list[Any] = []
        self._members("]", lambda: self._member(found))
        return found

    def _member(self, found: list[Any]) -> None:
        """Add the next member to what was found, or all that the rest of the list has."""
        rest = self._rest
        if rest and self._stream.tell() == rest.cut and self._behind_spaces() == len(self._text):
            self._rest, taken = None, rest.taken()
            if taken:
                members, size = taken
                found.extend(members)
                self._stream.seek(rest.cut + size)
                self._text, self._at = "", 0
                return
        found.append(self._whole())

    def _members(self, closing: str, take: Callable[[], None]) -> None:
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
                # 1e- may go on
                if end + 2 < len(self._text) or self._text[end - 1] in '}]"' or not self._more():
                    self._at = end
                    return value

    def _flat(self) -> dict[str, Any] | None:
        """An object without others inside, in a third of the time: as many colons as keys, so that none is twice."""
        if self._text[self._at : self._at + 1] != "{":
            return None
        while not (end := self._text.find("}", self._at) + 1) and self._more():
            pass
        if not end or self._text.find("{", self._at + 1, end) >= 0:
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
            self._at = self._behind_spaces()
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def _behind_spaces(self) -> int:
        return _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]

    def _more(self) -> bool:
        """Widen the window, at least twofold: what begins in it is parsed anew."""
        size = max(_BLOCK, len(self._text) - self._at)
        if self._rest and (before := self._rest.cut - self._stream.tell()) > 0:
            size = min(size, before)  # to stand there, if a member begins there
        block = self._stream.read(size)
        if not block:
            self._bytes.decode(b"", final=True)
            return False
        self._text = self._text[self._at :] + self._bytes.decode(block)
        self._at, self._before = 0, self._before + self._at
        return True

    def _wrong(self, said: str, whole: bool = False) -> ValueError:
        """What is said of this character, or that the file ends before its value does, which is ``whole``."""
        at, left = self._before + self._at, self._text[self._at :]
        if at and not whole and (said.startswith(_OPEN) or _LEFT.fullmatch(left)) and not self._more():
            text = self._text.rstrip()
            end = self._before + len(text)
            return ValueError(f"it is cut off: it ends at character {end}, behind {text[-_SHOWN:]!r}")
        return ValueError(f"{said} at character {at}")
