"""Stage ``iuv``: the chosen fits of a store → dense-correspondence maps in the crop's frame.

    choice ─ fit ─ body ─ camera ─ z-buffer ─ part, U, V ─ shard

A generation of maps is named by everything that it shows: the choice and the fits it chooses from, the bodies, the
atlases, the size. If one of these changes, the maps are another generation and are rendered anew beside the old;
otherwise a run renders only the shards that are not there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import torch
from pydantic import Field

from pymaf_data.config import StrictModel
from pymaf_data.digest import digest_json
from pymaf_data.errors import UsageError
from pymaf_data.paths import DataRoot, UserPath
from pymaf_data.progress import Progress
from pymaf_data.render import MAP_SIZE
from pymaf_data.render.backends import resolve_backend
from pymaf_data.render.stored import UV_BLOCK
from pymaf_data.stages.ingest import available_cores
from pymaf_data.stages.iuv_plan import STAGE, attributes_of, prepare
from pymaf_data.stages.iuv_shard import ShardRenderer, map_specs
from pymaf_data.stages.shard_choice import choose_shards
from pymaf_data.storage import StageWriter, open_store

logger = logging.getLogger(__name__)


class RenderOptions(StrictModel):
    """What to render and how."""

    stores: tuple[UserPath, ...] = Field(default=(), description="by default every store below the data root")
    shard: str = Field(default="all", description="all, missing, 0-3 (both ends), 7,9")
    renderer: str = Field(default="auto", description="auto, or a backend of pymaf_data.render")
    size: int = Field(
        default=MAP_SIZE, ge=16, le=1024, description=f"side Z of the maps in px, a multiple of {UV_BLOCK}"
    )
    workers: int = Field(default_factory=available_cores, ge=1, description="threads; their number leaves no trace")
    assets: UserPath | None = Field(default=None, description="licensed files; by default assets/ of the data root")
    break_lock: bool = False


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
    backend = resolve_backend(options.renderer, on_gpu=torch.cuda.is_available())
    if options.size % UV_BLOCK:
        raise UsageError(
            f"maps of {options.size} px",
            expected=f"a multiple of {UV_BLOCK} px: U and V are kept for blocks of {UV_BLOCK} × {UV_BLOCK} pixels",
            action=f"take --size {options.size // UV_BLOCK * UV_BLOCK}.",
        )
    paths = DataRoot.default().require_stores(options.stores)
    # All stores are prepared before the first is rendered, so that what is wrong with the last is told at once.
    renderers = [prepare(open_store(path), options.size, backend, options.assets) for path in paths]
    reports = tuple(_render_store(renderer, options, progress) for renderer in renderers)
    return RenderReport(renderer=backend, size=options.size, stores=reports)


def _render_store(renderer: ShardRenderer, options: RenderOptions, progress: Progress | None) -> StoreMaps:
    store, attributes = renderer.store, attributes_of(renderer)
    generation = digest_json(attributes)
    with store.lock(STAGE, options.break_lock):
        writer = store.stage(STAGE, generation, map_specs(options.size, store.shard), attributes)
        missing = set(writer.missing())
        chosen = choose_shards(options.shard, writer.shards, missing)
        todo = [k for k in chosen if k in missing]
        clock = time.perf_counter()
        maps = _write(renderer, writer, todo, options.workers, progress)
        seconds = time.perf_counter() - clock
        left = tuple(writer.missing())
        if not left:
            writer.finish()
    spans = [writer.rows(k) for k in chosen]
    shown = open_store(store.path).array(f"{writer.record.key.group}/rendered")
    return StoreMaps(
        store=store.path,
        generation=generation,
        shards=writer.shards,
        shards_written=len(todo),
        shards_missing=left,
        persons=sum(span.stop - span.start for span in spans),
        rendered=sum(int(shown[span].sum()) for span in spans),
        seconds=seconds,
        maps_written=maps,
    )


def _write(
    renderer: ShardRenderer, writer: StageWriter, todo: list[int], workers: int, progress: Progress | None
) -> int:
    """Render and commit shards; returns the number of maps in them."""
    spans = {k: writer.rows(k) for k in todo}
    total = sum(span.stop - span.start for span in spans.values())
    done = maps = 0
    clock = time.perf_counter()

    def advance(rows: int) -> None:
        nonlocal done
        done += rows
        if progress:
            progress(done, total, f"{done / max(time.perf_counter() - clock, 1e-9):,.0f} maps/s")

    advance(0)
    with _pool(workers) as pool:
        for k, span in spans.items():
            rows = renderer.read(span)
            writer.write_shard(k, renderer.encode(rows, pool, advance), rows.digest())
            maps += int(rows.fits.valid.sum())
            logger.info("shard %d: %d maps of %d rows", k, rows.fits.valid.sum(), len(rows))
    return maps


@contextmanager
def _pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads with one torch thread each: sums must not depend on how torch divides them. Ctrl-C drops the queue."""
    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(workers, "render", initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(before)
