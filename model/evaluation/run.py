"""``evaluate``: from names to results.

What cannot be measured is named, and the rest is: a benchmark without its store, a metric without its truth.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from pymaf_data.config import StrictModel, read_assignment
from pymaf_data.errors import AssetError, ConfigError, EvaluationError, PymafDataError, RawDataError, StoreError
from pymaf_data.paths import DataRoot
from pymaf_data.progress import Progress
from pymaf_data.runs import evaluations
from pymaf_data.runs.evaluations import Evaluation
from pymaf_data.storage import Store, open_store

from ..benchmarks.benchmark import Benchmark, Setting, class_of
from ..benchmarks.manifest import BenchmarkManifest, known_benchmarks, load_benchmark
from ..memory import keep_freed_memory
from .compare import Comparison, compare
from .options import EvaluateOptions
from .result import Result, file_name, given_options, result_of
from .whom import Whom, whom

logger = logging.getLogger(__name__)

_OF_ONE = (EvaluationError, AssetError, RawDataError, StoreError)  # what keeps from one benchmark, not from the others


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
        mark, again = ("% ", "") if self.latex else ("", " (--overwrite measures anew)")
        said += [line and mark + line for found in self.comparisons for line in [*compared_lines(found), ""]]
        said += [f"{mark}{name}: not measured: {why}" for name, why in self.absent.items()]
        return said + [
            f"{mark}measured already: {path}{again}" if path in self.already else f"{mark}written: {path}"
            for path in self.files
        ]


def evaluate(options: EvaluateOptions, progress: Progress | None = None) -> EvaluationReport:
    """Measure a checkpoint or a source of fits on benchmarks, or read what was measured; compare it with another.

    Raises:
        ConfigError: no such benchmark, or an option that it has not.
        CheckpointError: no checkpoint, or one of another network or body.
        EvaluationError: nothing could be measured, or results cannot be read.
    """
    keep_freed_memory()
    root = DataRoot.default()
    _require_meant(options)
    each = [whom(given, options, root) for given in (options.subject, options.compare) if given]
    results, comparisons, failed = list[Result](), list[Comparison](), dict[str, PymafDataError]()
    for name in _wanted(options, each[0]):
        try:
            found, compared = _of_benchmark(name, each, options, root, progress)
        except _OF_ONE as error:
            failed[name] = error
            continue
        results += found
        comparisons += compared
    if not results and len(failed) == 1:
        raise next(iter(failed.values()))
    absent = {name: _in_a_line(error) for name, error in failed.items()}
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


def _in_a_line(error: PymafDataError) -> str:
    action = f"; what to do: {error.action}" if error.action else ""
    return " ".join(f"{error.found.rstrip('.')}{action}".split())


def _require_meant(options: EvaluateOptions) -> None:
    """Refuse, before anything is loaded, benchmarks and options that there are not.

    Raises:
        UsageError: an option that is not KEY=VALUE.
        ConfigError: no such benchmark, or an option that it has not, or of one that is not to be measured.
    """
    wanted = [load_benchmark(name) for name in options.benchmarks]
    named = {manifest.name for manifest in wanted} or known_benchmarks()
    for text in options.option:
        benchmark, dot, _ = read_assignment(text, "--option")[0].rpartition(".")
        if dot and benchmark not in named:
            raise ConfigError(
                f"--option {text!r:.100} is of {benchmark!r:.60}, which is not to be measured",
                expected=f"an option of {', '.join(sorted(named))}",
                action="name that benchmark too, or leave the option out.",
            )
    for manifest in wanted:
        class_of(manifest).options_of(manifest, given_options(manifest, options.option))


def _wanted(options: EvaluateOptions, ours: Whom) -> Sequence[str]:
    if options.benchmarks or not ours.saved:
        return options.benchmarks or known_benchmarks()
    return tuple(dict.fromkeys(evaluations.read_figures(path).benchmark for path in ours.saved))


def _of_benchmark(
    name: str, each: Sequence[Whom], options: EvaluateOptions, root: DataRoot, progress: Progress | None
) -> tuple[list[Result], list[Comparison]]:
    """Results of everybody on one benchmark, and their comparison; none where nobody asked for it and it is not here.

    Raises:
        EvaluationError: it cannot be measured, or not be compared.
    """
    manifest = _manifest(name, each, options)
    if _is_nowhere(manifest, each, options, root):
        return [], []
    benchmark = _benchmark(manifest, each, options, root)
    results = []
    for number, one in enumerate(each):
        folder = _folder(one, options, root, other=number > 0)
        if one.saved:
            results.append(_read(one, *(_names(manifest, options) if manifest else (name, name))))
        else:
            assert benchmark is not None
            results.append(result_of(benchmark, one, folder, options, root, progress))
    if len(each) < 2:
        return results, []
    ours, other = (result.measured for result in results)
    figures, draws = None, options.bootstrap
    if benchmark is not None and _speaks_of(benchmark, ours.evaluation):
        figures, draws = benchmark.figures, draws if benchmark.resampled else 0
    return results, [compare(ours, other, figures, draws)]


def _names(manifest: BenchmarkManifest, options: EvaluateOptions) -> tuple[str, str]:
    return manifest.name, file_name(manifest, options)


def _manifest(name: str, each: Sequence[Whom], options: EvaluateOptions) -> BenchmarkManifest | None:
    """None of a benchmark of somebody else, of which all is to be read."""
    try:
        return load_benchmark(name)
    except ConfigError:
        if options.benchmarks or not all(one.saved for one in each):
            raise
        return None


def _is_nowhere(
    manifest: BenchmarkManifest | None, each: Sequence[Whom], options: EvaluateOptions, root: DataRoot
) -> bool:
    """Whether nobody asked for a benchmark whose store is not here.

    Raises:
        EvaluationError: somebody did.
    """
    if manifest is None or all(one.saved for one in each) or _store(manifest, options.stores, root) is not None:
        return False
    if not options.benchmarks and not each[0].saved:
        return True
    if manifest.data:
        raise _no_store(manifest, root)
    return False


def _benchmark(
    manifest: BenchmarkManifest | None, each: Sequence[Whom], options: EvaluateOptions, root: DataRoot
) -> Benchmark | None:
    """None where results are read and either nothing is to be compared or what it needs is not here.

    Raises:
        EvaluationError: somebody is to be measured, and it lacks everything.
    """
    measures = not all(one.saved for one in each)
    if manifest is None or not (measures or len(each) > 1):
        return None
    store = _store(manifest, options.stores, root)
    if manifest.data and store is None:
        return None
    try:
        return _opened(manifest, store, options, root)
    except EvaluationError:
        if measures:
            raise
        return None


def _folder(one: Whom, options: EvaluateOptions, root: DataRoot, other: bool) -> Path:
    if options.out is None:
        return root.evaluations / one.name
    return options.out / one.name if other else options.out


def _read(one: Whom, benchmark: str, file_name: str) -> Result:
    """What was saved of a benchmark; of a folder that with the settings that were given."""
    found = [path for path in one.saved if evaluations.read_figures(path).benchmark == benchmark]
    if len(one.saved) > 1:
        found = [path for path in found if path.stem == file_name]
    if not found:
        raise EvaluationError(
            f"{one.name} has no {file_name}.json in {one.saved[0].parent}",
            expected=f"a result of {benchmark}, as `evaluate` writes it",
            action="measure it, or name another JSON.",
        )
    return Result(evaluations.read(found[0]), found[0], True)


def _speaks_of(benchmark: Benchmark, evaluation: Evaluation) -> bool:
    """Whether a benchmark that is open knows the persons of a result, and measures as it was measured."""
    if benchmark.setting.store is None:
        return False
    known, found = evaluation.store.get("generations"), benchmark.store.current("ingest").generation
    same = benchmark.options.model_dump(mode="json") == evaluation.settings.get("options")
    return same and isinstance(known, dict) and known.get("ingest") == found


def _opened(manifest: BenchmarkManifest, store: Store | None, options: EvaluateOptions, root: DataRoot) -> Benchmark:
    """A benchmark that has something to measure by.

    Raises:
        EvaluationError: it lacks everything.
    """
    benchmark = class_of(manifest)(
        Setting(manifest, given_options(manifest, options.option), store, root.assets, options.raw)
    )
    if set(benchmark.lacking) >= set(manifest.metrics):
        raise EvaluationError(
            "; ".join(dict.fromkeys(benchmark.lacking.values())),
            expected="the truth of the benchmark",
            action=f"make it with: {manifest.get}" if manifest.get else "see `pymaf-data benchmarks`.",
        )
    for metric, why in benchmark.lacking.items():
        logger.warning("%s: %s is not measured: %s", manifest.name, metric, why)
    return benchmark


def _store(manifest: BenchmarkManifest, given: Sequence[Path], root: DataRoot) -> Store | None:
    """The store of a benchmark: of those given the one of its data, or the only one; else the first that is there."""
    wanted = [(data.dataset, data.split) for data in manifest.data]
    if given:
        stores = [open_store(path) for path in given]
        fitting = [store for store in stores if (store.head["dataset"], store.head["split"]) in wanted]
        return fitting[0] if fitting else stores[0] if len(stores) == 1 and wanted else None
    places = [root.store(*data) for data in wanted]
    return next((open_store(place) for place in places if place.is_dir()), None)


def _no_store(manifest: BenchmarkManifest, root: DataRoot) -> EvaluationError:
    looked = ", ".join(str(root.store(data.dataset, data.split)) for data in manifest.data)
    return EvaluationError(
        f"no store of {manifest.name}: looked for {looked}",
        expected="one of these, or one that is given by --store",
        action=f"make it with: {manifest.get}" if manifest.get else "",
    )
