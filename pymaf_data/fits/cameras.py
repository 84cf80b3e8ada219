"""The cameras that fits are seen by: their native ones, or π where they have none."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from pymaf_data.geometry.affines import Floats, compose, invert, view_affine
from pymaf_data.geometry.cameras import Camera, weak_to_camera


def seen_by(kind: str, native: Floats, weak_camera: NDArray[np.floating], box: Floats, plane: Floats) -> Camera:
    """The cameras of K fits of one source.

    Args:
        kind: of the source's cameras, one of :data:`~pymaf_data.fits.table.CAMERAS`.
        native: (K, 3, 4) camera-space metres → original pixels.
        weak_camera: (K, 3) derived π.
        box: (K, 3) the persons' boxes, in which π is meant.
        plane: (2, 3) or (K, 2, 3) original pixels → the pixels that the cameras shall see.
    """
    own = Camera(torch.from_numpy(native), kind == "orthographic").warped(plane)
    if kind != "none":
        return own
    plane_of_view = compose(plane, invert(view_affine(box)))
    weak = weak_to_camera(torch.from_numpy(weak_camera).double()).warped(plane_of_view)
    placed = torch.from_numpy(native.any((1, 2)))[:, None, None]  # under the image's K, on the keypoints
    return Camera(torch.where(placed, own.matrix, weak.matrix))
