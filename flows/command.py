"""The steps of a command as one flow, each a task, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pymaf_data.progress import Progress
from pymaf_data.stages.registry import Step

from .api import flow_api
from .progress import quiet_prefect, reporting_to
from .settings import prepare_command

Around = Callable[[Step, Callable[[Progress | None], Any]], Any]
"""``around(step, take)``: calls ``take(report)`` and may show what comes of it; the command line's bars."""


def take_pipeline(steps: Sequence[Step], around: Around) -> list[Any]:
    """Run the steps as one flow in this process, each inside ``around``.

    Raises:
        UsageError: Prefect cannot be imported, or the API that the user names does not answer.
        FlowError: the server does not come up, or it fails.
    """
    if prepare_command():
        quiet_prefect()
    with flow_api():
        # Only now: the server loads while this process imports.
        from prefect import flow

        from .stages import take_step

        def reported(step: Step, report: Progress | None) -> Any:
            with reporting_to(report):
                return take_step(step)

        @flow(name="pipeline")
        def commanded() -> list[Any]:
            return [around(step, partial(reported, step)) for step in steps]

        taken: list[Any] = commanded()
        return taken
