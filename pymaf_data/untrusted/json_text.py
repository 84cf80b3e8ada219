"""Parse JSON of strangers: whatever is wrong with it is one error of the tree."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.bounds import read_whole


def read_json(path: Path, pack: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """The value of a file.

    Args:
        path: the file.
        pack: turns each object into what is kept of it, while parsing: lists of numbers cost ten times their arrays.

    Raises:
        RawDataCorrupt: it cannot be opened, or is not JSON as :func:`parse_json` takes it.
    """
    try:
        return parse_json(read_whole(path), pack)
    except (ValueError, RecursionError) as error:
        raise RawDataCorrupt(f"{path} is not JSON: {error}", action="fetch the file again.") from None


def parse_json(text: bytes, pack: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """The value of a text; ``pack`` as of :func:`read_json`.

    Raises:
        ValueError, RecursionError: it is not JSON, or an object has a key twice, of which Python would lose the first.
    """

    def made(pairs: list[tuple[str, Any]]) -> Any:
        entry = dict(pairs)
        if len(entry) != len(pairs):
            twice = next(key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number]))
            raise ValueError(f"an object has the key {twice[:40]!r} twice")
        return pack(entry) if pack else entry

    return json.loads(text, object_pairs_hook=made)
