"""The least turn of a ray onto the optical axis, and which cameras tell the ray."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymaf_data.errors import ShapeError
from pymaf_data.geometry.frames import box_ray, intrinsics_of, turn_about, turn_of_ray

Z = np.array([0.0, 0.0, 1.0])
PIXELS = st.floats(-5000, 5000)
FOCALS = st.floats(50, 1e5)


def camera(fx: float, fy: float, cx: float, cy: float, skew: float = 0.0) -> np.ndarray:
    return np.array([[fx, skew, cx], [0, fy, cy], [0, 0, 1.0]])


@given(FOCALS, FOCALS, PIXELS, PIXELS, st.floats(-20, 20), PIXELS, PIXELS)
def test_the_ray_is_seen_at_the_centre_of_the_box_and_becomes_the_axis(fx, fy, cx, cy, skew, x, y) -> None:
    K = camera(fx, fy, cx, cy, skew)
    ray = box_ray(K, [x, y, 100.0])
    seen = K @ ray
    np.testing.assert_allclose(seen[:2] / seen[2], [x, y], rtol=1e-9, atol=1e-6)
    assert ray @ ray == pytest.approx(1) and ray[2] > 0
    R = turn_of_ray(ray)
    np.testing.assert_allclose(R @ ray, Z, atol=1e-12)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1)
    # The least: it turns by the angle between ray and axis, and the direction across both stays.
    assert (np.trace(R) - 1) / 2 == pytest.approx(ray[2], abs=1e-12)
    across = np.cross(ray, Z)
    np.testing.assert_allclose(R @ across, across, atol=1e-12)


def test_the_axis_and_the_unknown_turn_nothing_to_the_bit() -> None:
    rays = np.array([Z, [np.nan] * 3])
    assert np.array_equal(turn_of_ray(rays), np.tile(np.eye(3), (2, 1, 1)))


def test_a_turn_about_a_pivot_and_the_turn_back_are_identity() -> None:
    rng = np.random.default_rng(0)
    R = turn_of_ray(box_ray(camera(500, 510, 320, 240), rng.uniform(0, 600, (5, 3))))
    points, pivot = rng.normal(size=(5, 24, 3)), rng.normal(size=(5, 3))
    turned = turn_about(R, points, pivot)
    for row in range(5):
        np.testing.assert_allclose(turned[row, 7], R[row] @ (points[row, 7] - pivot[row]) + pivot[row], atol=1e-14)
    np.testing.assert_allclose(turn_about(R.swapaxes(-1, -2), turned, pivot), points, atol=1e-14)


def test_only_a_camera_without_rotation_has_a_k() -> None:
    K, t = camera(800, 820, 320, 240, 0.5), np.array([[0.1], [-0.2], [3.0]])
    turned = turn_of_ray(np.array([0.6, 0.0, 0.8]))
    orthographic = np.array([[100.0, 0, 0, 5], [0, 100, 0, 6], [0, 0, 0, 1]])
    native = np.stack([K @ np.c_[np.eye(3), t], 2.5 * K @ np.c_[np.eye(3), t], K @ np.c_[turned, t], orthographic])
    native = np.concatenate([native, np.zeros((1, 3, 4)), np.full((1, 3, 4), np.nan), -native[:1]])
    found = intrinsics_of(native)
    np.testing.assert_allclose(found[:2], np.stack([K, K]), rtol=1e-12)
    assert np.isnan(found[2:]).all()


def test_other_shapes_are_refused() -> None:
    for call in (
        lambda: intrinsics_of(np.eye(3)),
        lambda: box_ray(np.eye(4), np.zeros(3)),
        lambda: box_ray(np.eye(3), np.zeros(2)),
        lambda: turn_of_ray(np.zeros(2)),
    ):
        with pytest.raises(ShapeError):
            call()
