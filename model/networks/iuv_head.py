"""The auxiliary head: dense correspondence predicted from the finest feature map, in training only.

Source: PyMAF section 3.3. Released names: ``predict_u``, ``predict_v``, ``predict_uv_index`` (25 parts with
background) and ``predict_ann_index`` (15 coarse parts), each one 3×3 convolution.
"""

from __future__ import annotations

from torch import Tensor, nn

from pymaf_data.render.atlas import COARSE_PARTS, PARTS

from .network import IUVLogits
from .pyramid import WIDTH


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
