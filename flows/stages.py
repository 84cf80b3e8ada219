"""One Prefect flow per stage: a decorator, a retry, one call into the stage.

As little logic as possible here: a stage is a plain function that resumes by itself, so a flow that failed is run again
and does only what is missing. Transient trouble of a file system (``OSError``) is tried again; what a user must mend
(``PymafDataError``) is not. A flow is made when it is asked for, with the options of its own stage alone.
"""

from __future__ import annotations

from typing import Any

from prefect import Flow, task
from prefect.cache_policies import NO_CACHE

from pymaf_data.stages.registry import Stage, Step, run_step, stage_of_flow

from .api import flow_api
from .progress import reports_of_run

_RETRY_DELAYS = [2.0, 15.0]


class StageFlow(Flow[..., Any]):
    """A flow that, called in a script, brings a server along where the user names no API."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Run it; see :func:`.api.flow_api`."""
        with flow_api():
            return super().__call__(*arguments, **named)


def is_transient(_task: Any, _run: Any, state: Any) -> bool:
    """Whether trying again can help: the file system's errors may pass, a user's do not."""
    return isinstance(state.result(raise_on_failure=False), OSError)


@task(
    task_run_name="{step.stage}",
    retries=len(_RETRY_DELAYS),
    retry_delay_seconds=_RETRY_DELAYS,
    retry_condition_fn=is_transient,
    # The store remembers what is done, by content; a second memory could only disagree.
    cache_policy=NO_CACHE,
    persist_result=False,
)
def _take_step(step: Step) -> Any:
    """Call one stage; returns its report."""
    with reports_of_run(step.title) as report:
        return run_step(step, report)


# Prefect types a task for async callers first; its reports are plain values here.
take_step: Any = _take_step


def stage_flow(stage: Stage) -> StageFlow:
    """The flow of a stage; it takes the stage's options, as a model or a dict of it."""

    def run(options: Any) -> Any:
        return take_step(Step(stage.name, stage.name, options))

    # Prefect reads the parameters' schema here, and finds the flow of a run by this name.
    run.__annotations__ = {"options": stage.model(), "return": Any}
    run.__name__ = run.__qualname__ = stage.flow
    run.__doc__ = stage.summary
    return StageFlow(run, name=stage.name)


def __getattr__(name: str) -> StageFlow:
    stage = stage_of_flow(name)
    if stage is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = globals()[name] = stage_flow(stage)  # one object, however often it is asked for
    return made
