"""Labels as a network that sees only the crop can know them: turned into the view's own frame.

    stored, seen by the camera of the whole image  →  R of the ray through the box  →  root rotation, 3D joints

Rays are found when a store is opened; batches are turned when they are made (:mod:`~pymaf_data.loader.persons`).
Rotation and flip of the view come after it. What maps are drawn from stays as it is: a map shows the same in both
frames. See :mod:`pymaf_data.geometry.frames`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pymaf_data.fits.table import CAMERA
from pymaf_data.geometry.frames import box_ray, intrinsics_of

if TYPE_CHECKING:
    from pymaf_data.fits.chosen import ChosenFits
    from pymaf_data.loader.labels import Labels

Rays = NDArray[np.float64]

AXIS = (0.0, 0.0, 1.0)


def rays_of_fits(fits: ChosenFits, kind: str, measured: Rays, box: NDArray[np.float64]) -> tuple[Rays, Rays]:
    """The rays through the boxes of K fits of one source: by which each turns, and by which its image's joints do.

    Args:
        fits: of K rows, all of one source.
        kind: of its native cameras.
        measured: (K, 3) rays by the data set's own K, NaN where it states none.
        box: (K, 3).

    Returns:
        (K, 3) for the fit: by its native camera's K, or by the data set's where it has no perspective camera; the axis
        where it is of the frame ``view``. (K, 3) for measured joints: by the data set's K, else by the fit's. NaN
        where no K is known.
    """
    native = box_ray(intrinsics_of(fits.native), box) if kind == "perspective" else np.full_like(measured, np.nan)
    own = native if kind == "perspective" else measured
    of_fit = np.where((fits.frame == CAMERA)[:, None], own, AXIS)
    return of_fit, np.where(np.isnan(measured), native, measured)


def unturned(labels: Labels) -> NDArray[np.bool_]:
    """(N,) rows with a fit or 3D joints that stay in their image's camera, because no K of it is known."""
    fit = np.isnan(labels.fit_ray[:]).any(1) & labels.has_fit
    joints = np.isnan(labels.image_ray[:]).any(1) & labels.measured
    return labels.present & (fit | joints)


def off_axis(rays: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(N,) known rays that turn anything; of the others every bit stays."""
    return rays[:, 2] < 1
