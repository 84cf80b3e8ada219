"""Write truth as EFT would have written its fits: orthographic, seen along the ray of a crop of whole pixels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation


def entry(
    box: np.ndarray, pose: np.ndarray, betas: np.ndarray, joints: np.ndarray, pelvis: np.ndarray, rest: np.ndarray,
    K: np.ndarray, **keys: Any,
) -> dict[str, Any]:  # fmt: skip
    """One person.

    Args:
        box: centre and side in pixels.
        pose, betas: (72,) seen by the camera, (10,).
        joints: (J, 3) camera-space metres, whose pixels the orthographic camera meets in least squares.
        pelvis: (3,) where the body's root joint stands among them, and ``rest`` (3,) where it does without translation.
        K: (3, 3).
        keys: imageName, annotId, smpltype; or what else is to stand in the entry.
    """
    ray = np.linalg.solve(K, [box[0], box[1], 1.0])
    ray /= np.linalg.norm(ray)
    angle = np.arccos(ray[2])
    axis = np.cross(ray, [0.0, 0.0, 1.0])
    turn = Rotation.from_rotvec(axis * (angle / np.linalg.norm(axis) if angle else 1.0))
    matrices = Rotation.from_rotvec(pose.reshape(24, 3)).as_matrix()
    matrices[0] = turn.as_matrix() @ matrices[0]
    X = turn.apply(joints - pelvis) + rest
    homogeneous = joints @ K.T
    left, top = (int(value - box[2] / 2) for value in box[:2])
    height = int(box[1] + box[2] / 2) - top
    ndc = 2 * (homogeneous[:, :2] / homogeneous[:, 2:] - [left, top]) / height - 1
    # ndc = s·X + t, two equations for each joint.
    one, zero = np.ones(len(X)), np.zeros(len(X))
    system = np.concatenate([np.stack([X[:, 0], one, zero], 1), np.stack([X[:, 1], zero, one], 1)])
    camera = np.linalg.lstsq(system, ndc.T.ravel(), rcond=None)[0]
    return {
        "parm_pose": matrices.tolist(), "parm_shape": betas.tolist(), "parm_cam": camera.tolist(),
        "bbox_scale": float(box[2]) / 200, "bbox_center": box[:2].tolist(), "joint_validity_openpose18": [True] * 18,
        "smpltype": "free", **keys,
    }  # fmt: skip


def write_eft(path: Path, entries: list[dict[str, Any]]) -> Path:
    """The file of a set."""
    path.write_text(json.dumps({"ver": 0.1, "meta": {"dbname": "COCO2014-All"}, "data": entries}))
    return path
