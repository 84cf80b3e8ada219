"""``pymaf-data report``: a page to look at, of a store or of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pymaf_data.cli.say import echo, echo_json
from pymaf_data.cli.steps import take

if TYPE_CHECKING:
    from pymaf_data.report.make import ReportReport


def command(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[STORE|RUN]...", help="Stores, or folders of runs; by default every store."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The page.", show_default="reports/<name>.html of the data root")
    ] = None,
    persons: Annotated[
        int | None,
        typer.Option(min=0, help="Persons of a store with images.", show_default="up to 400, the page below 25 MB"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Write one HTML file that shows a store or a run; it needs no network, and any browser opens it.

    Of a store: where it came from, counts by reason, distributions, a gallery to filter, the worst and the best fits,
    missing images. Of a run: curves, errors of every iteration, the same persons over time.

    Example: pymaf-data report data/stores/sample-train.zarr
    """
    from pymaf_data.errors import UsageError
    from pymaf_data.paths import DataRoot
    from pymaf_data.recipe import Step
    from pymaf_data.report.make import ReportOptions

    found = DataRoot.default().require_stores(paths or [])
    if out is not None and len(found) > 1:
        raise UsageError(
            f"--out names one page, and there are {len(found)} to write",
            expected="one store or run",
            action="name it, or leave --out away.",
        )
    options = [ReportOptions(path=path, out=out, persons=persons) for path in found]
    made = take([Step("report", f"report on {one.path.name}", one) for one in options], direct=True)
    if as_json:
        echo_json(made)
        return
    echo("\n".join(line for one in made for line in lines(one)))


def lines(report: ReportReport) -> list[str]:
    """The report for a reader."""
    there = "" if report.written else ", shows the same already, nothing to do"
    return [f"{report.path}: {report.bytes / 1e6:.1f} MB{there}"]
