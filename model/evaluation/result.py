"""Somebody's result on a benchmark: read where it is there, else measured and written."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pymaf_data.config import read_assignment
from pymaf_data.errors import EvaluationError
from pymaf_data.paths import DataRoot
from pymaf_data.progress import Progress
from pymaf_data.runs import evaluations
from pymaf_data.runs.evaluations import Evaluation, Figure, Measured
from pymaf_data.storage import Store
from pymaf_data.storage.inspect import licences

from ..benchmarks.benchmark import Benchmark, Values
from ..benchmarks.manifest import BenchmarkManifest
from ..networks.network import Network
from .drawn import drawn_bodies
from .measure import ByIteration, figures, figures_by_iteration, measure
from .options import EvaluateOptions
from .released_views import RawViews
from .subjects import MEAN, FitsSubject, MeanSubject, NetworkSubject, Subject
from .views import StoredViews, Views
from .whom import Whom

logger = logging.getLogger(__name__)

_VERSIONS = ("pymaf-data", "torch", "numpy")


class Result(NamedTuple):
    """What was measured, where it lies, and whether it lay there already."""

    measured: Measured
    path: Path
    already: bool


def result_of(
    benchmark: Benchmark,
    one: Whom,
    folder: Path,
    options: EvaluateOptions,
    root: DataRoot,
    progress: Progress | None,
) -> Result:
    """Measure somebody, unless the result is there."""
    if benchmark.of_networks:
        return _of_network(benchmark, one, folder, options)
    rows = _spread(benchmark.rows, options.persons)
    subject = _subject(benchmark, one, rows, options, root)
    about = {**subject.about, "name": one.name}
    benchmark.require(subject.body)
    if not len(rows):
        raise EvaluationError(
            f"{benchmark.store.path} has nobody to measure: of {len(benchmark.store)} persons none has an image and a "
            "truth",
            expected="persons with both",
            action=f"make the store with: {benchmark.manifest.get}",
        )
    begun, name = _begun(benchmark, about, rows, options), file_name(benchmark.manifest, options)
    former = None if options.overwrite else _former(folder / f"{name}.json", begun, benchmark, rows, options)
    if former is not None:
        return Result(former, folder / f"{name}.json", True)
    values = measure(benchmark, subject, rows, progress)
    if not values:
        raise EvaluationError(
            f"{one.name} has no body of any of the {len(rows)} persons",
            expected="fits of persons of this store",
            action="attach them with `pymaf-data attach-fits`.",
        )
    done = _measured(begun, benchmark, subject, rows, values, options)
    return Result(done, evaluations.write(done, folder, name), False)


def _of_network(benchmark: Benchmark, one: Whom, folder: Path, options: EvaluateOptions) -> Result:
    """Measure a network itself, of which no person is left to keep; always anew."""
    if one.model is None:
        raise EvaluationError(
            f"{one.name} is no network", expected="a checkpoint", action="name one, or another benchmark."
        )
    nobody, name = np.empty(0, np.int64), file_name(benchmark.manifest, options)
    begun = _begun(benchmark, one.about, nobody, options)
    found = benchmark.run(one.model)
    done = Evaluation(**begun, iterations=found, lacking=benchmark.lacking, notes=tuple(benchmark.notes))
    measured = Measured(done, {"row": nobody, "image": np.empty(0, "U1"), "annotation_id": nobody})
    return Result(measured, evaluations.write(measured, folder, name), False)


def _former(
    path: Path, begun: dict[str, Any], benchmark: Benchmark, rows: np.ndarray, options: EvaluateOptions
) -> Measured | None:
    """What is there already, if it is of the same persons and iterations, and was measured under the same conditions.

    Where a body that the truth needs has come since, there are more persons or metrics.

    Raises:
        EvaluationError: it is somebody else's.
    """
    if not path.is_file():
        return None
    try:
        former = evaluations.read(path)
    except EvaluationError as error:
        logger.warning("%s: measured anew", error.found)
        return None
    found, wanted = former.evaluation, Evaluation(**begun, iterations={"": {}})
    if found.name != wanted.name:
        raise EvaluationError(
            f"{path} holds the result of {found.name}",
            expected=f"a place for that of {wanted.name}",
            action="give another --out, or --overwrite to replace it.",
        )
    if options.iterations and found.subject["kind"] == "checkpoint" and len(found.iterations) == 1:
        return None
    same = found.conditions() == wanted.conditions() and found.lacking.keys() == benchmark.lacking.keys()
    return former if same and np.array_equal(former.values["row"], rows) else None


def _begun(benchmark: Benchmark, about: dict[str, Any], rows: np.ndarray, options: EvaluateOptions) -> dict[str, Any]:
    """Everything of an evaluation that is known before anything is measured."""
    manifest = benchmark.manifest
    return {
        "benchmark": manifest.name,
        "title": manifest.title,
        "protocol": manifest.protocol,
        "metrics": manifest.metrics,
        "published": manifest.published,
        "subject": about,
        "store": {} if benchmark.setting.store is None else _described(benchmark.store),
        "settings": {
            "options": benchmark.options.model_dump(mode="json"),
            "crop": options.crop if about["kind"] == "checkpoint" else "",
            "precision": options.precision if about["kind"] == "checkpoint" else "",
            "persons": options.persons,
            "bootstrap": options.bootstrap,
        },
        "persons": len(rows),
        "versions": {name: version(name) for name in _VERSIONS},
    }


def _measured(
    begun: dict[str, Any],
    benchmark: Benchmark,
    subject: Subject,
    rows: np.ndarray,
    values: ByIteration,
    options: EvaluateOptions,
) -> Measured:
    last, found = values[list(values)[-1]], figures_by_iteration(benchmark, rows, values, options.bootstrap)
    groups = {name: mine for name, mine in benchmark.groups(rows).items() if mine.any()}
    evaluation = Evaluation(
        **begun,
        iterations=found,
        groups={name: _of_group(benchmark, rows, last, mine) for name, mine in groups.items()},
        lacking=benchmark.lacking,
        notes=(*benchmark.notes, *subject.notes, *_of_fewer(found[list(found)[-1]], len(rows))),
    )
    keys = [benchmark.store.rows[row] for row in rows.tolist()]
    arrays: dict[str, Any] = {
        "row": rows,
        "image": np.array([name for name, _ in keys]),
        "annotation_id": np.array([number for _, number in keys], np.int64),
    }
    arrays |= {f"{iteration}/{name}": array for iteration, one in values.items() for name, array in one.items()}
    arrays |= {f"{evaluations.GROUP}{name}": mine for name, mine in groups.items()}
    return Measured(evaluation, arrays | drawn_bodies(benchmark, subject, rows, last))


def _of_fewer(found: dict[str, Figure], persons: int) -> list[str]:
    """Which figures are not of everybody: of whom there is no body, no truth or no turn into the image's camera."""
    counts = dict.fromkeys(figure.persons for figure in found.values() if figure.persons < persons)
    names = {count: [name for name, figure in found.items() if figure.persons == count] for count in counts}
    return [f"{', '.join(names[count])}: of {count:,} of {persons:,} persons" for count in counts]


def _of_group(benchmark: Benchmark, rows: np.ndarray, last: Values, mine: np.ndarray) -> dict[str, Figure]:
    return figures(benchmark, rows[mine], {key: array[mine] for key, array in last.items()})


def _subject(benchmark: Benchmark, one: Whom, rows: np.ndarray, options: EvaluateOptions, root: DataRoot) -> Subject:
    if one.about["kind"] == MEAN:
        return MeanSubject(benchmark, root.assets)
    if one.model is None:
        return FitsSubject(benchmark, one.name.removeprefix("fits-"), root.assets)
    views = _views(benchmark.store, rows, one.model, options, root)
    return NetworkSubject(
        one.model, benchmark, views, one.about, options.iterations, options.batch_size, options.workers
    )


def _views(store: Store, rows: np.ndarray, model: Network, options: EvaluateOptions, root: DataRoot) -> Views:
    if options.crop == "store":
        return StoredViews(store, model.view_size)
    folder = options.raw or root.raw(store.head["dataset"])
    views = RawViews(store, folder, options.crop, model.view_size, options.follow_links)
    views.require(rows)
    return views


def file_name(manifest: BenchmarkManifest, options: EvaluateOptions) -> str:
    """The name of results: other settings stand beside each other."""
    given = [f"{key}={value}" for key, value in sorted(given_options(manifest, options.option).items())]
    given += [f"crop={options.crop}"] * (options.crop != "store")
    given += [f"persons={options.persons}"] * (options.persons is not None)
    text = "+".join([manifest.name, *given])
    return "".join(letter if letter.isalnum() or letter in "+=-._" else "_" for letter in text)


def given_options(manifest: BenchmarkManifest, texts: Sequence[str]) -> dict[str, Any]:
    """Those of ``KEY=VALUE`` that are meant for a benchmark: of everyone, or of it by name."""
    found: dict[str, Any] = {}
    for text in texts:
        key, value = read_assignment(text, "--option")
        benchmark, dot, name = key.rpartition(".")
        if not dot or benchmark == manifest.name:
            found[name] = value
    return found


def _spread(rows: np.ndarray, persons: int | None) -> np.ndarray:
    if persons is None or persons >= len(rows):
        return rows
    return rows[np.unique(np.linspace(0, len(rows) - 1, persons).round().astype(np.int64))]


def _described(store: Store) -> dict[str, Any]:
    return {
        "dataset": store.head["dataset"],
        "split": store.head["split"],
        "persons": len(store),
        "manifest_digest": store.head["manifest_digest"],
        "generations": {info.stage: info.generation for info in store.stages() if info.current},
        "licences": licences(store),
    }
