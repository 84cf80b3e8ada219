"""The user's own images as places."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from pymaf_data.errors import RawDataMissing
from pymaf_data.world.scenery.place import Place
from pymaf_data.world.scenery.weather import draw_weather

logger = logging.getLogger(__name__)

_SMALLEST = 32  # pixels
_ENDINGS = (".jpg", ".jpeg", ".png")
_CURVE = np.where(
    np.arange(256) <= 10, np.arange(256) / 255 / 12.92, ((np.arange(256) / 255 + 0.055) / 1.055) ** 2.4
).astype(np.float32)


@dataclass(frozen=True)
class Photographs:
    """Images that can be read, in the order of their names."""

    paths: tuple[Path, ...]

    def draw_place(self, rng: Generator, spots: np.ndarray) -> Place:
        """One of the images as a place with some daylight.

        Raises:
            RawDataMissing: the image can no longer be read.
        """
        path = self.paths[rng.integers(len(self.paths))]
        image = _read(path)
        if image is None:
            raise RawDataMissing(
                f"{path} can no longer be read.", action="give the folder of backgrounds back its files."
            )
        if rng.random() < 0.5:
            image = image[:, ::-1]
        mean = _CURVE[image[::8, ::8]].mean((0, 1))
        weather = draw_weather(rng, mean)
        return Place("photograph", weather.light, (), np.asarray(spots).reshape(-1, 3), photograph=image)


def open_backgrounds(folder: Path) -> Photographs:
    """Find the images (JPEG, PNG) of a folder and its subfolders; what cannot be read is named and left out.

    Raises:
        RawDataMissing: no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise RawDataMissing(
            f"{folder} is no folder.", expected="a folder of images.", action="name one, or leave it out."
        )
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS and path.is_file())
    good = []
    for path in found:
        if _read(path, reduced=True) is None:
            logger.warning("%s cannot be read as an image and is left out of the backgrounds", path)
        else:
            good.append(path)
    if not good:
        raise RawDataMissing(
            f"{folder} holds no image that can be read ({len(found)} tried).",
            expected=f"files that end in {', '.join(_ENDINGS)}.",
            action="put images there, or leave the option out.",
        )
    return Photographs(tuple(good))


def fitted(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The middle of an image, as large as it fits into the shape of ``size`` (w, h), scaled to it."""
    width, height = size
    scale = max(width / image.shape[1], height / image.shape[0])
    wide, tall = min(image.shape[1], round(width / scale)), min(image.shape[0], round(height / scale))
    left, top = (image.shape[1] - wide) // 2, (image.shape[0] - tall) // 2
    cut = np.ascontiguousarray(image[top : top + tall, left : left + wide])
    return cv2.resize(cut, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def linear(image: np.ndarray) -> np.ndarray:
    """Linear light (…, 3) float32 of sRGB bytes."""
    return _CURVE[image]


def _read(path: Path, reduced: bool = False) -> np.ndarray | None:
    """(h, w, 3) RGB, or none where the file is no image of at least 32 pixels a side.

    ``reduced`` reads an eighth of the size, in a fraction of the time: enough to see whether it can be read.
    """
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        mode = cv2.IMREAD_REDUCED_COLOR_8 if reduced else cv2.IMREAD_COLOR
        image = cv2.imdecode(data, mode) if len(data) else None
    except (OSError, cv2.error):
        return None
    if image is None or min(image.shape[:2]) < (_SMALLEST // 8 if reduced else _SMALLEST):
        return None
    return image[..., ::-1]
