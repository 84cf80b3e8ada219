from __future__ import annotations

import pytest
import torch

from pymaf_data.body import BodyModel, load_body
from pymaf_data.geometry.rotations import axis_angle_to_matrix


@pytest.fixture(scope="session")
def free64() -> BodyModel:
    return load_body("free", dtype=torch.float64)


@pytest.fixture
def random_bodies():
    """(pose matrices, axis-angle, betas, translation) of B bodies in any pose at all."""

    def draw(B: int, seed: int = 0, dtype: torch.dtype = torch.float64, angle: float = 0.8):
        generator = torch.Generator().manual_seed(seed)
        axis_angle = torch.randn(B, 24, 3, generator=generator, dtype=dtype) * angle
        betas = torch.randn(B, 10, generator=generator, dtype=dtype) * 2
        translation = torch.randn(B, 3, generator=generator, dtype=dtype)
        return axis_angle_to_matrix(axis_angle), axis_angle, betas, translation

    return draw
