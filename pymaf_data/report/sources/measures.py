"""What the report of sources measures of a fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]


class SourceMeasure(NamedTuple):
    """One number of every fit.

    Attributes:
        key: its name in files and data.
        title, unit, note: for the reader; ``note`` says what the number means.
        worst: which end is bad.
        array: of ``fits/<name>``, from which it is; empty where it comes from comparing sources.
        of: the array's rows (N, …) → (N,).
    """

    key: str
    title: str
    unit: str
    note: str
    worst: Literal["high", "low"] = "high"
    array: str = ""
    of: Callable[[Values], Values] = lambda values: values


DISTANCE, ANGLE = "apart_mm", "apart_degrees"

SOURCE_MEASURES: tuple[SourceMeasure, ...] = (
    SourceMeasure(
        "reprojection",
        "Reprojection",
        "px",
        "mean distance of the fit's joints to the keypoints, in pixels of the 224 px view",
        array="reprojection",
    ),
    SourceMeasure(
        "weak_residual",
        "Weak-camera residual",
        "px",
        "what π cannot show of the fit, in pixels of the 224 px view",
        array="weak_residual",
    ),
    SourceMeasure(
        "betas_max",
        "Largest |β|",
        "",
        "the shape coefficient that is farthest from the mean body",
        array="betas",
        of=lambda betas: np.abs(betas).max(1),
    ),
    SourceMeasure(
        "mask_iou",
        "Silhouette IoU",
        "",
        "of the fit's silhouette with the annotation's mask",
        worst="low",
        array="mask_iou",
    ),
    SourceMeasure(
        "beyond_limits",
        "Beyond joint limits",
        "°",
        "by how much the worst joint exceeds its limits",
        array="beyond_limits",
    ),
    SourceMeasure("pose_prior", "Distance to the pose prior", "", "how unusual the pose is", array="pose_prior"),
    SourceMeasure(
        "mirrored",
        "Mirror image nearer",
        "px",
        "by how much the fit's mirror image meets the keypoints better",
        array="mirrored",
    ),
    SourceMeasure("scale", "Wrong scale", "×", "how many times too large or small for the keypoints", array="scale"),
    SourceMeasure(
        "conversion_mm",
        "Conversion residual",
        "mm",
        "what the body cannot show of the source's own",
        array="conversion",
        of=lambda residual: residual[:, 0],
    ),
    SourceMeasure(
        "conversion_degrees",
        "Conversion residual, angle",
        "°",
        "what the body's joints cannot show of the source's own",
        array="conversion",
        of=lambda residual: residual[:, 1],
    ),
    SourceMeasure(
        DISTANCE,
        "Apart from other sources",
        "mm",
        "PA distance of 24 joints, mean over the other sources",
    ),
    SourceMeasure(
        ANGLE,
        "Apart from other sources, angle",
        "°",
        "mean angle of 23 body joints, root apart, mean over the other sources",
    ),
)

RANKED = ("reprojection", "mask_iou", DISTANCE, ANGLE)
"""The measures by which the worst are looked for."""

BY_KEY = {measure.key: measure for measure in SOURCE_MEASURES}
