"""``pymaf-data sample``: a generated raw data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pymaf_data.cli.say import echo, echo_json
from pymaf_data.cli.steps import DIRECT_HELP, expect_flow, take_one


def command(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write: new, empty, or a sample to complete.")],
    persons: Annotated[int, typer.Option(help="People with all 12 body keypoints, per split.", min=1)] = 200,
    seed: Annotated[int, typer.Option(help="Seed of all chance: same seed, same bytes.", min=0)] = 0,
    split: Annotated[str, typer.Option(help="train, val or both.")] = "train",
    size: Annotated[str, typer.Option(help="Images as WIDTHxHEIGHT in pixels.")] = "640x480",
    workers: Annotated[int, typer.Option(help="Processes; any number gives the same bytes.", min=1)] = 1,
    backgrounds: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Images of yours to take instead of drawn places.")
    ] = None,
    noise: Annotated[
        float, typer.Option(help="Annotation noise: 0 exact, 1 as far as annotators disagree.", min=0.0, max=3.0)
    ] = 0.0,
    masks: Annotated[str, typer.Option(help="rle (every pixel) or polygon (as COCO's).")] = "rle",
    direct: Annotated[bool, typer.Option("--direct", help=DIRECT_HELP)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Write a generated raw data set: free bodies in COCO's layout, exact truth beside it.

    Splits differ in poses, shapes and places: what `val` shows, `train` never did.

    Stopped halfway, the same command completes it.

    Example: pymaf-data sample data/raw/sample --persons 200 --seed 1
    """
    expect_flow(direct)
    from pymaf_data.errors import UsageError
    from pymaf_data.recipe import options_of

    width, _, height = size.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise UsageError(f"--size {size}.", expected="WIDTHxHEIGHT in pixels.", action="write for example 640x480.")
    values = {"out": out, "persons": persons, "seed": seed, "split": split, "workers": workers}
    values |= {"backgrounds": backgrounds, "noise": noise, "masks": masks}
    options = options_of("sample").parse(values | {"size": (int(width), int(height))}, "the command line")
    report = take_one("sample", "sample", options, direct)
    echo_json(report) if as_json else echo("\n".join(lines(report)))


def lines(report: Any) -> list[str]:
    """The report for a reader."""
    told = []
    for part in report.splits:
        before = f", {part.resumed} images were there already" if part.resumed else ""
        told.append(
            f"{part.split}: {part.pictures} images, {part.persons} people, {part.complete} of them with all 12 "
            f"body keypoints{before}"
        )
        told += [f"  {line}" for line in part.statistics.lines()]
    return [*told, f"sample in {report.out}"]
