"""Images of a raw data set in archives as they are downloaded: zip and tar, never unpacked.

    train2014.zip or train2014/train2014.zip      for train2014/, or train2014/images/, without a word in the manifest
    archives: [mpii_human_pose_v1.tar.gz]         of a split in the manifest, where it has another name

They are read where the images' folder is not there, or holds nothing else. Rows, shards and their digests are those of
the folder, so a store that was begun from one goes on from the other.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from pymaf_data.datasets.absent import alike, is_address, spellings
from pymaf_data.datasets.images import ImageRef, MissingImage, Orientation, decode, stays_below, too_large
from pymaf_data.untrusted.archived import ENDINGS, GZIP, TAR, Archive, Member

logger = logging.getLogger(__name__)

_LONG = 1 << 30  # bytes of a packed tar whose listing is waited for


def is_archive(name: str) -> bool:
    """Whether a file is an archive by its name."""
    return name.lower().endswith(ENDINGS)


def without_ending(name: str) -> str:
    """The name of an archive without what says its kind."""
    return name[: -len(next(ending for ending in ENDINGS if name.lower().endswith(ending)))]


def archives_of(root: Path, folder: str, named: Sequence[Path] = (), own: Sequence[str] = ()) -> list[Path]:
    """The archives that stand for a folder of images; none where the folder holds images, or anything else.

    Args:
        root: the data set's folder.
        folder: of the images below it; "" is the root itself, for which only ``named`` can stand.
        named: archives of other names, by the manifest.
        own: patterns of files that lie in the folder beside images, such as the annotations.
    """
    entries = _entries(root / folder) if folder else iter(())
    if any(not (is_archive(name) or any(fnmatch(name, one) for one in own)) for name in entries):
        return []  # the first image tells
    return archives_at(root, folder, named)


def archives_at(root: Path, folder: str, named: Sequence[Path] = ()) -> list[Path]:
    """The archives that can stand for a folder, whether it is there or not.

    They are called as the folder is, or as one that it is in, and lie beside or in that; or are in the folder itself.
    """
    inside = [root / folder / name for name in _entries(root / folder) if is_archive(name)] if folder else []
    parts = folder.split("/") if folder else []
    paths = [root.joinpath(*parts[:k]) for k in range(len(parts), 0, -1)]
    called = [place / (path.name + ending) for path in paths for ending in ENDINGS for place in (path.parent, path)]
    there = [path for path in dict.fromkeys((*named, *called, *sorted(inside))) if path.is_file()]
    plain = {without_ending(str(path)) for path in there if path.name.lower().endswith(TAR)}
    return [path for path in there if not (path.name.lower().endswith(GZIP) and without_ending(str(path)) in plain)]


def _entries(folder: Path) -> Iterator[str]:
    """Names in a folder, hidden ones left out; none where it is not one."""
    if folder.is_dir():
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries if not entry.name.startswith("."))


def warn_of_waiting(archives: Iterable[Path]) -> None:
    """Say of a large tar that is packed why nothing seems to happen, and what would be faster."""
    for path in archives:
        if path.name.lower().endswith(GZIP) and path.stat().st_size > _LONG:
            logger.warning(
                "%s is unpacked once, in memory, to find its images, which takes minutes; `gunzip -k` makes it a tar, "
                "which is read as fast as a folder",
                path,
            )


class _Open(NamedTuple):
    """An archive, and where in it the folder of the images is."""

    archive: Archive
    left_out: str  # what image names begin with and members do not
    top: str  # what all members begin with

    def find(self, name: str) -> Member | None:
        """The member of an image's name below the root; of several spellings, the first that is there."""
        rest = name.removeprefix(self.left_out)
        for spelled in spellings(rest):
            for member in (spelled, self.top + spelled):
                if stays_below(member) and member in self.archive.members:
                    return self.archive.members[member]
        return None

    def names(self, start: str) -> Iterator[str]:
        """Of the members, those in the folder that image names start with, by their paths in it."""
        inside = start.removeprefix(self.left_out)
        for name in self.archive.members:
            for prefix in (inside, self.top + inside):
                if name.startswith(prefix):
                    yield name.removeprefix(prefix)
                    break


class ArchivedImages:
    """Images that are members of archives.

    Pickled, it leaves the open archives behind: whoever unpickles it opens and lists them once.

    Args:
        archives: absolute paths; of two with the same member, the first counts.
        folder: the split's image folder below the root, with which image names begin.
        orientation: of EXIF, ``ignore`` it or ``apply`` it.
    """

    def __init__(self, archives: Sequence[Path], folder: str, orientation: Orientation = "ignore") -> None:
        self._paths, self._folder, self._orientation = tuple(archives), folder, orientation
        self._open: list[_Open] = []
        self._known: dict[str, str] = {}
        self._opening = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"paths": self._paths, "folder": self._folder, "orientation": self._orientation}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["paths"], state["folder"], state["orientation"])  # type: ignore[misc]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for opened in self._open:
            opened.archive.close()
        self._open = []

    def place(self, name: str) -> ImageRef:
        """Every image is a member of its own."""
        return ImageRef(name)

    def stamp(self, file: str) -> int:
        """Size of an image unpacked, −1 where there is none to read: as of a file in a folder."""
        found = self._find(file)
        return -1 if found is None or found[1].link else found[1].size

    def decode(
        self, file: str, frames: Sequence[int], size: tuple[int, int]
    ) -> Iterator[NDArray[np.uint8] | MissingImage]:
        """The image of a member, or why there is none; checksums are compared.

        Raises:
            RawDataCorrupt: an archive as a whole cannot be used.
        """
        data = self._read(file)
        yield from (data if isinstance(data, MissingImage) else decode(data, size, self._orientation) for _ in frames)

    def names(self) -> list[str]:
        """The images' names below the root, and those of whatever else lies in the folder; sorted.

        Raises:
            RawDataCorrupt: an archive as a whole cannot be used.
        """
        start = f"{self._folder}/" if self._folder else ""
        return sorted({start + name for opened in self._opened() for name in opened.names(start)})

    def _read(self, name: str) -> bytes | MissingImage:
        if not stays_below(name) and not is_address(name):
            return MissingImage("unsafe_path", f"image path {name}")
        found = self._find(name)
        if found is None:
            told = f"{name} is not in {' or '.join(path.name for path in self._paths)}{self._cause(name)}"
            return MissingImage("missing_picture", told)
        archive, member = found
        if member.refused:
            return MissingImage("unsafe_path" if member.link else "unreadable_picture", f"{name}: {member.refused}")
        try:
            return too_large(member.size) or archive.read(member)
        except ValueError as error:
            return MissingImage("corrupt_picture", str(error))
        except OSError as error:
            return MissingImage("unreadable_picture", f"{name}: {error.strerror}")

    def _cause(self, name: str) -> str:
        """The end of a sentence on what is there instead; "" where nothing is like it."""
        if not self._known:
            known: dict[str, str] = {}
            for member in (member for opened in self._opened() for member in opened.archive.members):
                leaf = member.rpartition("/")[2]
                known[alike(leaf.rpartition(".")[0])] = known[alike(leaf)] = member
            self._known = known
        leaf = name.rpartition("/")[2]
        other = self._known.get(alike(leaf)) or self._known.get(alike(leaf.rpartition(".")[0]))
        return f": {other} is there: names must agree in folder, case and ending" if other else ""

    def _find(self, name: str) -> tuple[Archive, Member] | None:
        for opened in self._opened():
            member = opened.find(name)
            if member is not None:
                return opened.archive, member
        return None

    def _opened(self) -> list[_Open]:
        with self._opening:
            if not self._open:
                archives = [Archive(path) for path in self._paths]
                self._open = [_Open(archive, *_inside(archive.members, self._folder)) for archive in archives]
        return self._open


def _inside(names: Iterable[str], folder: str) -> tuple[str, str]:
    """Where in an archive a folder is: what to leave out of image names, and what to put before them.

    An archive may hold the folder by its whole path, by the end of it, without it, and all in a folder of its own.
    """
    names = [name for name in names if not name.startswith("__MACOSX/")]  # macOS adds what it knows of each file
    folders = [name.rpartition("/")[0] for name in (min(names), max(names))] if names else [""]
    whole = os.path.commonpath(folders)
    top = f"{whole}/" if whole else ""
    parts = folder.split("/") if folder else []
    for k in range(len(parts)):
        rest = "/".join(parts[k:]) + "/"
        if any(name.startswith((rest, top + rest)) for name in names):
            return "".join(f"{part}/" for part in parts[:k]), top
    return f"{folder}/" if folder else "", top
