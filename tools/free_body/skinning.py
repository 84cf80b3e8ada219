"""Skinning weights: Anny's bones gathered under SMPL's joints, smoothed a little, four per vertex."""

from __future__ import annotations

import numpy as np

from .partition import PartMesh
from .skeleton import JOINT_MIRROR, bone_to_joint
from .source import HalfSource
from .whole import Whole

_SMOOTHING_PASSES = 2
_SMALLEST = 2e-3
INFLUENCES = 4


def skinning_weights(source: HalfSource, mesh: PartMesh, whole: Whole) -> np.ndarray:
    """(V, 24) float32, at most four per row, rows sum to 1, exactly mirror symmetric."""
    half = mesh.basis @ (source.bone_weights @ bone_to_joint(source))
    weights = np.concatenate([half, half[whole.mirror[whole.half :]][:, JOINT_MIRROR]])
    smoother = whole.smoother()
    for _ in range(_SMOOTHING_PASSES):
        weights = smoother @ weights
    weights = weights[: whole.half]
    midline = whole.midline[: whole.half]
    weights[midline] = (weights[midline] + weights[midline][:, JOINT_MIRROR]) / 2
    kept = np.array([_strongest(row, symmetric) for row, symmetric in zip(weights, midline, strict=True)])
    kept = (kept / kept.sum(1, keepdims=True)).astype(np.float32)
    return np.concatenate([kept, kept[whole.mirror[whole.half :]][:, JOINT_MIRROR]])


def _strongest(row: np.ndarray, symmetric: bool) -> np.ndarray:
    """The row's largest weights; on the midline the two of a pair stay or go together."""
    kept = np.zeros_like(row)
    room = INFLUENCES
    for joint in np.argsort(-row, kind="stable"):
        group = {int(joint), int(JOINT_MIRROR[joint])} if symmetric else {int(joint)}
        if row[joint] < _SMALLEST or kept[joint] > 0 or len(group) > room:
            continue
        for member in group:
            kept[member] = row[member]
        room -= len(group)
    return kept
