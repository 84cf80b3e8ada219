"""Where bodies stand whose files give a camera and keypoints, and no translation."""

from __future__ import annotations

import numpy as np

from pymaf_data.body import BodyModel
from pymaf_data.fits.reprojection import joints49
from pymaf_data.fits.table import Fits
from pymaf_data.geometry.placement import place

_BATCH = 256


def stand(body: BodyModel, fits: Fits, rows: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Translate bodies to where their joints project onto keypoints, by weighted least squares in pixels.

    Args:
        body: of the fits.
        fits: of N persons; ``native`` K·[I | 0] of ``rows`` becomes K·[I | t].
        rows: (M,) of them.
        points: (M, J, 3) px and confidence of the first J of J49; anything where the confidence is not above 0.

    Returns:
        (M,) bool: whom that is possible for. ``native`` of the others is as it was.
    """
    solved = np.zeros(len(rows), bool)
    for first in range(0, len(rows), _BATCH):
        batch = rows[first : first + _BATCH]
        joints = joints49(body, fits, batch)[:, : points.shape[1]].numpy()
        camera, good = place(joints, fits.native[batch, :, :3], points[first : first + _BATCH])
        fits.native[batch[good]], solved[first : first + _BATCH] = camera[good], good
    return solved
