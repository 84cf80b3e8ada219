"""What ``predict`` is given: stills and videos, by their names below one folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pymaf_data.datasets.decoding import STILLS
from pymaf_data.datasets.video import ENDINGS
from pymaf_data.errors import RawDataMissing
from pymaf_data.near import absent


class Inputs(NamedTuple):
    """Images to look at.

    Attributes:
        root: the folder that holds them all.
        stills: their names below it, sorted within each folder that was given.
        videos: likewise.
    """

    root: Path
    stills: tuple[str, ...]
    videos: tuple[str, ...]


def gather(given: Sequence[Path]) -> Inputs:
    """Stills and videos that are named, and those that lie in folders that are named.

    Raises:
        RawDataMissing: a path leads nowhere, or there is nothing to look at.
    """
    files = list(dict.fromkeys(file for path in given for file in _files(path.absolute())))
    found = {kind: [file for file in files if _ending(file) in kind] for kind in (STILLS, ENDINGS)}
    if not any(found.values()):
        raise RawDataMissing(
            f"there is no image and no video in {', '.join(str(path) for path in given)}"[:400],
            expected=f"files {', '.join(STILLS)}; {', '.join(ENDINGS)}",
            action="name images, folders of images, or videos.",
        )
    root = Path(os.path.commonpath([file.parent for kind in found.values() for file in kind]))
    stills, videos = (tuple(file.relative_to(root).as_posix() for file in kind) for kind in found.values())
    return Inputs(root, stills, videos)


def _files(path: Path) -> list[Path]:
    """A file, or those of a folder; of a folder other files than images and videos are nobody's concern."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if _ending(file) in (*STILLS, *ENDINGS) and file.is_file())
    if not path.exists():
        raise RawDataMissing(f"there is no {absent(path)}", action="check the path.")
    if _ending(path) not in (*STILLS, *ENDINGS):
        raise RawDataMissing(
            f"{path} is no image and no video by its name",
            expected=f"files {', '.join(STILLS)}; {', '.join(ENDINGS)}",
            action="convert it to one of these.",
        )
    return [path]


def _ending(file: Path) -> str:
    return file.suffix[1:].casefold()
