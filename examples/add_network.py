"""Add a network: pose, shape and camera read off the image at once, without a loop.

    features = mean over the last map of the trunk    2048 of ResNet-50
    body_1 = mean body + linear(features)

The class belongs at model/networks/direct.py, with a line in NETWORKS; or into a script that trains by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pymaf_data.model.networks import NETWORKS, Entry
from pymaf_data.model.networks.network import IUVLogits, Network, Parameters, Prediction

if TYPE_CHECKING:
    from pymaf_data.body import BodyModel
    from pymaf_data.model.networks.options import ModelOptions

SIZES = [144, 10, 3]  # pose in 6D, betas, camera


class Direct(Network):
    """The network; losses, training, checkpoints and validation know only what :class:`Network` promises of it."""

    supervised = slice(-1, None)  # of the predictions, those that labels teach: not the mean body
    loop = ("head",)  # learns at the run's rate, the trunk at its multiple (optimizer.trunk_factor)

    def __init__(self, body: BodyModel, options: ModelOptions, frame: str) -> None:
        super().__init__(body, options, frame)  # gives `feature_extractor`, the trunk
        self.head = nn.Linear(self.feature_extractor.channels[-1], sum(SIZES))
        nn.init.xavier_uniform_(self.head.weight, gain=0.01)  # the first bodies are the mean body
        nn.init.zeros_(self.head.bias)
        self.to(body.v_template.dtype)

    def image_plane(self, image: Tensor, auxiliary: bool) -> tuple[list[Tensor], IUVLogits | None]:
        """One feature vector (B, C) for each image (B, 3, W, W); no dense maps. May run in bfloat16."""
        return [self.feature_extractor(image).mean(dim=(2, 3))], None

    def refine(self, features: list[Tensor]) -> list[Prediction]:
        """The mean body, then the result; `decode` poses and projects them."""
        mean = (self.body.mean_pose6d, self.body.mean_betas, self.body.mean_camera)
        start = Parameters(*(value.reshape(1, -1).expand(len(features[0]), -1) for value in mean))
        steps = torch.split(self.head(features[0]), SIZES, dim=1)
        better = Parameters(*(old + step for old, step in zip(start, steps, strict=True)))
        return [self.decode(start), self.decode(better)]


NETWORKS["direct"] = Entry(f"{__name__}:Direct", lacks={"auxiliary": "none"})  # it has no head for dense maps
