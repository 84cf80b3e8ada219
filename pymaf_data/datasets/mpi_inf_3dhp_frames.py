"""Images and masks of MPI-INF-3DHP's training set: frames of videos, or jpgs that were extracted from them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from pymaf_data.datasets.images import ImageRef, MissingImage
from pymaf_data.datasets.masks import run_lengths
from pymaf_data.datasets.mpi_inf_3dhp_views import View
from pymaf_data.datasets.select import Told
from pymaf_data.datasets.video import VideoFrames

_NAME = re.compile(r"((?:.*/)?)imageFrames/video_(\d{1,3})/frame_(\d{6})\.jpg", re.DOTALL)
_MARGIN = 80.0  # px about the joints beyond which the masks show the studio


class TdhpFrames(VideoFrames):
    """Frames of the training set's videos, by the names that SPIN gives to the jpgs; of those, the ones that are there.

    ``stills`` of a camera: what names of its jpgs may begin with, below the root.
    """

    def place(self, name: str) -> ImageRef:
        """The jpg where there is one, or else the video."""
        found = _NAME.fullmatch(name)
        if not found:
            return ImageRef(name)
        folder, camera, number = found.groups()
        for start in stills(folder, int(camera)):
            if (self.root / f"{start}{number}.jpg").is_file():
                return ImageRef(f"{start}{number}.jpg")
        return ImageRef(f"{folder}imageSequence/video_{camera}.avi", int(number) - 1)

    def frames(self, folder: str, camera: int) -> int:
        """How many frames there are of a camera; −1 where nothing is there, 0 where none can be decoded."""
        numbers = [-1]
        for start in stills(folder, camera):
            numbers += [int(path.stem[-6:]) for path in self.root.glob(f"{start}[0-9][0-9][0-9][0-9][0-9][0-9].jpg")]
        video = f"{folder}imageSequence/video_{camera}.avi"
        return max(*numbers, self.count(video) if (self.root / video).exists() else -1)


def stills(folder: str, camera: int) -> tuple[str, str]:
    """How names of a camera's jpgs begin, as SPIN and as the authors extract them; frames count from 1."""
    return f"{folder}imageFrames/video_{camera}/frame_", f"{folder}imageSequence/img_{camera}_"


def green_screen(
    source: VideoFrames, told: Told, view: View, video: str
) -> Callable[[NDArray[np.int64]], Iterator[bytes]]:
    """Of frames, what is not green near the joints: the red channel shows it white, as far as the studio goes."""

    def masks(frames: NDArray[np.int64]) -> Iterator[bytes]:
        for i, image in zip(frames.tolist(), source.decode(video, frames.tolist(), view.size), strict=True):
            try:
                if isinstance(image, MissingImage):
                    raise ValueError(str(image))
                mask = np.zeros(image.shape[:2], bool)
                low, high = view.points[i].min(0) - _MARGIN, view.points[i].max(0) + _MARGIN
                (x, y), (right, bottom) = np.maximum(low, 0).astype(int), np.ceil(high).astype(int)
                mask[y:bottom, x:right] = image[y:bottom, x:right, 0] > 127
                if not mask.any():
                    raise ValueError("nobody in it")
                yield run_lengths(mask)[0]
            except ValueError as error:
                told.adjusted.add("mask_unusable", f"{video}, frame {i}: {error}")
                yield b""

    return masks
