"""``evaluate``: from names to results.

What cannot be measured is named, and the rest is: a benchmark without its store, a metric without its truth.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NamedTuple

import numpy as np

from pymaf_data.config import StrictModel, read_assignment
from pymaf_data.errors import ConfigError, EvaluationError
from pymaf_data.paths import DataRoot
from pymaf_data.progress import Progress
from pymaf_data.runs import evaluations
from pymaf_data.runs.evaluations import Evaluation, Figure, Measured
from pymaf_data.storage import Store, open_store
from pymaf_data.storage.inspect import licences

from ..benchmarks.benchmark import Benchmark, Setting, Values
from ..benchmarks.manifest import BenchmarkManifest, known_benchmarks, load_benchmark
from ..networks.network import Network
from .compare import Comparison, compare
from .drawn import drawn_bodies
from .measure import ByIteration, figures, measure
from .options import EvaluateOptions
from .released_views import RawViews
from .subjects import MEAN, FitsSubject, MeanSubject, NetworkSubject, Subject
from .views import StoredViews, Views
from .whom import Whom, whom

logger = logging.getLogger(__name__)

_VERSIONS = ("pymaf-data", "torch", "numpy")


class EvaluationReport(StrictModel):
    """What was measured, and what not."""

    subject: str
    results: tuple[Evaluation, ...]
    comparisons: tuple[Comparison, ...] = ()
    files: tuple[Path, ...]
    already: tuple[Path, ...] = ()
    """Of the files, those that were there and say it already."""
    absent: dict[str, str]
    """Benchmark → why it was not measured."""
    latex: bool = False

    @property
    def failed(self) -> bool:
        """Whether a benchmark could not be measured at all."""
        return bool(self.absent)

    def lines(self) -> list[str]:
        """The report for a reader."""
        from .table import compared_lines, latex_of, lines_of

        table = latex_of if self.latex else lines_of
        said = [line for result in self.results for line in [*table(result), ""]]
        said += [line for found in self.comparisons for line in [*compared_lines(found), ""]]
        mark, again = ("% ", "") if self.latex else ("", " (--overwrite measures anew)")
        said += [f"{mark}{name}: not measured: {why}" for name, why in self.absent.items()]
        return said + [
            f"{mark}measured already: {path}{again}" if path in self.already else f"{mark}written: {path}"
            for path in self.files
        ]


class _Result(NamedTuple):
    measured: Measured
    path: Path
    already: bool


def evaluate(options: EvaluateOptions, progress: Progress | None = None) -> EvaluationReport:
    """Measure a checkpoint or a source of fits on benchmarks, or read what was measured; compare it with another.

    Raises:
        ConfigError: no such benchmark, or an option that it has not.
        CheckpointError: no checkpoint, or one of another network or body.
        EvaluationError: nothing could be measured, or results cannot be read.
    """
    root = DataRoot.default()
    each = [whom(given, options, root) for given in (options.subject, options.compare) if given]
    results, comparisons, absent = list[_Result](), list[Comparison](), dict[str, str]()
    for name in _wanted(options, each[0]):
        try:
            found, compared = _of_benchmark(name, each, options, root, progress)
        except EvaluationError as error:
            absent[name] = f"{error.found}. {error.action}"
            continue
        results += found
        comparisons += compared
    if not results:
        raise EvaluationError(
            "; ".join(f"{name}: {why}" for name, why in absent.items()) or "no store of any benchmark is here",
            expected="a benchmark whose persons and truth are here",
            action="`pymaf-data benchmarks` says what each needs.",
        )
    return EvaluationReport(
        subject=each[0].name,
        results=tuple(result.measured.evaluation for result in results),
        comparisons=tuple(comparisons),
        files=tuple(result.path for result in results),
        already=tuple(result.path for result in results if result.already),
        absent=absent,
        latex=options.latex,
    )


def _wanted(options: EvaluateOptions, ours: Whom) -> Sequence[str]:
    if options.benchmarks or not ours.saved:
        return options.benchmarks or known_benchmarks()
    return tuple(dict.fromkeys(evaluations.read_figures(path).benchmark for path in ours.saved))


def _of_benchmark(
    name: str, each: Sequence[Whom], options: EvaluateOptions, root: DataRoot, progress: Progress | None
) -> tuple[list[_Result], list[Comparison]]:
    """Results of everybody on one benchmark, and their comparison; none where nobody asked for it and it is not here.

    Raises:
        EvaluationError: it cannot be measured, or not be compared.
    """
    measures = any(not one.saved for one in each)
    try:
        manifest = load_benchmark(name)
        store = _store(manifest, options.stores, root)
        if measures and store is None:
            if not options.benchmarks and not each[0].saved:
                return [], []
            if manifest.data:
                raise EvaluationError(_no_store(manifest, root), expected="its store", action="")
        benchmark = _opened(manifest, store, options, root) if measures or (store and len(each) > 1) else None
    except (ConfigError, EvaluationError):
        if measures:
            raise
        benchmark = None  # what was measured elsewhere is read all the same
    results = []
    for number, one in enumerate(each):
        folder = _folder(one, options, root, other=number > 0)
        if one.saved:
            results.append(_read(one, name if benchmark is None else benchmark.manifest.name))
        else:
            assert benchmark is not None
            results.append(_result(benchmark, one, folder, options, root, progress))
    if len(each) < 2:
        return results, []
    figures = None if benchmark is None else benchmark.figures
    draws = 0 if benchmark is not None and not benchmark.resampled else options.bootstrap
    return results, [compare(results[0].measured, results[1].measured, figures, draws)]


def _folder(one: Whom, options: EvaluateOptions, root: DataRoot, other: bool) -> Path:
    if options.out is None:
        return root.evaluations / one.name
    return options.out / one.name if other else options.out


def _read(one: Whom, benchmark: str) -> _Result:
    """What was saved of a benchmark; of several the first by name, which is that of its plain settings."""
    for path in one.saved:
        if evaluations.read_figures(path).benchmark == benchmark:
            return _Result(evaluations.read(path), path, True)
    raise EvaluationError(
        f"{one.name} has no result of {benchmark} in {one.saved[0].parent}",
        expected="a JSON that `evaluate` wrote",
        action="measure it.",
    )


def _opened(manifest: BenchmarkManifest, store: Store | None, options: EvaluateOptions, root: DataRoot) -> Benchmark:
    """A benchmark that has something to measure by.

    Raises:
        EvaluationError: it lacks everything.
    """
    kind: type[Benchmark] = resolve_name(manifest.benchmark)
    benchmark = kind(Setting(manifest, _given(manifest, options.option), store, root.assets, options.raw))
    if set(benchmark.lacking) >= set(manifest.metrics):
        raise EvaluationError(
            "; ".join(dict.fromkeys(benchmark.lacking.values())),
            expected="the truth of the benchmark",
            action=f"make it with: {manifest.get}" if manifest.get else "see `pymaf-data benchmarks`.",
        )
    for metric, why in benchmark.lacking.items():
        logger.warning("%s: %s is not measured: %s", manifest.name, metric, why)
    return benchmark


def _result(
    benchmark: Benchmark,
    one: Whom,
    folder: Path,
    options: EvaluateOptions,
    root: DataRoot,
    progress: Progress | None,
) -> _Result:
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
    begun, name = _begun(benchmark, about, rows, options), _file_name(benchmark.manifest, options)
    former = None if options.overwrite else _former(folder / f"{name}.json", begun, options)
    if former is not None and former.evaluation.lacking.keys() == benchmark.lacking.keys():
        return _Result(former, folder / f"{name}.json", True)
    values = measure(benchmark, subject, rows, progress)
    if not values:
        raise EvaluationError(
            f"{one.name} has no body of any of the {len(rows)} persons",
            expected="fits of persons of this store",
            action="attach them with `pymaf-data attach-fits`.",
        )
    done = _measured(begun, benchmark, subject, rows, values, options)
    return _Result(done, evaluations.write(done, folder, name), False)


def _of_network(benchmark: Benchmark, one: Whom, folder: Path, options: EvaluateOptions) -> _Result:
    """Measure a network itself, of which no person is left to keep; always anew."""
    if one.model is None:
        raise EvaluationError(
            f"{one.name} is no network", expected="a checkpoint", action="name one, or another benchmark."
        )
    nobody, name = np.empty(0, np.int64), _file_name(benchmark.manifest, options)
    begun = _begun(benchmark, one.about, nobody, options)
    found = benchmark.run(one.model)
    done = Evaluation(**begun, iterations=found, lacking=benchmark.lacking, notes=tuple(benchmark.notes))
    measured = Measured(done, {"row": nobody, "image": np.empty(0, "U1"), "annotation_id": nobody})
    return _Result(measured, evaluations.write(measured, folder, name), False)


def _former(path: Path, begun: dict[str, Any], options: EvaluateOptions) -> Measured | None:
    """What is there already, if it was measured under the same conditions, of the same persons and iterations."""
    if not path.is_file():
        return None
    try:
        former = evaluations.read(path)
    except EvaluationError as error:
        logger.warning("%s: measured anew", error.found)
        return None
    found = former.evaluation
    fewer = options.iterations and found.subject["kind"] == "checkpoint" and len(found.iterations) == 1
    wanted = Evaluation(**begun, iterations={"": {}}).conditions()
    if fewer or found.persons != begun["persons"] or found.conditions() != wanted:
        return None
    return former


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
    last, found = values[list(values)[-1]], figures(benchmark, rows, values, options.bootstrap)
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
    return figures(benchmark, rows[mine], {"": {key: array[mine] for key, array in last.items()}})[""]


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


def _store(manifest: BenchmarkManifest, given: Sequence[Path], root: DataRoot) -> Store | None:
    """The store of a benchmark: of those given the one of its data, or the only one; else the first that is there."""
    wanted = [(data.dataset, data.split) for data in manifest.data]
    if given:
        stores = [open_store(path) for path in given]
        fitting = [store for store in stores if (store.head["dataset"], store.head["split"]) in wanted]
        return fitting[0] if fitting else stores[0] if len(stores) == 1 and wanted else None
    places = [root.store(*data) for data in wanted]
    return next((open_store(place) for place in places if place.is_dir()), None)


def _no_store(manifest: BenchmarkManifest, root: DataRoot) -> str:
    looked = ", ".join(str(root.store(data.dataset, data.split)) for data in manifest.data)
    return f"no store: looked for {looked}." + (f" Make it with: {manifest.get}" if manifest.get else "")


def _given(manifest: BenchmarkManifest, texts: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in texts:
        key, value = read_assignment(text, "--option")
        benchmark, dot, name = key.rpartition(".")
        if not dot or benchmark == manifest.name:
            found[name] = value
    return found


def _file_name(manifest: BenchmarkManifest, options: EvaluateOptions) -> str:
    """Of the results: other settings stand beside each other."""
    given = [f"{key}={value}" for key, value in sorted(_given(manifest, options.option).items())]
    given += [f"crop={options.crop}"] * (options.crop != "store")
    given += [f"persons={options.persons}"] * (options.persons is not None)
    text = "+".join([manifest.name, *given])
    return "".join(letter if letter.isalnum() or letter in "+=-._" else "_" for letter in text)


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
