"""How far labels of pixels agree: counts, which add up over persons, and what follows from them.

Source: of accuracy and F1 the evaluation of UP-3D (Lassner et al., CVPR 2017), which SPIN and PyMAF repeat.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymaf_data.errors import ShapeError

Counts = NDArray[np.int64]


def confusion(true: NDArray[Any], predicted: NDArray[Any], classes: tuple[int, int]) -> Counts:
    """(T, P) pixels of each true class that are predicted as each class.

    Args:
        true: classes 0 … T − 1.
        predicted: of the same shape, classes 0 … P − 1.
        classes: T and P.

    Raises:
        ShapeError: their shapes differ.
    """
    if true.shape != predicted.shape:
        raise ShapeError(f"labels {true.shape} and {predicted.shape}", expected="one shape")
    both = true.astype(np.int64) * classes[1] + predicted
    return np.bincount(both.ravel(), minlength=classes[0] * classes[1]).reshape(classes)


def accuracy(counts: Counts) -> float:
    """Share of pixels whose class is the true one, of counts (C, C); NaN of none."""
    total = counts.sum()
    return float(np.trace(counts) / total) if total else float("nan")


def f1(counts: Counts) -> float:
    """Mean over classes of 2 tp / (2 tp + fp + fn), of counts (C, C) of a whole set.

    A class that is neither true nor predicted anywhere has none; NaN where no class has.
    """
    right = np.diag(counts)
    whole = counts.sum(0) + counts.sum(1)  # 2 tp + fp + fn
    known = whole > 0
    return float(np.mean(2 * right[known] / whole[known])) if known.any() else float("nan")


def iou(true: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float:
    """Overlap of two masks of one shape over their union; NaN where both are empty."""
    union = int((true | predicted).sum())
    return int((true & predicted).sum()) / union if union else float("nan")
