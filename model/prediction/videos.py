"""Annotated videos: frames in their order, written as they come."""

from __future__ import annotations

from pathlib import Path

import cv2

from pymaf_data.datasets.video import VideoFrames
from pymaf_data.errors import NotWritable
from pymaf_data.storage.files import make_folder, writing_to

from .seen import Image

_RATE = 25.0  # where a video does not say its own


def rate_of(images: VideoFrames, video: str) -> float:
    """Frames per second of a video; 25 where it does not say."""
    return images.rate(video) or _RATE


class AnnotatedVideo:
    """A video that is being written: under another name until it is whole.

    Args:
        path: the file, an .mp4.
        rate: frames per second.

    Raises:
        NotWritable, DiskFull: it cannot be written.
    """

    def __init__(self, path: Path, rate: float) -> None:
        self.path, self._rate = path, rate
        self._unfinished = path.with_name(f".{path.name}")
        self._writer: cv2.VideoWriter | None = None
        with writing_to(path.parent):
            make_folder(path.parent)

    def add(self, image: Image) -> None:
        """Write a frame (H, W, 3) uint8 RGB of the first one's size."""
        if self._writer is None:
            size = image.shape[1], image.shape[0]
            # MPEG-4 part 2: of what players read, OpenCV's wheels encode that alone.
            self._writer = cv2.VideoWriter(str(self._unfinished), cv2.VideoWriter.fourcc(*"mp4v"), self._rate, size)
            if not self._writer.isOpened():
                raise NotWritable(
                    f"OpenCV cannot write a video of {size[0]} × {size[1]} px to {self.path}",
                    expected="a folder in which you may write, and an OpenCV that encodes MPEG-4",
                    action="leave overlays out with --save, or name another place with --out.",
                )
        self._writer.write(image[..., ::-1])

    def close(self) -> None:
        """Give the file its name; without a frame there is none."""
        if self._writer is not None:
            self._writer.release()
            with writing_to(self.path.parent):
                self._unfinished.replace(self.path)

    def discard(self) -> None:
        """Leave nothing of a video that was not finished."""
        if self._writer is not None:
            self._writer.release()
        self._unfinished.unlink(missing_ok=True)
