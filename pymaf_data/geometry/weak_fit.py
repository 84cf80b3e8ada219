"""The weak camera that best projects known 3D joints onto 2D keypoints, by least squares.

Minimises the weighted sum of squared distances in view pixels between the keypoints and the projection of the joints by
the perspective camera of π. In the parameters a = 5000/tz, p = a·tx, q = a·ty the projection is

    u = 112 + r·(a·X + p)        v = 112 + r·(a·Y + q)        r = 1 / (1 + a·Z/5000)

where r differs from 1 by about a hundredth for a person, so a start with r = 1 (a closed form) and three Gauss-Newton
steps reach float64 precision. No iteration can fail to stop.

SPIN solves another, algebraic problem, which pulls s away from the optimum when keypoints are noisy, and its system is
singular for a person without visible joints: the whole batch becomes NaN. Here such persons are told apart by a flag.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pymaf_data.errors import ShapeError
from pymaf_data.geometry.affines import VIEW_SIZE
from pymaf_data.geometry.cameras import FOCAL, weak_of_translation, weak_to_camera

_STEPS = 3
_MIN_SPREAD = 1e-2  # metres: joints closer together than this across the optical axis, a single one too, tell no scale
_MIN_SCALE = 1e-3  # pixels per metre of the view: below it the person is a dot
_CENTRE = VIEW_SIZE / 2
_DAMPING = 1e-12


class WeakFit(NamedTuple):
    """B weak cameras with their quality.

    Attributes:
        pi: (B, 3) s, tx, ty; (1, 0, 0) where not valid.
        residual: (B,) root of the weighted mean squared distance in view pixels; infinite where not valid.
        valid: (B,) bool; false with fewer than two visible joints, with joints that lie on one ray or mirrored, and
            where a joint would stand behind the camera.
    """

    pi: Tensor
    residual: Tensor
    valid: Tensor


def fit_weak_camera(points3d: Tensor, points2d_view: Tensor, weights: Tensor) -> WeakFit:
    """Least-squares weak cameras.

    Args:
        points3d: (B, J, 3) joints in camera-space metres, before any translation.
        points2d_view: (B, J, 2) keypoints in continuous pixels of the 224 view; anything, NaN too, where not visible.
        weights: (B, J) confidences, not negative; 0 is not visible.

    Raises:
        ShapeError: shapes that do not belong together.
    """
    return _fit(points3d, points2d_view, weights, True)


def weak_camera(points3d: Tensor, points2d_view: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """``pi`` and ``valid`` of :func:`fit_weak_camera` alone, for a sixth less time."""
    found = _fit(points3d, points2d_view, weights, False)
    return found.pi, found.valid


def _fit(points3d: Tensor, points2d_view: Tensor, weights: Tensor, measure: bool) -> WeakFit:
    """The cameras; their residuals are infinite unless they are to be measured."""
    B, J = weights.shape if weights.ndim == 2 else (-1, -1)
    if tuple(points3d.shape) != (B, J, 3) or tuple(points2d_view.shape) != (B, J, 2):
        raise ShapeError(
            f"joints {tuple(points3d.shape)}, keypoints {tuple(points2d_view.shape)}, weights {tuple(weights.shape)}",
            expected="(B, J, 3), (B, J, 2) and (B, J)",
        )
    dtype = points3d.dtype
    seen = (weights > 0) & points3d.isfinite().all(-1) & points2d_view.isfinite().all(-1)
    w = torch.where(seen, weights, 0).double()
    X = torch.where(seen[..., None], points3d, 0).double()
    x = torch.where(seen[..., None], points2d_view, _CENTRE).double() - _CENTRE
    w = w / w.sum(-1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)

    start, valid = _orthographic_start(X, x, w)
    parameters = _gauss_newton(torch.where(valid[:, None], start, start.new_tensor([1.0, 0.0, 0.0])), X, x, w)
    scale, depth = parameters[:, :1], FOCAL / parameters[:, :1] + X[..., 2]
    valid &= parameters.isfinite().all(-1) & (scale[:, 0] > _MIN_SCALE) & ((depth > 0) | ~seen).all(-1)

    translation = torch.cat([parameters[:, 1:] / scale, FOCAL / scale], -1)
    pi = torch.where(valid[:, None], weak_of_translation(translation), start.new_tensor([1.0, 0.0, 0.0]))
    residual = torch.full_like(pi[:, 0], torch.inf)
    if measure:
        distance = (weak_to_camera(pi).project(X) - _CENTRE - x).square().sum(-1)
        residual = torch.where(valid, (w * distance).sum(-1).sqrt(), torch.inf)
    return WeakFit(pi.to(dtype), residual.to(dtype), valid)


def _orthographic_start(X: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """The optimum (B, 3) of (a, p, q) for r = 1, and where it exists (B,)."""
    weight = w[..., None]
    mean3d, mean2d = (weight * X[..., :2]).sum(1), (weight * x).sum(1)
    centred = X[..., :2] - mean3d[:, None]
    spread = (weight * centred.square()).sum((1, 2))
    scale = (weight * centred * x).sum((1, 2)) / spread.clamp_min(_MIN_SPREAD**2)
    start = torch.cat([scale[:, None], mean2d - scale[:, None] * mean3d], -1)
    return start, (spread >= _MIN_SPREAD**2) & (scale > _MIN_SCALE)


def _gauss_newton(parameters: Tensor, X: Tensor, x: Tensor, w: Tensor) -> Tensor:
    """Refine (a, p, q) (B, 3) against the perspective projection.

    The normal equations are solved by hand: p and q, which move one coordinate each by r, meet in a alone.
    """
    flat, depth, weight = X[..., :2], X[..., 2:] / FOCAL, w[..., None]
    for _ in range(_STEPS):
        r = 1 / (1 + parameters[:, None, :1] * depth)
        plane = parameters[:, None, :1] * flat + parameters[:, None, 1:]
        by_scale, error = r * (flat - r * depth * plane), x - r * plane
        shared, weighted = weight * r, weight * by_scale
        # A whisper of damping keeps the system regular where nothing is visible; it moves no optimum that exists.
        of_scale, of_offset = (weighted * by_scale).sum((1, 2)) + _DAMPING, (shared * r).sum(1) + _DAMPING
        mixed, towards = (shared * by_scale).sum(1), (shared * error).sum(1)
        scale = (weighted * error).sum((1, 2)) - (mixed * towards).sum(1) / of_offset[:, 0]
        scale = (scale / (of_scale - mixed.square().sum(1) / of_offset[:, 0]))[:, None]
        parameters = parameters + torch.cat([scale, (towards - scale * mixed) / of_offset], -1)
    return parameters
