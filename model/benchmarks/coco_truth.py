"""What a COCO annotation file says of persons, as pycocotools takes it."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pymaf_data.datasets import load_manifest
from pymaf_data.datasets.categories import entry_key, find_persons
from pymaf_data.datasets.entries import (
    Annotation,
    Image,
    entry_id,
    has_keypoints,
    image_entries,
    is_crowd,
    load,
    refuse_duplicates,
)
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.geometry.joints import COCO17

if TYPE_CHECKING:
    from pycocotools.coco import COCO

logger = logging.getLogger(__name__)

CATEGORY = 1
"""What persons are called here."""

_NUMBERS = 3 * len(COCO17)


@dataclass(frozen=True)
class Annotated:
    """Persons of a file.

    Attributes:
        path: the file.
        names: name of each image → its id.
        annotations: of persons, with what COCOeval needs of each.
    """

    path: Path
    names: dict[str, int]
    annotations: list[dict[str, Any]]

    def images_of(self, names: list[str]) -> NDArray[np.int64]:
        """(N,) ids of images by their names in a store, whose folders the file may not say; −1: not in the file."""
        return np.array([self._image_of(name) for name in names], np.int64)

    def _image_of(self, name: str) -> int:
        folders = name.split("/")
        tails = ("/".join(folders[first:]) for first in range(len(folders)))
        return next((self.names[tail] for tail in tails if tail in self.names), -1)

    def coco(self) -> COCO:
        """As pycocotools has it. COCOeval marks its annotations, and so it gets its own."""
        from pycocotools.coco import COCO

        made = COCO()
        made.dataset = {
            "images": [{"id": number} for number in self.names.values()],
            "categories": [{"id": CATEGORY, "name": "person"}],
            "annotations": [dict(one) for one in self.annotations],
        }
        made.createIndex()
        return made


def annotated(path: Path) -> Annotated:
    """Read a file.

    Raises:
        RawDataCorrupt: it cannot be read, is no such file, or annotates no person whom COCOeval could measure.
    """
    content = load(path)
    images, entries = image_entries(content["images"], path), content["annotations"]
    names = {_plain(image.file_name): number for number, image in images.items() if isinstance(image, Image)}
    refuse_duplicates(map(entry_id, entries), "annotation", path)
    used = {entry_key(entry.get("category_id")) for entry in entries if has_keypoints(entry)}
    categories = find_persons(content.get("categories"), used, load_manifest("coco").keypoints, path)
    mine = [one for one in entries if isinstance(one, dict) and categories.includes(entry_key(one.get("category_id")))]
    listed = {*names.values()}
    persons = [person for one in mine if (person := _person(one)) and person["image_id"] in listed]
    if not persons:
        raise RawDataCorrupt(
            f"{path} annotates no person: of {len(entries):,} annotations {len(mine):,} are of persons",
            expected="persons with 17 keypoints and an area, each on an image that is listed",
        )
    if len(persons) < len(mine):
        missing = len(mine) - len(persons)
        logger.warning("%s: %d persons are left out: no 17 keypoints, no area, or on no image", path, missing)
    return Annotated(path, names, persons)


def _plain(name: str) -> str:
    return name.replace("\\", "/").removeprefix("./")


def _person(entry: dict[str, Any]) -> dict[str, Any] | None:
    """What COCOeval needs of an annotation; None where something of it is not there."""
    try:
        one = Annotation.model_validate(entry)
        keypoints = np.array(one.keypoints, np.float64)
    except (ValueError, TypeError, OverflowError):
        return None
    area = one.area if isinstance(one.area, int | float) and not isinstance(one.area, bool) else math.nan
    if keypoints.shape != (_NUMBERS,) or not np.isfinite(keypoints).all() or not 0 <= area < math.inf:
        return None
    stated = entry.get("num_keypoints")
    return {
        "id": one.id,
        "image_id": one.image_id,
        "category_id": CATEGORY,
        "keypoints": keypoints,
        "num_keypoints": stated if isinstance(stated, int) else int((keypoints[2::3] > 0).sum()),
        "area": area,
        "bbox": one.bbox or [0.0] * 4,  # asked for of persons without keypoints alone, who count for nothing
        "iscrowd": int(is_crowd(entry) or False),
    }
