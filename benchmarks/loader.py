"""Items per second of the loader, against bare decoding and warping in the same run.

    python benchmarks/loader.py [--persons 256] [--rounds 9]

Bare is the least that any loader must do to an image: ``simplejpeg`` into memory that is there already, then one
``cv2.warpAffine`` to 224 px; no checksum, colours, labels or maps. Bare with maps decompresses and warps the map too,
which is the least that a loader of IUV targets must do. *Rendered* targets are drawn from the fits for every view
instead. First on one core, in turns, by processor time; then
two workers of either kind against bare on two threads, by the wall's clock, which other work on the machine disturbs.
The store is made for it (``_store.py``).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
import torch
from _measure import machine, ratio, rounds_of, summary, write
from _store import CROP, make_store

from pymaf_data.body import load_body
from pymaf_data.geometry import affines
from pymaf_data.loader import Loader, LoaderOptions
from pymaf_data.model.targets import render_targets
from pymaf_data.render import MAP_SIZE, TARGET_SIZE, StoredMaps, load_atlas
from pymaf_data.render.warp import array_warps
from pymaf_data.storage import Store
from pymaf_data.storage.chunks import decode_zstd_into

BATCH = 64


def bare(store: Store) -> Callable[[slice], int]:
    """Decode and warp, and nothing else."""
    array = store.array("image")
    encoded = [bytes(array.encoded(row)) for row in range(len(store))]
    matrix = affines.to_cv2(affines.compose(affines.augmentation_affine(1.0, 0.3, True), affines.crop_to_view(CROP)))

    def work(rows: slice = slice(None)) -> int:
        crop, view = np.empty((CROP, CROP, 3), np.uint8), np.empty((224, 224, 3), np.uint8)
        for data in encoded[rows]:
            simplejpeg.decode_jpeg(data, fastdct=False, fastupsample=False, buffer=crop)
            cv2.warpAffine(crop, matrix, (224, 224), dst=view, flags=cv2.INTER_LINEAR)
        return len(encoded[rows])

    return work


def bare_with_maps(store: Store) -> Callable[[], int]:
    """Decode and warp of images and of maps, and nothing else."""
    pictures, arrays, atlas = bare(store), [store.array(f"iuv/{name}") for name in ("part", "uv")], load_atlas("free")
    encoded = [[bytes(array.encoded(row)) for array in arrays] for row in range(len(store))]
    one = StoredMaps(*(np.empty((1, *array.shape[1:]), np.uint8) for array in arrays))
    part, uv = np.empty([TARGET_SIZE] * 2, np.uint8), np.empty([2, *[TARGET_SIZE] * 2], np.float32)
    to_target = affines.compose(affines.resize(224, 56), affines.augmentation_affine(1.0, 0.3, True))
    moved = np.tile(affines.compose(to_target, affines.crop_to_view(MAP_SIZE)), (BATCH, 1, 1))

    def work() -> int:
        for start in range(0, len(encoded), BATCH):
            block = encoded[start : start + BATCH]
            warps = array_warps(moved[: len(block)], np.ones(len(block), bool), atlas)
            for place, chunks in enumerate(block):
                for plane, data in zip((one.part[0], one.uv[0]), chunks, strict=True):
                    decode_zstd_into(data, plane, "")
                warps(place, one.part[0], one.uv[0], part, uv)
        return pictures()

    return work


def epochs(store: Store, rendered: bool = False, **options: object) -> Callable[[], int]:
    """An epoch of a loader; each call is the next one, so augmentations vary as in training."""
    body, atlas = load_body("free"), load_atlas("free")
    loader = Loader([store], body, atlas, LoaderOptions(batch_size=BATCH, **options))
    numbers = iter(range(10**6))
    finish = (lambda batch: render_targets(batch, body, atlas)) if rendered else (lambda batch: batch)
    return lambda: sum(len(finish(batch)) for batch in loader.epoch(next(numbers)))


def milliseconds(rates: dict[str, list[float]], name: str, without: str) -> dict[str, float]:
    """What targets add to an item, the difference taken within each round."""
    return summary([1e3 / a - 1e3 / b for a, b in zip(rates[name], rates[without], strict=True)])


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--persons", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    about = machine()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        store = make_store(Path(folder) / "benchmark.zarr", arguments.persons)
        work, half = bare(store), arguments.persons // 2
        alone = {
            "bare": work,
            "bare with maps": bare_with_maps(store),
            "items": epochs(store, workers=0, maps=False),
            "items with IUV targets": epochs(store, workers=0),
            "items with rendered targets": epochs(store, rendered=True, workers=0, maps=False),
        }
        one_core = rounds_of(alone, arguments.rounds, clock=time.process_time)
        with ThreadPoolExecutor(2) as pool:
            together = {
                "bare": lambda: sum(pool.map(work, [slice(0, half), slice(half, None)])),
                "items, threads": epochs(store, workers=2, maps=False),
                "items with IUV targets, threads": epochs(store, workers=2),
                "items with IUV targets, processes": epochs(store, workers=2, worker_kind="process"),
            }
            two_workers = rounds_of(together, arguments.rounds)
        array = store.array("image")
        size = int(np.mean([len(array.encoded(row)) for row in range(len(store))]))
    write(
        "loader",
        {
            "benchmark": "loader items against bare decode + warp",
            "machine": about,
            "persons": arguments.persons,
            "crop": CROP,
            "mean_jpeg_bytes": size,
            "one_core_by_processor_time": report(one_core),
            "iuv_items_to_bare_with_maps": ratio(one_core, "items with IUV targets", "bare with maps"),
            "milliseconds_of_targets_per_item": {
                kind: milliseconds(one_core, f"items with {name} targets", "items")
                for kind, name in (("stored", "IUV"), ("rendered", "rendered"))
            },
            "two_workers_by_wall_clock": report(two_workers),
        },
    )


def report(rates: dict[str, list[float]]) -> dict[str, Any]:
    """Rates and their ratios to bare."""
    return {
        name: {"per_second": summary(values), "ratio_to_bare": ratio(rates, name, "bare")}
        for name, values in rates.items()
    }


if __name__ == "__main__":
    main()
