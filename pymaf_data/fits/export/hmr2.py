"""An npz as 4D-Humans (HMR2) evaluates on, and trains on with its ImageDataset."""

from __future__ import annotations

from typing import Any

import numpy as np

from pymaf_data.fits.export.rows import Rows
from pymaf_data.fits.export.spin import INDEX

_EXTRA = 19  # of J24; the face's are OpenPose's here


def members(rows: Rows) -> dict[str, Any]:
    """imgname, center, scale (px), keypoints of OpenPose's 25 and 19 more in 2D and 3D, body_pose, betas, has_…"""
    openpose, part = rows.keypoints(INDEX)
    has = rows.fits.valid.astype(np.float32)
    return {
        "imgname": rows.persons.names,
        "center": rows.persons.box[:, :2],
        "scale": np.repeat(rows.persons.box[:, 2:], 2, axis=1),
        "body_keypoints_2d": openpose,
        "extra_keypoints_2d": part[:, :_EXTRA],
        "body_keypoints_3d": np.zeros((len(rows), openpose.shape[1], 4), np.float32),
        "extra_keypoints_3d": rows.joints3d[:, :_EXTRA],
        "body_pose": rows.fits.pose,
        "betas": rows.fits.betas,
        "has_body_pose": has,
        "has_betas": has,
    }
