"""How well a part map is predicted."""

from __future__ import annotations

import torch
from torch import Tensor

from pymaf_data.errors import ShapeError


def part_accuracy(logits: Tensor, part: Tensor, *, foreground: bool = False) -> Tensor:
    """Fraction of pixels whose most likely part is the true one.

    Args:
        logits: (B, C, S, S), channel 0 is background.
        part: (B, S, S) integer parts.
        foreground: measure only pixels that truly show a part. Background is most of a view, so this is the
            stricter number.

    Returns:
        (B,) fractions; NaN for a map without a pixel to measure.

    Raises:
        ShapeError: the map sizes differ.
    """
    if logits.ndim != 4 or logits[:, 0].shape != part.shape:
        raise ShapeError(
            f"logits {tuple(logits.shape)} and parts {tuple(part.shape)}", expected="(B, C, S, S) and (B, S, S)"
        )
    measured = part > 0 if foreground else torch.ones_like(part, dtype=torch.bool)
    right = (logits.argmax(dim=1) == part) & measured
    return right.flatten(1).sum(dim=1) / measured.flatten(1).sum(dim=1)
