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
from typing import Any

import numpy as np
import torch
from pydantic import Field

from pymaf_data.body import load_body
from pymaf_data.config import StrictModel
from pymaf_data.digest import digest_json
from pymaf_data.errors import AssetMismatch, FitError, StoreIncomplete, UsageError
from pymaf_data.fits.choice import NONE
from pymaf_data.fits.chosen import ChosenReader
from pymaf_data.paths import DataRoot
from pymaf_data.progress import Progress
from pymaf_data.render import MAP_SIZE, atlas_of_body
from pymaf_data.render.backends import resolve_backend
from pymaf_data.render.stored import UV_BLOCK
from pymaf_data.stages.ingest import available_cores
from pymaf_data.stages.iuv_shard import FitSource, ShardRenderer, map_specs
from pymaf_data.stages.shard_choice import choose_shards
from pymaf_data.storage import StageInfo, StageWriter, Store, open_store

logger = logging.getLogger(__name__)

STAGE = "iuv"
# Part of every generation's digest: raise it when the same inputs render to other pixels.
_RENDERING = 2


class RenderOptions(StrictModel):
    """What to render and how."""

    stores: tuple[Path, ...] = Field(default=(), description="by default every store below the data root")
    shard: str = Field(default="all", description="all, missing, 0-3 (both ends), 7,9")
    renderer: str = Field(default="auto", description="auto, or a backend of pymaf_data.render")
    size: int = Field(
        default=MAP_SIZE, ge=16, le=1024, description=f"side Z of the maps in px, a multiple of {UV_BLOCK}"
    )
    workers: int = Field(default_factory=available_cores, ge=1, description="threads; their number leaves no trace")
    assets: Path | None = Field(default=None, description="licensed files; by default assets/ of the data root")
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
    backend = resolve_backend(options.renderer)
    if options.size % UV_BLOCK:
        raise UsageError(
            f"maps of {options.size} px",
            expected=f"a multiple of {UV_BLOCK} px: U and V are kept for blocks of {UV_BLOCK} × {UV_BLOCK} pixels",
            action=f"take --size {options.size // UV_BLOCK * UV_BLOCK}.",
        )
    paths = DataRoot.default().require_stores(options.stores)
    # All stores are prepared before the first is rendered, so that what is wrong with the last is told at once.
    renderers = [_prepare(open_store(path), options, backend) for path in paths]
    reports = tuple(_render_store(renderer, options, progress) for renderer in renderers)
    return RenderReport(renderer=backend, size=options.size, stores=reports)


def _prepare(store: Store, options: RenderOptions, backend: str) -> ShardRenderer:
    """Find the chosen fits of a store, their bodies and the atlas."""
    if not store.has("choice"):
        raise FitError(
            f"{store.path} has no fits, so there is nothing to render",
            expected="pseudo-SMPL fits and a choice among them",
            action=f"attach some: `pymaf-data attach-fits {store.path} --fits keypoints` fits the body to the "
            "keypoints; --fits NAME=FORMAT:PATH takes published ones.",
        )
    _require_complete(store, store.current("ingest"))
    chosen = ChosenReader(store)
    _require_complete(store, chosen.choice)
    used = [index for index in np.unique(chosen.sources_of(np.arange(len(store)))).tolist() if index != NONE]
    if not used:
        raise FitError(
            f"{store.path} has fits, but none was valid for any person, so there is nothing to render",
            expected="at least one chosen fit",
            action="attach better ones; `pymaf-data inspect` tells why these were refused.",
        )
    sources = {index: _source(store, chosen, index, options.assets) for index in used}
    _require_one_atlas(store, list(sources.values()))
    return ShardRenderer(store, chosen, sources, options.size, backend)


def _require_complete(store: Store, info: StageInfo) -> None:
    if not info.complete:
        raise StoreIncomplete(
            f"stage {info.stage} of {store.path} lacks {len(info.missing)} of {info.record.shards} shards",
            expected="all of them",
            action="run the command that makes it again; it goes on where it stopped.",
        )


def _source(store: Store, chosen: ChosenReader, index: int, assets: Path | None) -> FitSource:
    """A source of fits with its own body and that body's atlas."""
    info, kind = chosen.source(index), chosen.native_kind(index)
    _require_complete(store, info)
    body = load_body(info.attributes["body"], assets)
    if body.digest != info.attributes["body_digest"]:
        raise AssetMismatch(
            f"{info.stage} belongs to another version of body {body.name} ({info.attributes['body_digest'][:12]})",
            expected=f"the body at hand, {body.digest[:12]}",
            action="attach the fits again, or bring back the body file that they were made with.",
        )
    atlas = atlas_of_body(body.name, assets)
    atlas.check_mesh(body.faces.numpy(), len(body.v_template), f"body {body.name}")
    return FitSource(info, kind, body, atlas)


def _require_one_atlas(store: Store, sources: list[FitSource]) -> None:
    """Maps of one generation share their charts, or a part number would mean two things."""
    if len({source.atlas.digest for source in sources}) > 1:
        told = ", ".join(f"{source.info.stage} of body {source.body.name}" for source in sources)
        raise FitError(
            f"the chosen fits of {store.path} belong to bodies with different charts: {told}",
            expected="fits of bodies that share one atlas",
            action="choose again among fits of one body.",
        )


def _attributes(renderer: ShardRenderer) -> dict[str, Any]:
    """What a generation of maps shows, as it stands in the store; its digest names the generation."""
    store, sources = renderer.store, list(renderer.sources.values())
    return {
        "rendering": _RENDERING,
        "ingest": store.current("ingest").generation,
        "choice": renderer.chosen.choice.generation,
        "fits": {source.info.stage.removeprefix("fits/"): source.info.generation for source in sources},
        "bodies": {source.body.name: source.body.digest for source in sources},
        "atlas": sources[0].atlas.name,
        "atlas_digest": sources[0].atlas.digest,
        "size": renderer.size,
    }


def _render_store(renderer: ShardRenderer, options: RenderOptions, progress: Progress | None) -> StoreMaps:
    store, attributes = renderer.store, _attributes(renderer)
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
