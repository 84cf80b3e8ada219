"""Persons out of videos against bare decoding: 1000 × 1000 px at 50 fps, one person in every fifth frame.

    .venv/bin/python benchmarks/video.py [--frames 2600] [--rounds 5] [--only two_processes]

Bare decoding goes through the same file with OpenCV, every frame decoded and every fifth turned into an image; ours is
`ingest video` from detections to a finished store. With one worker both have the decoder threads that they take by
themselves; two processes share eight files, each decoded on one thread, and of both their start counts. A part
is a range that begins two thirds into the file, what is before being decoded too; bare decoding goes through the whole
file there. The goal is 0.75. H.264 is written where PyAV is installed, else MPEG-4.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from _measure import RESULTS, machine, ratio, rounds_of, summary, write

from pymaf_data.stages.ingest import ingest
from pymaf_data.stages.options import IngestOptions

SIDE, FPS, STEP = 1000, 50, 5
PAIRS = {"one_worker": "bare", "part": "part_of_bare", "two_processes": "bare_two"}


def frame(number: int, ground: np.ndarray) -> np.ndarray:
    """A textured ground that moves, with a person's worth of noise that changes."""
    moved = np.roll(ground, number // 2, 1)
    image = cv2.resize(moved, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(number // 3).integers(0, 60, (60, 25, 3), np.uint8)
    image[200:800, 400:650] = cv2.add(image[200:800, 400:650], cv2.resize(noise, (250, 600)))
    return np.asarray(image, np.uint8)


def write_video(path: Path, frames: int) -> str:
    """Write a video; returns its codec."""
    ground = np.random.default_rng(0).integers(0, 195, (SIDE // 20, SIDE // 20, 3), np.uint8)
    images = (frame(number, ground) for number in range(frames))
    try:
        import av
    except ImportError:
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), FPS, (SIDE, SIDE))
        for image in images:
            writer.write(image)
        writer.release()
        return "MPEG-4 part 2"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = SIDE, SIDE, "yuv420p", 4_000_000
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
        container.mux(stream.encode())
    return "H.264"


def detect(path: Path, first: int, frames: int) -> Path:
    """Detections beside a video."""
    joints = [value for j in range(17) for value in (430 + 11 * j, 220 + 33 * j, 0.9)]
    persons = [
        {"image_id": k, "keypoints": joints, "bbox": [400, 200, 250, 600]}
        for k in range(-(-first // STEP) * STEP, frames, STEP)
    ]
    path.write_text(json.dumps(persons))
    return path


def bare(path: str, threads: int | None = None) -> int:
    """Decode a file; returns the images taken."""
    if threads:
        cv2.setNumThreads(threads)
    video = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, threads] if threads else [])
    number = taken = 0
    while video.grab():
        if number % STEP == 0:
            taken += video.retrieve()[0]
        number += 1
    return taken


def bare_in_two(paths: list[str]) -> int:
    """Decode files in two processes that start for it, each on one thread; returns the images taken."""
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        return sum(pool.map(bare, paths, [1] * len(paths)))


def ingesting(folder: Path, videos: list[Path], detections: Path | None, **who: Any) -> Callable[[], int]:
    """Ingests videos anew; the work is that of all frames decoded."""

    def run() -> int:
        shutil.rmtree(folder / "s.zarr", ignore_errors=True)
        options = IngestOptions(
            dataset="video", files=tuple(videos), detections=detections, out=folder / "s.zarr", **who
        )
        return ingest(options).counts["kept"]

    return run


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=2600)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=PAIRS, default=[*PAIRS], help="renew a part of the figures")
    options = parser.parse_args()
    before, folder = machine(), Path(tempfile.mkdtemp(prefix="bench-video-"))
    try:
        videos = [folder / f"{name}.mp4" for name in "abcdefgh"]
        codec = write_video(videos[0], options.frames)
        for copy in videos[1:]:
            shutil.copy(videos[0], copy)
        for video in videos:
            detect(video.with_suffix(".json"), 0, options.frames)
        late = detect(folder / "late.json", 2 * options.frames // 3, options.frames)
        names = [str(video) for video in videos]
        what = {
            "bare": lambda: bare(names[0]),
            "one_worker": ingesting(folder, videos[:1], None, workers=1),
            "part_of_bare": lambda: bare(names[0]) // 3,
            "part": ingesting(folder, videos[:1], late, workers=1),
            "bare_two": lambda: bare_in_two(names),
            "two_processes": ingesting(folder, videos, None, processes=2),
        }
        wanted = {name for each in options.only for name in (each, PAIRS[each])}
        rates = rounds_of({name: run for name, run in what.items() if name in wanted}, options.rounds)
    finally:
        shutil.rmtree(folder)
    kept = RESULTS / "video.json"
    known = json.loads(kept.read_text()) if kept.exists() and len(options.only) < len(PAIRS) else {}
    of_bare = {name: ratio(rates, name, PAIRS[name]) for name in options.only}
    per_second = {name: summary(values) for name, values in rates.items()}
    write(
        "video",
        {
            "what": f"images per second out of {codec}, {SIDE} × {SIDE} px, every {STEP}th frame",
            "goal": {"of_bare": 0.75},
            "frames": options.frames,
            "rounds": known.get("rounds", {}) | dict.fromkeys(options.only, options.rounds),
            "images_per_second": known.get("images_per_second", {}) | per_second,
            "of_bare": known.get("of_bare", {}) | of_bare,
            "machine": before,
        },
    )


if __name__ == "__main__":
    main()
