"""Names that there are and that look like one that there is not: for messages alone."""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches
from pathlib import Path

_MOST = 10_000  # names of a folder that are looked at


def nearest_first(name: str, known: Iterable[str]) -> list[str]:
    """All that are known, what looks most like a name first, and else in their order."""
    return sorted(known, key=lambda one: -SequenceMatcher(None, name.casefold(), one.casefold()).ratio())


def is_it(name: str, known: Iterable[str]) -> str:
    """A clause that asks whether a known name is meant; "" where none looks like it."""
    return "".join(f"; is it {one}?" for one in get_close_matches(name, [*known], 1))


def absent(path: Path) -> str:
    """A path that leads nowhere, written out, with what is there instead: names like it, or how far it leads."""
    whole = path.resolve() if ".." in path.parts else path.absolute()
    folder = next(above for above in whole.parents if above.is_dir())
    part = whole.relative_to(folder).parts[0]
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry, _ in zip(entries, range(_MOST), strict=False)]
    except OSError:
        names = []
    near = get_close_matches(part, sorted(names), 3)
    if near:
        return f"{whole}; {folder} has {', '.join(near)}"
    return f"{whole}; {folder} has no {part}" if folder != whole.parent else str(whole)
