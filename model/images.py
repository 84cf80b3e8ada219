"""Pictures as the network wants them."""

from __future__ import annotations

import torch
from torch import Tensor

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def normalise(image: Tensor) -> Tensor:
    """(B, 3, S, S) uint8 RGB → float32 by ImageNet's mean and deviation, on the image's device and memory layout."""
    mean = torch.tensor(MEAN, device=image.device)[:, None, None]
    std = torch.tensor(STD, device=image.device)[:, None, None]
    return (image.float() / 255.0 - mean) / std
