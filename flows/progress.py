"""How a run tells how far it is: to a progress bar, and to the log of the run that Prefect's API shows.

Prefect serialises a flow's parameters, and a callback is none: it travels in a context variable instead. A flow that
was started otherwise (a deployment, a schedule) has no bar.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from pymaf_data.progress import Progress

_EVERY = 10.0  # seconds between two lines of progress in a log
_LIBRARY = "pymaf_data"

_current: ContextVar[Progress | None] = ContextVar("pymaf_data_progress", default=None)


@contextmanager
def reporting_to(report: Progress | None) -> Iterator[None]:
    """Stages inside report to ``report``."""
    token = _current.set(report)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def reports_of_run(title: str) -> Iterator[Progress]:
    """Inside, what the library logs goes to the run's log as well; yields the function that the stage reports to."""
    from prefect import get_run_logger

    log, shown = get_run_logger(), _current.get()
    last = time.monotonic()

    def report(done: int, total: int, remark: str = "") -> None:
        nonlocal last
        if shown is not None:
            shown(done, total, remark)
        if done >= total or time.monotonic() - last >= _EVERY:
            last = time.monotonic()
            log.info("%s: %d of %d%s", title, done, total, f", {remark}" if remark else "")

    with _forwarded(log):
        yield report


@contextmanager
def _forwarded(log: Any) -> Iterator[None]:
    """The library's records of level INFO and above go to a run's log; where they went before, no more is shown."""
    library, prefect = logging.getLogger(_LIBRARY), logging.getLogger("prefect")
    before, threshold = (library.level, library.propagate), library.getEffectiveLevel()

    class Forward(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told = log.isEnabledFor(record.levelno)
            if told:
                log.log(record.levelno, record.getMessage(), exc_info=record.exc_info)
            # What a run's log writes reaches the root's handlers too, unless Prefect is kept quiet.
            if library.parent and record.levelno >= threshold and not (told and prefect.propagate):
                library.parent.callHandlers(record)

    handler = Forward()
    library.addHandler(handler)
    library.setLevel(min(logging.INFO, threshold))
    library.propagate = False
    try:
        yield
    finally:
        library.removeHandler(handler)
        library.setLevel(before[0])
        library.propagate = before[1]


def quiet_prefect() -> None:
    """Keep Prefect's own log off the terminal, where a bar and a report are shown; its API gets it all the same."""
    logging.getLogger("prefect").propagate = False
