"""MPI-INF-3DHP: people in a studio with 14 cameras, and six test sequences in three scenes, two of them elsewhere.

The training set's images are frames of videos, or jpgs that were extracted from them: ``imageFrames/video_0/
frame_000001.jpg`` by SPIN and HMR, whose names images have here, or ``imageSequence/img_0_000001.jpg`` by its authors.
Frame i is row i of the annotations. Views of one instant have the same ``sequence`` and ``frame``, and differ in
``camera``. Of the files: :mod:`~pymaf_data.datasets.mpi_inf_3dhp_files`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from pymaf_data.config import StrictModel
from pymaf_data.datasets.dataset import ImageSource, Raw
from pymaf_data.datasets.images import Images
from pymaf_data.datasets.mpi_inf_3dhp_cameras import Matrix, intrinsics_of, read_cameras, read_lens
from pymaf_data.datasets.mpi_inf_3dhp_files import TEST_JOINTS, read_test, read_training
from pymaf_data.datasets.mpi_inf_3dhp_frames import TdhpFrames, green_screen, stills
from pymaf_data.datasets.mpi_inf_3dhp_views import Stride, View, persons
from pymaf_data.datasets.records import PersonRecord
from pymaf_data.datasets.select import Dropped, Told
from pymaf_data.errors import RawDataCorrupt

_FRAMES = 1_000_000  # what an annotation id has place for


class TdhpOptions(StrictModel):
    """What a split of the manifest says; all but the first two are of training."""

    release: Literal["train", "test"] = Field("train", description="whose files these are")
    annotations: Literal["plain", "universal"] = Field(
        "plain", description="3D joints as measured, or of a person scaled to one size, as SPIN is measured on"
    )
    cameras: tuple[int, ...] = Field((), description="which are taken; none named: all")
    every: int = Field(1, ge=1, description="of so many frames that are wanted, the first")
    frames: dict[str, int] = Field(
        default_factory=dict,
        description="frames of the videos of a sequence (S1/Seq1), or of one of them (S6/Seq2/video_2), of the release",
    )
    masks: bool = Field(False, description="read the masks of FGmasks, which decodes those videos")
    unmasked: frozenset[str] = Field(frozenset(), description="sequences whose FGmasks hold no green screen")


class MpiInf3dhp:
    """Reader of annot.mat or annot_data.mat (role ``annotations``) and the calibrations (role ``calibration``)."""

    options = TdhpOptions
    thins = True

    def read(self, raw: Raw, told: Told) -> Iterator[PersonRecord | Dropped]:
        """Every frame by every camera."""
        options = raw.options(TdhpOptions)
        stride, read = Stride(options.every), _test if options.release == "test" else _training
        for path in raw.files("annotations"):
            yield from read(raw, told, options, stride, path)

    def images(self, raw: Raw) -> ImageSource:
        """Frames of videos, and jpgs."""
        return TdhpFrames(raw.root.absolute(), raw.folder, follow_links=raw.follow_links)


def _training(
    raw: Raw, told: Told, options: TdhpOptions, stride: Stride, path: Path
) -> Iterator[PersonRecord | Dropped]:
    subject, sequence = (_number(part, word) for part, word in zip(path.parts[-3:-1], ("S", "Seq"), strict=True))
    named, cameras = f"S{subject}/Seq{sequence}", read_cameras(path.parent / "camera.calibration")
    folder = f"{raw.folder}/{named}/" if raw.folder else f"{named}/"
    source = TdhpFrames(raw.root.absolute(), raw.folder, follow_links=raw.follow_links)
    listed = raw.manifest.keypoints.listed.joints
    taken = [joint for joint, known in enumerate(listed) if known]
    annotated = read_training(path, "univ_annot3" if options.annotations == "universal" else "annot3")
    for camera, (points, solid) in enumerate(annotated):
        if options.cameras and camera not in options.cameras:
            continue
        told.listed = told.listed[0] + len(points), told.listed[1] + len(points)
        if camera not in cameras:
            told.unwanted["no_camera"] += len(points)
            continue
        frames = _usable(source, options, folder, named, camera, len(points))
        told.unwanted["no_frame"] += len(points) - frames
        view = View(
            images=stills(folder, camera)[0],
            joints=tuple(listed[joint] or "" for joint in taken),
            points=points[:frames, taken] + raw.manifest.keypoints.offset,
            solid=solid[:frames, taken],
            keys=((subject * 100 + sequence) * 100 + camera) * _FRAMES + np.arange(frames),
            intrinsics=cameras[camera].intrinsics,
            size=cameras[camera].size,
            subject=subject,
            sequence=10 * subject + sequence,
            camera=camera,
        )
        masked = options.masks and named not in options.unmasked
        masks = green_screen(source, told, view, f"{folder}FGmasks/video_{camera}.avi") if masked else None
        yield from persons(raw, told, view, stride, masks)


def _usable(source: TdhpFrames, options: TdhpOptions, folder: str, named: str, camera: int, annotated: int) -> int:
    """How many annotations have a frame.

    Of the release that is known, without which a plan would decode 128 videos. Annotations that are shorter are not the
    release's: then frames are counted, and where none can be decoded all are taken, to be told as missing one by one.
    """
    known = options.frames.get(f"{named}/video_{camera}", options.frames.get(named, 0))
    if known and annotated >= options.frames.get(named, known):
        return known
    found = source.frames(folder, camera)
    return 0 if found < 0 else min(found or annotated, annotated)


def _test(raw: Raw, told: Told, options: TdhpOptions, stride: Stride, path: Path) -> Iterator[PersonRecord | Dropped]:
    number, read = _number(path.parent.name, "TS"), read_test(path)
    frames = len(read.points)
    told.listed = told.listed[0] + frames, told.listed[1] + frames
    told.unwanted["not_valid"] += int((~read.valid).sum())
    images, valid = f"{raw.folder}/TS{number}/imageSequence/img_".lstrip("/"), np.flatnonzero(read.valid).tolist()
    source = Images(raw.root.absolute(), raw.folder, follow_links=raw.follow_links)
    sizes = (source.size(f"{images}{i + 1:06d}.jpg") for i in valid)
    size = next((size for size in sizes if all(size)), (0, 0))
    by_name = dict(zip(raw.manifest.keypoints.listed.names, raw.manifest.keypoints.listed.joints, strict=True))
    points, plain = read.points + raw.manifest.keypoints.offset, read.plain
    view = View(
        images=images,
        joints=tuple(by_name[name] or "" for name in TEST_JOINTS),
        points=points,
        solid=read.universal if options.annotations == "universal" else plain,
        keys=(number * 10 + read.activity) * _FRAMES + np.arange(frames),
        intrinsics=intrinsics_of(points[valid], plain[valid], _lens(raw, number, size)),
        size=size,
        subject=number,
        sequence=number,
    )
    yield from persons(raw, told, view, stride, of=read.valid)


def _lens(raw: Raw, number: int, size: tuple[int, int]) -> Matrix | None:
    for path in raw.files("calibration"):
        of = re.fullmatch(r"ts(\d)-(\d)\w*", path.stem.lower())
        if of and all(size) and int(of[1]) <= number <= int(of[2]):
            return read_lens(path, size)
    return None


def _number(name: str, word: str) -> int:
    found = re.fullmatch(rf"{word}(\d)", name)
    if not found:
        raise RawDataCorrupt(
            f"a folder {name} holds annotations of MPI-INF-3DHP",
            expected=f"{word}1, {word}2, … as released",
            action="rename it, or take it away.",
        )
    return int(found[1])
