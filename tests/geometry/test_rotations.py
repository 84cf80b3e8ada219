from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pymaf_data.errors import ShapeError
from pymaf_data.geometry.rotations import (
    axis_angle_to_matrix,
    matrix_to_axis_angle,
    matrix_to_quaternion,
    matrix_to_rotation_6d,
    rotation_6d_to_matrix,
    rotation_about_z,
)

ANGLES = [0.0, 1e-12, 1e-6, 1e-3, 3.1e-3, 3.2e-3, 0.1, 1.0, math.pi / 2, 3.0, math.pi - 1e-3, math.pi - 1e-7]
finite = st.floats(-3.0, 3.0, allow_nan=False, width=32)
vectors = st.tuples(finite, finite, finite)


def unit(seed: int, count: int = 64) -> torch.Tensor:
    axes = torch.randn(count, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return axes / axes.norm(dim=-1, keepdim=True)


@pytest.mark.parametrize("angle", ANGLES)
def test_axis_angle_comes_back(angle: float) -> None:
    axis_angle = angle * unit(0)
    back = matrix_to_axis_angle(axis_angle_to_matrix(axis_angle))
    assert (back - axis_angle).abs().max() < 5e-14


@pytest.mark.parametrize("angle", ANGLES)
def test_matrices_are_rotations_of_the_angle(angle: float) -> None:
    R = axis_angle_to_matrix(angle * unit(1))
    assert (R @ R.mT - torch.eye(3)).abs().max() < 1e-14
    assert (torch.linalg.det(R) - 1).abs().max() < 1e-14
    # ‖R − 1‖ = 2√2·sin(θ/2): a measure of the angle that keeps its precision near 0.
    chord = (R - torch.eye(3, dtype=R.dtype)).flatten(1).norm(dim=-1)
    assert (chord - 2 * math.sqrt(2) * math.sin(angle / 2)).abs().max() < 1e-14


def test_a_half_turn_comes_back_up_to_the_sign_of_its_axis() -> None:
    R = axis_angle_to_matrix(math.pi * unit(2))
    again = matrix_to_axis_angle(R)
    assert (again.norm(dim=-1) - math.pi).abs().max() < 1e-13
    assert (axis_angle_to_matrix(again) - R).abs().max() < 1e-13


def test_angles_beyond_pi_come_back_as_the_shorter_way() -> None:
    axis = unit(3)
    assert (matrix_to_axis_angle(axis_angle_to_matrix(4.0 * axis)) + (2 * math.pi - 4.0) * axis).abs().max() < 1e-13


@pytest.mark.parametrize("angle", [1e-9, 1e-4, 3.1e-3, 3.2e-3, 6.2e-3, 6.4e-3])
def test_small_angles_keep_the_precision_of_their_own_size(angle: float) -> None:
    """On both sides of where the series end; the axis lies between x and y, so each entry is one function of θ."""
    axis_angle = torch.tensor([angle, angle, 0.0], dtype=torch.float64) / math.sqrt(2)
    R = axis_angle_to_matrix(axis_angle)
    assert R[2, 1].item() == pytest.approx(math.sin(angle) / math.sqrt(2), rel=2e-15, abs=0)
    assert R[0, 1].item() == pytest.approx(math.sin(angle / 2) ** 2, rel=2e-15, abs=0)
    exact = [math.cos(angle / 2), math.sin(angle / 2) / math.sqrt(2)]
    np.testing.assert_allclose(matrix_to_quaternion(R)[:2], exact, rtol=1e-14)
    np.testing.assert_allclose(matrix_to_axis_angle(R), axis_angle, rtol=1e-14)


@settings(max_examples=50)
@given(vectors, vectors)
def test_composition_of_matrices_is_composition_of_quaternions(a: tuple, b: tuple) -> None:
    A, B = (axis_angle_to_matrix(torch.tensor(v, dtype=torch.float64)) for v in (a, b))
    p, q = matrix_to_quaternion(A), matrix_to_quaternion(B)
    real = p[0] * q[0] - (p[1:] * q[1:]).sum()
    imaginary = p[0] * q[1:] + q[0] * p[1:] + torch.linalg.cross(p[1:], q[1:])
    product = torch.cat([real[None], imaginary])
    assert (product.outer(product) - matrix_to_quaternion(A @ B).outer(matrix_to_quaternion(A @ B))).abs().max() < 1e-13


def test_quaternions_are_of_unit_length_with_a_positive_real_part() -> None:
    quaternion = matrix_to_quaternion(axis_angle_to_matrix(2.9 * unit(4)))
    assert (quaternion.norm(dim=-1) - 1).abs().max() < 1e-14
    assert (quaternion[:, 0] >= 0).all()


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_6d_of_any_batch_size_is_orthonormalised(count: int) -> None:
    """Three at once is where a cross product without ``dim`` goes wrong."""
    six = torch.randn(count, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(count))
    R = rotation_6d_to_matrix(six)
    one_by_one = torch.cat([rotation_6d_to_matrix(row[None]) for row in six])
    assert (R - one_by_one).abs().max() == 0
    assert (R @ R.mT - torch.eye(3)).abs().max() < 1e-14
    assert (torch.linalg.det(R) - 1).abs().max() < 1e-14


def test_6d_reads_the_first_two_columns_interleaved() -> None:
    R = axis_angle_to_matrix(1.3 * unit(5, 1))[0]
    six = torch.stack([R[0, 0], R[0, 1], R[1, 0], R[1, 1], R[2, 0], R[2, 1]])
    assert torch.equal(matrix_to_rotation_6d(R), six)
    assert (rotation_6d_to_matrix(2.5 * six) - R).abs().max() < 1e-14


def test_about_z_turns_x_towards_y() -> None:
    R = rotation_about_z(torch.tensor(math.pi / 2, dtype=torch.float64))
    assert (R @ torch.tensor([1.0, 0, 0], dtype=torch.float64) - torch.tensor([0, 1.0, 0])).abs().max() < 1e-15
    angle = torch.tensor([0.3, -1.2], dtype=torch.float64)
    axis_angle = torch.stack([0 * angle, 0 * angle, angle], -1)
    assert (rotation_about_z(angle) - axis_angle_to_matrix(axis_angle)).abs().max() < 1e-15


@pytest.mark.parametrize("angle", [0.0, 1e-7, 3.1e-3, 3.3e-3, 0.7, 2.0, 3.1])
def test_derivatives_are_exact_from_nothing_to_nearly_a_half_turn(angle: float) -> None:
    axis_angle = (angle * unit(6, 3)).requires_grad_()
    assert torch.autograd.gradcheck(axis_angle_to_matrix, axis_angle)
    # Through the projection onto rotations, so that numerical differences stay on the manifold.
    six = matrix_to_rotation_6d(axis_angle_to_matrix(axis_angle.detach())).requires_grad_()
    assert torch.autograd.gradcheck(rotation_6d_to_matrix, six)
    assert torch.autograd.gradcheck(lambda x: matrix_to_axis_angle(rotation_6d_to_matrix(x)), six)


def test_float32_stays_float32_and_is_finite_at_nothing() -> None:
    axis_angle = torch.zeros(2, 3, requires_grad=True)
    back = matrix_to_axis_angle(axis_angle_to_matrix(axis_angle))
    back.sum().backward()
    assert back.dtype == torch.float32
    assert torch.equal(axis_angle.grad, torch.ones(2, 3))


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (axis_angle_to_matrix, (4,)),
        (matrix_to_axis_angle, (3, 4)),
        (matrix_to_quaternion, (9,)),
        (rotation_6d_to_matrix, (3,)),
        (matrix_to_rotation_6d, (2, 3)),
    ],
)
def test_another_shape_is_refused(function: object, shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="Expected"):
        function(torch.zeros(shape))  # type: ignore[operator]
