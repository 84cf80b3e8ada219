"""Labels as a network that sees only the crop can know them: turned into the view's own frame.

    stored, seen by the camera of the whole image  →  R of the ray through the box  →  root rotation, 3D joints

Done once, when a store is opened and after fitted joints have taken the place of missing ones, so that nothing turns
twice; rotation and flip of the view come after it. What maps are drawn from stays as it is: a map shows the same in
both frames. See :mod:`pymaf_data.geometry.frames`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from pymaf_data.fits.table import CAMERA
from pymaf_data.geometry.frames import box_ray, intrinsics_of, turn_about, turn_of_ray
from pymaf_data.geometry.rotations import axis_angle_to_matrix

if TYPE_CHECKING:
    from pymaf_data.fits.chosen import ChosenFits
    from pymaf_data.loader.labels import Labels

Rays = NDArray[np.float64]

AXIS = (0.0, 0.0, 1.0)
_BLOCK = 4096  # rows turned at a time


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


def in_view_frame(labels: Labels) -> Labels:
    """The labels turned: root rotation and joints of fits, and 3D joints. Rows of which no ray is known stay."""
    pose, fit_joints, joints3d = labels.pose.copy(), labels.fit_joints.copy(), labels.joints3d.copy()
    for rows in _blocks(np.flatnonzero(_off_axis(labels.fit_ray) & labels.has_fit)):
        turn = turn_of_ray(labels.fit_ray[rows])
        root = axis_angle_to_matrix(torch.from_numpy(labels.fit_root_axis_angle[rows]).double()).numpy()
        pose[rows, 0] = turn @ root
        fit_joints[rows] = turn_about(turn, labels.fit_joints[rows], labels.fit_root[rows])
    rays = labels.joints_ray
    for rows in _blocks(np.flatnonzero(_off_axis(rays))):
        turned = turn_about(turn_of_ray(rays[rows]), joints3d[rows, :, :3], labels.fit_root[rows])
        joints3d[rows, :, :3] = np.where(joints3d[rows, :, 3:] > 0, turned, 0)
    return replace(labels, pose=pose, fit_joints=fit_joints, joints3d=joints3d)


def unturned(labels: Labels) -> NDArray[np.bool_]:
    """(N,) rows with a fit or 3D joints that stay in their image's camera, because no K of it is known."""
    fit = np.isnan(labels.fit_ray).any(1) & labels.has_fit
    joints = np.isnan(labels.joints_ray).any(1) & (labels.joints3d[..., 3] > 0).any(1)
    return labels.present & (fit | joints)


def _off_axis(rays: Rays) -> NDArray[np.bool_]:
    """(N,) known rays that turn anything; of the others every bit stays."""
    return rays[:, 2] < 1


def _blocks(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [rows[first : first + _BLOCK] for first in range(0, len(rows), _BLOCK)]
