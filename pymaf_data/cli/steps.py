"""How a command takes steps: through Prefect, or directly; a progress bar and the report's lines for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import typer

from pymaf_data.cli.progress import console, progress
from pymaf_data.cli.signals import Terminated, exit_code
from pymaf_data.progress import Progress
from pymaf_data.stages.registry import STAGES, Step, run_step

DIRECT_HELP = "Call the stage in this process, without Prefect."


def directly(asked: bool) -> bool:
    """First in a command: whether its steps are called without Prefect, as asked or because it is not installed.

    Else the server of its flow starts now, and loads while the command imports its stage.
    """
    from pymaf_data.flows import available

    if not asked and available():
        from pymaf_data.flows import start_server

        start_server()
        return False
    if not asked:
        console.print("Prefect is not installed (extra: flows): running directly, as --direct does.", style="dim")
    return True


def take(steps: Sequence[Step], direct: bool, show: Callable[[Step, Any], None] | None = None) -> list[Any]:
    """Take steps in order and return their reports; ``show`` is called with each report as it comes.

    Raises:
        PymafDataError: as the stages do, and as flows do where ``direct`` is not set.
        typer.Exit: Ctrl-C or SIGTERM, with code 130 or 143, after saying so.
    """

    def around(step: Step, call: Callable[[Progress], Any]) -> Any:
        with progress(step.title) as report:
            result = call(report)
        if show is not None:
            show(step, result)
        return result

    try:
        if direct:
            return [around(step, partial(run_step, step)) for step in steps]
        from pymaf_data.flows import take_pipeline

        return take_pipeline(steps, around)
    except KeyboardInterrupt as stop:
        what = "terminated" if isinstance(stop, Terminated) else "interrupted"
        anew = all(STAGES[step.stage].anew for step in steps)
        again = "begins anew" if anew else "goes on where this one stopped"
        console.print(f"{what}; the same command {again}.", style="yellow")
        raise typer.Exit(exit_code(stop)) from None
