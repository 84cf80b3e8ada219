"""A small data set in COCO's layout, drawn on the spot; tests change its entries and save it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg

from pymaf_data.geometry.joints import COCO17

BODY12 = range(5, 17)


class CocoSet:
    """Images and annotations of one split below ``root``.

    Args:
        root: the folder to write.
        seed: of the images' noise.
        split: ``train`` or ``val``.
    """

    def __init__(self, root: Path, seed: int = 0, split: str = "train") -> None:
        self.root, self.folder = root, root / f"{split}2014"
        self.file = root / "annotations" / f"person_keypoints_{split}2014.json"
        self.folder.mkdir(parents=True)
        self.file.parent.mkdir(exist_ok=True)
        self.random = np.random.default_rng(seed)
        self.images: list[Any] = []
        self.annotations: list[Any] = []
        self.licenses: list[Any] = [{"id": 1, "name": "Attribution License", "url": "http://licence.example/by"}]
        self.categories: list[Any] = [{"id": 1, "name": "person", "keypoints": list(COCO17.joints)}]

    def picture(self, width: int = 96, height: int = 72, **changes: Any) -> dict[str, Any]:
        """Draw one more image (smoothed noise) and list it."""
        number = len(self.images) + 1
        entry = {"id": number, "file_name": f"{number:012d}.jpg", "width": width, "height": height, "license": 1}
        self.images.append(entry | changes)
        noise = self.random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        (self.folder / entry["file_name"]).write_bytes(simplejpeg.encode_jpeg(cv2.GaussianBlur(noise, (0, 0), 1.5), 90))
        return self.images[-1]

    def person(self, image: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Annotate one more person, all 17 joints visible at whole pixels, on an image."""
        x, y = self.random.integers(0, image["width"], 17), self.random.integers(0, image["height"], 17)
        entry = {
            "id": 100 + len(self.annotations),
            "image_id": image["id"],
            "category_id": 1,
            "iscrowd": 0,
            "keypoints": np.stack([x, y, np.full(17, 2)], 1).ravel().tolist(),
            "num_keypoints": 17,
            "bbox": [10.25, 8.5, 40.0, 56.0],
            "segmentation": [[10, 8, 50, 8, 50, 64]],
            "area": 1200.0,
        }
        self.annotations.append(entry | changes)
        return self.annotations[-1]

    def save(self) -> CocoSet:
        """Write the annotation file."""
        content = {
            "info": {},
            "licenses": self.licenses,
            "categories": self.categories,
            "images": self.images,
            "annotations": self.annotations,
        }
        self.file.write_text(json.dumps(content))
        return self


def small_set(root: Path, pictures: int = 5, persons: int = 2, seed: int = 0) -> CocoSet:
    """A sound data set: ``persons`` on each of ``pictures``."""
    made = CocoSet(root, seed)
    for _ in range(pictures):
        image = made.picture()
        for _ in range(persons):
            made.person(image)
    return made.save()


def unlabel(annotation: dict[str, Any], joints: range | list[int]) -> None:
    """Make joints not labelled, as COCO writes it: three zeros."""
    for joint in joints:
        annotation["keypoints"][3 * joint : 3 * joint + 3] = [0, 0, 0]
