"""Angles that a person reads out of a pose: where the torso looks, how it leans, how far the limbs are bent.

Everything follows from joint rotations alone, so a report needs no body file. Rest is SMPL's T-pose: y up, facing +z,
the left side at +x, arms along ±x, legs along −y. Camera space is x right, y down, z forward.

    heading      0° faces the camera, 90° faces the image's right, ±180° turns its back
    lean         of the chest's long axis from the vertical of camera space; 0° upright, 90° lying, 180° head down
    bend         of the chest against the pelvis, forwards, sideways or back
    knee, elbow  0° straight, as in the T-pose
    hip          of the thigh against the pelvis in the body's own sagittal plane; forwards is positive
    shoulder     of the upper arm against the chest: 0° hangs down, 90° level, 180° overhead

The heading is that of the left-right axis, which bowing forwards does not turn.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from pymaf_data.errors import ShapeError
from pymaf_data.geometry.joints import SMPL24
from pymaf_data.geometry.rotations import axis_angle_to_matrix

Angles = NDArray[np.float32]

_X, _Y, _Z = np.eye(3)


def posture(pose: NDArray[np.floating]) -> dict[str, Angles]:
    """Angles in degrees of K poses (K, 72) axis-angle, the root in camera space.

    Returns:
        ``heading``, ``lean``, ``bend``: (1, K); ``hip``, ``knee``, ``shoulder``, ``elbow``: (2, K), left then right.

    Raises:
        ShapeError: another shape.
    """
    if pose.ndim != 2 or pose.shape[1] != 72:
        raise ShapeError(f"pose of shape {pose.shape}", expected="(K, 72)", action="pass axis-angle, a row per person.")
    matrices = axis_angle_to_matrix(torch.from_numpy(np.ascontiguousarray(pose, np.float64)).reshape(-1, 24, 3))
    local = {name: matrices[:, index].numpy() for index, name in enumerate(SMPL24.joints)}
    pelvis = local["pelvis"]
    back = local["spine1"] @ local["spine2"] @ local["spine3"]
    chest = pelvis @ back
    found = {
        "heading": [_heading(chest @ _X)],
        "lean": [_between(chest @ _Y, -_Y)],
        "bend": [_between(back @ _Y, _Y)],
    }
    for name, angle in (("hip", _hip), ("knee", _knee), ("shoulder", _shoulder), ("elbow", _elbow)):
        found[name] = [angle(local, side) for side in ("left", "right")]
    return {name: np.stack(rows).astype(np.float32) for name, rows in found.items()}


def _heading(left: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the body's left (K, 3): a body that faces the camera has it at the image's right."""
    return np.degrees(np.arctan2(left[:, 2], left[:, 0]))


def _hip(local: dict[str, NDArray[np.float64]], side: str) -> NDArray[np.float64]:
    thigh = local[f"{side}_hip_smpl"] @ -_Y
    return np.degrees(np.arctan2(thigh[:, 2], -thigh[:, 1]))


def _knee(local: dict[str, NDArray[np.float64]], side: str) -> NDArray[np.float64]:
    return _between(local[f"{side}_knee"] @ _Y, _Y)


def _elbow(local: dict[str, NDArray[np.float64]], side: str) -> NDArray[np.float64]:
    return _between(local[f"{side}_elbow"] @ _X, _X)


def _shoulder(local: dict[str, NDArray[np.float64]], side: str) -> NDArray[np.float64]:
    outwards = _X if side == "left" else -_X
    return _between(local[f"{side}_collar"] @ local[f"{side}_shoulder"] @ outwards, -_Y)


def _between(directions: NDArray[np.float64], axis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Degrees between unit vectors (K, 3) and one unit vector."""
    return np.degrees(np.arccos(np.clip(directions @ axis, -1.0, 1.0)))
