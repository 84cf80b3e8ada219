"""``figure``: a name, a checkpoint and a store → a PNG."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pymaf_data.body import BodyModel
from pymaf_data.config import StrictModel
from pymaf_data.errors import EvaluationError, UsageError
from pymaf_data.paths import DataRoot
from pymaf_data.progress import Progress
from pymaf_data.report.selection import spread
from pymaf_data.report.sheet import compose_sheet, save_sheet
from pymaf_data.storage import Store, open_store

from ..benchmarks.benchmark import Rows, stored_intrinsics
from ..evaluation.options import EvaluateOptions
from ..evaluation.subjects import MEAN, FitsSubject, NetworkSubject, Persons, Subject
from ..evaluation.views import StoredViews
from ..evaluation.whom import Whom, whom
from .features import features
from .layouts import alignment, compare, iterations, worst
from .measured import PA, benchmark_of
from .options import ALIGNMENTS, FigureOptions
from .rows import shown_rows
from .sheet import Sheet


class FigureReport(StrictModel):
    """What was drawn."""

    path: Path
    rows: tuple[int, ...]
    """Of the store, from top to bottom."""
    values: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    """Measure → its value of each of them, of figures that measure."""

    def lines(self) -> list[str]:
        """The report for a reader."""
        said = [f"rows {', '.join(map(str, self.rows))}"]
        said += [f"{name}: {', '.join(f'{value:.1f}' for value in values)}" for name, values in self.values.items()]
        return [*said, f"written: {self.path}"]


@dataclass(frozen=True)
class _Stored:
    """The persons of a store of whom nothing is measured; see :class:`Persons`."""

    store: Store

    def intrinsics(self, rows: Rows) -> NDArray[np.float64]:
        return stored_intrinsics(self.store, rows)

    def require(self, body: BodyModel) -> None:
        """Any."""


def figure(options: FigureOptions, progress: Progress | None = None) -> FigureReport:
    """Draw a figure; one that is there is replaced.

    Raises:
        UsageError: persons or a figure that there is not, or a subject that it cannot show.
        CheckpointError: no checkpoint, or one of another network or body.
        EvaluationError: nobody to show, or no truth to measure by.
        StoreError: the store cannot be read.
        DiskFull, NotWritable: it cannot be written.
    """
    root, store = DataRoot.default(), open_store(options.store)
    each = [_whom(given, options, root) for given in (options.subject, *options.against)]
    names = [one.name for one in each]
    if len(set(names)) < len(names):
        raise UsageError(f"two are called {names[0]!r:.60}", expected="different ones, to tell them apart")
    sheet = _sheet(each, store, options, root, progress)
    title = f"{options.figure}: {' | '.join(names)}, store {store.path.stem}"
    file = re.sub(r"[^\w.=+-]", "_", "-".join([options.figure, store.path.stem, *names[1:]]))
    path = save_sheet(
        compose_sheet(title, sheet.columns, sheet.entries), options.out or root.figures / names[0] / f"{file}.png"
    )
    return FigureReport(
        path=path, rows=tuple(sheet.rows), values={name: tuple(values) for name, values in sheet.values.items()}
    )


def _sheet(
    each: Sequence[Whom], store: Store, options: FigureOptions, root: DataRoot, progress: Progress | None
) -> Sheet:
    if options.ranks:
        return _ranked(each, store, options, root, progress)
    rows = shown_rows(store, options)
    if options.figure == "features":
        models = {one.name: one.model for one in each if one.model is not None}
        if len(models) < len(each):
            raise UsageError("fits read no feature maps", expected="checkpoints", action="name them.")
        return features(models, store, rows)
    if options.figure == "iterations":
        return iterations(_subject(each[0], _Stored(store), root, every=True), store, rows)
    return compare({one.name: _subject(one, _Stored(store), root) for one in each}, store, rows)


def _ranked(
    each: Sequence[Whom], store: Store, options: FigureOptions, root: DataRoot, progress: Progress | None
) -> Sheet:
    """A figure of those whom it finds by measuring."""
    metric = PA if options.figure == "alignment" else options.by or "MPJPE"
    benchmark = benchmark_of(store, metric, options.benchmark, root)
    subjects = {one.name: _subject(one, benchmark, root) for one in each}
    for subject in subjects.values():
        benchmark.require(subject.body)
    among = spread(benchmark.rows, options.among or len(benchmark.rows))
    if not len(among):
        raise EvaluationError(f"{store.path} has nobody with an image and a truth", expected="persons with both")
    if options.figure == "alignment":
        return alignment(subjects, benchmark, options.by or ALIGNMENTS[0], among, options.persons, progress)
    ((name, subject),) = subjects.items()
    return worst(name, subject, benchmark, metric, among, options.persons, progress)


def _whom(given: str, options: FigureOptions, root: DataRoot) -> Whom:
    """Raises :class:`UsageError` of somebody whose bodies are not at hand."""
    one = whom(given, EvaluateOptions(subject=given, device=options.device, network=options.network), root)
    if one.saved or one.about["kind"] == MEAN:
        raise UsageError(
            f"{given!r:.80} is neither a network nor a source of fits",
            expected="a checkpoint, a run's folder or name, or fits:NAME",
            action="name the checkpoint that was measured.",
        )
    return one


def _subject(one: Whom, persons: Persons, root: DataRoot, every: bool = False) -> Subject:
    if one.model is None:
        return FitsSubject(persons, one.name.removeprefix("fits-"), root.assets)
    return NetworkSubject(one.model, persons, StoredViews(persons.store, one.model.view_size), one.about, every)
