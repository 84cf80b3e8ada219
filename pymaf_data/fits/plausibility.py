"""What speaks against a fit besides its reprojection: the person's mask, the limits of joints, the habits of people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pymaf_data.body import BodyModel
from pymaf_data.fits.fitter.limits import ANGLES, angles_of, limit_violation
from pymaf_data.fits.fitter.prior import PosePrior
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.silhouettes import Masks, mask_iou
from pymaf_data.fits.table import Fits


@dataclass(frozen=True)
class Plausibility:
    """Of N fits; NaN where a row has none, or where what it takes is not there.

    Attributes:
        mask_iou: (N,) overlap of silhouette and mask, see :func:`~pymaf_data.fits.silhouettes.mask_iou`.
        beyond_limits: (N,) degrees by which the worst joint exceeds its limits, 0 within them.
        pose_prior: (N,) distance from the habits of people, in their standard deviations: the root mean square over
            the 26 angles, √(2·energy/26) of :class:`~pymaf_data.fits.fitter.prior.PosePrior`.
    """

    mask_iou: NDArray[np.float64]
    beyond_limits: NDArray[np.float64]
    pose_prior: NDArray[np.float64]


@torch.no_grad()
def judge(
    body: BodyModel | None,
    fits: Fits,
    weak_camera: NDArray[np.float64],
    persons: Persons,
    masks: Masks | None,
    camera: str,
) -> Plausibility:
    """Judge N fits; without their body (``None``) there are no silhouettes. Arguments as of ``mask_iou``."""
    beyond, prior, overlap = (np.full(len(fits), np.nan) for _ in range(3))
    rows = np.flatnonzero(fits.valid)
    if len(rows):
        angles = angles_of(torch.from_numpy(fits.pose[rows]))
        beyond[rows] = torch.rad2deg(limit_violation(angles).amax(1)).numpy()
        prior[rows] = (2 * PosePrior().energy(angles) / len(ANGLES)).sqrt().numpy()
        if body is not None and masks is not None:
            overlap = mask_iou(body, fits, weak_camera, persons, masks, camera)
    return Plausibility(overlap, beyond, prior)
