"""Items per second of the loader, against bare decoding and warping in the same run.

    python benchmarks/loader.py [--persons 256] [--rounds 9]

Bare is the least that any loader must do to a picture: ``simplejpeg`` into memory that is there already, then one
``cv2.warpAffine`` to 224 px; no checksum, colours, labels or maps. Bare with maps decompresses and warps the map too,
which is the least that a loader of IUV targets must do. First on one core, in turns, by processor time; then
two workers of either kind against bare on two threads, by the wall's clock, which other work on the machine disturbs.
The store is made here: bodies over pictures with the spectrum of photographs.
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
from numcodecs import zstd

from pymaf_data.body import load_body
from pymaf_data.digest import digest_json
from pymaf_data.geometry import affines
from pymaf_data.geometry.cameras import weak_to_camera
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.loader import Loader, LoaderOptions
from pymaf_data.render import MAP_SIZE, StoredMaps, load_atlas, render_stored, warp_maps
from pymaf_data.storage import ArraySpec, Plan, Provenance, Store, create_store, encode_jpeg, open_store

CROP, BATCH = 400, 64


def photograph(rng: np.random.Generator) -> np.ndarray:
    """A crop (S, S, 3) uint8 with the 1/f spectrum of photographs; its JPEG is about as large as a COCO person's."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(CROP), np.fft.rfftfreq(CROP), indexing="ij"))
    frequency[0, 0] = 1
    colour = []
    for _ in range(3):
        phase = rng.normal(size=frequency.shape) + 1j * rng.normal(size=frequency.shape)
        plane = np.fft.irfft2(phase / frequency**1.6, (CROP, CROP))
        colour.append(plane / plane.std())
    grey = colour[0]
    planes = [128 + 50 * (0.85 * grey + 0.3 * plane) for plane in colour]
    return np.stack(planes, -1).clip(0, 255).astype(np.uint8)


def make_store(path: Path, persons: int) -> Store:
    """Persons with picture, fit and map."""
    rng = np.random.default_rng(0)
    body, atlas = load_body("free"), load_atlas("free")
    pose = rng.normal(0, 0.2, (persons, 24, 3)).astype(np.float32)
    pose[:, 0] = [np.pi, 0, 0]
    betas = rng.normal(0, 1, (persons, 10)).astype(np.float32)
    pi = torch.tensor([[0.9, 0.0, 0.0]]).expand(persons, 3)
    camera = weak_to_camera(pi)
    with torch.no_grad():
        out = body(axis_angle_to_matrix(torch.from_numpy(pose)), torch.from_numpy(betas))
    box = np.tile([320.0, 213.5, 300.0], (persons, 1))
    native = camera.warped(affines.invert(affines.view_affine(box)))
    keypoints = np.ones((persons, 49, 3), np.float32)
    keypoints[..., :2] = native.project(out.joints).numpy()
    maps = render_stored(out.vertices, camera.warped(affines.invert(affines.crop_to_view(MAP_SIZE))), atlas)
    everyone = np.ones(persons, bool)
    ingest = {"box": box, "keypoints": keypoints, "joints3d": np.zeros((persons, 24, 4), np.float32)}
    stages = {
        "ingest": (ingest | {"present": everyone}, {}),
        "fits/truth": (
            {
                "pose": pose.reshape(persons, 72),
                "betas": betas,
                "native": native.matrix.double().numpy(),
                "weak_camera": pi.numpy(),
                "valid": everyone,
            },
            {"body": body.name, "body_digest": body.digest, "native_kind": "perspective"},
        ),
        "choice": (
            {"source": np.zeros(persons, np.int16)},
            {"sources": ["truth"], "generations": {"truth": digest_json("fits/truth")}},
        ),
        "iuv": (
            {"part": maps.part, "uv": maps.uv, "rendered": everyone},
            {"atlas_digest": atlas.digest, "choice": digest_json("choice")},
        ),
    }
    plan = Plan(dataset="benchmark", split="train", rows=tuple((f"{i:06d}", i) for i in range(persons)))
    pictures = [encode_jpeg(photograph(rng)) for _ in range(persons)]
    store = create_store(path, plan, specs(stages["ingest"][0], True), Provenance())
    for stage, (arrays, attributes) in stages.items():
        with store.lock(stage):
            first = stage == "ingest"
            digest = plan.digest if first else digest_json(stage)
            writer = store.stage(stage, digest, specs(arrays, first), attributes or None)
            for shard in writer.missing():
                rows = writer.rows(shard)
                content = {name: values[rows] for name, values in arrays.items()}
                writer.write_shard(shard, content | ({"image": pictures[rows]} if first else {}), digest_json(shard))
            writer.finish()
        store = open_store(path)
    return store


def specs(arrays: dict[str, np.ndarray], with_pictures: bool) -> list[ArraySpec]:
    """The arrays of a stage; pictures and maps one row per inner chunk."""
    pictures = [ArraySpec("image", (CROP, CROP, 3), "u1", 1, "jpeg")] if with_pictures else []
    inner = {"part": 1, "uv": 1}
    return pictures + [ArraySpec(n, v.shape[1:], v.dtype.str, inner.get(n, 64)) for n, v in arrays.items()]


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
    """Decode and warp of pictures and of maps, and nothing else."""
    pictures, arrays, atlas = bare(store), [store.array(f"iuv/{name}") for name in ("part", "uv")], load_atlas("free")
    encoded = [[bytes(array.encoded(row)) for array in arrays] for row in range(len(store))]
    to_target = affines.compose(affines.resize(224, 56), affines.augmentation_affine(1.0, 0.3, True))
    moved = np.tile(affines.compose(to_target, affines.crop_to_view(MAP_SIZE)), (BATCH, 1, 1))

    def work() -> int:
        stored = StoredMaps(*(np.empty((BATCH, *array.shape[1:]), np.uint8) for array in arrays))
        for start in range(0, len(encoded), BATCH):
            block = encoded[start : start + BATCH]
            for place, chunks in enumerate(block):
                for planes, data in zip((stored.part, stored.uv), chunks, strict=True):
                    planes[place].reshape(-1)[:] = np.frombuffer(zstd.decompress(data), np.uint8)
            warp_maps(stored[: len(block)], moved[: len(block)], np.ones(len(block), bool), atlas)
        return pictures()

    return work


def epochs(store: Store, **options: object) -> Callable[[], int]:
    """An epoch of a loader; each call is the next one, so augmentations vary as in training."""
    loader = Loader([store], load_body("free"), load_atlas("free"), LoaderOptions(batch_size=BATCH, **options))
    numbers = iter(range(10**6))
    return lambda: sum(len(batch) for batch in loader.epoch(next(numbers)))


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
