"""Measures of a predicted body: joints, mesh, projected keypoints, part maps.

Shape letters: B batch, J joints, V vertices, K keypoints, S map size. Every measure returns one number per person,
``(B,)`` in the unit of its input (metres, pixels, fraction) unless it says percent or degrees; a person without a
single point to measure is NaN, so that a mean over persons is taken knowingly: :func:`mean_over_valid`. But for labels
of pixels: their counts add up over persons, and a figure is of all of them (:mod:`.pixels`).
"""

from __future__ import annotations

from pymaf_data.metrics.bodies import (
    joint_errors,
    keypoint_error,
    mpjpe,
    pa_mpjpe,
    pve,
    pve_t_sc,
    root_align,
    similarity,
    similarity_align,
)
from pymaf_data.metrics.maps import part_accuracy
from pymaf_data.metrics.means import mean_over_valid
from pymaf_data.metrics.pixels import accuracy, confusion, f1, iou
from pymaf_data.metrics.thresholds import auc_of_curve, auc_of_steps, mpjae, pck

__all__ = [
    "accuracy",
    "auc_of_curve",
    "auc_of_steps",
    "confusion",
    "f1",
    "iou",
    "joint_errors",
    "keypoint_error",
    "mean_over_valid",
    "mpjae",
    "mpjpe",
    "pa_mpjpe",
    "part_accuracy",
    "pck",
    "pve",
    "pve_t_sc",
    "root_align",
    "similarity",
    "similarity_align",
]
