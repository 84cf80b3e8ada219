"""The user's own pictures as places."""

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
    """Pictures that can be read, in the order of their names."""

    paths: tuple[Path, ...]

    def draw_place(self, rng: Generator, spots: np.ndarray) -> Place:
        """One of the pictures as a place with some daylight.

        Raises:
            RawDataMissing: the picture can no longer be read.
        """
        path = self.paths[rng.integers(len(self.paths))]
        picture = _read(path)
        if picture is None:
            raise RawDataMissing(
                f"{path} can no longer be read.", action="give the folder of backgrounds back its files."
            )
        if rng.random() < 0.5:
            picture = picture[:, ::-1]
        mean = _CURVE[picture[::8, ::8]].mean((0, 1))
        weather = draw_weather(rng, mean)
        return Place("photograph", weather.light, (), np.asarray(spots).reshape(-1, 3), photograph=picture)


def open_backgrounds(folder: Path) -> Photographs:
    """Find the pictures (JPEG, PNG) of a folder and its subfolders; what cannot be read is named and left out.

    Raises:
        RawDataMissing: no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise RawDataMissing(
            f"{folder} is no folder.", expected="a folder of pictures.", action="name one, or leave it out."
        )
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS and path.is_file())
    good = []
    for path in found:
        if _read(path, reduced=True) is None:
            logger.warning("%s cannot be read as a picture and is left out of the backgrounds", path)
        else:
            good.append(path)
    if not good:
        raise RawDataMissing(
            f"{folder} holds no picture that can be read ({len(found)} tried).",
            expected=f"files that end in {', '.join(_ENDINGS)}.",
            action="put pictures there, or leave the option out.",
        )
    return Photographs(tuple(good))


def fitted(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The middle of a picture, as large as it fits into the shape of ``size`` (w, h), scaled to it."""
    width, height = size
    scale = max(width / picture.shape[1], height / picture.shape[0])
    wide, tall = min(picture.shape[1], round(width / scale)), min(picture.shape[0], round(height / scale))
    left, top = (picture.shape[1] - wide) // 2, (picture.shape[0] - tall) // 2
    cut = np.ascontiguousarray(picture[top : top + tall, left : left + wide])
    return cv2.resize(cut, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def linear(picture: np.ndarray) -> np.ndarray:
    """Linear light (…, 3) float32 of sRGB bytes."""
    return _CURVE[picture]


def _read(path: Path, reduced: bool = False) -> np.ndarray | None:
    """(h, w, 3) RGB, or none where the file is no picture of at least 32 pixels a side.

    ``reduced`` reads an eighth of the size, in a fraction of the time: enough to see whether it can be read.
    """
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        mode = cv2.IMREAD_REDUCED_COLOR_8 if reduced else cv2.IMREAD_COLOR
        picture = cv2.imdecode(data, mode) if len(data) else None
    except (OSError, cv2.error):
        return None
    if picture is None or min(picture.shape[:2]) < (_SMALLEST // 8 if reduced else _SMALLEST):
        return None
    return picture[..., ::-1]
