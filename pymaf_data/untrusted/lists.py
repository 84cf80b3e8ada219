"""Numbers of strangers that come in lists of lists, as pickles hold them, made one array of within bounds."""

from __future__ import annotations

from typing import Any

import numpy as np


def flat_numbers(value: Any, most: int) -> np.ndarray:
    """A number, an array, or lists of such, end to end as float64; of any shape, like that of ``np.ravel``.

    Lists that share one another are of any size at all once NumPy has made an array of them.

    Raises:
        ValueError: it holds anything else, or more than ``most`` numbers.
    """
    parts, waiting, left = [], [value], 4 * most + 64
    while waiting:
        item = waiting.pop()
        if isinstance(item, np.ndarray) and item.dtype.hasobject:
            item = item.reshape(-1).tolist()
        size = len(item) if isinstance(item, (list, tuple)) else np.size(item) if isinstance(item, np.ndarray) else 0
        left -= size
        if left < 0:
            raise ValueError(f"more than {most:,} numbers")
        if isinstance(item, (list, tuple)):
            waiting.extend(reversed(item))
        elif isinstance(item, (bool, int, float, np.generic, np.ndarray)) and np.asarray(item).dtype.kind in "fiub":
            parts.append(np.asarray(item, np.float64).reshape(-1))
        else:
            raise ValueError(f"a {type(item).__name__} where numbers should be")
    flat: np.ndarray = parts[0] if len(parts) == 1 else np.concatenate([np.empty(0), *parts])
    if len(flat) > most:
        raise ValueError(f"more than {most:,} numbers")
    return flat
