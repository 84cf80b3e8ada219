"""Means that say what they left out by leaving out only what is not there."""

from __future__ import annotations

import torch
from torch import Tensor

from pymaf_data.errors import ShapeError


def mean_over_valid(values: Tensor) -> Tensor:
    """Mean of the entries that are not NaN; NaN when none is left. () from any shape."""
    return torch.nanmean(values)


def weighted_mean(values: Tensor, weights: Tensor | None) -> Tensor:
    """Mean of (B, N) over N by non-negative weights (B, N): (B,), NaN for a row whose weights are all zero.

    Raises:
        ShapeError: the weights have another shape.
    """
    if weights is None:
        return values.mean(dim=1)
    if weights.shape != values.shape:
        raise ShapeError(f"weights of shape {tuple(weights.shape)}", expected=f"{tuple(values.shape)}")
    weights = weights.to(values.dtype)
    # A point without weight may hold anything, NaN too: it must not reach the sum as 0 · NaN.
    kept = torch.where(weights > 0, values, torch.zeros_like(values))
    return (kept * weights).sum(dim=1) / weights.sum(dim=1)
