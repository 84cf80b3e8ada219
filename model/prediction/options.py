"""What ``predict`` can be told. No torch, no NumPy: the command line reads it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from pymaf_data.config import FiniteModel, Flag
from pymaf_data.paths import UserPath

OUTPUTS = ("overlay", "side", "obj", "glb")


class PredictOptions(FiniteModel):
    """Which network looks at what, and what is written."""

    subject: Annotated[
        str,
        Flag(
            "A checkpoint, a run's name or folder, or start, the network that ships.",
            argument=True,
            metavar="CHECKPOINT",
            default=...,
        ),
    ]
    inputs: Annotated[
        tuple[UserPath, ...],
        Field(min_length=1),
        Flag("Images, folders of images, videos.", argument=True, metavar="IMAGE|FOLDER|VIDEO...", default=...),
    ]
    persons: Annotated[
        UserPath | None,
        Flag(
            "Who is where: COCO's annotations, or the JSON of a detector, with boxes or keypoints; of several videos a "
            "folder of such files, named as they are.",
            shown="found here",
        ),
    ] = None
    finder: Annotated[
        UserPath | None,
        Flag(
            "Without --persons and --whole: the file of the networks that find persons, mediapipe-pose-*.tgz.",
            shown="finder/ of the assets",
        ),
    ] = None
    whole: Annotated[bool, Flag("Each image is cut about one person: the box is the whole image.", name="--whole")] = (
        False
    )
    least: Annotated[
        float, Field(ge=0, le=1), Flag("Joints of less confidence do not count for a box.", name="--confidence")
    ] = 0.2
    focal: Annotated[
        float | None,
        Field(gt=0),
        Flag("Of the camera, px; the principal point is the centre.", shown="the image's diagonal, assumed"),
    ] = None
    save: Annotated[
        tuple[str, ...],
        Flag(f"Write besides predictions.npz and .json; several: {', '.join(OUTPUTS)}, or none.", metavar="WHAT"),
    ] = ("overlay", "side", "glb")
    shown: Annotated[int, Field(ge=0), Flag("Persons whose bodies the page shows; 0: no page.", name="--page")] = 60
    smooth: Annotated[bool, Flag("Make bodies of videos steadier, person by person.", name="--smooth")] = False
    every: Annotated[int, Field(ge=1), Flag("Of videos, take every so-manieth frame.")] = 1
    out: Annotated[UserPath | None, Flag("Folder for all of it.", shown="predictions/CHECKPOINT of the data root")] = (
        None
    )
    overwrite: Annotated[bool, Flag("Replace what was predicted before.")] = False
    batch_size: Annotated[int, Field(ge=1), Flag("Persons that the network sees at once.")] = 16
    workers: Annotated[int, Field(ge=1), Flag("Threads that decode, cut and draw.")] = 2
    device: Annotated[str, Flag("auto, cpu, cuda or cuda:N.", shown="auto: a GPU when there is one")] = "auto"
    precision: Annotated[Literal["fp32", "bf16"], Flag("Of the image-plane part.")] = "fp32"
    network: Annotated[str | None, Flag("What a file of others is of: pymaf, hmr.", shown="pymaf")] = None

    @field_validator("save")
    @classmethod
    def _is_known(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if given == ("none",):
            return ()
        if odd := [name for name in given if name not in OUTPUTS]:
            raise ValueError(f"{odd[0]!r:.40} is none of {', '.join(OUTPUTS)}")
        return given

    @model_validator(mode="after")
    def _whom_is_said_once(self) -> Self:
        said = {"--persons": self.persons is not None, "--whole": self.whole, "--finder": self.finder is not None}
        if sum(said.values()) > 1:
            raise ValueError(
                "--persons says who is where, --whole takes the whole image as somebody's box, --finder looks for "
                f"persons: leave out all but one of {', '.join(flag for flag, given in said.items() if given)}"
            )
        return self

    @property
    def finds(self) -> bool:
        """Whether nobody says who is where, so that persons are to be found."""
        return self.persons is None and not self.whole
