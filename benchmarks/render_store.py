"""A whole store's maps: the stage `render-iuv`, end to end, against the rasterizer alone.

    .venv/bin/python benchmarks/render_store.py [--persons 20000]

The stage reads fits, poses bodies, draws, encodes and commits shards with checksums. *kernel* is `render_stored` on
bodies that are posed already; it takes turns with the stage, which draws half of the shards with one worker and the
rest with two. Rates per second of one core are by processor time, so that other work on the machine counts little.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import tempfile
import time
from pathlib import Path

import torch
from _measure import machine, write
from _store import make_store

from pymaf_data.body import load_body
from pymaf_data.geometry.affines import compose, resize
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.render import MAP_SIZE, load_atlas, render_stored
from pymaf_data.stages.iuv_plan import prepare
from pymaf_data.stages.iuv_shard import BLOCK
from pymaf_data.stages.render_iuv import RenderOptions, render_iuv_stage
from pymaf_data.storage import Store, open_store

_GOAL = 0.7


def kernel_rate(store: Store, persons: int = 1024) -> float:
    """Maps per second of one core, of the store's first persons, by the rasterizer alone."""
    task, body, atlas = (
        prepare(store, MAP_SIZE, "numba").task(0, slice(0, persons)),
        load_body("free"),
        load_atlas("free"),
    )
    spent = 0.0
    for first in range(0, persons, BLOCK):
        block = task.rows[first : first + BLOCK]
        pose = axis_angle_to_matrix(torch.from_numpy(block.fits.pose.reshape(-1, 24, 3)))
        with torch.no_grad():
            vertices = body.mesh(pose, torch.from_numpy(block.fits.betas))
        to_map = compose(resize(task.crop_size, MAP_SIZE), block.crop_affine)
        camera = block.fits.cameras("perspective", block.box, to_map)
        start = time.process_time()
        render_stored(vertices, camera, atlas)
        spent += time.process_time() - start
    return persons / spent


def stage_rates(path: Path, shards: str, workers: int) -> dict[str, float]:
    """Maps per second of the stage, by processor time and by the clock."""
    cpu, wall = time.process_time(), time.perf_counter()
    (report,) = render_iuv_stage(RenderOptions(stores=(path,), shard=shards, workers=workers)).stores
    spent = time.process_time() - cpu, time.perf_counter() - wall
    return {
        "workers": workers,
        "maps": report.maps_written,
        "per_core_second": round(report.maps_written / spent[0]),
        "per_second_by_clock": round(report.maps_written / spent[1]),
    }


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=20_000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "benchmark.zarr"
        # In a process of its own, whose memory says nothing about the stage's.
        making = multiprocessing.get_context("spawn").Process(target=make_store, args=(path, arguments.persons, False))
        making.start()
        making.join()
        store = open_store(path)
        half = -(-len(store) // store.shard) // 2
        kernel_rate(store, BLOCK)  # compiles
        kernels, stages = [kernel_rate(store)], []
        before = _peak()
        for shards, workers in ((f"0-{half - 1}", 1), ("missing", 2)):
            stages.append(stage_rates(path, shards, workers))
            kernels.append(kernel_rate(store))
        after = _peak()
        size = sum(file.stat().st_size for file in (path / "iuv").rglob("*") if file.is_file())
    kernel = statistics.median(kernels)
    for stage in stages:
        stage["of_kernel"] = round(stage["per_core_second"] / kernel, 3)
    write(
        "render_store",
        {
            "what": "maps per second, from a store of fits to a store with maps",
            "goal": {"of_kernel": _GOAL},
            "machine": machine(),
            "persons": arguments.persons,
            "kernel_per_core_second": [round(rate) for rate in kernels],
            "stage": stages,
            "peak_memory_mib": {"before": before, "after": after},
            "bytes_per_person": round(size / arguments.persons),
        },
    )


def _peak() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
