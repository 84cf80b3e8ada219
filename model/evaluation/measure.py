"""One subject on one benchmark: from bodies to figures with their intervals."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymaf_data.progress import Progress
from pymaf_data.runs.evaluations import Figure

from ..benchmarks.benchmark import Benchmark, Bodies, Values
from .subjects import Subject

Rows = NDArray[np.int64]
ByIteration = dict[str, Values]
_AHEAD = 2
_INTERVAL = (2.5, 97.5)


def measure(benchmark: Benchmark, subject: Subject, rows: Rows, progress: Progress | None = None) -> ByIteration:
    """Values (K, …) of each iteration for K rows, NaN for persons of whom the subject has no body.

    What a benchmark does with bodies runs in a thread of its own, beside the network's next batch.
    """
    values: ByIteration = {}
    waiting: deque[Future[int]] = deque()
    done = 0
    with ThreadPoolExecutor(1, thread_name_prefix="pymaf-measure") as pool:
        for part, iterations in subject.bodies(rows):
            waiting.append(pool.submit(_measure_part, benchmark, part, iterations, rows, values))
            while len(waiting) > _AHEAD:
                done += waiting.popleft().result()
                if progress:
                    progress(done, len(rows), "")
        for each in waiting:
            done += each.result()
            if progress:
                progress(done, len(rows), "")
    return values


def _measure_part(
    benchmark: Benchmark, part: Rows, iterations: Mapping[str, Bodies], rows: Rows, values: ByIteration
) -> int:
    places = np.searchsorted(rows, part)
    for iteration, bodies in iterations.items():
        kept = values.setdefault(iteration, {})
        for name, found in benchmark.measure(part, bodies).items():
            if name not in kept:
                kept[name] = np.full((len(rows), *found.shape[1:]), np.nan)
            kept[name][places] = found
    return len(part)


def figures(benchmark: Benchmark, rows: Rows, values: Values, draws: int = 0) -> dict[str, Figure]:
    """The metrics of some persons, with 95 % intervals where persons are drawn anew ``draws`` times."""
    found = benchmark.figures(rows, values)
    persons = {name: _known(values, name, len(rows)) for name in found}
    bounds: dict[str, tuple[float, float]] = {}
    if draws and benchmark.resampled and len(rows) > 1:
        random = np.random.default_rng(0)
        drawn: dict[str, list[float]] = {name: [] for name in found}
        for _ in range(draws):
            picks = random.integers(0, len(rows), len(rows))
            again = benchmark.figures(rows[picks], {name: array[picks] for name, array in values.items()})
            for name, value in again.items():
                drawn[name].append(value)
        for name, samples in drawn.items():
            finite = np.array(samples)[np.isfinite(samples)]
            if len(finite):
                low, high = np.percentile(finite, _INTERVAL).tolist()
                bounds[name] = low, high
    return {
        name: Figure(
            value=value if np.isfinite(value) else None,
            low=bounds.get(name, (None, None))[0],
            high=bounds.get(name, (None, None))[1],
            persons=persons[name],
        )
        for name, value in found.items()
    }


def _known(values: Values, name: str, persons: int) -> int:
    """Persons with a value of a metric; of one that is made of several values, those with any."""
    arrays: list[NDArray[Any]] = [values[name]] if name in values else list(values.values())
    known = np.zeros(persons, bool)
    for array in arrays:
        known |= np.isfinite(array.reshape(persons, -1)).any(1)
    return int(known.sum())
