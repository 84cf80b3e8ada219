"""A few posed free bodies, and cameras that show them from near and far."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pymaf_data.body import BodyModel, load_body
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.render import Atlas, load_atlas
from pymaf_data.render.backends import presence


def _present(name: str) -> str:
    found = presence(name)
    if not found.present:
        pytest.skip(f"{name}: {found.detail}")
    return name


@pytest.fixture(params=["numba", "warp", "pytorch3d"])
def backend(request: pytest.FixtureRequest) -> str:
    """Every rasterizer; one that this machine lacks is skipped with the reason."""
    return _present(request.param)


@pytest.fixture(params=["numba", "warp"])
def own_backend(request: pytest.FixtureRequest) -> str:
    """The rasterizers that are ours, which keep the fill rule to the last bit."""
    return _present(request.param)


@pytest.fixture(scope="session")
def body() -> BodyModel:
    return load_body("free", dtype=torch.float64)


@pytest.fixture(scope="session")
def atlas() -> Atlas:
    return load_atlas("free")


def random_pose(seed: int, count: int) -> torch.Tensor:
    """(count, 24, 3, 3): upright in camera space, any heading, limbs bent at random."""
    generator = torch.Generator().manual_seed(seed)
    pose = 0.35 * torch.randn(count, 24, 3, generator=generator, dtype=torch.float64)
    rotations = axis_angle_to_matrix(pose)
    heading = torch.zeros(count, 3, dtype=torch.float64)
    heading[:, 1] = torch.linspace(0, 2 * np.pi, count + 1, dtype=torch.float64)[:-1]
    upright = torch.tensor([np.pi, 0.0, 0.0], dtype=torch.float64)
    rotations[:, 0] = (
        axis_angle_to_matrix(upright) @ axis_angle_to_matrix(heading) @ axis_angle_to_matrix(0.3 * pose[:, 0])
    )
    return rotations


@pytest.fixture(scope="session")
def poses() -> torch.Tensor:
    return random_pose(seed=7, count=8)


@pytest.fixture(scope="session")
def betas() -> torch.Tensor:
    generator = torch.Generator().manual_seed(11)
    return torch.randn(8, 10, generator=generator, dtype=torch.float64)


@pytest.fixture(scope="session")
def bodies(body: BodyModel, poses: torch.Tensor, betas: torch.Tensor) -> np.ndarray:
    """(8, V, 3) metres in camera space, about the origin."""
    return body(poses, betas).vertices.numpy()
