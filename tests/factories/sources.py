"""More sources of fits for a store that has persons: arrays as ``attach-fits`` leaves them, with every measure."""

from __future__ import annotations

from typing import Any

import numpy as np

from pymaf_data.digest import digest_json
from pymaf_data.fits.choice import choice_specs
from pymaf_data.fits.table import REASONS, fit_specs
from pymaf_data.storage import ArraySpec, Store, open_store

MORE = {"mask_iou": (), "beyond_limits": (), "pose_prior": (), "mirrored": (), "scale": (), "conversion": (2,)}
"""Arrays that not every source has."""


def add_source(store: Store, name: str, arrays: dict[str, np.ndarray], **attributes: Any) -> Store:
    """``fits/<name>`` of these arrays (N, …); those of :data:`MORE` only where they are given."""
    inner = fit_specs(store.shard)[0].inner_chunk
    more = [ArraySpec(array, shape, "f4", inner) for array, shape in MORE.items() if array in arrays]
    about = {
        "body": "free",
        "body_digest": "",
        "proved": True,
        "source": {"format": "invented"},
        "native_kind": "perspective",
        "reasons": list(REASONS),
        "licences": {f"fits of {name}": "CC0 1.0"},
    }
    specs = (*(spec for spec in fit_specs(store.shard) if spec.name not in MORE), *more)
    stage = f"fits/{name}"
    _write(store, stage, digest_json([name, sorted(arrays)]), specs, arrays, about | attributes)
    return open_store(store.path)


def choose_from(store: Store, names: list[str], chosen: np.ndarray, kept_out: np.ndarray | None = None) -> Store:
    """The choice (N,) of an index into the names, −1 for none; ``kept_out`` (N,) whom a gate took the first from."""
    generations = {name: store.current(f"fits/{name}").generation for name in names}
    attributes: dict[str, Any] = {"sources": names, "generations": generations, "rule": "as invented"}
    specs, arrays = choice_specs(store.shard), {"source": chosen}
    if kept_out is not None:
        specs = (*specs, ArraySpec("reason", (), "u1", specs[0].inner_chunk))
        arrays, attributes = arrays | {"reason": kept_out}, attributes | {"reasons": ["", "silhouette off the mask"]}
    _write(store, "choice", digest_json(attributes), specs, arrays, attributes)
    return open_store(store.path)


def _write(store: Store, stage: str, digest: str, specs: tuple, arrays: dict, attributes: dict[str, Any]) -> None:
    with store.lock(stage):
        writer = store.stage(stage, digest, specs, attributes)
        for shard in writer.missing():
            rows = writer.rows(shard)
            data = {spec.name: arrays[spec.name][rows].astype(spec.dtype) for spec in specs}
            writer.write_shard(shard, data, digest_json(shard))
        writer.finish()
