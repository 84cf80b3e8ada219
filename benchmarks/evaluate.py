"""What does measuring cost beside the network alone? The same persons, views included against views made before.

    .venv/bin/python benchmarks/evaluate.py RUN [--benchmark sample] [--store STORE] [--persons 128] [--batch 32]
        [--rounds 9] [--iterations] [--device auto]

RUN and stores are found as `evaluate` finds them. The candidates take turns; ratios are taken within rounds:

    network     views that are there, normalised, through the network
    evaluate    views made from the store, the network, bodies turned and measured against the truth

What is done once for all persons is told apart: figures and their 1,000 draws, of 35,515 persons with random values.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np
import torch
from _measure import machine, ratio, rounds_of, summary, write

from pymaf_data.model.benchmarks.benchmark import Benchmark, Setting
from pymaf_data.model.benchmarks.manifest import load_benchmark
from pymaf_data.model.checkpoint import checkpoint_path, load_checkpoint
from pymaf_data.model.evaluation.measure import figures, measure
from pymaf_data.model.evaluation.subjects import NetworkSubject
from pymaf_data.model.evaluation.views import StoredViews
from pymaf_data.model.images import normalise
from pymaf_data.model.precision import channels_last, choose_device
from pymaf_data.paths import DataRoot
from pymaf_data.storage import open_store

PERSONS_OF_3DPW, DRAWS = 35_515, 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--benchmark", default="sample")
    parser.add_argument("--store", type=Path)
    parser.add_argument("--persons", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--iterations", action="store_true")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    root, manifest = DataRoot.default(), load_benchmark(options.benchmark)
    places = [options.store] if options.store else [root.store(one.dataset, one.split) for one in manifest.data]
    store = open_store(next(place for place in places if place.is_dir()))
    device = choose_device(options.device)
    model = channels_last(load_checkpoint(checkpoint_path(options.run, root), root.assets).to(device))
    benchmark: Benchmark = resolve_name(manifest.benchmark)(Setting(manifest, {}, store, root.assets))
    rows = benchmark.rows[: options.persons]
    views = StoredViews(store, model.view_size)
    subject = NetworkSubject(model, benchmark, views, {}, options.iterations, options.batch)
    made = [views(rows[first : first + options.batch]) for first in range(0, len(rows), options.batch)]

    def network() -> int:
        with torch.inference_mode():
            for batch in made:
                model(normalise(batch.to(device)), auxiliary=False).predictions[-1].vertices.sum().item()
        return len(rows)

    def evaluate() -> int:
        measure(benchmark, subject, rows)
        return len(rows)

    rates = rounds_of({"network": network, "evaluate": evaluate}, options.rounds)
    once = time.perf_counter()
    many = np.resize(benchmark.rows, PERSONS_OF_3DPW)
    random = np.random.default_rng(0).gamma(3, 20, (len(manifest.metrics), PERSONS_OF_3DPW))
    figures(benchmark, many, dict(zip(manifest.metrics, random, strict=True)), DRAWS)
    once = time.perf_counter() - once
    content: dict[str, Any] = {
        "machine": machine(),
        "what": f"{options.benchmark}, {len(rows)} persons, batches of {options.batch}, "
        f"{'every iteration' if options.iterations else 'the last iteration'}, {device}, "
        f"{torch.get_num_threads()} threads",
        "persons_per_second": {name: summary(values) for name, values in rates.items()},
        "time_against_network": ratio(rates, "network", "evaluate"),
        "once_for_35515_persons_s": round(once, 2),
    }
    write("evaluate", content)


if __name__ == "__main__":
    main()
