"""A file of SPIN's ``dataset_extras``, which PyMAF and most that came after read."""

from __future__ import annotations

from typing import Any

import numpy as np

from pymaf_data.fits.export.rows import Rows

INDEX = -0.5  # keypoints count from the centre of the first pixel, boxes do not: as in SPIN's file of COCO


def members(rows: Rows) -> dict[str, Any]:
    """imgname, center, scale, openpose, part, pose, shape, has_smpl; S where measured, gender where bodies have one."""
    openpose, part = rows.keypoints(INDEX)
    optional = {"S": rows.measured(), "gender": rows.genders()}
    return {
        "imgname": rows.persons.names,
        "center": rows.persons.box[:, :2],
        "scale": rows.persons.box[:, 2] / 200,
        "openpose": openpose,
        "part": part,
        "pose": rows.fits.pose,
        "shape": rows.fits.betas,
        "has_smpl": rows.fits.valid.astype(np.uint8),
        **{key: array for key, array in optional.items() if array is not None},
    }
