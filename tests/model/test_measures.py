"""Measures in camera space: where a body faces, and predictions turned back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.model.measures import heading_errors, in_camera_space


def test_headings_differ_by_the_angle_on_the_ground() -> None:
    angles = torch.tensor([0.0, 30.0, 179.0, -179.0])
    spin = axis_angle_to_matrix(torch.deg2rad(angles)[:, None] * torch.tensor([0.0, 1.0, 0.0]))
    leaning = axis_angle_to_matrix(torch.tensor([[0.6, 0.0, 0.0]]))  # and wherever the body leans
    for other in (spin, spin @ leaning):
        found = heading_errors(spin, other[[1, 0, 3, 2]])
        torch.testing.assert_close(found, torch.tensor([30.0, 30.0, 2.0, 2.0]), rtol=0, atol=1e-3)


def test_a_root_turns_back_by_its_own_row_and_not_where_nothing_is_known(make_batch: Callable[..., Any]) -> None:
    turn, root = axis_angle_to_matrix(torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(0)))
    batch = replace(make_batch(3), turn=turn, has_turn=torch.tensor([True, False, True]))
    found = in_camera_space(turn @ root, batch)
    torch.testing.assert_close(found[::2], root[::2], rtol=0, atol=1e-6)
    assert found[1].isnan().all()
