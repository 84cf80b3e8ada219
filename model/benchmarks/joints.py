"""Errors of joint sets by name, as SPIN and PyMAF compare them."""

from __future__ import annotations

from torch import Tensor

from pymaf_data.geometry.joints import H36M17, J14
from pymaf_data.metrics import mpjpe, pa_mpjpe, root_align

from .benchmark import Bodies, Values, millimetres

#: J14 among Human3.6M's 17 joints, [6, 5, 4, 1, 2, 3, 16, 15, 14, 11, 12, 13, 8, 10].
J14_OF_H36M = tuple(H36M17.index(joint) for joint in J14.joints)
PELVIS_OF_H36M = H36M17.index("pelvis_mpii")


def joint_errors(bodies: Bodies, true: Tensor, joints: tuple[int, ...] = J14_OF_H36M) -> Values:
    """MPJPE and PA-MPJPE, in millimetres, of some of Human3.6M's joints of bodies, each from its own pelvis.

    Args:
        bodies: K predicted. Without a turn into the camera of the image they have a PA-MPJPE alone.
        true: (K, 17, 3) metres in that camera's frame, NaN where not known.
        joints: which of the 17.
    """
    target = root_align(true, PELVIS_OF_H36M)[:, list(joints)]
    posed, said = (root_align(each, PELVIS_OF_H36M)[:, list(joints)] for each in (bodies.h36m, bodies.h36m_as_said))
    return {"MPJPE": millimetres(mpjpe(posed, target)), "PA-MPJPE": millimetres(pa_mpjpe(said, target))}
