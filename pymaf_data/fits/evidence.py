"""What a file of fits looks like that is refused: made for images of another size, or of other persons altogether."""

from __future__ import annotations

import numpy as np
import torch

from pymaf_data.body import BodyModel
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.reprojection import joints49, seen_joints, view_pixels
from pymaf_data.fits.table import Fits
from pymaf_data.geometry.cameras import Camera

_SCALES = (0.2, 5.0)
"""Beyond these, images are not scaled: a focal length is wrong."""
_SAME = 0.02
_NEAR = 0.1  # sides of a box


def other_scale(body: BodyModel, fits: Fits, persons: Persons, orthographic: bool, centred: bool, limit: float) -> str:
    """How much larger the persons' images are than those that fits were made for, told by fits with native cameras.

    Args:
        body: of the fits.
        fits: of the N persons.
        persons: whose keypoints are compared.
        orthographic: whether the cameras are.
        centred: whether their pixels are counted from the middle of the image, which scaling does not move.
        limit: pixels of the 224 view that they may then lie off, in the median.

    Returns:
        A clause, "" where that is not the reason.
    """
    rows = np.flatnonzero(fits.valid)
    joints, persons = joints49(body, fits, rows), persons[rows]
    middle = persons.image_size[:, None] / 2.0 if centred else np.zeros((len(rows), 1, 2))
    seen = seen_joints(persons)[..., None]
    theirs = Camera(torch.from_numpy(fits.native[rows]), orthographic).project(joints).numpy() - middle
    theirs = np.where(seen & np.isfinite(theirs), theirs, 0.0)
    ours = np.where(seen, persons.keypoints[..., :2] - middle, 0.0)
    with np.errstate(all="ignore"):
        scale = _median((theirs * ours).sum((1, 2)) / (theirs**2).sum((1, 2)))
        apart = np.linalg.norm(scale * theirs - ours, axis=-1).sum(1) / seen.sum((1, 2))
        away = _median(apart * view_pixels(persons.box[:, 2]))
    if not (_SCALES[0] <= scale <= _SCALES[1] and abs(scale - 1) > _SAME and away <= limit):
        return ""
    return f"images look scaled by {scale:.2f}: otherwise {away:.0f} px"


def other_scale_of_boxes(theirs: np.ndarray, ours: np.ndarray) -> float | None:
    """The scale of images, told by the centres (N, 2) of a file's boxes and the boxes (N, 3) of the only persons there.

    ``None`` where no scale brings most of them together.
    """
    with np.errstate(all="ignore"):  # a file's numbers may be anything
        scale = _median((theirs * ours[:, :2]).sum(1) / (theirs**2).sum(1))
        apart = _median(np.linalg.norm(scale * theirs - ours[:, :2], axis=1) / ours[:, 2])
    return scale if _SCALES[0] <= scale <= _SCALES[1] and abs(scale - 1) > _SAME and apart < _NEAR else None


def _median(values: np.ndarray) -> float:
    """Of those that are finite; NaN where none is."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else float("nan")
