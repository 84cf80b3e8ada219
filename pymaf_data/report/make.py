"""``report``: a page to look at, of a store, of a training run or of an evaluation.

    stores/<name>.zarr  → reports/<name>.html, with fits also <name>.sources.csv and <name>.sources.json
    runs/<name>         → reports/run-<name>.html
    evaluations/<name>/<benchmark>.json → reports/evaluation-<name>-<benchmark>.html

The page is a function of what it shows: same input, same bytes, no time, path or host in it. A page that shows just
this already is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pymaf_data.config import StrictModel
from pymaf_data.errors import NotAStore, UsageError
from pymaf_data.paths import VARIABLE, DataRoot
from pymaf_data.progress import Progress
from pymaf_data.report.html import Page, render, shown_by
from pymaf_data.report.options import ReportOptions
from pymaf_data.storage.files import LocalFiles


class ReportReport(StrictModel):
    """What was written."""

    path: Path
    kind: Literal["store", "run", "evaluation"]
    bytes: int
    written: bool
    """False where the page was there already."""
    files: tuple[Path, ...] = ()
    """What stands beside the page."""

    def lines(self) -> list[str]:
        """The report for a reader."""
        there = "" if self.written else ", shows the same already, nothing to do"
        return [f"{self.path}: {self.bytes / 1e6:.1f} MB{there}", *(f"beside it {path.name}" for path in self.files)]


def report(options: ReportOptions, progress: Progress | None = None) -> ReportReport:
    """Write the page of a store, of a run or of an evaluation, whole or not at all.

    Raises:
        NotAStore: the path is neither.
        StoreError, TrainingError, EvaluationError: what is there cannot be read.
        DiskFull, NotWritable: no room, or no permission.
    """
    from pymaf_data.report import run_page, store_page
    from pymaf_data.report.thumbnails import Bodies
    from pymaf_data.runs.folder import is_run
    from pymaf_data.storage import open_store

    folder = DataRoot.default().reports
    if options.path.suffix == ".json":
        return _of_evaluation(options, folder, progress)
    if is_run(options.path):
        out = options.out or _outside(options.path, folder / run_page.name_of(options.path))
        shows = run_page.shows(options.path)
        return _written(out, "run", shows, (), lambda: run_page.run_page(options.path, progress))
    if not options.path.exists():
        raise NotAStore(
            f"{options.path} is not there",
            expected="a store made by `pymaf-data ingest`, the folder of a run of `pymaf-data train`, or the JSON of "
            "an evaluation",
            action="check the path.",
        )
    store = open_store(options.path)
    out = options.out or _outside(options.path, folder / store_page.name_of(options.path))
    bodies = Bodies.of(store)
    shows, beside = store_page.shows(store, options.persons, bodies), store_page.beside(store)
    return _written(
        out, "store", shows, beside, lambda: store_page.store_page(store, options.persons, progress, bodies)
    )


def _of_evaluation(options: ReportOptions, folder: Path, progress: Progress | None) -> ReportReport:
    from pymaf_data.report import evaluation_page
    from pymaf_data.runs.evaluations import read_figures

    out = options.out or folder / evaluation_page.name_of(options.path, read_figures(options.path))
    shows = evaluation_page.shows(options.path, options.store)
    return _written(
        out, "evaluation", shows, (), lambda: evaluation_page.evaluation_page(options.path, options.store, progress)
    )


def _outside(shown: Path, page: Path) -> Path:
    """The page's path, refused inside what it shows: there the default data root, ``./data``, is not the user's.

    Raises:
        UsageError: the page would lie inside the store or run.
    """
    if page.resolve().is_relative_to(shown.resolve()):
        raise UsageError(
            f"the page would be written into {shown.resolve()} itself, since {VARIABLE} is not set here",
            expected="a place outside what the page shows",
            action=f"name one with --out, set {VARIABLE}, or run this from the folder that holds data/.",
        )
    return page


def _written(
    out: Path,
    kind: Literal["store", "run", "evaluation"],
    shows: str,
    beside: tuple[str, ...],
    make: Callable[[], Page],
) -> ReportReport:
    """Make and write a page with what stands beside it, unless all that is there and shows the same."""
    files = {suffix: out.with_name(out.stem + suffix) for suffix in beside}
    write = shown_by(_head(out)) != shows or not all(path.is_file() for path in files.values())
    if write:
        page = make()
        parts = {path.name: page.files[suffix] for suffix, path in files.items()}
        LocalFiles(out.parent).write({out.name: render(page), **parts}, temporary="")
    return ReportReport(path=out, kind=kind, bytes=out.stat().st_size, written=write, files=tuple(files.values()))


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as handle:
            return handle.read(4096)
    except FileNotFoundError:
        return b""
