"""Distances between predicted and true points of a body.

Source: MPJPE and its Procrustes-aligned form as defined by Ionescu et al., "Human3.6M" (PAMI 2014), and used in
HMR, SPIN and PyMAF; the similarity transform is Umeyama's closed form (PAMI 1991).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pymaf_data.errors import ShapeError
from pymaf_data.metrics.means import weighted_mean


def root_align(points: Tensor, root: int | Sequence[int] = 0) -> Tensor:
    """Subtract the root, the mean of the named points: (B, J, 3) → (B, J, 3)."""
    indices = [root] if isinstance(root, int) else list(root)
    return points - points[:, indices].mean(dim=1, keepdim=True)


def mpjpe(predicted: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean per-joint position error of (B, J, 3) as given: align the roots first (:func:`root_align`).

    Args:
        weights: (B, J), 0 where a joint is not to be measured; default all 1.

    Raises:
        ShapeError: the shapes differ.
    """
    _check(predicted, target, 3)
    return weighted_mean(torch.linalg.vector_norm(predicted - target, dim=-1), weights)


def pve(predicted: Tensor, target: Tensor) -> Tensor:
    """Per-vertex error: the mean distance of (B, V, 3) vertices as given.

    Raises:
        ShapeError: the shapes differ.
    """
    return mpjpe(predicted, target)


def pve_t_sc(predicted: Tensor, target: Tensor) -> Tensor:
    """PVE-T-SC: per-vertex error of (B, V, 3) bodies in T-pose after centring each and matching their sizes.

    Size is the root mean square distance of the vertices from their mean. A body of no size is NaN. Source: SSP-3D
    (Sengupta et al., BMVC 2020).

    Raises:
        ShapeError: the shapes differ.
    """
    _check(predicted, target, 3)
    mine, goal = (points - points.mean(dim=1, keepdim=True) for points in (predicted, target))
    size, wanted = ((points**2).sum(dim=-1).mean(dim=1).sqrt()[:, None, None] for points in (mine, goal))
    return mpjpe(mine / size * wanted, goal)


def keypoint_error(predicted: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean distance of (B, K, 2) image points, in their unit; ``weights`` (B, K) e.g. visibility.

    Raises:
        ShapeError: the shapes differ.
    """
    _check(predicted, target, 2)
    return weighted_mean(torch.linalg.vector_norm(predicted - target, dim=-1), weights)


def pa_mpjpe(predicted: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """MPJPE after the best similarity transform (rotation, scale, translation) of each person.

    Raises:
        ShapeError: the shapes differ.
    """
    return mpjpe(similarity_align(predicted, target, weights), target, weights)


def joint_errors(predicted: Tensor, target: Tensor) -> Tensor:
    """Distances (B, J) of (B, J, 3) points as given, in their unit.

    Raises:
        ShapeError: the shapes differ.
    """
    _check(predicted, target, 3)
    return torch.linalg.vector_norm(predicted - target, dim=-1)


def similarity_align(points: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Move (B, J, 3) points onto (B, J, 3) targets by the least-squares similarity transform.

    A reflection is never used: where the optimum would mirror, the smallest singular direction is turned back.
    Computed in float64: the covariance squares the spread of the points. A person with a weighed point that is not
    finite is NaN.

    Raises:
        ShapeError: the shapes differ.
    """
    return similarity(points, target, weights)[0]


def similarity(points: Tensor, target: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """As :func:`similarity_align`, with the rotations (B, 3, 3) that it turned by: aligned = s·R·point + t.

    Raises:
        ShapeError: the shapes differ.
    """
    _check(points, target, 3)
    source, goal = points.double(), target.double()
    weight = torch.ones_like(source[..., :1]) if weights is None else weights.double()[..., None]
    source, goal = (torch.where(weight > 0, x, torch.zeros_like(x)) for x in (source, goal))
    known = (torch.isfinite(source) & torch.isfinite(goal)).all(dim=(1, 2), keepdim=True)
    source, goal = (torch.where(known, x, torch.zeros_like(x)) for x in (source, goal))
    total = weight.sum(dim=1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
    source_mean = (weight * source).sum(dim=1, keepdim=True) / total
    goal_mean = (weight * goal).sum(dim=1, keepdim=True) / total
    centred, wanted = source - source_mean, goal - goal_mean
    covariance = (weight * centred).transpose(1, 2) @ wanted  # (B, 3, 3)
    u, singular, vt = torch.linalg.svd(covariance)
    signs = torch.ones_like(singular)
    signs[:, 2] = torch.sign(torch.linalg.det(u @ vt))
    rotation = (u * signs[:, None]) @ vt  # row vectors: centred @ rotation
    spread = (weight * centred**2).sum(dim=(1, 2)).clamp_min(torch.finfo(torch.float64).tiny)
    scale = (singular * signs).sum(dim=1) / spread
    aligned = scale[:, None, None] * ((points.double() - source_mean) @ rotation) + goal_mean
    turned_by = torch.where(known, rotation.transpose(1, 2), torch.nan)
    return torch.where(known, aligned, torch.nan).to(points.dtype), turned_by.to(points.dtype)


def _check(predicted: Tensor, target: Tensor, axes: int) -> None:
    if predicted.shape != target.shape or predicted.ndim != 3 or predicted.shape[-1] != axes:
        raise ShapeError(
            f"predicted {tuple(predicted.shape)} and target {tuple(target.shape)}",
            expected=f"two tensors of one shape (B, points, {axes})",
        )
