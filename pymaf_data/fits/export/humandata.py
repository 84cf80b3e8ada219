"""HumanData, which mmhuman3d, SMPLer-X and SMPLest-X read: :mod:`pymaf_data.datasets.human_data`, not compressed."""

from __future__ import annotations

from typing import Any

import numpy as np

from pymaf_data.datasets.human_data import JOINTS, OF_J49
from pymaf_data.fits.export.rows import Rows
from pymaf_data.geometry.joints import J24


def members(rows: Rows) -> dict[str, Any]:
    """image_path, bbox_xywh (square), keypoints2d, smpl, has_smpl, meta; keypoints3d where measured; cameras where all
    fits have a pinhole. Pixels are continuous, so that cameras and keypoints agree.
    """
    N, box, fits, genders = len(rows), rows.persons.box, rows.fits, rows.genders()
    smpl = {"body_pose": fits.pose[:, 3:].reshape(N, 23, 3), "global_orient": fits.pose[:, :3], "betas": fits.betas}
    meta: dict[str, Any] = dict(zip(("width", "height"), rows.persons.image_size.T, strict=True))
    K, transl = _cameras(rows)
    if K is not None:
        smpl["transl"] = transl
        meta |= {"focal_length": K[:, [0, 1], [0, 1]], "principal_point": K[:, :2, 2]}
    members = {
        "__key_strict__": False,
        "__data_len__": N,
        "__keypoints_compressed__": False,
        "config": "pymaf-data",
        "image_path": rows.persons.names,
        "bbox_xywh": np.column_stack([box[:, :2] - box[:, 2:] / 2, box[:, 2], box[:, 2], np.ones(N)]),
        "smpl": smpl,
        "has_smpl": fits.valid.astype(np.uint8),
        "meta": meta if genders is None else meta | {"gender": genders},
        "misc": {"bbox_source": "square", "kps3d_root_aligned": False},
    }
    members |= _spread("keypoints2d", np.concatenate(rows.keypoints(0.0), 1), OF_J49)
    if (measured := rows.measured()) is not None:
        members |= _spread("keypoints3d", measured, OF_J49[-len(J24) :])
    return members


def _cameras(rows: Rows) -> tuple[np.ndarray | None, np.ndarray]:
    """K (N, 3, 3) and translations (N, 3), NaN without a fit; no K where a fit has none of its own."""
    P, valid = rows.fits.native, rows.fits.valid
    K = P[:, :, :3]
    plain = np.zeros((3, 3), bool)
    plain[[0, 1, 0, 1], [0, 1, 2, 2]] = True
    if not valid.any() or not rows.perspective[valid].all() or (K[valid] * ~plain != np.diag([0.0, 0, 1])).any():
        return None, np.empty(0)
    found = np.full((len(rows), 3), np.nan)
    found[valid] = np.linalg.solve(K[valid], P[valid, :, 3:])[..., 0]
    return np.where(valid[:, None, None], K, np.nan), found


def _spread(name: str, joints: np.ndarray, places: np.ndarray) -> dict[str, np.ndarray]:
    """Joints (N, J, C) at their places, and the mask of those that anybody has."""
    found, mask = np.zeros((len(joints), JOINTS, joints.shape[2]), np.float32), np.zeros(JOINTS, np.uint8)
    found[:, places] = joints
    mask[places] = (joints[..., -1] > 0).any(0)
    return {name: found, f"{name}_mask": mask}
