"""Anyone's own videos, with the persons that a detector of keypoints found in them.

    pymaf-data ingest video clip.mp4 --detections clip.json        forms: pymaf_data.datasets.detections

Persons of one video are a sequence; names are those of :func:`~pymaf_data.datasets.video.frame_name`.
"""

from __future__ import annotations

import os
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from pymaf_data.datasets.dataset import Raw, ReaderOfStills
from pymaf_data.datasets.detected import PERSONS, DetectedOptions, person_of
from pymaf_data.datasets.detections import Detection, is_openpose, read_detections
from pymaf_data.datasets.images import image_name
from pymaf_data.datasets.manifest import Manifest, load_manifest
from pymaf_data.datasets.records import PersonRecord
from pymaf_data.datasets.select import Dropped, Told
from pymaf_data.datasets.splits import ANNOTATIONS, IMAGES, OPENPOSE
from pymaf_data.datasets.video import ENDINGS, frame_name
from pymaf_data.errors import RawDataMissing, UsageError
from pymaf_data.near import absent

#: The data set whose files are given one by one.
VIDEO = "video"


class VideoOptions(DetectedOptions):
    """What a manifest or the user chooses."""

    first: int = Field(0, ge=0, description="number that the detections give the first frame")


def of_videos(videos: Sequence[Path], detections: Path | None, split: str) -> tuple[Path, Manifest]:
    """Root and manifest of some videos; the role of each one's detections is its name below the root.

    Args:
        videos: the files.
        detections: of one video its file or folder; else the folder that holds them, named as the videos are; by
            default the videos' own.
        split: name of the split.

    Raises:
        RawDataMissing: a video or its detections are not there.
    """
    files = [video.absolute() for video in videos]
    root = Path(os.path.commonpath([file.parent for file in files]))
    roles = {}
    for file in files:
        if not file.is_file():
            raise RawDataMissing(f"there is no video {absent(file)}", action="check the path.")
        whole = detections is not None and len(files) == 1 and (detections.is_file() or is_openpose(detections))
        place = detections if whole and detections else detections_beside(detections or file.parent, file)
        roles[file.relative_to(root).as_posix()] = str(place.absolute())
    rules = load_manifest(VIDEO).split("train")
    own = rules.model_copy(update={"files": {**roles, IMAGES: ""}, "held_out": split.startswith(("val", "test"))})
    return root, load_manifest(VIDEO).model_copy(update={"splits": {split: own}}).below(root)


def detections_beside(folder: Path, video: Path) -> Path:
    """The detections of a video among those of a folder."""
    for place in (folder / f"{video.stem}.json", folder / video.stem):
        if place.is_file() or is_openpose(place):
            return place
    raise RawDataMissing(
        f"no detections of {video.name} in {folder}",
        expected=f"{video.stem}.json, or a folder {video.stem} of OpenPose's",
        action="bring them there, or name them with --detections.",
    )


class Video(ReaderOfStills):
    """Reader of detections: a role for each video, or ``annotations``, files that are named as the videos are."""

    options = VideoOptions
    thins = True

    def read(self, raw: Raw, told: Told) -> Iterator[PersonRecord | Dropped]:
        """Every detected person.

        Raises:
            RawDataCorrupt: detections of no known form.
            RawDataMissing: there is no video of their name.
            UsageError: frames are to be thinned by motion.
        """
        options = raw.options(VideoOptions)
        if raw.thin and raw.thin.metres:
            raise UsageError(
                "--thin motion of detections, which are places in the image",
                expected="joints in metres",
                action="take --thin every:N.",
            )
        for video, path in _paired(raw):
            name = image_name(raw.folder, video, raw.root)
            persons = Counter[int]()
            for found in read_detections(path):
                told.listed = told.listed[0], told.listed[1] + 1
                frame = found.frame - options.first
                if not found.fault and raw.thin and not raw.thin.keep(np.array([frame]), np.zeros((1, 0, 3)))[0]:
                    told.unwanted["thinned"] += 1
                    continue
                yield _person(raw, found, name, frame, persons[frame], options.confidence)
                persons[frame] += 1


def _paired(raw: Raw) -> list[tuple[str, Path]]:
    """Each video, by its name below the images' folder, with its detections."""
    roles = [role for role in raw.manifest.split(raw.split).files if role not in (IMAGES, OPENPOSE)]
    if ANNOTATIONS not in roles:
        return [(role, raw.file(role)) for role in roles]
    files, folder = {path.stem: path for path in raw.files(ANNOTATIONS)}, raw.root / raw.folder
    videos = sorted(path.name for path in folder.iterdir() if path.suffix[1:].casefold() in ENDINGS)
    paired = [(video, files[Path(video).stem]) for video in videos if Path(video).stem in files]
    if not paired:
        raise RawDataMissing(
            f"no video in {folder} is called as a file of detections is ({', '.join(list(files)[:5])})",
            expected=f"NAME.json beside NAME.mp4 ({', '.join(ENDINGS)})",
            action="name the videos: pymaf-data ingest video FILE… --detections JSON.",
        )
    return paired


def _person(raw: Raw, found: Detection, video: str, frame: int, number: int, least: float) -> PersonRecord | Dropped:
    who = f"person {number} in frame {found.frame} of {video}"
    if not found.fault and found.frame < 0:
        return Dropped("malformed", who, f"the name {found.image[:40]!r} has no number")
    if not found.fault and (frame < 0 or number >= PERSONS):
        return Dropped("malformed", who, f"frames begin at {found.frame - frame}, persons of a frame end at {PERSONS}")
    return person_of(
        raw,
        found,
        who,
        least,
        image_name=frame_name(video, frame),
        annotation_id=frame * PERSONS + number,
        subject=found.track,
        sequence=zlib.crc32(video.encode()) & 0x7FFFFFFF,
        frame=frame,
    )
