"""What is in a store: one dictionary of plain JSON values, for people (``pymaf-data inspect``) and scripts alike."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pymaf_data.storage import lock, records
from pymaf_data.storage.store import StageInfo, Store, open_store


def inspect(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Describe a store: plan, provenance, missing images, stages and the licences of everything that went in.

    Raises:
        NotAStore, StoreVersionError, StoreDamaged: as :func:`open_store`.
    """
    store = open_store(path)
    head = store.head
    provenance = head["provenance"]
    stages = [_stage(store, info) for info in store.stages()]
    return {
        "path": str(Path(path)),
        **{key: head[key] for key in ("format_version", "dataset", "split", "persons", "shard")},
        "bytes": sum(stage["bytes"] for stage in stages),
        "holes": _missing_images(store),
        "counts": provenance["counts"],
        "expected": provenance["expected"],
        "licences": licences(store),
        "manifest_digest": head["manifest_digest"],
        "inputs": head["inputs"],
        "options": head["options"],
        "versions": provenance["versions"],
        "attributes": provenance["attributes"],
        "stages": stages,
        "writers": {stage: str(holder) for stage, holder in lock.living_holders(store.path).items()},
    }


def licences(store: Store, stages: Iterable[StageInfo] | None = None) -> dict[str, str]:
    """Everything that went into a store and its stages → its licence; whoever copies data out carries them on.

    Args:
        store: which.
        stages: those that are meant; by default all.
    """
    found = dict(store.head["provenance"]["licences"])
    for info in store.stages() if stages is None else stages:
        own = info.attributes.get("licences", {})
        found.update(own if isinstance(own, dict) else {f"stage {info.stage}": str(own)})
    return found


def _stage(store: Store, info: StageInfo) -> dict[str, Any]:
    sizes = _array_bytes(info)
    arrays = {
        name: {
            "shape": [len(store), *spec.shape_per_row],
            "dtype": spec.dtype,
            "codec": spec.codecs,
            "bytes": sizes[name],
        }
        for name, spec in info.record.specs.items()
    }
    return {
        "stage": info.stage,
        "generation": info.generation,
        "current": info.current,
        "complete": info.complete,
        "shards": info.record.shards,
        "missing": info.missing,
        "bytes": sum(sizes.values()),
        "arrays": arrays,
        "attributes": info.attributes,
    }


def _array_bytes(info: StageInfo) -> Counter[str]:
    sizes: Counter[str] = Counter()
    for name, spec in info.record.specs.items():
        for shard, commit in info.commits.items():
            sizes[name] += commit.files[info.record.key.shard_file(spec, shard)].size
    return sizes


def _missing_images(store: Store) -> dict[str, int]:
    """Rows without a usable image, by reason, among the finished shards."""
    info = next((info for info in store.stages() if info.stage == records.INGEST), None)
    if info is None or not {"present", "reason"} <= info.record.specs.keys():
        return {}
    names = store.attrs.get("reasons", [])
    present, reason = store.array("present"), store.array("reason")
    missing: Counter[str] = Counter()
    for shard in sorted(info.commits):
        span = present.grid.span(shard)
        codes = reason[span][~present[span]].tolist()
        missing.update(names[code] if code < len(names) else f"reason {code}" for code in codes)
    return dict(sorted(missing.items()))
