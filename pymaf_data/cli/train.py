"""``pymaf-data train``: stores → trained network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pymaf_data.cli.say import echo, echo_json
from pymaf_data.cli.steps import take_one

if TYPE_CHECKING:
    from pymaf_data.model.trainer import TrainReport


def command(
    recipe: Annotated[
        str | None, typer.Argument(help="Recipe whose train section to follow: a name or a *.yaml file.")
    ] = None,
    store: Annotated[
        list[Path] | None,
        typer.Option(help="Store to read; may be given several times.", show_default="every store of the data root"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The run's folder below runs/.", show_default="the recipe's, pymaf")
    ] = None,
    body: Annotated[
        str | None, typer.Option(help="The body to fit.", show_default="the one that the stores' fits belong to")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimizer steps in all; without it, epochs count.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the data.", show_default="60")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Persons a step.", show_default="64")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Adam's rate.", show_default="5e-5")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Decides weights, order, augmentation.")] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda or cuda:N.", show_default="auto: a GPU when there is one")
    ] = None,
    precision: Annotated[
        Literal["auto", "fp32", "bf16"] | None,
        typer.Option(help="Of the image-plane part; auto measures which is faster.", show_default="auto"),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Loader threads.", show_default="2")] = None,
    backbone: Annotated[
        Path | None, typer.Option(help="torchvision's resnet50 state dict to start from.", show_default="none")
    ] = None,
    validate: Annotated[
        list[Path] | None,
        typer.Option(help="Held-out store to measure on while training, never trained on; may be given several times."),
    ] = None,
    validate_every: Annotated[
        int | None, typer.Option(min=1, help="Steps between those measurements.", show_default="500")
    ] = None,
    validate_persons: Annotated[
        int | None, typer.Option(min=1, help="Persons to measure, evenly spread.", show_default="256")
    ] = None,
    targets: Annotated[
        Literal["stored", "rendered"] | None,
        typer.Option(help="Dense targets: stored maps, or rendered for every view.", show_default="stored"),
    ] = None,
    joints3d: Annotated[
        Literal["measured", "fitted"] | None,
        typer.Option(help="3D joints: the data set's, or the fit's where it has none.", show_default="measured"),
    ] = None,
    frame: Annotated[
        Literal["camera", "view"] | None,
        typer.Option(
            help="Whence bodies are seen: along the ray through the box, or by the whole image's camera (released).",
            show_default="view",
        ),
    ] = None,
    no_augment: Annotated[bool, typer.Option("--no-augment", help="Plain views, as stored.")] = False,
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Train on stores that lack fits, maps or shards.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin the run anew.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Train PyMAF (or the network that a recipe names) from the stores, on a GPU when there is one.

    The same command goes on where the run stopped. Its course: pymaf-data report data/runs/NAME, or
    tensorboard --logdir data/runs.

    Example: pymaf-data train --steps 1000 --batch-size 16 --validate data/stores/sample-val.zarr
    """
    from pymaf_data.loader.options import AugmentationOptions
    from pymaf_data.model.options import TrainOptions

    values = _recipe_values(recipe)
    given = {
        "stores": tuple(store) if store else None,
        "name": name,
        "body": body,
        "steps": steps,
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
        "device": device,
        "precision": precision,
        "workers": workers,
        "backbone": backbone,
        "targets": targets,
        "joints3d": joints3d,
        "frame": frame,
        "augmentation": AugmentationOptions.none() if no_augment else None,
        "allow_partial": allow_partial or None,
        "overwrite": overwrite or None,
    }
    values |= {key: value for key, value in given.items() if value is not None}
    if epochs is not None and steps is None:
        values.pop("steps", None)
    validation = {"stores": tuple(validate) if validate else None, "every": validate_every, "persons": validate_persons}
    _merge(values, "validation", validation)
    _merge(values, "optimizer", {"learning_rate": learning_rate})
    options = TrainOptions.parse(values, recipe or "the command line")
    report = take_one("train", f"train {options.name}", options, direct=True)  # training never needs Prefect
    echo_json(report) if as_json else echo("\n".join(lines(report)))


def _merge(values: dict[str, Any], section: str, given: dict[str, Any]) -> None:
    """Put what was given into a section of the options; the rest of it stays as the recipe says."""
    known = {key: value for key, value in given.items() if value is not None}
    if known:
        values[section] = {**values.get(section, {}), **known}


def _recipe_values(recipe: str | None) -> dict[str, Any]:
    """Options that a recipe sets; none without a recipe."""
    if recipe is None:
        return {}
    from pymaf_data.paths import DataRoot
    from pymaf_data.recipe import load_recipe, train_values

    return train_values(load_recipe(recipe), DataRoot.default())


def lines(report: TrainReport) -> list[str]:
    """The report for a reader."""
    done = report.step - report.resumed_from
    if not done:
        return [f"{report.checkpoint}: {report.step:,} steps are done already, nothing to do"]
    before = f" after {report.resumed_from:,} that were there already" if report.resumed_from else ""
    lines = [f"{done:,} steps in {report.seconds:,.0f} s{before}"]
    lines += [
        f"  {iteration}  MPJPE {errors['mpjpe']:6.1f} mm   PA-MPJPE {errors['pa_mpjpe']:6.1f} mm"
        for iteration, errors in report.errors.items()
    ]
    if report.errors:
        lines.append("  (on the last training batch, in training mode; M0 is the mean body)")
    return [*lines, f"checkpoint: {report.checkpoint}"]
