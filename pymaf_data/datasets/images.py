"""Images of a raw data set: found below its root and nowhere else, read whole, decoded strictly.

An image that cannot be used is a :class:`MissingImage` with a reason; its persons keep their rows and carry it.
Pixels are taken as stored unless the manifest says that the annotations follow EXIF orientation. COCO's ignore it: a
turned image would be mis-sized, or, where square, silently wrong.
"""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pymaf_data.datasets.absent import Absences, is_address, spellings
from pymaf_data.datasets.decoding import MAX_PIXELS, CutOff, Damaged, ImageFile, turned
from pymaf_data.errors import UntrustedData

#: Reason → its sentence; a row's ``reason`` counts from 1 in this order, 0 is none. Stores keep the numbers: add at the
#: end.
MISSING = {
    "missing_picture": "the image is not there",
    "unsafe_path": "the image's path leaves the data set's folder",
    "unreadable_picture": "the image cannot be read",
    "truncated_picture": "the image is cut off",
    "corrupt_picture": "the image is not an intact JPEG, PNG or WebP",
    "mis_sized_picture": "the image has another size than annotated",
    "exif_turned_picture": "the image has the annotated size only when turned as its EXIF orientation says",
    "missing_frame": "the video ends before the image",
    "unreadable_video": "the video cannot be decoded",
}
REASONS = ("", *MISSING)
#: Reasons under which no file was there to be read, as :meth:`Images.stamp` says −1.
WITHOUT_FILE = ("missing_picture", "unsafe_path")

Orientation: TypeAlias = Literal["ignore", "apply"]

#: Of an image, px: what says more is damaged, and fits no column.
LARGEST_SIDE = 1_000_000
#: Width and height where a data set does not say them.
UNKNOWN_SIZE = (0, 0)
#: A larger file is no photograph of people; the bound keeps one entry from taking all memory.
_MAX_BYTES = 1 << 28


@dataclass(frozen=True)
class MissingImage:
    """An image that cannot be used, and why."""

    reason: str
    detail: str

    def __str__(self) -> str:
        return f"{MISSING[self.reason]} ({self.detail})" if self.detail else MISSING[self.reason]


def image_name(folder: str, file_name: str, root: Path | None = None) -> str:
    """An image's path below the root, as stores keep it, from what the annotation file says.

    Args:
        folder: the split's image folder below the root; "" is the root itself.
        file_name: relative to that folder, or absolute and inside the root.
        root: the data set's folder; without it, absolute names stay outside.
    """
    if root is not None and file_name.startswith("/"):
        inside = below(root, file_name)
        if inside:
            return inside
    elif "//" in file_name and not is_address(file_name):
        file_name = re.sub("//+", "/", file_name)
    return f"{folder}/{file_name}" if folder else file_name


def below(root: Path, path: str) -> str | None:
    """An absolute path relative to ``root`` ("" for the root itself), by its words alone; None where it is not inside.

    The root counts as it was given and as it resolves, since either may stand in a file.
    """
    meant = posixpath.normpath(path)
    for start in dict.fromkeys((str(root.absolute()), str(root.resolve()))):
        if meant == start:
            return ""
        if meant.startswith(f"{start.rstrip('/')}/"):
            return meant[len(start.rstrip("/")) + 1 :]
    return None


class ImageRef(NamedTuple):
    """Where the pixels of an image lie: a file below the root, and its frame where that is a video (−1: a still)."""

    file: str
    frame: int = -1


class Images:
    """The images below the root of a raw data set.

    Args:
        root: the data set's folder.
        folder: the split's image folder, relative to ``root``. It may itself be a link to another disk, since the
            user made it; a link *inside* it that leads elsewhere is refused, since only the annotation file vouches
            for it, unless the user asks to follow links.
        follow_links: take links to wherever they lead (caches of DVC, git-annex, Hugging Face). What the annotation
            file says is still kept below the root.
        orientation: of EXIF, ``ignore`` it or ``apply`` it.
    """

    def __init__(
        self, root: Path, folder: str, *, follow_links: bool = False, orientation: Orientation = "ignore"
    ) -> None:
        self.root = root
        self._allowed = tuple(f"{path.resolve()}{os.sep}" for path in (root, root / folder))
        self._follow_links, self._orientation = follow_links, orientation
        self._folders: dict[str, Path] = {}
        self._absences = Absences(root, folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing stays open between two images."""

    def place(self, name: str) -> ImageRef:
        """Every image is a file of its own name."""
        return ImageRef(name)

    def decode(
        self, file: str, frames: Sequence[int], size: tuple[int, int]
    ) -> Iterator[NDArray[np.uint8] | MissingImage]:
        """The image of a file."""
        yield from (self.load(file, size) for _ in frames)

    def resolve(self, name: str) -> Path:
        """The real path of an image; it need not exist. Of several spellings, the first that is there.

        Args:
            name: path below the root.

        Raises:
            UntrustedData: the path would leave the root, by ``..``, by being absolute or through a link.
        """
        first, *others = spellings(name)
        for other in others:
            if (self.root / first).exists() or not stays_below(first):
                break
            if stays_below(other) and (self.root / other).exists():
                return self._real(other)
        return self._real(first)

    def _real(self, name: str) -> Path:
        if not stays_below(name):
            raise _outside(name)
        folder, _, leaf = name.rpartition("/")
        # Resolving costs a system call per part of the path; a data set has few folders and many images in each.
        if folder not in self._folders:
            self._folders[folder] = (self.root / folder).resolve()
        real = self._folders[folder] / leaf
        if real.is_symlink():
            real = Path(os.path.realpath(real))  # unlike Path.resolve, no error for links in a circle
        if not (self._follow_links or str(real).startswith(self._allowed)):
            raise _outside_by_link(name, real)
        return real

    def stamp(self, file: str) -> int:
        """Size of an image's file, −1 where there is none to read: what a shard's input digest is made of."""
        try:
            status = self.resolve(file).stat()
        except (OSError, UntrustedData):
            return -1
        return status.st_size if stat.S_ISREG(status.st_mode) else -1

    def size(self, name: str) -> tuple[int, int]:
        """Width and height that the header of an image says; (0, 0) where it cannot be read."""
        try:
            data = _read(self.resolve(name))
            return UNKNOWN_SIZE if isinstance(data, MissingImage) else ImageFile.of(data).size
        except (OSError, UntrustedData, Damaged):
            return UNKNOWN_SIZE

    def load(self, name: str, size: tuple[int, int]) -> NDArray[np.uint8] | MissingImage:
        """Read and decode an image to (H, W, 3) uint8 RGB; a :class:`MissingImage` where that cannot be.

        Args:
            name: path below the root.
            size: annotated width and height; (0, 0) where they are not: that of the file is taken.
        """
        try:
            data = _read(self.resolve(name))
        except UntrustedData as error:
            if is_address(name):
                return MissingImage("missing_picture", self.with_cause(name, name))
            by_link = stays_below(name)
            return MissingImage("unsafe_path", error.found if by_link else self.with_cause(error.found, name))
        except (FileNotFoundError, NotADirectoryError):
            return MissingImage("missing_picture", self.with_cause(name, name))
        except OSError as error:
            return MissingImage("unreadable_picture", f"{name}: {error.strerror}")
        return data if isinstance(data, MissingImage) else decode(data, size, self._orientation)

    def with_cause(self, found: str, name: str) -> str:
        """What was not found, and what lies there instead."""
        cause = self._absences.why(name)
        return f"{found}: {cause}" if cause else found


def decode(data: bytes, size: tuple[int, int], orientation: Orientation = "ignore") -> NDArray[np.uint8] | MissingImage:
    """Decode an image file of the given width and height to (H, W, 3) uint8 RGB.

    Every complaint of the decoder counts: what it would repair by grey filling is missing here.
    """
    try:
        file = ImageFile.of(data)
        turn = file.orientation() if orientation == "apply" else 1
        found = _sizes(file, turn)
        if found != size and size != UNKNOWN_SIZE:
            return _mis_sized(file, turn, size)
        if found[0] * found[1] > MAX_PIXELS:
            detail = f"{found[0]} × {found[1]} px is more than this program will decode"
            return MissingImage("unreadable_picture", detail)
        pixels = file.pixels()
    except Damaged as error:
        return MissingImage("truncated_picture" if isinstance(error, CutOff) else "corrupt_picture", str(error))
    return pixels if turn == 1 else turned(pixels, turn)


def _sizes(file: ImageFile, turn: int) -> tuple[int, int]:
    """Width and height as shown."""
    return file.size if turn < 5 else file.size[::-1]


def _mis_sized(file: ImageFile, turn: int, size: tuple[int, int]) -> MissingImage:
    """Which of both: only EXIF orientation stands between the two sizes, or they differ."""
    width, height = _sizes(file, turn)
    found = f"{width} × {height} px, annotated {size[0]} × {size[1]}"
    if (height, width) != size or file.orientation() < 5:
        return MissingImage("mis_sized_picture", found)
    if turn == 1:
        return MissingImage(
            "exif_turned_picture", f"{found}; `images: {{orientation: apply}}` in the manifest turns it"
        )
    return MissingImage("mis_sized_picture", f"{found} after its EXIF orientation; as stored it fits")


def stays_below(name: str) -> bool:
    """Whether a name leads nowhere but down."""
    return not any(part in ("", "..") for part in name.split("/")) and "\0" not in name


def _read(path: Path) -> bytes | MissingImage:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        return MissingImage("unreadable_picture", "not a regular file")
    return too_large(status.st_size) or path.read_bytes()


def too_large(size: int) -> MissingImage | None:
    """Of a file of so many bytes, where they are more than are read."""
    if size > _MAX_BYTES:
        return MissingImage("unreadable_picture", f"{size:,} bytes is more than this program will read")
    return None


def _outside(found: str) -> UntrustedData:
    return UntrustedData(
        f"image path {found}",
        expected="a path that stays below the data set's folder",
        action="mend the annotation file, or give the folder that really holds the images with --root.",
    )


def _outside_by_link(name: str, real: Path) -> UntrustedData:
    return UntrustedData(
        f"{name} is a link to {real}, which --follow-links would take",
        expected="a path that stays below the data set's folder",
        action="give --follow-links where the links are your own (DVC, git-annex, Hugging Face).",
    )
