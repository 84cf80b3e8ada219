"""``pymaf-data run``: a whole recipe as one flow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pymaf_data.cli.say import echo, echo_json
from pymaf_data.cli.steps import DIRECT_HELP, expect_flow

if TYPE_CHECKING:
    from pymaf_data.recipe import Step


def command(
    recipe: Annotated[str, typer.Argument(help="A recipe file (*.yaml), or the name of one that ships: demo.")],
    direct: Annotated[bool, typer.Option("--direct", help=DIRECT_HELP)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print every report as one JSON list.")] = False,
) -> None:
    """Take the whole pipeline of a recipe: sample, ingest, fits, IUV maps, training, contact sheet, report.

    Run again, the same command does only what is missing.

    Example: pymaf-data run manifests/recipes/demo.yaml
    """
    expect_flow(direct)
    from pymaf_data.cli.steps import take
    from pymaf_data.paths import DataRoot
    from pymaf_data.recipe import load_recipe, pipeline, stores_of

    loaded, root = load_recipe(recipe), DataRoot.default()
    steps = pipeline(loaded, root)
    reports = take(steps, direct, None if as_json else _show)
    if as_json:
        echo_json(reports)
        return
    echo("")
    for store in stores_of(loaded, root):
        echo(f"store          {store}")
    for step, report in zip(steps, reports, strict=True):
        if step.stage == "train":
            echo(f"checkpoint     {report.checkpoint}")
        elif step.stage == "contact-sheet":
            echo(f"contact sheet  {report.path}")
        elif step.stage == "report":
            echo(f"report         {report.path}")


def _show(step: Step, report: Any) -> None:
    """The stage's own lines under its title."""
    from pymaf_data.cli.attach_fits import lines as attach_fits
    from pymaf_data.cli.ingest import lines as ingest
    from pymaf_data.cli.render_iuv import lines as render_iuv
    from pymaf_data.cli.report import lines as report_lines
    from pymaf_data.cli.sample import lines as sample
    from pymaf_data.cli.train import lines as train

    lines: dict[str, Callable[[Any], list[str]]] = {
        "sample": sample,
        "ingest": ingest,
        "attach-fits": attach_fits,
        "render-iuv": render_iuv,
        "train": train,
        "report": report_lines,
        "contact-sheet": lambda made: [
            f"{made.path}: {len(made.rows)} persons" + ("" if made.drawn else ", drawn already, nothing to do")
        ],
    }
    echo(f"\n{step.title}", bold=True)
    for line in lines[step.stage](report):
        echo(line)
    if step.stage == "ingest":
        report.require_images()
