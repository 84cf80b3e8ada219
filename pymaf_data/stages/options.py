"""What the stages of a store can be told. No torch, no NumPy: the command line reads it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from pymaf_data.config import Flag, StrictModel
from pymaf_data.cores import available_cores
from pymaf_data.errors import UsageError
from pymaf_data.fits.fitter.options import KeypointOptions
from pymaf_data.fits.request import require_named
from pymaf_data.fits.rule import ChooseOptions
from pymaf_data.paths import UserPath
from pymaf_data.stages.executors import ExecutorOptions


def _whole_blocks(size: int) -> int:
    if size % BLOCK:
        raise UsageError(
            f"maps of {size} px",
            expected=f"a multiple of {BLOCK} px: U and V are kept for blocks of {BLOCK} × {BLOCK} pixels",
            action=f"take --size {size // BLOCK * BLOCK}.",
        )
    return size


BLOCK = 3  # render.stored.UV_BLOCK, which needs NumPy
MapSize = Annotated[int, Field(ge=16, le=1024, json_schema_extra={"multipleOf": BLOCK}), AfterValidator(_whole_blocks)]
_THREADS = Flag("Threads; the result does not depend on them.", shown="all cores")
_BREAK_LOCK = Flag("Take over the lock of another run.")


class IngestOptions(ExecutorOptions):
    """What to ingest, from where, to where and how."""

    dataset: Annotated[
        str,
        Flag(
            "Data set, as `pymaf-data datasets` lists them, or the path of a manifest (*.yaml) or of an annotation "
            "file in COCO's format (*.json).",
            argument=True,
            default=...,
        ),
    ] = "coco"
    files: Annotated[
        tuple[UserPath, ...],
        Flag("Of the data set video: the videos; of images: the folder.", argument=True, metavar="[VIDEO|FOLDER]..."),
    ] = ()
    root: Annotated[UserPath | None, Flag("Folder of the raw data set.", shown="raw/DATASET of the data root")] = None
    npz: Annotated[UserPath | None, Flag("Of the data set npz: the file whose persons to take.", metavar="FILE")] = None
    detections: Annotated[
        UserPath | None,
        Flag(
            "Of videos and images: the persons found in them, a JSON or a folder of OpenPose's; of videos also the "
            "folder that holds one of them for each.",
            shown="beside the videos, of their names; on images persons are found here",
        ),
    ] = None
    finder: Annotated[
        UserPath | None,
        Flag(
            "Of images without detections: the file of the networks that find persons, mediapipe-pose-*.tgz.",
            shown="finder/ of the assets",
        ),
    ] = None
    images: Annotated[
        UserPath | None,
        Flag(
            "Of --npz or an annotation file: the folder that the names of its images begin in.",
            shown="the annotation file's folder",
        ),
    ] = None
    split: Annotated[
        str,
        Flag(
            "Split of the data set, as its manifest names it; of --npz: whose rules hold; of an annotation file: what "
            "to call it.",
            shown="train",
        ),
    ] = "train"
    out: Annotated[UserPath | None, Flag("The store to write.", shown="stores/DATASET-SPLIT.zarr of the data root")] = (
        None
    )
    select: Annotated[
        str | None,
        Flag(
            "Persons to keep: a selection of the data set, such as any (at least one keypoint labelled).",
            shown="the data set's own, SPIN's rule",
        ),
    ] = None
    thin: Annotated[
        str | None,
        Flag(
            "Of sequences: every:N, every Nth frame, or motion:100mm, frames in which a joint moved by so much since "
            "the last one kept.",
            shown="as the published preprocessing does",
        ),
    ] = None
    option: Annotated[
        tuple[str, ...],
        Flag(
            "An option of the data set's reader instead of the manifest's, such as box=raw; several.",
            metavar="KEY=VALUE",
        ),
    ] = ()
    against: Annotated[
        UserPath | None,
        Flag(
            "A release of the same set (an npz of SPIN's) to compare with, row by row: names, boxes, joints.",
            metavar="FILE",
        ),
    ] = None
    openpose: Annotated[
        UserPath | None,
        Flag(
            "Folder of OpenPose's detections (BODY_25; NAME_keypoints.json for each image) to fill its 25 joints with."
        ),
    ] = None
    crop_size: Annotated[int, Field(ge=32, le=2048), Flag("Side of the stored crop in pixels.")] = 400
    workers: Annotated[int, _THREADS] = Field(default_factory=available_cores, ge=1)
    on_error: Annotated[
        Literal["skip", "stop"], Flag("Count and name damaged persons and images, or stop at the first.")
    ] = "skip"
    overwrite: Annotated[bool, Flag("Build the store anew beside the old, then swap.")] = False
    break_lock: Annotated[bool, _BREAK_LOCK] = False
    follow_links: Annotated[
        bool, Flag("Take images that are links out of the raw data's folder (DVC, git-annex, Hugging Face).")
    ] = False
    shard: int = Field(default=512, ge=1, description="persons per shard; smaller only for tests")


class AttachOptions(ExecutorOptions):
    """What to attach, and how to choose."""

    store: Annotated[UserPath, Flag("Stores.", each=True)]
    fits: Annotated[
        tuple[str, ...],
        Flag(
            "A source, [NAME=]FORMAT[:PATH[:COMPANION]]: keypoints fits the body here; `pymaf-data fits` lists the "
            "formats of files. FORMAT may be left out where the file tells it. May be given several times. "
            "Without any, only the choice is made again."
        ),
    ] = ()
    prefer: Annotated[
        str | None,
        Flag(
            "The source that wins wherever it is valid, or several, A,B: the first first; else the lowest reprojection."
        ),
    ] = None
    choose: ChooseOptions = ChooseOptions()
    keypoints: KeypointOptions = KeypointOptions()
    assets: UserPath | None = Field(default=None, description="bodies that the user brings; by default the data root's")
    allow_unproved: Annotated[bool, Flag("Accept fits of a body that is not on this machine (exit 0).")] = False
    force: Annotated[bool, Flag("Keep all joined fits of a source that the proof refuses, marked as forced.")] = False
    break_lock: Annotated[bool, _BREAK_LOCK] = False

    @model_validator(mode="after")
    def _preferred_once(self) -> Self:
        if self.prefer and self.choose.prefer:
            raise UsageError(
                f"prefer: {self.prefer} beside choose: prefer: {', '.join(self.choose.prefer)}",
                expected="one of them",
                action="leave one out.",
            )
        return self

    @property
    def rule(self) -> ChooseOptions:
        """How to choose, whichever way the preference was given."""
        return self.choose.model_copy(update={"prefer": tuple(self.prefer.split(","))}) if self.prefer else self.choose


def require_sources(*options: AttachOptions) -> None:
    """Refuse requests of no format or of no file.

    Raises:
        UsageError, FitError: as :func:`~pymaf_data.fits.request.require_named`.
    """
    for text in dict.fromkeys(text for one in options for text in one.fits):
        require_named(text)


class ExportOptions(StrictModel):
    """What to export, and where to."""

    store: Annotated[UserPath, Flag("The store.", argument=True)]
    out: Annotated[UserPath, Flag("The file to write.", argument=True)]
    to: Annotated[
        Literal["spin", "hmr2", "humandata"],
        Flag("Format: spin (dataset_extras, also PyMAF's), hmr2 (4D-Humans' npz) or humandata (mmhuman3d's)."),
    ]
    overwrite: Annotated[bool, Flag("Write over a file that is there.")] = False


class RenderOptions(ExecutorOptions):
    """What to render and how."""

    stores: Annotated[
        tuple[UserPath, ...], Flag("Stores; by default all of the data root.", argument=True, metavar="[STORE]...")
    ] = ()
    shard: Annotated[str, Flag("Shards to render: all, missing, 0-3 (both ends included), 7,9 or 0-3,7.")] = "all"
    renderer: Annotated[
        str, Flag("Renderer: auto (the fastest that is there), numba, warp or pytorch3d; see doctor.")
    ] = "auto"
    size: Annotated[MapSize, Flag("Side of the maps in pixels, a multiple of 3.")] = 576
    workers: Annotated[int, _THREADS] = Field(default_factory=available_cores, ge=1)
    assets: Annotated[UserPath | None, Flag("Folder of licensed files.", shown="assets of the data root")] = None
    break_lock: Annotated[bool, _BREAK_LOCK] = False
