"""The whole road of a recipe as one flow; its steps are tasks, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from prefect import flow
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from pymaf_data.progress import Progress
from pymaf_data.recipe import Step

from .progress import reporting_to
from .settings import start_server
from .stages import take_step

Around = Callable[[Step, Callable[[Progress | None], Any]], Any]
"""``around(step, take)``: calls ``take(report)`` and may show what comes of it; the command line's bars."""


@flow(name="road", validate_parameters=False)
def road_flow(steps: Sequence[Step]) -> list[Any]:
    """Take the steps in order; returns their reports. For deployments: progress is logged, not shown."""
    return [take_step(step) for step in steps]


def take_road(steps: Sequence[Step], around: Around) -> list[Any]:
    """Run the steps as one flow in this process, each inside ``around``."""

    @flow(name="road", validate_parameters=False)
    def shown_road() -> list[Any]:
        return [around(step, partial(_reported, step)) for step in steps]

    # The heartbeat thread serves remote workers; here it would hold the process a second longer.
    with temporary_settings(updates={PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        start_server()
        return shown_road()


def _reported(step: Step, report: Progress | None) -> Any:
    with reporting_to(report):
        return take_step(step)
