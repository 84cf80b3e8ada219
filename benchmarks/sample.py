"""How fast the generated world is, what its people are like, and whether its memory stays flat.

    python benchmarks/sample.py                     # persons per second of one core
    python benchmarks/sample.py --memory 10000      # and the resident memory over a whole sample of that size

The peer does the least that an image with exact masks needs: the same bodies posed once, rasterized at the image's
pixels, and an image of that size encoded; no clothes, light, places or choice of postures.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
import torch
from _measure import machine, ratio, rounds_of, summary, write

from pymaf_data.world.engine.rectangles import rasterize_part
from pymaf_data.world.produce import Job, produce, studio
from pymaf_data.world.sample import SampleOptions, write_sample
from pymaf_data.world.scene import Scene, draw_scene
from pymaf_data.world.statistics import statistics_of

SIZE = (640, 480)
PICTURES = 24


def scenes_of(numbers: range) -> list[Scene]:
    """As many scenes as images are made."""
    drawn = [draw_scene(np.random.default_rng([5, n]), studio().body, SIZE, "train") for n in numbers]
    return [scene for scene in drawn if scene.people]


def bare(scenes: list[Scene], noise: np.ndarray) -> int:
    """Pose, rasterize, encode; returns how many people."""
    body, count = studio().body, 0
    for scene in scenes:
        for person in scene.people:
            rotations = torch.from_numpy(person.rotations)[None]
            body(rotations, torch.from_numpy(person.figure.betas)[None])
            rasterize_part(scene.view, person.vertices, studio().faces)
            count += 1
        simplejpeg.encode_jpeg(noise, quality=85)
    return count


def measure_speed(rounds: int) -> dict[str, Any]:
    """Rates by processor time."""
    torch.set_num_threads(1)
    truth: list[dict[str, np.ndarray]] = []
    scenes = scenes_of(range(PICTURES))
    noise = np.random.default_rng(0).integers(0, 255, (*SIZE[::-1], 3)).astype(np.uint8)
    turn = iter(range(10**6))

    def world() -> int:
        first = PICTURES * next(turn)
        products = [produce(Job(5, "train", first + n, SIZE)) for n in range(PICTURES)]
        truth.extend(product.truth for product in products)
        return sum(len(product.annotations) for product in products)

    rates = rounds_of({"world": world, "bare": lambda: bare(scenes, noise)}, rounds, clock=time.process_time)
    columns = {key: np.concatenate([part[key] for part in truth]) for key in truth[0]}
    return {
        "persons_per_cpu_second": {name: summary(values) for name, values in rates.items()},
        "ratio_to_bare": ratio(rates, "world", "bare"),
        "persons_per_picture": round(len(columns["heading"]) / len(truth), 2),
        "statistics": statistics_of(columns).model_dump(),
    }


def resident() -> float:
    """MiB of this process."""
    fields = Path("/proc/self/status").read_text(encoding="utf-8").split("VmRSS:")[1].split()
    return int(fields[0]) / 1024


def measure_memory(persons: int) -> dict[str, Any]:
    """Resident MiB while a sample is written in this process, by share of the people done."""
    seen: dict[int, float] = {}
    peak = [0.0]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            peak[0] = max(peak[0], resident())

    with tempfile.TemporaryDirectory() as folder:
        thread = threading.Thread(target=watch)
        thread.start()
        start = time.process_time()
        report = write_sample(
            SampleOptions(out=Path(folder) / "sample", persons=persons, size=SIZE),
            lambda done, total, _: seen.setdefault(10 * done // total, resident()),
        )
        over.set()
        thread.join()
    rate = report.splits[0].persons / (time.process_time() - start)
    by_tenth = {f"{10 * tenth} %": round(value, 1) for tenth, value in sorted(seen.items())}
    return {
        "persons": report.splits[0].persons, "complete": persons, "mib_at": by_tenth, "peak_mib": round(peak[0], 1),
        "persons_per_cpu_second": round(rate, 2), "statistics": report.splits[0].statistics.model_dump(),
    }  # fmt: skip


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--memory", type=int, default=0, metavar="PERSONS")
    arguments = parser.parse_args()
    content: dict[str, Any] = {"machine": machine(), "size": SIZE, "speed": measure_speed(arguments.rounds)}
    if arguments.memory:
        content["memory"] = measure_memory(arguments.memory)
    write("sample", content)


if __name__ == "__main__":
    main()
