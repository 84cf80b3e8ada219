"""Errors of joint sets by name, as SPIN and PyMAF compare them, and the joints that data sets measured."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pymaf_data.datasets.columns import stored_column
from pymaf_data.geometry.joints import H36M17, J14, J24, index_map
from pymaf_data.metrics import joint_errors as distances
from pymaf_data.metrics import root_align, similarity_align
from pymaf_data.storage import Store

from .benchmark import Bodies, Rows, Values, millimetres
from .truth_file import NPZ

#: J14 among Human3.6M's 17 joints, [6, 5, 4, 1, 2, 3, 16, 15, 14, 11, 12, 13, 8, 10].
J14_OF_H36M = tuple(H36M17.index(joint) for joint in J14.joints)
PELVIS_OF_H36M = H36M17.index("pelvis_mpii")
HIPS_OF_H36M = tuple(H36M17.index(joint) for joint in ("right_hip", "left_hip"))
ALL_OF_H36M = tuple(range(len(H36M17)))
_PELVIS_OF_J24 = J24.index("pelvis_mpii")
_IN_J24 = list(index_map(J24, H36M17))


def measured_joints(store: Store, rows: Rows) -> Tensor:
    """(K, 24, 3) J24 as the data set measured them, metres in float64; NaN where it did not.

    Files of SPIN's and PyMAF's have them from the pelvis, which released code never looks at: there it is the origin,
    flagged or not.
    """
    stored = torch.from_numpy(stored_column(store, "joints3d").rows(rows)).double()
    found = torch.where(stored[..., 3:] > 0, stored[..., :3], torch.nan)
    if store.head["dataset"] == NPZ:
        pelvis = found[:, _PELVIS_OF_J24]
        absent = pelvis.isnan().any(1) & found.isfinite().any(2).any(1)
        found[:, _PELVIS_OF_J24] = torch.where(absent[:, None], 0.0, pelvis)
    return found


def of_h36m(joints: Tensor) -> Tensor:
    """(K, 17, 3) Human3.6M's joints among J24 (K, 24, 3)."""
    return joints[:, _IN_J24]


def joint_distances(
    bodies: Bodies, true: Tensor, joints: Sequence[int] = J14_OF_H36M, root: int | Sequence[int] = PELVIS_OF_H36M
) -> tuple[Tensor, Tensor]:
    """Metres (K, J) in float64 between some of Human3.6M's joints: from each side's own root, and after similarity.

    Args:
        bodies: K predicted. Without a turn into the camera of the image only the second is known, else NaN.
        true: (K, 17, 3) metres in that camera's frame, NaN where not known.
        joints: which of the 17.
        root: one of the 17, or several, whose middle it is.
    """
    found = [root_align(each.double().cpu(), root)[:, list(joints)] for each in (bodies.h36m, bodies.h36m_as_said)]
    target = root_align(true.double().cpu(), root)[:, list(joints)]
    return distances(found[0], target), distances(similarity_align(found[1], target), target)


def joint_errors(
    bodies: Bodies, true: Tensor, joints: Sequence[int] = J14_OF_H36M, root: int | Sequence[int] = PELVIS_OF_H36M
) -> Values:
    """MPJPE and PA-MPJPE, in millimetres, of :func:`joint_distances`."""
    plain, aligned = joint_distances(bodies, true, joints, root)
    return {"MPJPE": millimetres(plain.mean(dim=1)), "PA-MPJPE": millimetres(aligned.mean(dim=1))}
