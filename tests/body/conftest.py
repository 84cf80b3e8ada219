from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pymaf_data.body import BodyModel, load_body
from pymaf_data.geometry.rotations import axis_angle_to_matrix


@pytest.fixture(scope="session")
def free64() -> BodyModel:
    return load_body("free", dtype=torch.float64)


@pytest.fixture(scope="session")
def smpl_folder(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A licence-free folder in PyMAF's data/ layout, written by the reference script."""
    folder = tmp_path_factory.mktemp("assets")
    script = shared / "reference/pymaf_parity/make_synthetic_smpl.py"
    subprocess.run([sys.executable, str(script), str(folder)], check=True, env=os.environ)
    return folder


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
