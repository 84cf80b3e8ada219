"""``evaluate``: from names to results.

What cannot be measured is named, and the rest is: a benchmark without its store, a metric without its truth.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np

from pymaf_data.config import StrictModel, read_assignment
from pymaf_data.digest import digest_file
from pymaf_data.errors import CheckpointError, EvaluationError
from pymaf_data.paths import DataRoot, as_meant
from pymaf_data.progress import Progress
from pymaf_data.runs import checkpoints, evaluations
from pymaf_data.runs.evaluations import Evaluation, Figure, Measured
from pymaf_data.runs.folder import CHECKPOINT
from pymaf_data.storage import Store, open_store
from pymaf_data.storage.inspect import licences

from ..benchmarks.benchmark import Benchmark, Setting
from ..benchmarks.manifest import BenchmarkManifest, known_benchmarks, load_benchmark
from ..checkpoint import load_checkpoint
from ..networks.network import Network
from ..precision import autocast_dtype, channels_last, choose_device
from .measure import ByIteration, figures, measure
from .options import EvaluateOptions
from .released_views import RawViews
from .subjects import MEAN, FitsSubject, MeanSubject, NetworkSubject, Subject
from .views import StoredViews, Views

logger = logging.getLogger(__name__)

_FITS = "fits:"
_VERSIONS = ("pymaf-data", "torch", "numpy")


class EvaluationReport(StrictModel):
    """What was measured, and what not."""

    subject: str
    results: tuple[Evaluation, ...]
    files: tuple[Path, ...]
    absent: dict[str, str]
    """Benchmark → why it was not measured."""

    @property
    def failed(self) -> bool:
        """Whether a benchmark could not be measured at all."""
        return bool(self.absent)

    def lines(self) -> list[str]:
        """The report for a reader."""
        from .table import lines_of

        said = [line for result in self.results for line in [*lines_of(result), ""]]
        said += [f"{name}: not measured: {why}" for name, why in self.absent.items()]
        return said + [f"written: {path}" for path in self.files]


def evaluate(options: EvaluateOptions, progress: Progress | None = None) -> EvaluationReport:
    """Measure a checkpoint or a source of fits on benchmarks.

    Raises:
        ConfigError: no such benchmark, or an option that it has not.
        CheckpointError: no checkpoint, or one of another network or body.
        EvaluationError: nothing could be measured.
    """
    root = DataRoot.default()
    about, model = _subject(options, root)
    folder = options.out or root.evaluations / about["name"]
    results, files, absent = list[Evaluation](), list[Path](), dict[str, str]()
    for name in options.benchmarks or known_benchmarks():
        manifest = load_benchmark(name)
        store = _store(manifest, options.stores, root)
        if manifest.data and store is None:
            if options.benchmarks:
                absent[manifest.name] = _no_store(manifest, root)
            continue
        try:
            done = _on(manifest, store, about, model, options, root, progress)
        except EvaluationError as error:
            absent[manifest.name] = f"{error.found}. {error.action}"
            continue
        results.append(done.evaluation)
        files.append(evaluations.write(done, folder, _file_name(manifest, options)))
    if not results:
        raise EvaluationError(
            "; ".join(f"{name}: {why}" for name, why in absent.items()) or "no store of any benchmark is here",
            expected="a benchmark whose persons and truth are here",
            action="`pymaf-data benchmarks` says what each needs.",
        )
    return EvaluationReport(subject=about["name"], results=tuple(results), files=tuple(files), absent=absent)


def _on(
    manifest: BenchmarkManifest,
    store: Store | None,
    about: dict[str, Any],
    model: Network | None,
    options: EvaluateOptions,
    root: DataRoot,
    progress: Progress | None,
) -> Measured:
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
    rows = _spread(benchmark.rows, options.persons)
    subject: Subject
    if about["kind"] == MEAN:
        subject = MeanSubject(benchmark, root.assets)
        about = subject.about
    elif model is None:
        subject = FitsSubject(benchmark, about["name"].removeprefix("fits-"), root.assets)
        about = {**subject.about, "name": about["name"]}
    else:
        views = _views(benchmark.store, rows, model, options, root)
        subject = NetworkSubject(
            model, benchmark, views, about, options.iterations, options.batch_size, options.workers
        )
    benchmark.require(subject.body)
    if not len(rows):
        raise EvaluationError(
            f"{benchmark.store.path} has nobody to measure: of {len(benchmark.store)} persons none has an image and a "
            "truth",
            expected="persons with both",
            action=f"make the store with: {manifest.get}",
        )
    values = measure(benchmark, subject, rows, progress)
    benchmark.notes += subject.notes if isinstance(subject, FitsSubject) else []
    return _measured(benchmark, about, rows, values, options)


def _measured(
    benchmark: Benchmark, about: dict[str, Any], rows: np.ndarray, values: ByIteration, options: EvaluateOptions
) -> Measured:
    manifest, store, last = benchmark.manifest, benchmark.store, list(values)[-1] if values else ""
    if not values:
        raise EvaluationError(
            f"{about['name']} has no body of any of the {len(rows)} persons",
            expected="fits of persons of this store",
            action="attach them with `pymaf-data attach-fits`.",
        )
    groups = benchmark.groups(rows)
    iterations = {name: figures(benchmark, rows, one, options.bootstrap) for name, one in values.items()}
    evaluation = Evaluation(
        benchmark=manifest.name,
        title=manifest.title,
        protocol=manifest.protocol,
        metrics={name: metric.model_dump() for name, metric in manifest.metrics.items()},
        published=tuple(row.model_dump() for row in manifest.published),
        subject=about,
        store=_described(store),
        settings={
            "options": benchmark.options.model_dump(mode="json"),
            "crop": options.crop if about["kind"] == "checkpoint" else "",
            "precision": options.precision if about["kind"] == "checkpoint" else "",
            "persons": options.persons,
            "bootstrap": options.bootstrap,
        },
        persons=len(rows),
        iterations=iterations,
        groups={
            name: figures(benchmark, rows[mine], {key: array[mine] for key, array in values[last].items()})
            for name, mine in groups.items()
            if mine.any()
        },
        lacking=benchmark.lacking,
        notes=(*benchmark.notes, *_of_fewer(iterations[last], len(rows))),
        versions={name: version(name) for name in _VERSIONS},
    )
    keys = [store.rows[row] for row in rows.tolist()]
    arrays: dict[str, Any] = {
        "row": rows,
        "image": np.array([name for name, _ in keys]),
        "annotation_id": np.array([number for _, number in keys], np.int64),
    }
    arrays |= {f"{iteration}/{name}": array for iteration, one in values.items() for name, array in one.items()}
    return Measured(evaluation, arrays)


def _of_fewer(found: dict[str, Figure], persons: int) -> list[str]:
    """Which figures are not of everybody: of whom there is no body, no truth or no turn into the image's camera."""
    counts = dict.fromkeys(figure.persons for figure in found.values() if figure.persons < persons)
    names = {count: [name for name, figure in found.items() if figure.persons == count] for count in counts}
    return [f"{', '.join(names[count])}: of {count:,} of {persons:,} persons" for count in counts]


def _subject(options: EvaluateOptions, root: DataRoot) -> tuple[dict[str, Any], Network | None]:
    """What is known of whom is measured, and its network where it is one."""
    if options.subject == MEAN:
        return {"kind": MEAN, "name": MEAN}, None
    if options.subject.startswith(_FITS):
        return {"kind": "fits", "name": f"fits-{options.subject.removeprefix(_FITS)}"}, None
    path = checkpoint_path(options.subject, root)
    model = load_checkpoint(path, root.assets, network=options.network)
    device = choose_device(options.device)
    model.autocast = autocast_dtype(options.precision)
    return _about(path, model, root), channels_last(model.to(device))


def checkpoint_path(given: str, root: DataRoot) -> Path:
    """A checkpoint by its file, its run's folder or its run's name.

    Raises:
        CheckpointError: there is none.
    """
    path = as_meant(Path(given))
    places = [path, path / CHECKPOINT, root.runs / given / CHECKPOINT]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise CheckpointError(
            f"no checkpoint: looked for {', '.join(str(place) for place in places)}",
            expected="a checkpoint's file, or a run's folder or name",
            action="name one; a source of fits is measured as fits:NAME.",
        )
    return found


def _about(path: Path, model: Network, root: DataRoot) -> dict[str, Any]:
    digest, of_run = digest_file(path), path.name == CHECKPOINT
    name = path.parent.name if of_run else f"{path.stem}-{digest[:8]}"
    known: dict[str, Any] = {}
    content = checkpoints.load_tensors(path)
    if content.get("format") == checkpoints.FORMAT:
        saved = checkpoints.parse(content, path)
        known = {"step": saved.step, "options": saved.options, "stores": saved.stores, "licences": saved.licences}
        known["versions"] = saved.versions
    body = {"body": model.body.name, "body_digest": model.body.digest}
    network = type(model).__name__.lower()
    return {
        "kind": "checkpoint", "name": name, "file": path.name, "sha256": digest, "network": network,
        "frame": model.frame, **body, **known,
    }  # fmt: skip


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
