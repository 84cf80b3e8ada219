"""What a sample can be told. No NumPy: the command line reads it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from pymaf_data.config import Flag, StrictModel
from pymaf_data.errors import UsageError
from pymaf_data.paths import UserPath


def _width_and_height(size: Any) -> Any:
    if not isinstance(size, str):
        return size
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", size.lower())
    if match is None:
        raise UsageError(f"--size {size}.", expected="WIDTHxHEIGHT in pixels.", action="write for example 640x480.")
    return int(match[1]), int(match[2])


class SampleOptions(StrictModel):
    """What to generate. The folder is new, empty, or a sample that the same options began."""

    out: Annotated[
        UserPath, Flag("Folder to write: new, empty, or a sample to complete.", argument=True, metavar="OUT")
    ]
    persons: Annotated[int, Field(gt=0, le=1_000_000), Flag("People with all 12 body keypoints, per split.")] = 200
    seed: Annotated[int, Field(ge=0), Flag("Seed of all chance: same seed, same bytes.")] = 0
    split: Annotated[Literal["train", "val", "both"], Flag("train, val or both.")] = "train"
    size: Annotated[
        tuple[int, int],
        BeforeValidator(_width_and_height),
        Flag("Images as WIDTHxHEIGHT in pixels.", default="640x480"),
    ] = (640, 480)
    workers: Annotated[int, Field(ge=1, le=256), Flag("Processes; any number gives the same bytes.")] = 1
    backgrounds: Annotated[UserPath | None, Flag("Images of yours to take instead of drawn places.", metavar="DIR")] = (
        None
    )
    noise: Annotated[
        float, Field(ge=0.0, le=3.0), Flag("Annotation noise: 0 exact, 1 as far as annotators disagree.")
    ] = 0.0
    masks: Annotated[Literal["rle", "polygon"], Flag("rle (every pixel) or polygon (as COCO's).")] = "rle"
