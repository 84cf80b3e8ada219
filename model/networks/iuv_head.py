"""The auxiliary head: dense correspondence predicted from the finest feature map, in training only.

Source: PyMAF section 3.3. Released names: ``predict_u``, ``predict_v``, ``predict_uv_index`` (25 parts with
background) and ``predict_ann_index`` (15 coarse parts), each one 3×3 convolution.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from pymaf_data.render.atlas import COARSE_PARTS, PARTS

from .pyramid import WIDTH


class IUVLogits(NamedTuple):
    """What the head says about each pixel of the 56×56 map."""

    part: Tensor
    """(B, 25, 56, 56) logits; channel 0 is background."""
    coarse: Tensor
    """(B, 15, 56, 56) logits of the coarse parts."""
    u: Tensor
    """(B, 25, 56, 56) U in [0, 1] per part channel, unbounded as regressed."""
    v: Tensor
    """(B, 25, 56, 56) V likewise."""

    def to(self, dtype: torch.dtype) -> IUVLogits:
        """The same in another dtype."""
        return IUVLogits(*(field.to(dtype) for field in self))


class IUVHead(nn.Module):
    """Four 3×3 convolutions side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.predict_u = nn.Conv2d(WIDTH, PARTS, 3, padding=1)
        self.predict_v = nn.Conv2d(WIDTH, PARTS, 3, padding=1)
        self.predict_ann_index = nn.Conv2d(WIDTH, len(COARSE_PARTS), 3, padding=1)
        self.predict_uv_index = nn.Conv2d(WIDTH, PARTS, 3, padding=1)

    def forward(self, feature_map: Tensor) -> IUVLogits:
        """(B, 256, 56, 56) → logits at the same resolution."""
        return IUVLogits(
            part=self.predict_uv_index(feature_map),
            coarse=self.predict_ann_index(feature_map),
            u=self.predict_u(feature_map),
            v=self.predict_v(feature_map),
        )
