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
        RawDataCorrupt: it cannot be opened, or is not JSON.
    """
    try:
        return json.loads(read_whole(path), object_hook=pack)
    except (ValueError, RecursionError) as error:
        raise RawDataCorrupt(f"{path} is not JSON: {error}", action="fetch the file again.") from None
