"""How a long step tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""``progress(done, total, remark)``: ``remark`` is short, such as a rate; the caller may show it or not."""
