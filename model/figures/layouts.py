"""Figures of bodies: a person a row, bodies over the view and from the side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pymaf_data.errors import EvaluationError, UsageError
from pymaf_data.progress import Progress
from pymaf_data.report.panels import Image, labelled, message_panel
from pymaf_data.report.persons import caption
from pymaf_data.report.sheet import SheetRow
from pymaf_data.storage import Store

from ..benchmarks.benchmark import Benchmark, Values
from ..evaluation.measure import measure
from ..evaluation.subjects import Subject
from .bodies import Shown, ShownBody, from_the_side, over, shown_bodies, true_bodies, views_of
from .measured import ALIGNMENT, PA, WithAlignment
from .sheet import IMAGE, Sheet, titled

_SIDE = "from the side"


def iterations(subject: Subject, store: Store, rows: list[int]) -> Sheet:
    """Figures 5, 9, 11 and 12: the mean body and every iteration, over the view, and below it from the side.

    Raises:
        UsageError: bodies that no iterations led to.
    """
    shown, views = shown_bodies(subject, rows), views_of(store, rows)
    columns = list(dict.fromkeys(name for bodies in shown.values() for name in bodies))
    if columns == ["fit"]:
        raise UsageError(
            f"{subject.about['name']} has no iterations", expected="a checkpoint", action="name one, or take compare."
        )
    entries = []
    for row, view in zip(rows, views, strict=True):
        bodies = shown.get(row, {})
        above = {name: over(view, bodies.get(name)) for name in columns}
        below = {name: from_the_side(bodies.get(name)) for name in columns}
        entries += [SheetRow(caption(store, row), {IMAGE: view, **above})]
        entries += [SheetRow(_SIDE, {IMAGE: message_panel(""), **below})]
    return Sheet([IMAGE, *columns], entries, rows, {})


def compare(subjects: Mapping[str, Subject], store: Store, rows: list[int]) -> Sheet:
    """Figures 4, 7, 8 and 10: the results of several side by side."""
    each = [_last(shown_bodies(subject, rows)) for subject in subjects.values()]
    return _beside(titled([*subjects]), each, store, rows, [{}] * len(each))


def alignment(
    subjects: Mapping[str, Subject],
    benchmark: Benchmark,
    kind: str,
    among: np.ndarray,
    persons: int,
    progress: Progress | None = None,
) -> Sheet:
    """Figure 6: of whom one of two has the lower PA-MPJPE and lies worse on the image; the plainest cases first.

    Raises:
        EvaluationError: there is nobody of whom that is so.
    """
    unit, sign = ALIGNMENT[kind]
    measures = WithAlignment(benchmark, kind)
    one, two = (_last_values(measure(measures, subject, among, progress), among) for subject in subjects.values())
    apart, aligned = one[PA] - two[PA], sign * (one["alignment"] - two["alignment"])
    contrary = np.flatnonzero(apart * aligned < 0)  # NaN is no contradiction
    if not len(contrary):
        raise EvaluationError(
            f"of {len(among):,} persons none has a lower {PA} of one and a worse {kind} of the same",
            expected="two that err differently",
            action="look among more with --among, or set another beside it.",
        )
    order = contrary[np.argsort((apart * aligned)[contrary], kind="stable")][:persons]
    rows, store = among[order].tolist(), benchmark.store
    labels = [
        {
            row: f"{PA} {values[PA][k]:.1f} mm\n{kind} {values['alignment'][k]:.1f} {unit}"
            for row, k in zip(rows, order, strict=True)
        }
        for values in (one, two)
    ]
    each = [_last(shown_bodies(subject, rows)) for subject in subjects.values()]
    names = [*subjects]
    told = {
        f"{what} of {name}": values[key][order].tolist()
        for name, values in zip(names, (one, two), strict=True)
        for what, key in ((PA, PA), (kind, "alignment"))
    }
    return _beside(titled(names), each, store, rows, labels)._replace(values=told)


def worst(
    name: str,
    subject: Subject,
    benchmark: Benchmark,
    metric: str,
    among: np.ndarray,
    persons: int,
    progress: Progress | None = None,
) -> Sheet:
    """Figure 13: the largest errors of all, the true body beside them.

    Raises:
        EvaluationError: the metric has no values of single persons.
    """
    values = _last_values(measure(benchmark, subject, among, progress), among)
    errors = values.get(metric, np.empty(0))
    if errors.shape != among.shape or not np.isfinite(errors).any():
        raise EvaluationError(
            f"{benchmark.manifest.name} has no {metric} of single persons of {name}",
            expected="a metric that is a mean over persons",
            action="name another with --by.",
        )
    sign = -1.0 if benchmark.manifest.metrics[metric].better == "lower" else 1.0
    known = np.flatnonzero(np.isfinite(errors))
    order = known[np.argsort(sign * errors[known], kind="stable")][:persons]
    rows = among[order].tolist()
    told = [each for each in dict.fromkeys((metric, "MPJPE", PA)) if values.get(each, errors[:0]).shape == among.shape]
    units = {each: benchmark.manifest.metrics[each].unit for each in told}
    labels = {
        row: "\n".join(f"{each} {values[each][k]:.1f} {units[each]}" for each in told)
        for row, k in zip(rows, order, strict=True)
    }
    each, titles = [_last(shown_bodies(subject, rows))], titled([name])
    true = _last(true_bodies(benchmark, rows))
    if true:
        each, titles = [*each, true], [*titles, "truth"]
    found = _beside(titles, each, benchmark.store, rows, [labels, {}][: len(each)])
    return found._replace(values={name: values[name][order].tolist() for name in told})


def _beside(
    titles: Sequence[str],
    each: Sequence[Mapping[int, ShownBody]],
    store: Store,
    rows: list[int],
    labels: Sequence[Mapping[int, str]],
) -> Sheet:
    """Image, and of everybody the body over it, with its label, and from the side."""
    entries = []
    for row, view in zip(rows, views_of(store, rows), strict=True):
        panels: dict[str, Image] = {IMAGE: view}
        for title, bodies, told in zip(titles, each, labels, strict=True):
            body = bodies.get(row)
            panels[title] = labelled(over(view, body), told.get(row, ""))
            panels[_side(title)] = from_the_side(body)
        entries.append(SheetRow(caption(store, row), panels))
    columns = [IMAGE, *(column for title in titles for column in (title, _side(title)))]
    return Sheet(columns, entries, rows, {})


def _side(title: str) -> str:
    letter, colon, _ = title.partition(": ")
    return f"{letter} {_SIDE}" if colon or letter == "truth" else _SIDE


def _last(shown: Shown) -> dict[int, ShownBody]:
    return {row: bodies[list(bodies)[-1]] for row, bodies in shown.items()}


def _last_values(found: Mapping[str, Values], among: np.ndarray) -> Values:
    """Of the last iteration.

    Raises:
        EvaluationError: there is not one body.
    """
    if not found:
        raise EvaluationError(
            f"there is no body of any of the {len(among):,} persons",
            expected="fits of persons of this store",
            action="attach them with `pymaf-data attach-fits`.",
        )
    return found[list(found)[-1]]
