"""Stage ``iuv``: the chosen fits of a store → dense-correspondence maps in the crop's frame.

    choice ─ fit ─ body ─ camera ─ z-buffer ─ part, U, V ─ shard

A generation of maps is named by everything that it shows: the choice and the fits it chooses from, the bodies, the
atlases, the size. If one of these changes, the maps are another generation and are rendered anew beside the old;
otherwise a run renders only the shards that are not there.
"""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import Field

from pymaf_data.config import StrictModel
from pymaf_data.errors import UsageError
from pymaf_data.paths import DataRoot
from pymaf_data.progress import Progress
from pymaf_data.render.backends import resolve_backend
from pymaf_data.stages.iuv_plan import MapJob, prepare
from pymaf_data.stages.options import RenderOptions
from pymaf_data.stages.shards import Executor, run_shards
from pymaf_data.storage import open_store


class StoreMaps(StrictModel):
    """What one store now holds."""

    store: Path
    generation: str
    shards: int
    shards_written: int
    shards_missing: tuple[int, ...] = Field(description="shards that no run was asked for yet")
    persons: int = Field(description="rows of the shards that this run was asked for")
    rendered: int = Field(description="of these, rows with a map")
    seconds: float = Field(description="spent on shards that were written")
    maps_written: int


class RenderReport(StrictModel):
    """What the stage did."""

    renderer: str
    size: int
    stores: tuple[StoreMaps, ...]


def render_iuv_stage(options: RenderOptions, progress: Progress | None = None) -> RenderReport:
    """Run the stage. Calling it again does only what is missing.

    Args:
        options: see :class:`RenderOptions`.
        progress: called with (rows done, rows in all, remark), for each store from the start.

    Raises:
        NotAStore: there is no store to render.
        FitError: a store has no fits, or no fit that can be shown; the message says what to attach.
        AssetMissing, AssetMismatch: a body or atlas is not there, or not the one that the fits belong to.
        UsageError: no such shard, renderer or size.
        StoreIncomplete, StoreLocked, StoreDamaged, DiskFull: see :mod:`pymaf_data.storage`.
    """
    executor = options.executor()
    backend = resolve_backend(options.renderer, on_gpu=torch.cuda.is_available())
    if options.elsewhere and backend == "warp":
        raise UsageError(
            "renderer warp draws on the GPU, which several processes would only fight for",
            expected="a renderer of the CPU, with --processes or --cluster",
            action="take --renderer numba, or leave --processes and --cluster out.",
        )
    paths = DataRoot.default().require_stores(options.stores)
    # All stores are prepared before the first is rendered, so that what is wrong with the last is told at once.
    jobs = [prepare(open_store(path), options.size, backend, options.assets) for path in paths]
    if options.elsewhere:
        for job in jobs:
            job.draw_one()
    reports = tuple(_render_store(job, options, executor, progress) for job in jobs)
    return RenderReport(renderer=backend, size=options.size, stores=reports)


def _render_store(job: MapJob, options: RenderOptions, executor: Executor, progress: Progress | None) -> StoreMaps:
    done = run_shards(job.store, job, executor, progress, options.shard, options.break_lock)
    spans = [done.writer.rows(k) for k in done.asked]
    shown = open_store(done.path).array(f"{done.writer.record.key.group}/rendered")
    return StoreMaps(
        store=done.path,
        generation=done.writer.record.generation,
        shards=done.writer.shards,
        shards_written=len(done.written),
        shards_missing=tuple(done.missing),
        persons=sum(span.stop - span.start for span in spans),
        rendered=sum(int(shown[span].sum()) for span in spans),
        seconds=done.seconds,
        maps_written=sum(done.notes),
    )
