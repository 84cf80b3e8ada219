"""Errors of joint sets by name, as SPIN and PyMAF compare them."""

from __future__ import annotations

from torch import Tensor

from pymaf_data.geometry.joints import H36M17, J14
from pymaf_data.metrics import mpjpe, pa_mpjpe, root_align

from .benchmark import Values, millimetres

#: J14 among Human3.6M's 17 joints, [6, 5, 4, 1, 2, 3, 16, 15, 14, 11, 12, 13, 8, 10].
J14_OF_H36M = tuple(H36M17.index(joint) for joint in J14.joints)
PELVIS_OF_H36M = H36M17.index("pelvis_mpii")


def of_pelvis(h36m: Tensor, joints: tuple[int, ...] = J14_OF_H36M) -> Tensor:
    """Some of Human3.6M's joints (K, 17, 3), from their regressed pelvis."""
    return root_align(h36m, PELVIS_OF_H36M)[:, list(joints)]


def joint_errors(predicted: Tensor, target: Tensor, weights: Tensor | None = None) -> Values:
    """MPJPE of (K, J, 3) joints that stand about their roots, and PA-MPJPE, in millimetres."""
    return {
        "MPJPE": millimetres(mpjpe(predicted, target, weights)),
        "PA-MPJPE": millimetres(pa_mpjpe(predicted, target, weights)),
    }
