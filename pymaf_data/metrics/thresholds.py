"""How many joints lie near enough, and how far bones are turned off.

Shares are in percent, a person's mean over joints; means over persons of one number of joints are then those over all
joints. Whether an error that equals a threshold counts as near enough is never implied: MPI-INF-3DHP's test kit says no
(``strict``), 3DPW's evaluation says yes. Sources: Mehta et al., 3DV 2017, with the kit of its test set; the evaluation
of the 3DPW challenge, ECCV 2020.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pymaf_data.errors import ShapeError


def pck(errors: Tensor, threshold: float, *, strict: bool) -> Tensor:
    """Percentage of correct keypoints.

    Args:
        errors: (B, J) distances.
        threshold: in their unit.
        strict: whether an error must be smaller than it, or may equal it.

    Returns:
        (B,) in percent; NaN for a person with an error that is not known.

    Raises:
        ShapeError: errors of another shape, or of no joints.
    """
    if errors.ndim != 2 or errors.shape[1] == 0:
        raise ShapeError(f"errors of shape {tuple(errors.shape)}", expected="(B, J), of one joint at least")
    near = errors < threshold if strict else errors <= threshold
    share = 100.0 * near.double().mean(dim=1)
    return torch.where(errors.isnan().any(dim=1), torch.nan, share)


def auc_of_steps(errors: Tensor, thresholds: Sequence[float], *, strict: bool) -> Tensor:
    """Area under the curve of :func:`pck` as its mean over thresholds, (B,) percent: MPI-INF-3DHP's.

    Args:
        errors: (B, J) distances.
        thresholds: in their unit, each counts alike.
        strict: as :func:`pck`.
    """
    return torch.stack([pck(errors, threshold, strict=strict) for threshold in thresholds]).mean(dim=0)


def auc_of_curve(errors: Tensor, thresholds: Sequence[float], *, strict: bool) -> Tensor:
    """Area under the curve of :func:`pck`, straight from threshold to threshold, (B,) percent of its range: 3DPW's.

    Args:
        errors: (B, J) distances.
        thresholds: in their unit, ascending, two at least.
        strict: as :func:`pck`.
    """
    curve = torch.stack([pck(errors, threshold, strict=strict) for threshold in thresholds])
    x = torch.tensor(thresholds, dtype=curve.dtype, device=curve.device)
    return torch.trapezoid(curve, x, dim=0) / (x[-1] - x[0])


def mpjae(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean per-joint angular error: of the least turns between rotations, (B,) degrees.

    Args:
        predicted: (B, J, 3, 3) rotation matrices, of bones as they lie in space.
        target: of the same shape.

    Raises:
        ShapeError: the shapes differ.
    """
    if predicted.shape != target.shape or predicted.ndim != 4 or predicted.shape[2:] != (3, 3):
        raise ShapeError(
            f"predicted {tuple(predicted.shape)} and target {tuple(target.shape)}",
            expected="two tensors of one shape (B, J, 3, 3)",
        )
    between = predicted.double() @ target.double().transpose(-1, -2)
    # Sine and cosine together: either alone loses half of the digits near 0° or 180°.
    axis = torch.stack([between[..., i, j] - between[..., j, i] for i, j in ((2, 1), (0, 2), (1, 0))], dim=-1)
    sine, cosine = torch.linalg.vector_norm(axis, dim=-1), between.diagonal(dim1=-2, dim2=-1).sum(dim=-1) - 1
    return torch.rad2deg(torch.atan2(sine, cosine)).mean(dim=1)
