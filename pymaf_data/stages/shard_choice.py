"""Which shards a command works on: ``all``, ``missing``, ``0-3`` (both ends), ``7,9``, or both as in ``0-3,7``."""

from __future__ import annotations

import re
from collections.abc import Collection

from pymaf_data.errors import UsageError

_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")


def choose_shards(text: str, count: int, missing: Collection[int]) -> list[int]:
    """The shards that ``text`` names, ascending and once each.

    Args:
        text: see the module.
        count: how many shards there are, numbered from 0.
        missing: those that are not yet written.

    Raises:
        UsageError: it cannot be read, runs backwards, or names a shard that is not there.
    """
    if text == "all":
        return list(range(count))
    if text == "missing":
        return sorted(missing)
    chosen: set[int] = set()
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        first = int(match[1]) if match else 0
        last = int(match[2] or match[1]) if match else -1
        if match is None or last < first:
            raise UsageError(
                f"{part.strip()!r} in --shard {text!r} names no shard",
                expected="all, missing, a number, or a range such as 0-3 (both ends included), joined by commas",
                action="write for example --shard 0-3,7.",
            )
        if last >= count:
            raise UsageError(
                f"--shard {text!r} names shard {last}",
                expected=f"0 … {count - 1}: the store has {count} shards",
                action="name those that are there; --shard all takes every one.",
            )
        chosen.update(range(first, last + 1))
    return sorted(chosen)
