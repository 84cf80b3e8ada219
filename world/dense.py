"""The dense truth: part, U, V of the bare body at every pixel of the image that it would cover alone.

*Amodal*: nothing hides it but the frame. What is visible of it is where the annotation's mask is set.
One PNG per person, cropped to what it covers: (h, w, 3) uint8 RGB of part, 255·U, 255·V.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.render import Atlas, render_stored
from pymaf_data.world.engine.rectangles import window
from pymaf_data.world.view import View


def dense_truth(view: View, vertices: np.ndarray, atlas: Atlas) -> tuple[np.ndarray, tuple[int, int]]:
    """Render a body's dense correspondence.

    Args:
        view: the camera.
        vertices: (V, 3) camera-space metres.
        atlas: the charts.

    Returns:
        (h, w, 3) uint8 part, 255·U, 255·V, and the image's (column, row) of its first pixel.
    """
    part = window(view, vertices)
    if part is None:
        return np.zeros((1, 1, 3), np.uint8), (0, 0)
    low, size, camera = part
    maps = render_stored(vertices[None], camera, atlas, size, block=1)
    image = np.concatenate([maps.part, maps.uv[0]]).transpose(1, 2, 0)
    return np.ascontiguousarray(image), (int(low[0]), int(low[1]))


def encode_dense(image: np.ndarray) -> bytes:
    """The PNG of (h, w, 3) part, 255·U, 255·V."""
    _, data = cv2.imencode(
        ".png",
        image[:, :, ::-1],
        [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE],
    )
    return bytes(data)


def read_dense(path: Path) -> np.ndarray:
    """(h, w, 3) uint8 part, 255·U, 255·V of a person.

    Raises:
        RawDataCorrupt: the file is missing or no such image.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    if image is None:
        raise RawDataCorrupt(f"{path} cannot be read.", expected="a dense truth map.", action="make the sample again.")
    return image[:, :, ::-1]
