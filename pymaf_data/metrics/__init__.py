"""Measures of a predicted body: joints, mesh, projected keypoints, part maps.

Shape letters: B batch, J joints, V vertices, K keypoints, S map size. Every function returns one number per person,
``(B,)`` in the unit of its input (metres, pixels, fraction); a person without a single point to measure is NaN, so
that a mean over persons is taken knowingly: :func:`mean_over_valid`. But for labels of pixels: their counts add up over
persons, and a figure is of all of them (:mod:`.pixels`).
"""

from __future__ import annotations

from pymaf_data.metrics.bodies import keypoint_error, mpjpe, pa_mpjpe, pve, pve_t_sc, root_align, similarity_align
from pymaf_data.metrics.maps import part_accuracy
from pymaf_data.metrics.means import mean_over_valid
from pymaf_data.metrics.pixels import accuracy, confusion, f1, iou

__all__ = [
    "accuracy",
    "confusion",
    "f1",
    "iou",
    "keypoint_error",
    "mean_over_valid",
    "mpjpe",
    "pa_mpjpe",
    "part_accuracy",
    "pve",
    "pve_t_sc",
    "root_align",
    "similarity_align",
]
