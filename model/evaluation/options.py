"""What ``evaluate`` can be told. No torch, no NumPy: the command line reads it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pymaf_data.config import Flag, StrictModel
from pymaf_data.paths import UserPath


class EvaluateOptions(StrictModel):
    """Whom to measure, on what, and how."""

    subject: Annotated[
        str,
        Flag(
            "A checkpoint, a run's name or folder, or start, the network that ships; fits:NAME, a source of fits of "
            "the stores (fits:chosen: the chosen ones); mean, the mean body; or what was measured before: the JSON or "
            "the folder of an evaluation.",
            argument=True,
            metavar="CHECKPOINT|fits:NAME|mean",
            default=...,
        ),
    ]
    benchmarks: Annotated[
        tuple[str, ...],
        Flag(
            "Benchmarks by name, as `pymaf-data benchmarks` lists them, or *.yaml of your own; by default all whose "
            "store is there.",
            argument=True,
            metavar="[BENCHMARK]...",
            shown="",
        ),
    ] = ()
    stores: Annotated[
        tuple[UserPath, ...],
        Flag(
            "Store to measure on; several.", name="--store", shown="those of the benchmark's data below the data root"
        ),
    ] = ()
    out: Annotated[UserPath | None, Flag("Folder for the results.", shown="evaluations/<subject> of the data root")] = (
        None
    )
    crop: Annotated[
        Literal["store", "spin", "spin-nearest"],
        Flag(
            "What a network sees: the store's sub-pixel view, or the raw image cut and resized as released code does "
            "with Pillow 7 and later (spin, bicubic) or before (spin-nearest)."
        ),
    ] = "store"
    raw: Annotated[
        UserPath | None, Flag("The raw data set, for what only it knows.", shown="raw/DATASET of the data root")
    ] = None
    follow_links: Annotated[bool, Flag("Take raw images that are links out of the raw data set.")] = False
    option: Annotated[
        tuple[str, ...],
        Flag("An option of a benchmark, such as truth=neutral or 3dpw.truth=neutral; several.", metavar="KEY=VALUE"),
    ] = ()
    compare: Annotated[
        str | None,
        Flag("Somebody else, named likewise, whose figures are taken from ours person by person.", shown="nobody"),
    ] = None
    iterations: Annotated[bool, Flag("Measure every iteration, M0 (the mean body) first.", name="--iterations")] = False
    persons: Annotated[
        int | None, Field(ge=1), Flag("Persons to measure, evenly spread.", shown="all of the benchmark's")
    ] = None
    bootstrap: Annotated[int, Field(ge=0), Flag("Times that persons are drawn anew for the intervals; 0: none.")] = 1000
    latex: Annotated[bool, Flag("Print rows of LaTeX tables (booktabs) instead.")] = False
    overwrite: Annotated[bool, Flag("Measure anew what was measured already.")] = False
    batch_size: Annotated[int, Field(ge=1), Flag("Persons that a network sees at once.")] = 32
    workers: Annotated[int, Field(ge=1), Flag("Threads that make views.")] = 2
    device: Annotated[str, Flag("auto, cpu, cuda or cuda:N.", shown="auto: a GPU when there is one")] = "auto"
    precision: Annotated[Literal["fp32", "bf16"], Flag("Of the image-plane part.")] = "fp32"
    network: Annotated[str | None, Flag("What a file of others is of: pymaf, hmr.", shown="pymaf")] = None
