"""Two results on the same persons: paired differences, and how many persons got better."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pymaf_data.config import StrictModel
from pymaf_data.errors import EvaluationError
from pymaf_data.runs.evaluations import Evaluation, Figure, Measured, Metric

from ..benchmarks.benchmark import Values, mean
from .bootstrap import drawn_bounds, mean_bounds

Rows = NDArray[np.int64]
Figures = Callable[[Rows, Values], dict[str, float]]
_OF_SUBJECTS = ("choice", "iuv")


class Difference(Figure):
    """Of one metric, ours less the other's; of the persons of whom both have a value."""

    better: float | None = None
    """The share of the persons who got better; None where a person has no value of their own."""


class Comparison(StrictModel):
    """A subject against another on a benchmark, the last iteration of each."""

    benchmark: str
    metrics: dict[str, Metric]
    subject: str
    other: str
    persons: int
    differences: dict[str, Difference]
    lacking: dict[str, str] = Field(default_factory=dict)
    """Metric → why it is not compared."""


def compare(ours: Measured, other: Measured, figures: Figures | None, draws: int = 1000) -> Comparison:
    """Paired differences of two results.

    Args:
        ours, other: on the same benchmark and store.
        figures: the benchmark's, for what is no plain mean; ``None`` where its store is not here.
        draws: times that persons are drawn anew for the intervals, the same of both.

    Raises:
        EvaluationError: store or settings differ, or nobody was measured in both.
    """
    require_same(ours.evaluation, other.evaluation)
    (rows, mine), (_, theirs) = _common(ours, other)
    one, two = ours.evaluation, other.evaluation
    differences: dict[str, Difference] = {}
    for name, metric in one.metrics.items():
        if _is_plain(ours, name) and _is_plain(other, name):
            differences[name] = _of_means(mine[name] - theirs[name], metric, draws)
    rest = [name for name in one.metrics if name not in differences and name in one.iterations[one.last]]
    lacking = {name: "the other has none" for name in rest if name not in two.iterations[two.last]}
    rest = [name for name in rest if name not in lacking]
    if figures is None:
        lacking |= dict.fromkeys(rest, "it is no mean over persons, and the store is not here")
    elif rest:
        differences |= _of_figures(figures, rows, mine, theirs, rest, draws)
    return Comparison(
        benchmark=one.benchmark, metrics=one.metrics, subject=one.name, other=two.name, persons=len(rows),
        differences={name: differences[name] for name in one.metrics if name in differences}, lacking=lacking,
    )  # fmt: skip


def require_same(one: Evaluation, two: Evaluation) -> None:
    """Refuse results that say nothing of each other.

    Raises:
        EvaluationError: benchmark, options, store, or what both were measured by differs.
    """
    said = {
        "benchmark": (one.benchmark, two.benchmark),
        "metrics": (list(one.metrics), list(two.metrics)),
        "options": (one.settings.get("options"), two.settings.get("options")),
    }
    said |= {f"store's {key}": (one.store.get(key), two.store.get(key)) for key in ("dataset", "split")}
    stages = [_stages(one), _stages(two)]
    said |= {f"{name} of the store": (stages[0][name], stages[1][name]) for name in stages[0].keys() & stages[1].keys()}
    for what, (first, second) in sorted(said.items()):
        if first != second:
            raise EvaluationError(
                f"{one.name} and {two.name} were not measured on the same: {what} {first!s:.60} and {second!s:.60}",
                expected="one benchmark, its options and one store for both",
                action="measure both anew on the same store (`pymaf-data evaluate … --compare …`).",
            )


def _stages(one: Evaluation) -> dict[str, Any]:
    """Generations of the store that both must share; which fits were chosen is no matter of truth."""
    found = one.store.get("generations")
    return {key: value for key, value in found.items() if key not in _OF_SUBJECTS} if isinstance(found, dict) else {}


def _common(ours: Measured, other: Measured) -> tuple[tuple[Rows, Values], tuple[Rows, Values]]:
    """Rows and values of the persons of whom both know anything."""
    found = []
    sides = [(side.values["row"], side.of(side.evaluation.last)) for side in (ours, other)]
    _, *places = np.intersect1d(sides[0][0], sides[1][0], assume_unique=True, return_indices=True)
    known = np.ones(len(places[0]), bool)
    for (_, values), place in zip(sides, places, strict=True):
        anything = np.zeros(len(place), bool)
        for array in values.values():
            anything |= np.isfinite(array[place]).any(tuple(range(1, array.ndim)))
        known &= anything
    if not known.any():
        raise EvaluationError(
            f"{ours.evaluation.name} and {other.evaluation.name} have no person in common",
            expected="persons that were measured in both",
            action="measure both with the same --persons.",
        )
    for (rows, values), place in zip(sides, places, strict=True):
        mine = place[known]
        found.append((rows[mine], {name: array[mine] for name, array in values.items()}))
    return found[0], found[1]


def _is_plain(side: Measured, name: str) -> bool:
    """Whether a figure of the last iteration is the mean of its persons' values."""
    values = side.of(side.evaluation.last).get(name)
    figure = side.evaluation.iterations[side.evaluation.last].get(name)
    if values is None or values.ndim != 1 or figure is None:
        return False
    return figure.value is None or bool(np.isclose(mean(values), figure.value, rtol=1e-12, atol=0))


def _of_means(differences: NDArray[Any], metric: Metric, draws: int) -> Difference:
    known = differences[np.isfinite(differences)]
    if not len(known):
        return Difference(value=None, persons=0)
    low, high = mean_bounds({"": known}, draws).get("", (None, None)) if len(known) > 1 else (None, None)
    better = known < 0 if metric.better == "lower" else known > 0
    return Difference(value=mean(known), low=low, high=high, persons=len(known), better=float(better.mean()))


def _of_figures(
    figures: Figures, rows: Rows, mine: Values, theirs: Values, names: list[str], draws: int
) -> dict[str, Difference]:
    def difference(picks: Rows) -> dict[str, float]:
        one, two = (figures(rows[picks], {key: array[picks] for key, array in side.items()}) for side in (mine, theirs))
        return {name: one[name] - two[name] for name in names}

    found = difference(np.arange(len(rows)))
    bounds = drawn_bounds(difference, len(rows), draws) if len(rows) > 1 else {}
    return {
        name: Difference(
            value=value if np.isfinite(value) else None,
            low=bounds.get(name, (None, None))[0],
            high=bounds.get(name, (None, None))[1],
            persons=len(rows),
        )
        for name, value in found.items()
    }
