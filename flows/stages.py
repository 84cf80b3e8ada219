"""One Prefect flow per stage: a decorator, a retry, one call into the stage.

As little logic as possible here: a stage is a plain function that resumes by itself, so a flow that failed is run again
and does only what is missing. Transient trouble of a file system (``OSError``) is tried again; what a user must mend
(``PymafDataError``) is not.
"""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from pymaf_data.model.options import TrainOptions
from pymaf_data.recipe import Step, run_step
from pymaf_data.stages.attach_fits import AttachOptions, AttachReport
from pymaf_data.stages.ingest import IngestOptions, IngestReport
from pymaf_data.stages.render_iuv import RenderOptions, RenderReport
from pymaf_data.stages.sample import SampleOptions, SampleReport

from .progress import current_report

_RETRY_DELAYS = [2.0, 15.0]


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
    return run_step(step, current_report())


# Prefect types a task for async callers first; its reports are plain values here.
take_step: Any = _take_step


@flow(name="sample", validate_parameters=False)
def sample_flow(options: SampleOptions) -> SampleReport:
    """Generate a raw data set."""
    report: SampleReport = take_step(Step("sample", "sample", options))
    return report


@flow(name="ingest", validate_parameters=False)
def ingest_flow(options: IngestOptions) -> IngestReport:
    """Raw data set → store."""
    report: IngestReport = take_step(Step("ingest", "ingest", options))
    return report


@flow(name="attach-fits", validate_parameters=False)
def attach_fits_flow(options: AttachOptions) -> AttachReport:
    """Fits → store."""
    report: AttachReport = take_step(Step("attach-fits", "attach-fits", options))
    return report


@flow(name="render-iuv", validate_parameters=False)
def render_iuv_flow(options: RenderOptions) -> RenderReport:
    """Chosen fits → IUV maps."""
    report: RenderReport = take_step(Step("render-iuv", "render-iuv", options))
    return report


@flow(name="train", validate_parameters=False)
def train_flow(options: TrainOptions) -> Any:
    """Stores → checkpoint."""
    return take_step(Step("train", "train", options))
