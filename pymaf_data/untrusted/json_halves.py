"""Parse the end of a large JSON file in a process of its own, while this one parses the beginning.

Where a member of a list begins nobody knows who has not parsed all before it, since text may look like it. So the place
is guessed, and what was found behind it is taken only if the parser of the beginning comes to that very byte as to a
member (:class:`~pymaf_data.untrusted.json_text.Rest`); else it goes on by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymaf_data.cores import available_cores
from pymaf_data.untrusted import isolated
from pymaf_data.untrusted.bounds import PER_BYTE, open_regular
from pymaf_data.untrusted.json_text import Rest

_AHEAD = 1 << 27
"""Bytes that are parsed while a process starts and loads its libraries."""
_LOOKED_AT = 1 << 20
_SECONDS, _PER_MB = 60.0, 1.0  # of computing: a slow machine takes 0.1 for an MB
_GROUND = 1 << 32  # bytes beside the data: what torch maps
_BETWEEN = re.compile(rb"\}[ \t\n\r]*,[ \t\n\r]*(?=\{)")


@contextmanager
def end_of(path: Path, parse: Callable[[str, int], Any], merge: Callable[[Any], list[Any]]) -> Iterator[Rest | None]:
    """What another process makes of the end of a file; ``None`` where one is enough, or there is one core only.

    Args:
        path: the file.
        parse: of a module, by whose name the other process imports it: of the file and the byte at which a member
            begins what :func:`~pymaf_data.untrusted.json_text.read_members` gives, with something of builtin containers
            and NumPy arrays for the members.
        merge: turns that into the members, as this process has them.
    """
    cut = _cut(path) if available_cores() > 1 else 0
    if not cut:
        yield None
        return
    with open_regular(path) as stream:
        size = stream.seek(0, 2) - cut
    seconds, memory = _SECONDS + _PER_MB * size / (1 << 20), _GROUND + PER_BYTE * size
    with isolated.beside(parse, str(path.absolute()), cut, seconds=seconds, memory=memory) as answer:
        yield Rest(cut, lambda: _taken(answer, merge))


def _cut(path: Path) -> int:
    """The byte of an object that looks like a member of a list, a little behind the middle; 0: nothing to be halved."""
    with open_regular(path) as stream:
        size = stream.seek(0, 2)
        if size <= 2 * _AHEAD:
            return 0
        middle = stream.seek((size + _AHEAD) // 2)
        between = _BETWEEN.search(stream.read(_LOOKED_AT))
    return middle + between.end() if between else 0


def _taken(answer: Future[Any], merge: Callable[[Any], list[Any]]) -> tuple[list[Any], int] | None:
    try:
        found, size = answer.result()
        return merge(found), size
    except (ValueError, TypeError):  # whatever is amiss is found, and said, by who parses it here
        return None
