"""How a long step tells how far it is."""

from __future__ import annotations

import os
from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""``progress(done, total, remark)``: ``remark`` is short, such as a rate; the caller may show it or not."""


def is_told() -> bool:
    """Whether this process tells how far it is, and its report: of several that torchrun started the first one does."""
    return "WORLD_SIZE" not in os.environ or os.environ.get("RANK", "0") == "0"
