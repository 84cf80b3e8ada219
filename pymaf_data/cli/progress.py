"""Progress bars on standard error, so that standard output carries results alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from pymaf_data.plain import clean
from pymaf_data.progress import Progress, is_told

console = Console(stderr=True)


def _escape(text: str) -> str:
    """Names of files and stores are neither commands to the terminal nor markup."""
    return escape(clean(text))


@contextmanager
def progress(title: str) -> Iterator[Progress]:
    """Show one bar for a long step; yields the function that a stage reports to."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[remark]}"),
    )
    # In a log file a bar is only an empty line.
    with Bars(*columns, console=console, disable=not (console.is_terminal and is_told())) as bars:
        task = bars.add_task(_escape(title), total=None, remark="")

        def report(done: int, total: int, text: str = "") -> None:
            bars.update(task, completed=done, total=total, remark=_escape(text))

        yield report
