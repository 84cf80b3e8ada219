"""The auxiliary heads: what is predicted of each pixel from the finest feature map, in training only.

    IUVHead      dense correspondence      PartHead      parts alone (Table 5)

Source: PyMAF section 3.3. Released names: ``predict_u``, ``predict_v``, ``predict_uv_index`` (25 parts with
background) and ``predict_ann_index`` (15 coarse parts), each one 3×3 convolution.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from pymaf_data.render.atlas import COARSE_PARTS, PARTS

from .network import Dense, IUVLogits, PartLogits


class IUVHead(nn.Module):
    """Four 3×3 convolutions side by side, computed as one: the map is read once."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.predict_u = nn.Conv2d(channels, PARTS, 3, padding=1)
        self.predict_v = nn.Conv2d(channels, PARTS, 3, padding=1)
        self.predict_ann_index = nn.Conv2d(channels, len(COARSE_PARTS), 3, padding=1)
        self.predict_uv_index = nn.Conv2d(channels, PARTS, 3, padding=1)

    def forward(self, feature_map: Tensor) -> IUVLogits:
        """(B, channels, 56, 56) → logits at the same resolution."""
        heads = (self.predict_uv_index, self.predict_ann_index, self.predict_u, self.predict_v)
        weight = torch.cat([head.weight for head in heads])
        bias = torch.cat([cast(Tensor, head.bias) for head in heads])
        maps = functional.conv2d(feature_map, weight, bias, padding=1)
        return IUVLogits(*maps.split([head.out_channels for head in heads], dim=1))


class PartHead(nn.Module):
    """One of the four: 24 parts and the background."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.predict_uv_index = nn.Conv2d(channels, PARTS, 3, padding=1)

    def forward(self, feature_map: Tensor) -> PartLogits:
        """(B, channels, 56, 56) → logits at the same resolution."""
        return PartLogits(self.predict_uv_index(feature_map))


#: By ``ModelOptions.auxiliary``.
HEADS: dict[str, type[IUVHead] | type[PartHead]] = {"iuv": IUVHead, "parts": PartHead}


def channels_read(reads: str, auxiliary: str, width: int) -> int:
    """Channels of :func:`what_is_read` of a map of so many."""
    if reads == "prediction":
        return PARTS + 2 * (auxiliary == "iuv")
    return width


def what_is_read(feature_map: Tensor, dense: Dense, reads: str) -> Tensor:
    """What is sampled where a head says something of a map (B, C, S, S); see ``ModelOptions.reads``."""
    share = dense.part.softmax(dim=1)
    if reads == "product":
        return feature_map * (1 - share[:, :1])
    if isinstance(dense, PartLogits):
        return share
    expected = [(share * field).sum(dim=1, keepdim=True) for field in (dense.u, dense.v)]
    return torch.cat([share, *expected], dim=1)
