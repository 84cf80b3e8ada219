"""What other processes are worth: keypoint fits by one process and by two, and what a shard costs beside its work.

    .venv/bin/python benchmarks/executors.py [--persons 512]

Fits of a generated sample in shards of 32; each run fits a fresh copy of the store, and the candidates take turns. The
cost of a shard is that of one whose task is made already: 8 shards and 72 of them, so that starting drops out; it is
told beside. Goal: two processes fit 1.8 times as many persons as one. Where others use the machine, the clock says
little of that; processor seconds of the workers, starting included, say what the second process adds to the work.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import numpy as np
from _measure import machine, ratio, rounds_of, summary, write

from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.stages.executors import ExecutorOptions
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.stages.shards import Made, run_shards
from pymaf_data.storage import ArraySpec, Plan, Provenance, StageWriter, Store, create_store
from pymaf_data.world.sample import SampleOptions, write_sample

_GOAL = 1.8
_FEW, _MANY = 8, 72
_EXECUTORS = {
    "threads": ExecutorOptions(),
    "processes": ExecutorOptions(processes=1),
    "cluster": ExecutorOptions(cluster="local:1"),
}


def fit(store: Path, work: Path, processes: int, spent: dict[str, list[float]]) -> int:
    """Fit every person of a copy of a store; returns their number. The workers' processor seconds go to ``spent``."""
    copy, before = shutil.copytree(store, work / "copy.zarr"), getrusage(RUSAGE_CHILDREN)
    (report,) = attach_fits(AttachOptions(store=copy, fits=("keypoints",), processes=processes)).sources
    shutil.rmtree(copy)
    after = getrusage(RUSAGE_CHILDREN)
    spent[str(processes)].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return report.persons


@dataclass(frozen=True)
class Nothing:
    """A job whose shards are made already, of one number a row."""

    plan: Plan
    stage: str = "ingest"
    remark: str = ""
    files: tuple[Path, ...] = ()

    def begin(self, store: Store) -> StageWriter:
        """See :class:`ShardJob`."""
        return store.stage("ingest", self.plan.digest, _SPECS)

    def task(self, shard: int, rows: slice) -> Made:
        """See :class:`ShardJob`."""
        return Made({"box": np.zeros((rows.stop - rows.start, 3))}, f"{shard:064}")


_SPECS = (ArraySpec("box", (3,), "f8", 1),)


def seconds(work: Path, options: ExecutorOptions, shards: int) -> float:
    """What a run of so many empty shards takes."""
    plan = Plan(dataset="made", split="train", rows=tuple((f"{i:05d}.jpg", i) for i in range(shards)), shard=1)
    store = create_store(work / "empty.zarr", plan, _SPECS, Provenance())
    start = time.perf_counter()
    run_shards(store, Nothing(plan), options.executor())
    spent = time.perf_counter() - start
    shutil.rmtree(work / "empty.zarr")
    return spent


def cost_of_a_shard(work: Path, options: ExecutorOptions, rounds: int) -> dict[str, float]:
    """Milliseconds of a shard, and seconds until the first, medians."""
    few, many = ([seconds(work, options, count) for _ in range(rounds)] for count in (_FEW, _MANY))
    each = (statistics.median(many) - statistics.median(few)) / (_MANY - _FEW)
    return {"shard_ms": round(1000 * each, 2), "start_s": round(statistics.median(few) - _FEW * each, 2)}


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--raw", type=Path, help="a sample to use, or to make; by default a temporary one")
    arguments = parser.parse_args()
    found = machine()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        raw = arguments.raw or work / "raw"
        write_sample(SampleOptions(out=raw, persons=arguments.persons))
        store = ingest(IngestOptions(dataset="sample", root=raw, out=work / "sample-train.zarr", shard=32)).store
        spent: dict[str, list[float]] = {"1": [], "2": []}
        candidates = {str(count): lambda count=count: fit(store, work, count, spent) for count in (1, 2)}
        rates = rounds_of(candidates, arguments.rounds)
        costs = {name: cost_of_a_shard(work, options, arguments.rounds) for name, options in _EXECUTORS.items()}
    gain = ratio(rates, "2", "1")
    spent = {count: values[1:] for count, values in spent.items()}  # without the warm-up
    results = {
        "machine": found,
        "persons": arguments.persons,
        "fitted_per_second": {f"{count} processes": summary(values) for count, values in rates.items()},
        "two_processes_to_one": {**gain, "goal": _GOAL, "reached": gain["median"] >= _GOAL},
        "processor_seconds_of_workers": {f"{count} processes": summary(values) for count, values in spent.items()},
        "processor_seconds_of_two_to_one": ratio(spent, "2", "1"),
        "cost": costs,
    }
    write("executors", results)


if __name__ == "__main__":
    main()
