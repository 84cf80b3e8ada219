"""CLIFF's file of fits, as its release has it: persons as SPIN's, seen by a pinhole amid the whole image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def write(
    path: Path, names: Any, boxes: np.ndarray, pose: np.ndarray, betas: np.ndarray, place: np.ndarray,
    size: tuple[int, int], joints: np.ndarray, /, **changes: Any,
) -> Path:  # fmt: skip
    """Persons (N) of images of one size.

    Args:
        path: of the file.
        names: of their images.
        boxes: (N, 3) centre and side in pixels.
        pose, betas: (N, 72) and (N, 10).
        place: (N, 3) what is added to the vertices of a body, in metres before the camera.
        size: width and height of the images, whose diagonal is the focal length.
        joints: (N, 24, 3) in any place.
        changes: arrays besides, or instead; None leaves one out.
    """
    count = len(boxes)
    arrays = {
        "imgname": names, "center": boxes[:, :2], "scale": boxes[:, 2] / 200, "part": np.zeros((count, 24, 3)),
        "pose": pose, "shape": betas, "has_smpl": np.ones(count), "global_t": place,
        "focal_l": np.full(count, (size[0] ** 2 + size[1] ** 2) ** 0.5),
        "S": np.dstack([joints - joints.mean(1, keepdims=True), np.ones((count, 24))]),
    } | changes  # fmt: skip
    np.savez(path, **{key: array for key, array in arrays.items() if array is not None})
    return path
