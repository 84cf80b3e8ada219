"""Which format a file of fits has, by what it holds; its name says nothing."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.readers import find_reader, formats
from pymaf_data.untrusted.bounds import open_regular
from pymaf_data.untrusted.kinds import kind_of
from pymaf_data.untrusted.npz import npz_keys

_START = 1 << 26


def sniff(path: Path) -> list[str]:
    """The formats that a file, or the first file that they would read of a folder, has the signs of.

    One whose signs are some of another's that fits as well is left out: persons with fits and a camera are no file of
    persons with fits alone. And one that needs a companion, where another finds the persons named.
    """
    found: dict[str, frozenset[str]] = {}
    for name in formats():
        reader = find_reader(name)
        files = reader.files(path) if reader.files else [path]
        here = next((file for file in files if file.is_file()), None)
        fitting = [frozenset(signs) for signs in reader.signs if here and _has(here, signs)]
        if fitting:
            found[name] = max(fitting, key=len)
    whole = [name for name, signs in found.items() if not any(signs < others for others in found.values())]
    return [name for name in whole if not find_reader(name).companion] or whole


def what_it_is(path: Path) -> str:
    """A clause on what a path is that no format fits; "" where nothing is known of it."""
    if path.is_dir():
        return ", a folder"
    try:
        with open_regular(path) as stream:
            kind = kind_of(stream.read(4096))
        held = f", which holds {', '.join(npz_keys(path))[:200] or 'nothing'}" if "NumPy arrays" in kind else ""
    except RawDataCorrupt as error:
        return f": {error.found}"
    return f": it is {kind}{held}" if kind else ""


def _has(path: Path, signs: tuple[str, ...]) -> bool:
    held = _held(path, path.stat().st_mtime_ns)
    return all((sign if isinstance(held, frozenset) else sign.encode()) in held for sign in signs)


@lru_cache(maxsize=4)
def _held(path: Path, _changed: int) -> frozenset[str] | bytes:
    """Members of an .npz, the first bytes of any other file; nothing where it cannot be read."""
    try:
        with open_regular(path) as stream:
            start = stream.read(_START)
        return frozenset(npz_keys(path)) if start.startswith(b"PK") else start
    except RawDataCorrupt:
        return b""
