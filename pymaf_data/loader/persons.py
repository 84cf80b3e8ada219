"""What follows from the labels of a batch: rotations, the fit's joints, and both in the frame that is asked for.

    measured joints, else the fit's (by option)  →  turned by R of the ray through the box  →  augmented (assemble)

It is the same to the last bit whatever rows a batch has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pymaf_data.body import BodyModel
from pymaf_data.geometry.frames import turn_about, turn_of_ray
from pymaf_data.geometry.joints import J24
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.loader.frame import off_axis
from pymaf_data.loader.labels import Labels
from pymaf_data.loader.options import LoaderOptions

Rows = NDArray[np.int64]
Singles = NDArray[np.float32]


@dataclass(frozen=True)
class Persons:
    """B persons, not yet augmented.

    Attributes:
        joints3d: (B, 24, 4) float32 metres and flag.
        pose: (B, 24, 3, 3) float32 rotation matrices, identity without a fit.
        drawn_pose: (B, 24, 3, 3) float32: what maps are drawn from, however ``pose`` is turned.
        betas: (B, 10) float32.
        fit_joints: (B, 49, 3) float32 metres: the fit's J49 without translation, 0 without one.
        fit_root: (B, 3) float32 metres: its root joint, about which it turns.
    """

    joints3d: Singles
    pose: Tensor
    drawn_pose: Tensor
    betas: Tensor
    fit_joints: Singles
    fit_root: Singles


def persons(labels: Labels, rows: Rows, body: BodyModel, options: LoaderOptions) -> Persons:
    """The persons of ``rows`` (B,).

    Args:
        labels: of all rows.
        rows: which.
        body: poses the joints of the fits, on the CPU.
        options: ``joints3d`` and ``frame``.
    """
    axis_angle, betas = torch.from_numpy(labels.pose[rows]), torch.from_numpy(labels.betas[rows])
    drawn, has_fit = axis_angle_to_matrix(axis_angle), labels.has_fit[rows]
    fit_joints, root = _posed(body, drawn, betas, has_fit)
    joints3d = labels.joints3d[rows]
    measured = labels.measured[rows]
    fitted = has_fit & ~measured if options.joints3d == "fitted" else np.zeros(len(rows), bool)
    if fitted.any():
        joints3d[fitted, :, :3], joints3d[fitted, :, 3] = fit_joints[fitted, -len(J24) :], 1
    pose = drawn
    if options.frame == "view":
        fit_ray = labels.fit_ray[rows]
        rays = np.where(fitted[:, None], fit_ray, labels.image_ray[rows])
        turned = np.flatnonzero(off_axis(rays) & (measured | fitted))
        if len(turned):
            moved = turn_about(turn_of_ray(rays[turned]), joints3d[turned, :, :3], root[turned])
            joints3d[turned, :, :3] = np.where(joints3d[turned, :, 3:] > 0, moved, 0)
        turned = np.flatnonzero(off_axis(fit_ray) & has_fit)
        if len(turned):
            turn, pose = turn_of_ray(fit_ray[turned]), drawn.clone()
            upright = axis_angle_to_matrix(axis_angle[turned, 0].double()).numpy()
            pose[turned, 0] = torch.from_numpy(turn @ upright).float()
            fit_joints[turned] = turn_about(turn, fit_joints[turned], root[turned])
    return Persons(joints3d, pose, drawn, betas, fit_joints, root)


@torch.inference_mode()
def _posed(body: BodyModel, pose: Tensor, betas: Tensor, valid: NDArray[np.bool_]) -> tuple[Singles, Singles]:
    """J49 (B, 49, 3) and root joint (B, 3), zeros where there is no valid fit."""
    like = body.mean_betas
    # A product with one row sums in another order than the same row of a larger one.
    twice = 2 if len(pose) == 1 else 1
    shapes = betas.repeat(twice, 1).to(like)
    joints = body.keypoints(pose.repeat(twice, 1, 1, 1).to(like), shapes)[1][: len(pose)].float().numpy()
    root = body.rest_joints(shapes)[: len(pose), 0].float().numpy()
    return np.where(valid[:, None, None], joints, 0), np.where(valid[:, None], root, 0)
