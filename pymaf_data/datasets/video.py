"""Frames of videos as images of a raw data set: decoded forward only, each file once for a range of shards.

The name of a frame in a store is the video's path and the frame's number, ``clips/run.mp4/000005.jpg``, padded so that
the order of rows is that of time. A data set with names of its own overrides :meth:`VideoFrames.place`.

Frames are counted from 0 by decoding: containers do not say reliably how many there are, and seeking lands beside.
Decoders repair damage inside a frame without a word, so only a video that cannot be opened, or that ends too early, is
told; of one whose file is cut off, the last frames are not taken, since one of them is patched up.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymaf_data.cores import available_cores
from pymaf_data.datasets.decoding import MAX_PIXELS
from pymaf_data.datasets.images import UNKNOWN_SIZE, ImageRef, Images, MissingImage
from pymaf_data.errors import UntrustedData

# Read when OpenCV first opens a video: else the decoder speaks on the terminal of what it repairs.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

#: Endings of files whose frames can be images.
ENDINGS = ("avi", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "webm")
_NAME = re.compile(rf"(.+\.(?:{'|'.join(ENDINGS)}))/(\d{{6,9}})\.jpg", re.IGNORECASE)
_IDLE = 4  # decoders kept between shards, of the files read last
_MOST_THREADS = 8  # of a decoder, which holds a frame for each
_PARTS, _PART = 8, 1 << 14  # of a file, and bytes of each, that tell whether it is another
_FASTEST = 10_000.0  # frames per second that are believed
_PATCHED = 3  # frames at the end of a file that is cut off; the one that was cut is shown among the last
#: Containers by what they begin with. A playlist would have the decoder open whatever other files it names.
_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid", b"udta", b"moof", b"mfra", b"sidx")
_CONTAINERS = re.compile(
    rb"....(?:ftyp|moov|mdat|free|skip|wide|pnot)|RIFF....AVI |\x1aE\xdf\xa3|\x00\x00\x01[\xba\xb3]|G.{187}G", re.DOTALL
)


def frame_name(video: str, frame: int) -> str:
    """The name in a store of a frame, counted from 0, of a video below the root."""
    return f"{video}/{frame:06d}.jpg"


def frame_of(name: str) -> ImageRef:
    """The video and the frame that a name of :func:`frame_name` means; another name is that of a still."""
    found = _NAME.fullmatch(name)
    return ImageRef(found[1], int(found[2])) if found else ImageRef(name)


class VideoFrames(Images):
    """Frames of videos below the root, and stills, which are read as ever."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._given, self._threads = (arguments, options), _cores()
        self._idle: dict[str, _Cursor] = {}
        self._stamps: dict[str, int] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        arguments, options = self._given
        return _again, (type(self), arguments, options)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._idle.clear()

    def place(self, name: str) -> ImageRef:
        """The video and the frame that a name means; another name is that of a still."""
        return frame_of(name)

    def stamp(self, file: str) -> int:
        """Of a video its size and parts of its content, read once: another one may have the same size.

        Of encoded frames, nearly every byte differs where the images do.
        """
        size = super().stamp(file)
        if size < 0 or not file.casefold().endswith(ENDINGS):
            return size
        if file not in self._stamps:
            self._stamps[file] = _content(self.resolve(file), size)
        return self._stamps[file]

    def decode(
        self, file: str, frames: Sequence[int], size: tuple[int, int]
    ) -> Iterator[NDArray[np.uint8] | MissingImage]:
        """Frames of a video, ascending, or a still; see :class:`~pymaf_data.datasets.dataset.ImageSource`."""
        if not frames or frames[0] < 0:
            yield from super().decode(file, frames, size)
            return
        with self._cursor(file, frames[0]) as cursor:
            images = (cursor if isinstance(cursor, MissingImage) else cursor.image(k, size) for k in frames)
            yield from _ahead(images) if self._threads > 1 else images

    def count(self, file: str) -> int:
        """How many frames a video has, by decoding it; 0 where it cannot be."""
        with self._cursor(file, 0) as cursor:
            return 0 if isinstance(cursor, MissingImage) else cursor.run_out()

    def rate(self, file: str) -> float:
        """Frames per second, as the container says; 0 where it does not, or cannot be opened."""
        with self._cursor(file, 0) as cursor:
            return 0.0 if isinstance(cursor, MissingImage) else cursor.rate

    @contextmanager
    def _cursor(self, file: str, frame: int) -> Iterator[_Cursor | MissingImage]:
        """A decoder that stands at or before a frame; nobody else has it meanwhile."""
        with self._lock:
            cursor = self._idle.pop(file, None)
        if cursor is None or cursor.last > frame:
            opened = self._open(file)
            if isinstance(opened, MissingImage):
                yield opened
                return
            cursor = opened
        try:
            yield cursor
        finally:
            with self._lock:
                self._idle[file] = cursor
                while len(self._idle) > _IDLE:
                    del self._idle[next(iter(self._idle))]

    def _open(self, file: str) -> _Cursor | MissingImage:
        try:
            path = self.resolve(file)
        except UntrustedData as error:
            return MissingImage("unsafe_path", error.found)
        if not path.exists():
            return MissingImage("missing_picture", self.with_cause(file, file))
        try:
            with path.open("rb") as opened:
                start = opened.read(189)
        except OSError as error:
            return MissingImage("unreadable_picture", f"{file}: {error.strerror}")
        if not _CONTAINERS.match(start):
            return MissingImage("unreadable_video", f"{file} is no mp4, mov, avi, mkv, webm or mpeg")
        cursor = _Cursor.of(path, file, self._threads)
        if not isinstance(cursor, MissingImage) and _is_cut_off(path):
            usable = max(cursor.run_out() - _PATCHED, 0)
            cursor = _Cursor.of(path, file, self._threads, usable)
        return cursor


def _again(kind: type[VideoFrames], arguments: tuple[Any, ...], options: dict[str, Any]) -> VideoFrames:
    """In a worker: workers are the parallelism there, so it decodes on one thread."""
    there = kind(*arguments, **options)
    there._threads = 1
    return there


def _ahead(images: Iterator[Any]) -> Iterator[Any]:
    """The same, each decoded while the one before is worked on."""
    with ThreadPoolExecutor(1) as decoder:
        waiting = decoder.submit(next, images, None)
        while (image := waiting.result()) is not None:
            waiting = decoder.submit(next, images, None)
            yield image


def _content(path: Path, size: int) -> int:
    """A number of a file's size and of some parts of it, from its first to its last; −1 where it cannot be read."""
    digest = hashlib.sha256(str(size).encode())
    try:
        with path.open("rb") as file:
            for k in range(_PARTS):
                file.seek(max(size - _PART, 0) * k // (_PARTS - 1))
                digest.update(file.read(_PART))
    except OSError:
        return -1
    return int.from_bytes(digest.digest()[:7])


def _cores() -> int:
    return min(available_cores(), _MOST_THREADS)


class _Cursor:
    """A video that is being decoded; ``last`` is the frame that it stands on, −1 before the first."""

    def __init__(self, video: Any, file: str, usable: int | None) -> None:
        self._video, self._file, self._usable = video, file, usable
        self._ended = False
        self.last = -1

    @classmethod
    def of(cls, path: Path, file: str, threads: int, usable: int | None = None) -> _Cursor | MissingImage:
        """Open a file."""
        import cv2

        level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, threads])
        cv2.utils.logging.setLogLevel(level)
        if not video.isOpened():
            return MissingImage("unreadable_video", f"{file} cannot be opened, as one that was cut off or damaged")
        width, height = (int(video.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if width * height > MAX_PIXELS:
            return MissingImage("unreadable_video", f"{file}: {width} × {height} px is more than will be decoded")
        return cls(video, file, usable)

    def image(self, frame: int, size: tuple[int, int]) -> NDArray[np.uint8] | MissingImage:
        """A frame (H, W, 3) uint8 RGB, a view of BGR, at or behind the last, or why there is none."""
        while self.last < frame and self._step():
            pass
        if self.last < frame:
            return self._end()
        there, image = self._video.retrieve()
        if not there:
            return MissingImage("unreadable_video", f"{self._file}: frame {frame} cannot be decoded")
        found = image.shape[1], image.shape[0]
        if size not in (UNKNOWN_SIZE, found):
            told = f"{found[0]} × {found[1]} px, annotated {size[0]} × {size[1]}"
            return MissingImage("mis_sized_picture", f"{self._file}: {told}")
        return np.asarray(image[..., ::-1])

    @property
    def rate(self) -> float:
        """Frames per second, as the container says; 0 where it does not."""
        import cv2

        rate = float(self._video.get(cv2.CAP_PROP_FPS))
        return rate if 0 < rate < _FASTEST else 0.0

    def run_out(self) -> int:
        """Decode what is left; returns how many frames there are in all."""
        while self._step():
            pass
        return self.last + 1

    def _step(self) -> bool:
        self._ended = self._ended or self.last + 1 == self._usable or not self._video.grab()
        self.last += not self._ended
        return not self._ended

    def _end(self) -> MissingImage:
        if self.last < 0:
            return MissingImage("unreadable_video", f"not one frame of {self._file} can be decoded")
        cut = "" if self._usable is None else "is cut off, and "
        return MissingImage("missing_frame", f"{self._file} {cut}ends after {self.last + 1:,} frames")


def _is_cut_off(path: Path) -> bool:
    """Whether the last of the chunks that an avi or mp4 is made of is longer than what is there of it."""
    end, at = path.stat().st_size, 0
    with path.open("rb") as file:
        while at + 8 <= end:
            file.seek(at)
            head = file.read(16)
            if head.startswith(b"RIFF"):
                size = 8 + int.from_bytes(head[4:8], "little")
            elif head[4:8] in _BOXES:
                size = int.from_bytes(head[:4], "big")
                size = int.from_bytes(head[8:16], "big") if size == 1 else size or end - at
            else:
                return False
            at += max(size + size % 2 * head.startswith(b"RIFF"), 8)
    return at > end
