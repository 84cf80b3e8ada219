"""What files and images of Human3.6M are called.

    S9/…/Directions 1.54138969.cdf                 subject, sequence, camera
    images/S9_Directions_1.54138969_000006.jpg     what SPIN calls frame 5 of S9/Videos/Directions 1.54138969.mp4

The number behind a sequence's name says nothing of its action: metadata.xml does.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymaf_data.datasets.dataset import Raw
from pymaf_data.datasets.h36m_cameras import CAMERAS
from pymaf_data.datasets.images import ImageRef, image_name
from pymaf_data.datasets.video import VideoFrames

Indices = NDArray[np.int64]

#: Frames that a sequence may have: what an annotation id has place for.
LONGEST = 1_000_000
_IMAGE = re.compile(r"((?:[^/]+/)*)images/(S\d{1,2})_([^/]+)\.(\d{1,9})_(\d{6,9})\.jpg")


@dataclass(frozen=True)
class View:
    """One camera's view of one sequence, by the name of its file.

    Attributes:
        subject: from 1. name: as files have it, "Directions 1". camera: its serial number.
    """

    subject: int
    name: str
    camera: int

    @classmethod
    def of(cls, path: Path) -> View | None:
        """Of S9/…/Directions 1.54138969.cdf; None of other names."""
        subject = next((part for part in reversed(path.parts[:-1]) if re.fullmatch(r"S\d{1,2}", part)), None)
        name, _, camera = path.stem.rpartition(".")
        known = subject and name and camera.isascii() and camera.isdigit() and int(camera) in CAMERAS
        return cls(int(subject[1:]), name, int(camera)) if subject and known else None

    @property
    def sequence(self) -> str:
        """S9 Directions 1."""
        return f"S{self.subject} {self.name}"

    def __str__(self) -> str:
        return f"{self.sequence}.{self.camera}"

    def ids(self, frames: Indices) -> NDArray[np.int64]:
        """Annotation ids of frames: made of names, so that they are the same whatever else is there."""
        sequence, cameras = zlib.crc32(self.sequence.encode()), list(CAMERAS)
        return ((sequence & 0x7FFFFFFF) * LONGEST + frames) * len(cameras) + cameras.index(self.camera)

    def images(self, raw: Raw, frames: Indices) -> list[str]:
        """Image names of frames, which count from 1 there."""
        stem = f"images/S{self.subject}_{self.name.replace(' ', '_')}.{self.camera}"
        return [image_name(raw.folder, f"{stem}_{frame + 1:06d}.jpg", raw.root) for frame in frames.tolist()]


class H36mFrames(VideoFrames):
    """Frames by the names of SPIN's images; where such an image is there, that."""

    late = 0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._made: dict[str, bool] = {}

    def place(self, name: str) -> ImageRef:
        """Frame i of the video for a name that counts i + 1, and ``late`` frames after it."""
        match = _IMAGE.fullmatch(name)
        if not match:
            return ImageRef(name)
        above, subject, action, camera, number = match.groups()
        if above not in self._made:  # without the folder, no image is looked for
            self._made[above] = (self.root / above / "images").is_dir()
        if self._made[above] and self.stamp(name) >= 0:
            return ImageRef(name)
        video = f"{above}{subject}/Videos/{action.replace('_', ' ')}.{camera}.mp4"
        return ImageRef(video, max(int(number) - 1 + self.late, 0))


class LateFrames(H36mFrames):
    """As SPIN reads frames to evaluate: it reads one before it begins to count."""

    late = 1
