"""What ``figure`` can be told. No torch, no NumPy: the command line reads it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pymaf_data.config import Flag, StrictModel
from pymaf_data.paths import UserPath

ALIGNMENTS = ("keypoints", "silhouette")
_RANKED = ("alignment", "worst")  # whom they show follows from what is measured
#: Figure → how many are set beside the checkpoint, at least and at most.
_AGAINST = {"features": (0, 3), "iterations": (0, 0), "compare": (1, 3), "alignment": (1, 1), "worst": (0, 0)}


class FigureOptions(StrictModel):
    """Which figure, of whom, made by whom."""

    figure: Annotated[
        Literal["features", "iterations", "compare", "alignment", "worst"],
        Flag(
            "features: maps that are read, as sums of channels, and the predicted IUV. iterations: M0 to the last. "
            "compare: side by side with --against. alignment: of whom one has the lower PA-MPJPE and lies worse on "
            "the image. worst: the largest errors beside the truth.",
            argument=True,
            metavar="FIGURE",
            default=...,
        ),
    ]
    subject: Annotated[
        str,
        Flag(
            "A checkpoint, a run's name or folder, or start, the network that ships; also fits:NAME where bodies alone "
            "are shown.",
            argument=True,
            metavar="CHECKPOINT",
            default=...,
        ),
    ]
    store: Annotated[UserPath, Flag("Whose persons.", argument=True, metavar="STORE", default=...)]
    against: Annotated[
        tuple[str, ...],
        Flag("Set beside it: another checkpoint, or fits:NAME of the store; several.", metavar="CHECKPOINT|fits:NAME"),
    ] = ()
    persons: Annotated[int, Field(ge=1, le=64), Flag("Persons to show.")] = 4
    seed: Annotated[
        int | None, Field(ge=0), Flag("Draw the persons by this seed.", shown="none: evenly spread over the store")
    ] = None
    rows: Annotated[tuple[int, ...], Flag("Row of the store to show; several.", name="--row")] = ()
    ids: Annotated[tuple[int, ...], Flag("Annotation id to show; several.", name="--id")] = ()
    by: Annotated[
        str | None,
        Flag(
            f"alignment: {' or '.join(ALIGNMENTS)}; worst: the metric of the benchmark.",
            shown="keypoints; MPJPE",
        ),
    ] = None
    benchmark: Annotated[
        str | None, Flag("By which alignment and worst are measured.", shown="the first of the store's data set")
    ] = None
    among: Annotated[
        int | None,
        Field(ge=1),
        Flag("Persons among whom alignment and worst look, evenly spread.", shown="all of the benchmark's"),
    ] = None
    out: Annotated[UserPath | None, Flag("The PNG.", shown="figures/CHECKPOINT/FIGURE-STORE.png of the data root")] = (
        None
    )
    device: Annotated[str, Flag("auto, cpu, cuda or cuda:N.", shown="auto: a GPU when there is one")] = "auto"
    network: Annotated[str | None, Flag("What a file of others is of: pymaf, hmr.", shown="pymaf")] = None

    @property
    def ranks(self) -> bool:
        """Whether the figure itself finds whom it shows, by measuring."""
        return self.figure in _RANKED

    @model_validator(mode="after")
    def _is_told_what_it_heeds(self) -> Self:
        ranking = [name for name in ("by", "benchmark", "among") if getattr(self, name) is not None]
        choosing = [name for name in ("seed", "rows", "ids") if getattr(self, name) not in (None, ())]
        odd = choosing if self.ranks else ranking
        if odd:
            raise ValueError(f"{self.figure} does not heed {', '.join(odd)}: leave that out")
        if len(choosing) > 1 and (self.rows or self.ids) and self.seed is not None:
            raise ValueError("persons are drawn by a seed or named, not both: leave one out")
        if self.figure == "alignment" and self.by not in (None, *ALIGNMENTS):
            raise ValueError(f"alignment is by {' or '.join(ALIGNMENTS)}, not {self.by!r:.40}")
        return self

    @model_validator(mode="after")
    def _is_set_beside_as_many_as_it_shows(self) -> Self:
        least, most = _AGAINST[self.figure]
        if not least <= len(self.against) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise ValueError(f"{self.figure} wants {wanted} --against, {len(self.against)} were given")
        if len({self.subject, *self.against}) <= len(self.against):
            raise ValueError("somebody is set beside themselves: name others with --against")
        return self
