"""Reading crops from a store, against bare JPEG decoding and zarr-python in the same run.

    .venv/bin/python benchmarks/store.py [--persons 1024] [--rounds 9]

Crops of 400 × 400 at q95, 512 a shard, pages in the cache, one thread, rates per second of processor time. *Bare*
decodes the same streams from a list in memory, with the same decoder settings, into a new array each: no file, no
index, no checksum. *Single*, *block* and *run* are ``store.array("image")`` (memory map, shard index, CRC-32C, decode)
for random single rows, random blocks of 32, and from the first row to the last in blocks of 32; the goal is 85 % of
bare for each. *zarr* is zarr-python on the same files, its random block by ``oindex``. Each round has a random order of
its own, the same for all candidates.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
import zarr
from _measure import machine, ratio, rounds_of, summary, write

from pymaf_data.storage import Array, ArraySpec, Plan, Provenance, create_store, encode_jpeg, open_store

SIZE, BLOCK = 400, 32


def crop(random: np.random.Generator) -> np.ndarray:
    """A crop (S, S, 3) uint8 with the spectrum of natural scenes; about 48 kB as JPEG, as crops of COCO are."""
    frequency = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.fftfreq(SIZE)[None])
    noise = np.fft.fft2(random.normal(size=(3, SIZE, SIZE))) / np.maximum(frequency, 1.0 / SIZE) ** 1.6
    luma, *chroma = (plane / plane.std() for plane in np.fft.ifft2(noise).real)
    planes = np.stack([luma + 0.3 * chroma[0], luma, luma + 0.3 * chroma[1]], -1)
    return (128 + 50 * planes).clip(0, 255).astype(np.uint8)


def make_store(path: Path, persons: int) -> list[bytes]:
    """Write a store of drawn crops; returns their JPEG streams."""
    random = np.random.default_rng(0)
    scenes = [crop(random) for _ in range(32)]
    shifts = random.integers(0, SIZE, (persons, 2)).tolist()
    streams = [encode_jpeg(np.roll(scenes[i % 32], shift, (0, 1))) for i, shift in enumerate(shifts)]
    rows = tuple((f"{i:06d}.jpg", i) for i in range(persons))
    plan, specs = (
        Plan(dataset="drawn", split="bench", rows=rows),
        [ArraySpec("image", (SIZE, SIZE, 3), "u1", 1, "jpeg")],
    )
    store = create_store(path, plan, specs, Provenance())
    with store.lock("ingest"):
        writer = store.stage("ingest", plan.digest, specs)
        for shard in writer.missing():
            writer.write_shard(shard, {"image": streams[writer.rows(shard)]}, "drawn")
        writer.finish()
    return streams


def candidates(
    streams: list[bytes], ours: Array, theirs: Any, orders: list[np.ndarray]
) -> dict[str, Callable[[], int]]:
    """Each reader in each order of reading: a function that reads every person once (zarr-python: some of them)."""

    def bare(order: np.ndarray) -> int:
        for row in order.tolist():
            simplejpeg.decode_jpeg(streams[row], fastdct=False, fastupsample=False)
        return len(order)

    def single(order: np.ndarray) -> int:
        for row in order.tolist():
            ours[row]
        return len(order)

    def block(order: np.ndarray) -> int:
        for rows in order.reshape(-1, BLOCK):
            ours.rows(rows)
        return order.size

    def run(order: np.ndarray) -> int:
        for first in range(0, len(order), BLOCK):
            ours[first : first + BLOCK]
        return len(order)

    def zarr_single(order: np.ndarray) -> int:
        part = order[: len(order) // 4]
        for row in part.tolist():
            theirs[row]
        return len(part)

    def zarr_block(order: np.ndarray) -> int:
        rows = np.sort(order[:BLOCK])
        theirs.oindex[rows]
        return BLOCK

    def zarr_run(order: np.ndarray) -> int:
        count = len(order) // 4
        for first in range(0, count, BLOCK):
            theirs[first : first + BLOCK]
        return count

    readers = {"bare": bare, "single": single, "block": block, "run": run}
    readers |= {"zarr single": zarr_single, "zarr block": zarr_block, "zarr run": zarr_run}
    sources: dict[str, Iterator[np.ndarray]] = {name: cycle(orders) for name in readers}
    return {name: lambda read=read, name=name: read(next(sources[name])) for name, read in readers.items()}


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    random = np.random.default_rng(1)
    orders = [random.permutation(options.persons) for _ in range(options.rounds + 1)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "drawn-bench.zarr"
        streams = make_store(path, options.persons)
        ours, theirs = open_store(path).array("image"), zarr.open_array(path / "image", mode="r")
        rates = rounds_of(candidates(streams, ours, theirs, orders), options.rounds, clock=time.process_time)
    result = {
        "persons": options.persons,
        "bytes_a_crop": round(sum(map(len, streams)) / len(streams)),
        "rates": {name: summary(values) for name, values in rates.items()},
        "ratio_to_bare": {name: ratio(rates, name, "bare") for name in rates if name != "bare"},
        "goal": 0.85,
        "machine": machine(),
    }
    for name, values in result["rates"].items():
        share = result["ratio_to_bare"].get(name, {"median": 1.0})["median"]
        print(f"{name:<12} {values['median']:8.0f} crops/s   {share:6.1%} of bare")
    write("store", result)


if __name__ == "__main__":
    main()
