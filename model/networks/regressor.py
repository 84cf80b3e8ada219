"""One step of the feedback loop: features and the current parameters in, better parameters out.

Source: PyMAF section 3.2; the regressor is HMR's (Kanazawa et al., CVPR 2018): no activation stands between the
two fully connected layers, and the heads start near zero so that the first predictions are the mean body.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .network import Parameters

POSE6D = 144
BETAS = 10
CAMERA = 3
_HEAD_GAIN = 0.01


class Regressor(nn.Module):
    """``features`` is the length of the feature vector, ``width`` that of both hidden layers; the mean parameters are
    where the loop starts."""

    init_pose: Tensor
    init_shape: Tensor
    init_cam: Tensor

    def __init__(self, features: int, mean: Parameters, dropout: float = 0.5, width: int = 1024) -> None:
        super().__init__()
        self.fc1 = nn.Linear(features + POSE6D + BETAS + CAMERA, width)
        self.drop1 = nn.Dropout(dropout)
        self.fc2 = nn.Linear(width, width)
        self.drop2 = nn.Dropout(dropout)
        self.decpose = nn.Linear(width, POSE6D)
        self.decshape = nn.Linear(width, BETAS)
        self.deccam = nn.Linear(width, CAMERA)
        for head in (self.decpose, self.decshape, self.deccam):
            nn.init.xavier_uniform_(head.weight, gain=_HEAD_GAIN)
        self.register_buffer("init_pose", mean.pose6d.reshape(1, POSE6D).clone())
        self.register_buffer("init_shape", mean.betas.reshape(1, BETAS).clone())
        self.register_buffer("init_cam", mean.camera.reshape(1, CAMERA).clone())

    def mean(self, batch: int) -> Parameters:
        """The mean parameters for ``batch`` persons."""
        return Parameters(
            self.init_pose.expand(batch, -1), self.init_shape.expand(batch, -1), self.init_cam.expand(batch, -1)
        )

    def forward(self, features: Tensor, current: Parameters) -> Parameters:
        """(B, features) and the current parameters → refined parameters."""
        x = torch.cat([features, *current], dim=1)
        x = self.drop1(self.fc1(x))
        x = self.drop2(self.fc2(x))
        return Parameters(
            current.pose6d + self.decpose(x), current.betas + self.decshape(x), current.camera + self.deccam(x)
        )
