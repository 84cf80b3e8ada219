"""The page of an evaluation: figures beside the published ones, errors of everybody, the worst and the best drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymaf_data import __version__
from pymaf_data.datasets.columns import stored_column
from pymaf_data.digest import digest_file, digest_json
from pymaf_data.errors import NotAStore, StoreError
from pymaf_data.paths import DataRoot
from pymaf_data.progress import Progress
from pymaf_data.report.evaluation_images import ResultDrawer
from pymaf_data.report.gather import gather
from pymaf_data.report.html import Page, design
from pymaf_data.report.measures import MEASURES
from pymaf_data.report.thumbnails import encode
from pymaf_data.runs.drawn import Drawn
from pymaf_data.runs.evaluations import GROUP, Evaluation, Measured, Metric, read, read_figures
from pymaf_data.storage import Store, open_store

MOST_ROWS = 50_000
_BINS = 24
_KINDS = 2, 40
_CONDITIONS = ("Image", "Posture")


def evaluation_page(path: Path, given: Path | None = None, progress: Progress | None = None) -> Page:
    """Gather everything a page says of an evaluation; bodies are drawn when the page is written.

    Args:
        path: its JSON.
        given: the store; ``None``: that of its data set and split below the data root.
        progress: told how many are drawn.

    Raises:
        EvaluationError: it cannot be read.
    """
    measured = read(path)
    evaluation, drawn = measured.evaluation, Drawn.of(measured.values, measured.evaluation.persons)
    store, note = store_of(evaluation, given)
    if store is not None and measured.values["row"][-1:].max(initial=0) >= len(store):
        store, note = None, "Persons are not drawn: the store has fewer persons than the result names."
    places = _spread(evaluation.persons, drawn)
    drawer = ResultDrawer(store, drawn, measured.values["row"]) if store is not None and drawn is not None else None
    notes = [note] * bool(note) + (drawer.notes() if drawer is not None else [])
    table, columns = _table(measured, store, places)
    meta = {
        "kind": "evaluation",
        "version": __version__,
        "notes": notes,
        "evaluation": evaluation.model_dump(mode="json"),
        "spreads": _spreads(measured),
        "table": table,
    }
    images = _Images(drawer, np.searchsorted(places, drawn.place), progress) if drawer and drawn else ()
    title = f"{evaluation.name} on {evaluation.benchmark}"
    return Page(title, shows(path, given), meta, {"columns": columns}, images)


def shows(path: Path, given: Path | None) -> str:
    """Digest of everything that the page of an evaluation depends on.

    Raises:
        EvaluationError: it cannot be read.
    """
    evaluation = read_figures(path)
    store, note = store_of(evaluation, given)
    stages = [[info.stage, info.generation, info.current] for info in store.stages()] if store is not None else note
    values = path.parent / evaluation.values  # it may name none
    digests = [digest_file(one) for one in (path, values) if one.is_file()]
    return digest_json([design(), __version__, digests, stages])


def store_of(evaluation: Evaluation, given: Path | None) -> tuple[Store | None, str]:
    """The very store that was measured on; else none, and why."""
    known = evaluation.store
    if not known:
        return None, ""
    path = given or DataRoot.default().store(_plain(known.get("dataset")), _plain(known.get("split")))
    try:
        store = open_store(path)
        found = store.current("ingest").generation
    except (NotAStore, StoreError):
        return None, f"Persons are not drawn: their store is not at {path.name} (--store names it)."
    generations = known.get("generations")
    if not isinstance(generations, dict) or generations.get("ingest") != found:
        return None, f"Persons are not drawn: {path.name} is another store than the one that was measured on."
    return store, ""


def name_of(path: Path, evaluation: Evaluation) -> str:
    """The page's file name."""
    return f"evaluation-{_plain(evaluation.name)}-{path.stem}.html"


def _plain(name: Any) -> str:
    """A name that is no path, whatever it says."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in str(name)[:80]).lstrip(".")


def _spread(persons: int, drawn: Drawn | None) -> NDArray[np.int64]:
    """Places whose values the page holds: all, else an even spread and those that are drawn."""
    places = np.unique(np.linspace(0, persons - 1, min(persons, MOST_ROWS)).round().astype(np.int64))
    return np.union1d(places, drawn.place) if drawn is not None else places


def _metrics(measured: Measured, iteration: str) -> Iterator[tuple[str, Metric, NDArray[Any]]]:
    """Metrics of which a person has a value, with everybody's."""
    values = measured.of(iteration)
    for name, metric in measured.evaluation.metrics.items():
        array = values.get(name)
        if array is not None and array.ndim == 1 and np.isfinite(array).any():
            yield name, metric, array


def _table(measured: Measured, store: Store | None, places: NDArray[np.int64]) -> tuple[dict[str, Any], bytes]:
    """Persons as the scripts take them: what is said of their columns, and the columns."""
    values, rows = measured.values, measured.values["row"][places]
    measures: list[dict[str, Any]] = []
    columns: list[NDArray[Any]] = []
    for number, (name, metric, array) in enumerate(_metrics(measured, measured.evaluation.last)):
        measures.append({"key": f"error{number}", "title": name, "unit": metric.unit, "note": metric.title or name,
                         "group": "Error", "series": [""], "plot": "bars", "whole": False,
                         "better": metric.better})  # fmt: skip
        columns.append(array[places][None])
    found = gather(store, rows=rows).values if store is not None else {}
    for measure in MEASURES:
        if measure.group in _CONDITIONS and np.isfinite(found.get(measure.key, np.nan)).any():
            measures.append(measure.model_dump(mode="json"))
            columns.append(found[measure.key])
    table = {
        "measures": measures,
        "names": values["image"][places].tolist(),
        "annotations": values["annotation_id"][places].tolist(),
        "rows": rows.tolist(),
        "states": ["measured"],
        "groups": _groups(measured, store, places),
    }
    count = np.zeros(2 * len(places), np.uint8)
    return table, b"".join([*(column.astype("<f4").tobytes() for column in columns), count.tobytes()])


def _groups(measured: Measured, store: Store | None, places: NDArray[np.int64]) -> dict[str, list[int]]:
    """Group → which of the page's persons; those of the benchmark, then subjects and sequences where they are few."""
    found = {
        name.removeprefix(GROUP): np.flatnonzero(mine[places]).tolist()
        for name, mine in measured.values.items()
        if name.startswith(GROUP)
    }
    if store is None:
        return found
    for kind in ("subject", "sequence"):
        numbers = stored_column(store, kind).rows(measured.values["row"][places])
        known = np.unique(numbers[numbers >= 0])
        if _KINDS[0] <= len(known) <= _KINDS[1]:
            found |= {f"{kind} {number}": np.flatnonzero(numbers == number).tolist() for number in known.tolist()}
    return found


def _spreads(measured: Measured) -> list[dict[str, Any]]:
    """Of each metric the counts of every iteration in the same bins, and where its middle lies."""
    iterations = list(measured.evaluation.iterations)
    found = []
    for name, metric, last in _metrics(measured, iterations[-1]):
        every = [measured.of(iteration).get(name, np.full(len(last), np.nan)) for iteration in iterations]
        known = [array[np.isfinite(array)] for array in every]
        low, high = np.percentile(np.concatenate(known), [0.5, 99.5]).tolist()
        edges = np.linspace(low, high if high > low else low + 1.0, _BINS + 1)
        found.append(
            {
                "title": name,
                "unit": metric.unit,
                "note": metric.title or name,
                "bins": {
                    "first": edges[0],
                    "step": edges[1] - edges[0],
                    "counts": [np.histogram(np.clip(one, *edges[[0, -1]]), edges)[0].tolist() for one in known],
                },
                "of": [_summary(one) for one in known],
                "names": iterations,
            }
        )
    return found


def _summary(known: NDArray[Any]) -> dict[str, Any]:
    if not len(known):
        return {"known": 0}
    low, middle, high = np.percentile(known, [5, 50, 95]).tolist()
    return {"known": len(known), "median": middle, "p05": low, "p95": high}


@dataclass(frozen=True)
class _Images:
    """(element name, panels) of each person who is drawn."""

    drawer: ResultDrawer
    places: NDArray[np.int64]
    progress: Progress | None

    def __iter__(self) -> Iterator[tuple[str, Mapping[str, bytes]]]:
        for k, place in enumerate(self.places.tolist()):
            yield f"p{place}", {name: encode(panel) for name, panel in self.drawer.draw(k).items()}
            if self.progress:
                self.progress(k + 1, len(self.places), "persons drawn")
