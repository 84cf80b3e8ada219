"""Stage ``attach-fits``: sources of fits → ``fits/<name>`` side by side, and the choice among them.

    request → source → per shard: fits, proof of the join, derived camera, reprojection → commit → choice

A source whose body is not on this machine is stored as it came, marked unproved, and never chosen. The choice is made
from every proved source of the store, those of earlier runs included.
"""

from __future__ import annotations

from pathlib import Path

from pymaf_data.config import StrictModel
from pymaf_data.errors import UsageError
from pymaf_data.fits.opening import open_sources
from pymaf_data.fits.request import FitRequest
from pymaf_data.fits.table import JUDGED
from pymaf_data.progress import Progress
from pymaf_data.stages.attach_choice import ChoiceReport, attach_choice
from pymaf_data.stages.attach_source import SourceJob, SourceReport, find_body, report_source
from pymaf_data.stages.options import AttachOptions
from pymaf_data.stages.shards import run_shards
from pymaf_data.storage import open_store


class AttachReport(StrictModel):
    """What was attached and chosen.

    ``failed`` says whether a source of this run is unproved against the user's wish (exit code 1).
    """

    store: Path
    sources: tuple[SourceReport, ...]
    choice: ChoiceReport | None
    failed: bool


def attach_fits(options: AttachOptions, progress: Progress | None = None) -> AttachReport:
    """Run the stage. Calling it again does only what is missing.

    Args:
        options: see :class:`AttachOptions`.
        progress: called with (persons done, persons in all, remark).

    Raises:
        UsageError: a request that cannot be read, a name twice, or nothing to choose from.
        FitError: a source that cannot be read or was made for other persons.
        StoreError: not a store, not complete, or another writer is at work.
    """
    executor = options.executor()
    requests = [FitRequest.of(text) for text in options.fits]
    _require_distinct(requests)
    store, judged = open_store(options.store), options.rule.gates.keys() & {*JUDGED}
    reports, opened = [], store
    for request in requests:
        for name, source in open_sources(request, options.keypoints, store.head["inputs"].values()).items():
            held = find_body(source, options.assets)
            job = SourceJob(store, name, source, held, judged, options.force)
            done = run_shards(store, job, executor, progress, break_lock=options.break_lock)
            opened = open_store(options.store)
            reports.append(report_source(opened, name, len(done.written)))
    choice = attach_choice(opened, options.rule, options.break_lock)
    if choice is None and not reports:
        raise UsageError(
            f"{options.store} has no fits to choose from, and none were named",
            expected="--fits [NAME=]FORMAT[:PATH[:COMPANION]]",
            action="give for example --fits keypoints.",
        )
    unproved = any(not report.proved for report in reports)
    return AttachReport(
        store=options.store,
        sources=tuple(reports),
        choice=choice,
        failed=unproved and not options.allow_unproved,
    )


def _require_distinct(requests: list[FitRequest]) -> None:
    names = [request.name for request in requests]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"two sources are called {name}",
                expected="one name for each",
                action=f"name one of them: --fits other={name}:…",
            )
