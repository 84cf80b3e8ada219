"""How a flow that was called from the command line reaches its progress bar.

Prefect serialises a flow's parameters, and a callback is none: it travels in a context variable instead. A flow that
was started otherwise (a deployment, a schedule) has no bar and logs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from pymaf_data.progress import Progress

_current: ContextVar[Progress | None] = ContextVar("pymaf_data_progress", default=None)


def current_report() -> Progress | None:
    """The callback that stages of this flow report to, if any."""
    return _current.get()


@contextmanager
def reporting_to(report: Progress | None) -> Iterator[None]:
    """Stages inside report to ``report``."""
    token = _current.set(report)
    try:
        yield
    finally:
        _current.reset(token)
