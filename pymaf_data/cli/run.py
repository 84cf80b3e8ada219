"""``pymaf-data run``: a whole recipe as one flow."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pymaf_data.cli.say import echo, echo_json
from pymaf_data.cli.steps import DIRECT_HELP, directly, take
from pymaf_data.stages.registry import STAGES, Step


def command(
    recipe: Annotated[
        str,
        typer.Argument(help="A recipe file (*.yaml), or the name of one that ships: `pymaf-data recipes` lists them."),
    ],
    direct: Annotated[bool, typer.Option("--direct", help=DIRECT_HELP)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print every report as one JSON list.")] = False,
) -> None:
    """Take the whole pipeline of a recipe: sample, ingest, fits, IUV maps, training, contact sheet, report.

    Run again, the same command does only what is missing.

    Example: pymaf-data run manifests/recipes/demo.yaml
    """
    direct = directly(direct)
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
        if made := STAGES[step.stage].made:
            title, field = made
            found = getattr(report, field)
            for path in found if isinstance(found, tuple) else [found]:
                echo(f"{title:<15}{path}")


def _show(step: Step, report: Any) -> None:
    """The stage's own lines under its title."""
    stage = STAGES[step.stage]
    echo(f"\n{step.title}", bold=True)
    for line in stage.told(report):
        echo(line)
    stage.require(report)
