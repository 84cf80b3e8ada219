"""Mean parameters of training data (``mean: data``): where the feedback loop starts, instead of the published mean.

Over all persons with a fit, each once whatever a mixture draws, in their plain views and in the run's frame:

    pose      each joint's rotation nearest to all of them: the R that minimises Σ ‖R − R_i‖² (the chordal mean), the
              polar factor of the mean matrix. The root's too: where persons face every way, its heading is the one that
              they are least far from, and says little.
    betas     the mean
    camera    the mean of the π that project the fits onto their keypoints best, of those that have one
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pymaf_data.body import BodyModel
from pymaf_data.errors import TrainingError, UsageError
from pymaf_data.geometry.affines import view_affine
from pymaf_data.geometry.joints import J49
from pymaf_data.geometry.rotations import matrix_to_rotation_6d
from pymaf_data.geometry.views import move_keypoints
from pymaf_data.geometry.weak_fit import fit_weak_camera
from pymaf_data.loader.labels import Labels
from pymaf_data.loader.options import LoaderOptions
from pymaf_data.loader.persons import persons

from .networks.network import Network, Parameters
from .networks.regressor import Regressor

_BLOCK = 4096  # persons at a time


def mean_parameters(labels: Labels, body: BodyModel, options: LoaderOptions) -> Parameters:
    """The means (1, 144), (1, 10), (1, 3), float64; a function of labels and frame alone.

    Args:
        labels: of everybody.
        body: poses the joints of the fits, on the CPU.
        options: whose ``frame`` it is.

    Raises:
        TrainingError: nobody has a fit, or no fit has a camera.
    """
    rows = np.flatnonzero(labels.has_fit)
    rotation, betas, camera, cameras = np.zeros((24, 3, 3)), np.zeros(10), np.zeros(3), 0
    for first in range(0, len(rows), _BLOCK):
        block = rows[first : first + _BLOCK]
        who = persons(labels, block, body, options)
        pi, valid = _cameras(labels, block, who.fit_joints)
        rotation += who.pose.numpy().sum(axis=0, dtype=np.float64)
        betas += who.betas.numpy().sum(axis=0, dtype=np.float64)
        camera, cameras = camera + pi[valid].sum(axis=0, dtype=np.float64), cameras + int(valid.sum())
    if not cameras:
        raise TrainingError(
            f"of {len(labels)} persons {len(rows)} have a fit, and {cameras} of them keypoints to see it by",
            expected="persons whose means are to be computed",
            action="attach fits, or leave `mean: data` out.",
        )
    pose = matrix_to_rotation_6d(torch.from_numpy(nearest_rotations(rotation))).reshape(1, -1)
    return Parameters(pose, torch.from_numpy(betas[None] / len(rows)), torch.from_numpy(camera[None] / cameras))


def nearest_rotations(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotations (N, 3, 3) nearest to matrices; of a sum of rotations, their chordal mean."""
    left, _, right = np.linalg.svd(matrices)
    mirrored = np.linalg.det(left @ right) < 0
    left[mirrored, :, 2] *= -1
    return left @ right


def start_at(model: Network, mean: Parameters) -> None:
    """Have a network begin its loop at these parameters.

    Raises:
        UsageError: it has nothing that begins at mean parameters.
    """
    steps = [module for module in model.modules() if isinstance(module, Regressor)]
    if not steps:
        raise UsageError(f"a {type(model).__name__} begins at no mean parameters", action="leave `mean: data` out.")
    for step in steps:
        for own, value in zip((step.init_pose, step.init_shape, step.init_cam), mean, strict=True):
            own.copy_(value)


def _cameras(
    labels: Labels, rows: NDArray[np.int64], joints: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """π (B, 3) of the fits in the 224 px view, and whether there is one."""
    upright = np.zeros(len(rows), bool)
    keypoints = move_keypoints(labels.keypoints[rows], view_affine(labels.box[rows]), upright, J49)
    seen: Tensor = torch.from_numpy(keypoints.astype(np.float32))
    found = fit_weak_camera(torch.from_numpy(joints), seen[..., :2], seen[..., 2])
    return found.pi.numpy(), found.valid.numpy()
