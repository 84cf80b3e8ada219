"""One subject on one benchmark: from bodies to figures with their intervals."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pymaf_data.progress import Progress
from pymaf_data.runs.evaluations import Figure

from ..benchmarks.benchmark import Benchmark, Bodies, Values, mean
from .bootstrap import Bounds, drawn_bounds, mean_bounds
from .subjects import Subject

Rows = NDArray[np.int64]
ByIteration = dict[str, Values]
_AHEAD = 2


class Measures(Protocol):
    """Measures bodies as a :class:`~pymaf_data.model.benchmarks.benchmark.Benchmark` does."""

    def measure(self, rows: Rows, bodies: Bodies) -> Values:
        """Values of K persons, names → (K, …)."""


def measure(benchmark: Measures, subject: Subject, rows: Rows, progress: Progress | None = None) -> ByIteration:
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
    benchmark: Measures, part: Rows, iterations: Mapping[str, Bodies], rows: Rows, values: ByIteration
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
    return figures_by_iteration(benchmark, rows, {"": values}, draws)[""]


def figures_by_iteration(
    benchmark: Benchmark, rows: Rows, iterations: Mapping[str, Values], draws: int = 0
) -> dict[str, dict[str, Figure]]:
    """The same of every iteration, drawn once for all."""
    found = {iteration: benchmark.figures(rows, values) for iteration, values in iterations.items()}
    drawn: dict[str, dict[str, Bounds]] = {iteration: {} for iteration in iterations}
    if draws and benchmark.resampled and len(rows) > 1:
        drawn = _drawn(benchmark, rows, iterations, found, draws)
    return {
        iteration: {
            name: Figure(
                value=value if np.isfinite(value) else None,
                low=drawn[iteration].get(name, (None, None))[0],
                high=drawn[iteration].get(name, (None, None))[1],
                persons=_known(iterations[iteration], name, len(rows)),
            )
            for name, value in of_one.items()
        }
        for iteration, of_one in found.items()
    }


def _drawn(
    benchmark: Benchmark,
    rows: Rows,
    iterations: Mapping[str, Values],
    found: Mapping[str, Mapping[str, float]],
    draws: int,
) -> dict[str, dict[str, Bounds]]:
    """Intervals: of all means at once, of other figures one iteration after the other."""
    means = {
        (iteration, name): iterations[iteration][name]
        for iteration, of_one in found.items()
        for name, value in of_one.items()
        if is_mean(iterations[iteration], name, value)
    }
    drawn: dict[str, dict[str, Bounds]] = {iteration: {} for iteration in found}
    for iteration, values in iterations.items():
        if any((iteration, name) not in means for name in found[iteration]):
            drawn[iteration] = drawn_bounds(_of_drawn(benchmark, rows, values), len(rows), draws)
    for (iteration, name), bounds in mean_bounds(means, draws).items():
        drawn[iteration][name] = bounds
    return drawn


def _of_drawn(benchmark: Benchmark, rows: Rows, values: Values) -> Callable[[Rows], dict[str, float]]:
    return lambda picks: benchmark.figures(rows[picks], {name: array[picks] for name, array in values.items()})


def is_mean(values: Values, name: str, figure: float | None) -> bool:
    """Whether a figure is the plain mean of its values."""
    array = values.get(name)
    return array is not None and array.ndim == 1 and figure is not None and mean(array) == figure


def _known(values: Values, name: str, persons: int) -> int:
    """Persons with a value of a metric; of one that is made of several values, those with any."""
    arrays: list[NDArray[Any]] = [values[name]] if name in values else list(values.values())
    known = np.zeros(persons, bool)
    for array in arrays:
        known |= np.isfinite(array).any(tuple(range(1, array.ndim)))
    return int(known.sum())
