"""One body and a set of figures for all tests of poses."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch

from pymaf_data.body import BodyModel, load_body
from pymaf_data.world.poses import Figure


@pytest.fixture(scope="session")
def body() -> BodyModel:
    return load_body("free", dtype=torch.float64)


@pytest.fixture(scope="session")
def counting() -> ModuleType:
    """The census, a file that belongs to no package."""
    spec = importlib.util.spec_from_file_location("census", Path(__file__).with_name("census.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def train(body: BodyModel, counting: ModuleType) -> list[Figure]:
    return counting.draw_many(body, 140, 31, "train")


@pytest.fixture(scope="session")
def val(body: BodyModel, counting: ModuleType) -> list[Figure]:
    return counting.draw_many(body, 60, 32, "val")
