"""How a command takes steps: through Prefect, or directly; a progress bar and the report's lines for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pymaf_data.cli.progress import console, progress
from pymaf_data.cli.signals import Terminated, exit_code
from pymaf_data.progress import Progress

if TYPE_CHECKING:
    from pymaf_data.config import StrictModel
    from pymaf_data.recipe import StageName, Step

DIRECT_HELP = "Call the stage in this process, without Prefect."
Processes = Annotated[
    int | None,
    typer.Option("--processes", min=1, help="Processes of one thread each share the shards; they leave no trace."),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster", help="Make the shards on a Dask cluster: local:4, tcp://HOST:PORT or the scheduler's FILE.json."
    ),
]


def expect_flow(direct: bool) -> None:
    """First in a command: the server of its flow starts now, and loads while the command imports its stage."""
    from pymaf_data.flows import available

    if not direct and available():
        from pymaf_data.flows import start_server

        start_server()


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
        if direct or not _flows_available():
            from pymaf_data.recipe import run_step

            return [around(step, partial(run_step, step)) for step in steps]
        from pymaf_data.flows import take_pipeline

        return take_pipeline(steps, around)
    except KeyboardInterrupt as stop:
        what = "terminated" if isinstance(stop, Terminated) else "interrupted"
        console.print(f"{what}; the same command goes on where this one stopped.", style="yellow")
        raise typer.Exit(exit_code(stop)) from None


def _flows_available() -> bool:
    """Whether steps can run as a flow; says what happens instead."""
    from pymaf_data.flows import available

    if not available():
        console.print("Prefect is not installed (extra: flows): running directly, as --direct does.", style="dim")
        return False
    return True


def take_one(stage: StageName, title: str, options: StrictModel, direct: bool) -> Any:
    """Take a single step and return its report."""
    from pymaf_data.recipe import Step

    return take([Step(stage, title, options)], direct)[0]
