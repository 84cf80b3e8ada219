"""Persons found on the images of a folder, by threads, each image once: what was found is kept for the next run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2

from pymaf_data.config import StrictModel
from pymaf_data.cores import available_cores
from pymaf_data.datasets.ahead import in_order
from pymaf_data.datasets.images import UNKNOWN_SIZE, Images, MissingImage
from pymaf_data.datasets.kept import kept_bytes
from pymaf_data.digest import digest_file
from pymaf_data.errors import UntrustedData
from pymaf_data.finder import VERSION, Finder, open_finder


class FoundPerson(StrictModel):
    """Somebody, as :class:`~pymaf_data.finder.Found` says."""

    score: float
    box: tuple[float, float, float, float]
    joints: tuple[tuple[float, float, float], ...]
    mask: str


class FoundOn(StrictModel):
    """Everybody on an image of this size; or why nobody was looked for."""

    size: tuple[int, int] = UNKNOWN_SIZE
    persons: tuple[FoundPerson, ...] = ()
    fault: str = ""


def find_on(images: Images, names: Sequence[str], file: Path, folder: Path | None) -> Iterator[FoundOn]:
    """Who is on each image, in order.

    Args:
        images: where they are read.
        names: of the images, below the root.
        file: of the finder's networks.
        folder: where results are kept; None: nowhere.
    """
    finder, which = open_finder(file), [digest_file(file), VERSION]

    def on(name: str) -> FoundOn:
        cv2.setNumThreads(0)  # the threads that look are enough
        try:
            found = kept_bytes(folder, images.resolve(name), which, lambda: _look(images, name, finder))
        except (OSError, UntrustedData) as error:
            return FoundOn(fault=str(error))
        return FoundOn.parse(json.loads(found), name)

    return in_order(on, names, available_cores())


def _look(images: Images, name: str, finder: Finder) -> bytes:
    image = images.load(name, UNKNOWN_SIZE)
    if isinstance(image, MissingImage):
        return FoundOn(fault=str(image)).model_dump_json().encode()
    persons = [
        FoundPerson(score=one.score, box=one.box, joints=tuple(map(tuple, one.joints.tolist())), mask=one.mask.decode())
        for one in finder(image)
    ]
    return FoundOn(size=(image.shape[1], image.shape[0]), persons=tuple(persons)).model_dump_json().encode()
