"""Mesh-aligned features: read a feature map where the current mesh (or a grid) lies in the image.

Shape letters: B batch, C channels, N points.

Convention: points are normalised view coordinates n = v/112 − 1; the map is read with ``align_corners=True`` and
zeros outside. That is half a map pixel off the renderer's pixel centres; it is what the published weights were
trained with, so both stay as they are (docs/geometry.md).

Source: PyMAF section 3.2; the point-wise MLP follows PIFu (Saito et al., ICCV 2019).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

GRID_SIDE = 21
POINT_CHANNELS = 5
_HIDDEN = (128, 64)


def sampling_grid() -> Tensor:
    """(1, 441, 2) grid over [−1, 1]² as (x, y); x varies slowest, the order released weights expect."""
    steps = torch.linspace(-1.0, 1.0, GRID_SIDE)
    x, y = torch.meshgrid(steps, steps, indexing="ij")
    return torch.stack([x.reshape(-1), y.reshape(-1)], dim=-1)[None]


def sample_points(feature_map: Tensor, points: Tensor) -> Tensor:
    """Bilinear (B, C, S, S) map at (B, N, 2) normalised points → (B, C, N)."""
    sampled = functional.grid_sample(
        feature_map, points[:, :, None], mode="bilinear", padding_mode="zeros", align_corners=True
    )
    return sampled[..., 0]


class PointFeatures(nn.Module):
    """Sample a map at points and reduce each point's channels, by default 256, to five.

    MLP 256 → 128 → 64 → 5 as 1×1 convolutions; the sampled feature is concatenated again before the second and
    third layer (384 and 320 inputs); leaky ReLU between, ReLU last.

    He initialisation without biases: torch's default shrinks what tells images apart at every layer.
    """

    def __init__(self, width: int = 256) -> None:
        super().__init__()
        self.conv0 = nn.Conv1d(width, _HIDDEN[0], 1)
        self.conv1 = nn.Conv1d(_HIDDEN[0] + width, _HIDDEN[1], 1)
        self.conv2 = nn.Conv1d(_HIDDEN[1] + width, POINT_CHANNELS, 1)
        for layer in (self.conv0, self.conv1, self.conv2):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(cast(Tensor, layer.bias))

    def forward(self, feature_map: Tensor, points: Tensor) -> Tensor:
        """(B, width, S, S), (B, N, 2) → (B, 5·N), channel-major."""
        sampled = sample_points(feature_map, points).transpose(1, 2).contiguous()
        # What the layers make of the sampled feature is one product, and nothing is concatenated.
        layers, width = (self.conv0, self.conv1, self.conv2), self.conv0.in_channels
        weight = torch.cat([layer.weight[:, -width:, 0] for layer in layers])
        bias = torch.cat([cast(Tensor, layer.bias) for layer in layers])
        of_sampled = functional.linear(sampled, weight, bias)
        first, second, third = of_sampled.split([layer.out_channels for layer in layers], dim=2)
        y = functional.leaky_relu(first, 0.01)
        y = functional.leaky_relu(second + functional.linear(y, self.conv1.weight[:, :-width, 0]), 0.01)
        y = functional.relu(third + functional.linear(y, self.conv2.weight[:, :-width, 0]))
        return y.transpose(1, 2).flatten(1)
