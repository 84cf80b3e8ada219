"""The dense truth: part, U, V of the bare body at every pixel of the picture that it would cover alone.

*Amodal*: nothing hides it but the frame. What is visible of it is where the annotation's mask is set.
One PNG per person, cropped to what it covers: (h, w, 3) uint8 RGB of part, 255·U, 255·V, as stored maps are.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.render import Atlas
from pymaf_data.sample.engine.rectangles import rasterize_part
from pymaf_data.sample.view import View


def dense_truth(view: View, vertices: np.ndarray, atlas: Atlas) -> tuple[np.ndarray, tuple[int, int]]:
    """Render a body's dense correspondence.

    Args:
        view: the camera.
        vertices: (V, 3) camera-space metres.
        atlas: the charts.

    Returns:
        (h, w, 3) uint8 part, 255·U, 255·V, and the picture's (column, row) of its first pixel.
    """
    part = rasterize_part(view, vertices, atlas.mesh_faces)
    if part is None:
        return np.zeros((1, 1, 3), np.uint8), (0, 0)
    raster, mask = part.raster, part.raster.mask
    face = raster.face[mask]
    uv = np.einsum("pk,pkc->pc", raster.bary[mask].astype(np.float64), atlas.corner_uv[face])
    image = np.zeros((*mask.shape, 3), np.uint8)
    image[mask, 0] = atlas.face_part[face]
    image[mask, 1:] = np.clip(uv, 0, 1) * 255.0 + 0.5
    return image, (part.left, part.top)


def encode_dense(image: np.ndarray) -> bytes:
    """The PNG of (h, w, 3) part, 255·U, 255·V."""
    _, data = cv2.imencode(".png", image[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return bytes(data)


def read_dense(path: Path) -> np.ndarray:
    """(h, w, 3) uint8 part, 255·U, 255·V of a person.

    Raises:
        RawDataCorrupt: the file is missing or no such picture.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    if image is None:
        raise RawDataCorrupt(
            f"{path} cannot be read.", expected="a dense truth map.", action="make the sample again."
        )
    return image[:, :, ::-1]
