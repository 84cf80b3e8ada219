"""Intervals of figures, by drawing the persons anew: simple percentiles of 95 %.

Means of many draws are one product: how often each draw takes each person, times the values.

    counts (D, N) · values (N, M)     D draws of N persons, M metrics

Any other figure is asked of the drawn persons, draw by draw, and of large benchmarks for fewer draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bounds = tuple[float, float]
Name = TypeVar("Name")
_INTERVAL = (2.5, 97.5)
_CELLS = 4_000_000  # of the counts at a time: 32 MB
_MOST_DRAWN, _LEAST_DRAWS = 20_000_000, 100


def draws_of(persons: int, draws: int) -> Iterator[NDArray[np.int64]]:
    """(N,) persons of each draw, the same ones every time."""
    random = np.random.default_rng(0)
    for _ in range(draws):
        yield random.integers(0, persons, persons)


def mean_bounds(values: Mapping[Name, NDArray[Any]], draws: int) -> dict[Name, Bounds]:
    """Bounds of the means of values (N,), of those that are finite; a name has none where no draw has a value."""
    if not values or not draws:
        return {}
    columns = np.stack([np.asarray(array, np.float64) for array in values.values()], axis=1)
    known = np.isfinite(columns)
    N, table = len(columns), np.concatenate([np.where(known, columns, 0.0), known], axis=1)
    step = max(_CELLS // max(N, 1), 1)
    sums = np.empty((draws, table.shape[1]))
    picks = draws_of(N, draws)
    for first in range(0, draws, step):
        count = min(step, draws - first)
        counts = np.stack([np.bincount(next(picks), minlength=N) for _ in range(count)])
        sums[first : first + count] = counts.astype(np.float64) @ table
    M = columns.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums[:, :M] / sums[:, M:]
    return {name: bounds for k, name in enumerate(values) if (bounds := bounds_of(means[:, k])) is not None}


def drawn_bounds(
    figures: Callable[[NDArray[np.int64]], Mapping[str, float]], persons: int, draws: int
) -> dict[str, Bounds]:
    """Bounds of any figures.

    Args:
        figures: of drawn persons, places (N,) among all, with repetition.
        persons: N.
        draws: at most so many; so that no more than 20 million persons are drawn, but never fewer than 100 times.
    """
    samples: dict[str, list[float]] = {}
    for picks in draws_of(persons, min(draws, max(_MOST_DRAWN // max(persons, 1), _LEAST_DRAWS))):
        for name, value in figures(picks).items():
            samples.setdefault(name, []).append(value)
    found = {name: bounds_of(np.array(drawn, np.float64)) for name, drawn in samples.items()}
    return {name: bounds for name, bounds in found.items() if bounds is not None}


def bounds_of(samples: Floats) -> Bounds | None:
    """The interval of a figure's samples; None where none is finite."""
    finite = samples[np.isfinite(samples)]
    if not len(finite):
        return None
    low, high = np.percentile(finite, _INTERVAL).tolist()
    return low, high
