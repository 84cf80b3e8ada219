"""A network of a dozen numbers, a batch to feed it with, and a run of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pymaf_data.loader import Batch
from pymaf_data.model import TrainOptions
from pymaf_data.model.networks.network import Output, Parameters, Prediction
from pymaf_data.model.trainer import Trainer

B = 2


class Stub(SimpleNamespace):
    """A body whose mesh is its joints, moved by its shape."""

    def __call__(self, rotation: Tensor, betas: Tensor) -> SimpleNamespace:
        return SimpleNamespace(vertices=self.joints + betas[:, None, :3])


class Tiny(nn.Module):
    """A network by its outputs: a few numbers learn, and what it was shown is kept."""

    autocast: torch.dtype | None = None
    view_size = 8

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.moved, self.camera = nn.Parameter(torch.tensor([0.5, 0.5])), nn.Parameter(torch.tensor([0.8, 0.1, 0.0]))
        self.shown: list[Tensor] = []
        self.modes: list[bool] = []
        self.joints = torch.from_numpy(np.random.default_rng(0).normal(size=(49, 3))).float()
        known = {"name": "tiny", "digest": "d" * 64, "fingerprint": "f" * 64, "joints": self.joints}
        self.body = Stub(**known, keypoints=self._keypoints)

    def _keypoints(self, pose: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        return pose, self.joints.expand(len(pose), 49, 3)

    def forward(self, image: Tensor, *, auxiliary: bool | None = None) -> Output:
        self.shown.append(image.detach().clone())
        self.modes.append(self.training)
        seen, count = self.norm(image).mean(), len(image)
        eye = torch.eye(3).expand(count, 24, 3, 3)
        joints = self.joints.expand(count, 49, 3) * (1 + 0.1 * seen)
        parameters = Parameters(torch.zeros(count, 144), torch.zeros(count, 10), self.camera.expand(count, 3))
        keypoints = self.moved.expand(count, 49, 2) * 1.0
        one = Prediction(parameters, eye, joints[:, :24], joints, keypoints, joints, self.body)  # type: ignore[arg-type]
        return Output([one, one], slice(1, None), None)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"loop": list(self.parameters()), "trunk": []}


def batch_of(seed: int = 0) -> Batch:
    random = torch.Generator().manual_seed(seed)
    known = {
        "image": torch.randint(0, 256, (B, 3, 8, 8), generator=random, dtype=torch.uint8),
        "keypoints": torch.ones(B, 49, 3), "joints3d": torch.zeros(B, 24, 4),
        "pose": torch.eye(3).expand(B, 24, 3, 3), "betas": torch.zeros(B, 10),
        "has_fit": torch.ones(B, dtype=torch.bool), "has_iuv": torch.zeros(B, dtype=torch.bool),
        "row": torch.arange(B),
    }  # fmt: skip
    return Batch(**{field.name: known.get(field.name, torch.zeros(B)) for field in fields(Batch)})


class Feed:
    """The same batch again and again."""

    def __init__(self, length: int = 4) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def epoch(self, number: int, skip: int = 0) -> Iterator[Batch]:
        return iter([batch_of()] * (self.length - skip))


def trained(folder: Path, watchers: Any = (), precision: str = "fp32", **options: Any) -> Trainer:
    torch.manual_seed(0)
    chosen = TrainOptions(**({"steps": 4, "log_every": 1} | options))
    trainer = Trainer(Tiny(), Feed(), chosen, folder, watchers=watchers, precision=precision)
    trainer.run()
    return trainer


def of_imagenet(image: np.ndarray) -> np.ndarray:
    """(…, 3, S, S) uint8 as torchvision's backbones want it."""
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    return (image / 255 - mean[:, None, None]) / deviation[:, None, None]
