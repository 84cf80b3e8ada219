"""What a store's IUV maps must show: the chosen fits, their bodies, the atlas; and whether the maps there still do.

    choice ─ sources of fits ─ bodies ─ atlas ─┬─ a renderer of the store's rows
                                               └─ attributes, whose digest names the generation of maps

Rendering and ``verify`` both ask here, so that what is rendered and what counts as stale cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_data.body import load_body
from pymaf_data.digest import digest_json
from pymaf_data.errors import AssetMismatch, AssetMissing, FitError, StoreIncomplete
from pymaf_data.fits.choice import NONE
from pymaf_data.fits.chosen import ChosenReader
from pymaf_data.render import MAP_SIZE, atlas_of_body
from pymaf_data.stages.held import Held, assets_folder
from pymaf_data.stages.iuv_shard import FitSource, MapTask, Rows, map_specs
from pymaf_data.storage import Array, Finding, StageInfo, StageWriter, Store

STAGE = "iuv"
# Part of every generation's digest: raise it when the same inputs render to other pixels.
_RENDERING = 4
_NAMES = {
    "rendering": "way of rendering", "ingest": "ingest", "choice": "choice of fits", "fits": "fits", "bodies": "body",
    "atlas": "atlas", "atlas_digest": "atlas", "size": "size",
}  # fmt: skip


def stale_maps(store: Store, assets: Path | None = None) -> list[Finding]:
    """Whether the maps in force still show the chosen fits; empty where they do, or where there are none.

    A body or atlas that is not on this machine cannot have changed as far as anybody here can tell.

    Args:
        store: the store.
        assets: folder of licensed files; by default ``assets`` of the data root.
    """
    if not store.has(STAGE) or not store.has("choice"):
        return []
    info = store.current(STAGE)
    if "rendering" not in info.attributes:  # another writer's: they do not say what they show
        return []
    try:
        wanted = attributes_of(prepare(store, int(info.attributes.get("size", MAP_SIZE)), "numba", assets))
        differing = sorted({_NAMES[key] for key in wanted if info.attributes.get(key) != wanted[key]})
        problem = f"its maps show another {', '.join(differing)}" if differing else ""
    except AssetMissing:
        return []
    except (AssetMismatch, FitError, StoreIncomplete) as error:
        problem = f"what its maps should show cannot be told: {error.found}"
    if not problem:
        return []
    where = f"stage {STAGE}, generation {info.record.key.short}"
    action = f"run `pymaf-data render-iuv {store.path}`: it makes new maps beside these; `pymaf-data gc` removes these."
    return [Finding(kind="stale", where=where, problem=problem, action=action)]


def prepare(store: Store, size: int, backend: str, assets: Path | None = None) -> MapJob:
    """Find the chosen fits of a store, their bodies and the atlas.

    Args:
        store: the store.
        size: Z, side of the maps.
        backend: of the rasterizer, resolved.
        assets: folder of licensed files; by default ``assets`` of the data root.

    Raises:
        FitError: there is nothing to render.
        AssetMissing, AssetMismatch: a body or atlas is not there, or not the one that the fits belong to.
        StoreIncomplete: an earlier stage is not complete.
    """
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
    hold = cache(Held.of)  # sources of one body share it
    sources = {index: _source(store, chosen, index, assets, hold) for index in used}
    _require_one_atlas(store, list(sources.values()))
    return MapJob(store, chosen, sources, size, backend)


@dataclass(frozen=True)
class MapJob:
    """The maps of a store, as :func:`run_shards` takes them.

    Attributes:
        store: whose rows.
        chosen: reads their fits.
        sources: those that some row was given, by their index in the choice.
        size: Z, side of the maps in pixels.
        backend: of the rasterizer.
    """

    store: Store
    chosen: ChosenReader
    sources: Mapping[int, FitSource]
    size: int
    backend: str
    stage: str = STAGE
    remark: str = "{rate:,.0f} maps/s"
    files: tuple[Path, ...] = ()

    def begin(self, store: Store) -> StageWriter:
        """See :class:`ShardJob`."""
        attributes = attributes_of(self)
        return store.stage(STAGE, digest_json(attributes), map_specs(self.size, store.shard), attributes)

    def task(self, shard: int, rows: slice) -> MapTask:
        """See :class:`ShardJob`.

        Raises:
            StoreDamaged, StoreIncomplete: from the store.
        """
        fits = self.chosen.read(np.arange(rows.start, rows.stop))
        crop_affine, box, crop_size = self._places
        return MapTask(Rows(fits, crop_affine[rows], box[rows]), self.sources, crop_size, self.size, self.backend)

    def draw_one(self) -> None:
        """Draw one map for nothing: kernels are compiled once, before several processes want them at a time."""
        row = int(np.argmax(self.chosen.sources_of(np.arange(len(self.store))) != NONE))
        self.task(row // self.store.shard, slice(row, row + 1)).make(map, lambda _: None)

    @cached_property
    def _places(self) -> tuple[Array, Array, int]:
        """Crop affines and boxes of all rows, and the crop's side; to open an array is to look at all its shards."""
        array = self.store.array
        return array("crop_affine"), array("box"), int(array("image").shape[1])


def attributes_of(job: MapJob) -> dict[str, Any]:
    """What a generation of maps shows, as it stands in the store; its digest names the generation."""
    store, sources = job.store, list(job.sources.values())
    return {
        "rendering": _RENDERING,
        "ingest": store.current("ingest").generation,
        "choice": job.chosen.choice.generation,
        "fits": {source.stage.removeprefix("fits/"): source.generation for source in sources},
        "bodies": {source.body.get().name: source.body.digest for source in sources},
        "atlas": sources[0].atlas.get().name,
        "atlas_digest": sources[0].atlas.digest,
        "size": job.size,
    }


def _require_complete(store: Store, info: StageInfo) -> None:
    if not info.complete:
        raise StoreIncomplete(
            f"stage {info.stage} of {store.path} lacks {len(info.missing)} of {info.record.shards} shards",
            expected="all of them",
            action="run the command that makes it again; it goes on where it stopped.",
        )


def _source(
    store: Store, chosen: ChosenReader, index: int, assets: Path | None, hold: Callable[..., Held[Any]]
) -> FitSource:
    """A source of fits with its own body and that body's atlas."""
    info, kind = chosen.source(index), chosen.camera(index)
    _require_complete(store, info)
    held = hold(load_body, info.attributes["body"], assets_folder(assets))
    body = held.get()
    if body.digest != info.attributes["body_digest"]:
        raise AssetMismatch(
            f"{info.stage} belongs to another version of body {body.name} ({info.attributes['body_digest'][:12]})",
            expected=f"the body at hand, {body.digest[:12]}",
            action="attach the fits again, or bring back the body file that they were made with.",
        )
    atlas = hold(atlas_of_body, body.name, assets_folder(assets))
    atlas.get().check_mesh(body.faces.numpy(), len(body.v_template), f"body {body.name}")
    return FitSource(info.stage, info.generation, kind, held, atlas)


def _require_one_atlas(store: Store, sources: list[FitSource]) -> None:
    """Maps of one generation share their charts, or a part number would mean two things."""
    if len({source.atlas.digest for source in sources}) > 1:
        told = ", ".join(f"{source.stage} of body {source.body.get().name}" for source in sources)
        raise FitError(
            f"the chosen fits of {store.path} belong to bodies with different charts: {told}",
            expected="fits of bodies that share one atlas",
            action="choose again among fits of one body.",
        )
