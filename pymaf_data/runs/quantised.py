"""Weights at a byte each, to ship a network: every row of a weight is a scale times integers from −127 to 127.

Rows are the first axis, the output channels of a convolution and of a linear layer. What is small stays as it is:
biases, BatchNorm's parameters and statistics, mean parameters.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pymaf_data.errors import CheckpointError

_LEVELS = 127
_SMALL = 4096  # numbers; together they are a hundredth of a network


def quantised(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A state dict with large weights as int8, and their scales (rows,) by name; :func:`restored` is its inverse.

    The error of a weight is at most half its row's scale, which is the row's largest magnitude over 127.
    """
    kept, scales = dict(state), {}
    for name, weight in state.items():
        if weight.is_floating_point() and weight.ndim > 1 and weight.numel() >= _SMALL:
            scale = weight.abs().flatten(1).amax(dim=1).clamp(min=torch.finfo(torch.float32).tiny) / _LEVELS
            kept[name] = (weight / _over_rows(scale, weight)).round().to(torch.int8)
            scales[name] = scale.float()
    return kept, scales


def restored(state: Mapping[str, Tensor], scales: Mapping[str, Tensor], origin: str) -> dict[str, Tensor]:
    """The state dict in float32.

    Raises:
        CheckpointError: scales and weights do not belong together.
    """
    whole = dict(state)
    for name, scale in scales.items():
        weight = state.get(name)
        if weight is None or weight.dtype != torch.int8 or scale.shape != weight.shape[:1]:
            raise CheckpointError(
                f"{origin} is no whole checkpoint: the scales of {name[:80]!r} are not those of its weight",
                expected="an int8 weight with a scale for each row",
                action="take an earlier copy.",
            )
        whole[name] = weight.float() * _over_rows(scale, weight)
    return whole


def _over_rows(scale: Tensor, weight: Tensor) -> Tensor:
    return scale.reshape(-1, *[1] * (weight.ndim - 1))
