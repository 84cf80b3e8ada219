"""Ingest against bare decode + warp + encode: what crops of full quality and a durable store cost.

    .venv/bin/python benchmarks/ingest.py [--persons 2048] [--rounds 7]

One person an image, 640 × 427 pixels with the detail and file size of COCO's photographs, drawn here. *Bare* decodes
each JPEG from memory, warps bilinearly to 400 × 400 and encodes: no file, no area filter, no checksum, no fsync, no
labels. *Ingest* is the whole stage with one worker: annotation file, plan, crops, row arrays, shards and commits on
disk. The goal is at least 290 persons/s per core and 70 % of bare. Rates are given by the clock and per second of
processor time (all threads), which says the same on a machine that others use as well.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from _measure import machine, ratio, rounds_of, summary, write

from pymaf_data.geometry.affines import crop_affine, to_cv2
from pymaf_data.geometry.boxes import box_from_xywh
from pymaf_data.geometry.joints import COCO17
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import encode_jpeg

WIDTH, HEIGHT, SIZE = 640, 427, 400
# The mean of train2014 is 160 KB an image; this quality gives that for the spectrum below.
QUALITY = 92


def photograph(random: np.random.Generator) -> np.ndarray:
    """An image (H, W, 3) uint8 with the 1/f amplitudes of natural scenes and a little sensor noise."""
    fy, fx = np.fft.fftfreq(HEIGHT)[:, None], np.fft.fftfreq(WIDTH)[None]
    amplitude = 1.0 / np.maximum(np.hypot(fy, fx), 1.0 / WIDTH)
    noise = np.fft.fft2(random.normal(size=(3, HEIGHT, WIDTH))) * amplitude
    luma, *chroma = (plane / plane.std() for plane in np.fft.ifft2(noise).real)
    planes = np.stack([luma + 0.3 * chroma[0], luma, luma + 0.3 * chroma[1]], -1)
    return (128 + 50 * planes + random.normal(0, 3, planes.shape)).clip(0, 255).astype(np.uint8)


def draw(root: Path, persons: int) -> None:
    """Write a data set in COCO's layout: one person an image, 90 to 420 px long."""
    random = np.random.default_rng(0)
    (root / "train2014").mkdir(parents=True)
    (root / "annotations").mkdir()
    scenes = [photograph(random) for _ in range(16)]
    images, annotations = [], []
    for i in range(persons):
        scene = np.roll(scenes[i % len(scenes)], random.integers(0, 400, 2), (0, 1))
        data = simplejpeg.encode_jpeg(np.ascontiguousarray(scene), QUALITY, colorsubsampling="420")
        name = f"{i:012d}.jpg"
        (root / "train2014" / name).write_bytes(data)
        length = 90 * (420 / 90) ** random.random()
        box = [random.random() * (WIDTH - length / 2), random.random() * (HEIGHT - length), length / 2, length]
        points = np.stack([box[0] + random.random(17) * box[2], box[1] + random.random(17) * box[3], np.full(17, 2)], 1)
        images.append({"id": i, "file_name": name, "width": WIDTH, "height": HEIGHT})
        annotations.append(
            {"id": i, "image_id": i, "bbox": box, "keypoints": points.ravel().tolist(), "category_id": 1}
        )
    category = {"id": 1, "name": "person", "keypoints": list(COCO17.joints)}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    (root / "annotations" / "person_keypoints_train2014.json").write_text(json.dumps(content))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--persons", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    folder = Path(tempfile.mkdtemp(prefix="bench-ingest-"))
    try:
        measure(folder, options.persons, options.rounds)
    finally:
        shutil.rmtree(folder)


def measure(folder: Path, persons: int, rounds: int) -> None:
    draw(folder / "raw", persons)
    content = json.loads((folder / "raw" / "annotations" / "person_keypoints_train2014.json").read_text())
    pictures = [(folder / "raw" / "train2014" / entry["file_name"]).read_bytes() for entry in content["images"]]
    affines = [to_cv2(crop_affine(box_from_xywh(entry["bbox"]), SIZE)) for entry in content["annotations"]]

    def bare() -> int:
        for data, affine in zip(pictures, affines, strict=True):
            picture = simplejpeg.decode_jpeg(data, fastdct=False, fastupsample=False)
            encode_jpeg(cv2.warpAffine(picture, affine, (SIZE, SIZE)))
        return persons

    def stage() -> int:
        store = folder / "store.zarr"
        shutil.rmtree(store, ignore_errors=True)
        ingest(IngestOptions(root=folder / "raw", out=store, crop_size=SIZE, workers=1))
        return persons

    before = machine()
    processor: dict[str, list[float]] = {"bare": [], "ingest": []}

    def timed(name: str, work: Callable[[], int]) -> Callable[[], int]:
        def run() -> int:
            start = time.process_time()
            items = work()
            processor[name].append(items / (time.process_time() - start))
            return items

        return run

    rates = rounds_of({"bare": timed("bare", bare), "ingest": timed("ingest", stage)}, rounds)
    processor = {name: values[-rounds:] for name, values in processor.items()}  # without the warm-up
    write(
        "ingest",
        {
            "what": "persons per second on one thread, one person an image of 640 × 427, crops of 400 px",
            "goal": {"ingest": 290, "ingest_of_bare": 0.70},
            "persons": persons,
            "rounds": rounds,
            "picture_kilobytes": round(sum(map(len, pictures)) / len(pictures) / 1e3, 1),
            "persons_per_second": {name: summary(values) for name, values in rates.items()},
            "ingest_of_bare": ratio(rates, "ingest", "bare"),
            "persons_per_processor_second": {name: summary(values) for name, values in processor.items()},
            "ingest_of_bare_by_processor": ratio(processor, "ingest", "bare"),
            "machine": before,
        },
    )


if __name__ == "__main__":
    main()
