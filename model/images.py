"""Images as the network wants them."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def normalise(image: Tensor) -> Tensor:
    """(B, 3, S, S) RGB to 255 → by ImageNet's mean and deviation, on the image's device and memory layout.

    uint8 becomes float32; floating images keep their dtype.
    """
    levels = image if image.is_floating_point() else image.float()
    mean, std = _statistics(levels.device, levels.dtype)
    return (levels / 255.0 - mean) / std


@cache  # a small tensor made anew would be copied to a GPU, and waited for, at each batch
def _statistics(device: torch.device, dtype: torch.dtype) -> Tensor:
    """(2, 3, 1, 1)."""
    return torch.tensor((MEAN, STD), device=device, dtype=dtype)[..., None, None]
