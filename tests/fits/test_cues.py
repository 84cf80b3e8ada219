"""What hides a point: a capsule of the body between it and the camera, decided within centimetres."""

from __future__ import annotations

import pytest
import torch

from pymaf_data.fits.fitter.cues import _CAPSULES, _POINTS, Cues


def hidden(beyond: float, beside: float) -> float:
    """How surely the first capsule that may hides a wrist: the point lies behind its front surface, and off its axis.

    Args:
        beyond: metres of depth behind the surface that faces the camera.
        beside: metres by which the ray passes the axis.
    """
    point = _POINTS.index("left_wrist")
    number = next(i for i, capsule in enumerate(_CAPSULES) if "left_wrist" not in capsule.own)
    ends = torch.tensor([[50.0, 0.0, 3.0], [51.0, 0.0, 3.0]], dtype=torch.float64).repeat(1, len(_CAPSULES), 1, 1)
    ends[0, number] = torch.tensor([[-1.0, beside, 3.0], [1.0, beside, 3.0]])
    points = torch.tensor([0.0, 0.0, 3 + _CAPSULES[number].radius + beyond], dtype=torch.float64)
    return float(Cues()._hidden(points.repeat(1, len(_POINTS), 1), ends)[0, point])


@pytest.mark.parametrize(("beyond", "surely"), [(0.1, 1.0), (0.02, 0.731), (0.0, 0.5), (-0.02, 0.269), (-0.1, 0.0)])
def test_what_lies_behind_is_hidden(beyond: float, surely: float) -> None:
    assert hidden(beyond, 0.0) == pytest.approx(surely, abs=0.02)


def test_what_a_ray_passes_hides_nothing() -> None:
    radius = next(capsule.radius for capsule in _CAPSULES if "left_wrist" not in capsule.own)
    assert hidden(0.5, radius - 0.05) > 0.97
    assert hidden(0.5, radius) == pytest.approx(0.5, abs=0.02)
    assert hidden(0.5, radius + 0.05) < 0.03
