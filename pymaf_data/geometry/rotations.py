"""Rotations: axis-angle, matrix and the 6D form that the network predicts.

Convention: active rotations of column vectors, right-handed, radians. Every function takes any number of leading
dimensions, keeps dtype and device, and has finite derivatives everywhere it is differentiable (the identity included).

    axis-angle (0, 0, π/2)  →  [[0, −1, 0], [1, 0, 0], [0, 0, 1]]  →  x axis to y axis

Source: Rodrigues' formula; Zhou et al., "On the Continuity of Rotation Representations in Neural Networks" (CVPR 2019)
for the 6D form, read in PyMAF's memory order (see :func:`rotation_6d_to_matrix`).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from pymaf_data.errors import ShapeError

# Below this squared angle the quotients of Rodrigues' formula come from their Taylor series: the next term that is left
# out is below 1e-17 of the value, so float64 loses nothing.
_SMALL_SQUARE = 1e-5


def axis_angle_to_matrix(axis_angle: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of axis-angle vectors (..., 3) in radians.

    Raises:
        ShapeError: the last dimension is not 3.
    """
    _expect_last(axis_angle, (3,), "axis-angle")
    square = (axis_angle * axis_angle).sum(-1)
    sine, cosine = _rodrigues_coefficients(square)
    # 1 + sin θ·K + (1 − cos θ)·K² with K² = a·aᵀ − |a|²·1: no product of small matrices, which would cost most.
    outer = (cosine[..., None] * axis_angle)[..., None] * axis_angle[..., None, :]
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    diagonal = (1 - cosine * square)[..., None, None] * identity
    return diagonal + outer + _cross_matrix(sine[..., None] * axis_angle)


def matrix_to_axis_angle(matrix: Tensor) -> Tensor:
    """Axis-angle vectors (..., 3) with angles in [0, π] of rotation matrices (..., 3, 3).

    Goes through the unit quaternion, so it keeps full precision near π, where the antisymmetric part of the matrix
    vanishes. At exactly π the sign of the axis is arbitrary.

    Raises:
        ShapeError: the last dimensions are not (3, 3).
    """
    quaternion = matrix_to_quaternion(matrix)
    real, imaginary = quaternion[..., :1], quaternion[..., 1:]
    square = (imaginary * imaginary).sum(-1, keepdim=True)
    small = square < _SMALL_SQUARE
    # Both branches are evaluated: the one not taken must still have finite values and derivatives.
    length = torch.where(small, torch.ones_like(square), square).sqrt()
    safe = torch.where(small, real, torch.ones_like(real))
    ratio = square / (safe * safe)
    series = 2 / safe * (1 - ratio / 3 + ratio**2 / 5 - ratio**3 / 7)
    return imaginary * torch.where(small, series, 2 * torch.atan2(length, real) / length)


def matrix_to_quaternion(matrix: Tensor) -> Tensor:
    """Unit quaternions (..., 4), real part first and not negative, of rotation matrices (..., 3, 3).

    The outer product 4·q·qᵀ is linear in the matrix. Its row with the largest diagonal entry, normalised, is ±q: no
    square root of a small number and no division by one.

    Raises:
        ShapeError: the last dimensions are not (3, 3).
    """
    _expect_last(matrix, (3, 3), "rotation matrix")
    m = [[matrix[..., i, j] for j in range(3)] for i in range(3)]
    w = (m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1])
    xy, xz, yz = m[0][1] + m[1][0], m[0][2] + m[2][0], m[1][2] + m[2][1]
    diagonal = (
        1 + m[0][0] + m[1][1] + m[2][2],
        1 + m[0][0] - m[1][1] - m[2][2],
        1 - m[0][0] + m[1][1] - m[2][2],
        1 - m[0][0] - m[1][1] + m[2][2],
    )
    rows = torch.stack(
        [
            torch.stack([diagonal[0], w[0], w[1], w[2]], -1),
            torch.stack([w[0], diagonal[1], xy, xz], -1),
            torch.stack([w[1], xy, diagonal[2], yz], -1),
            torch.stack([w[2], xz, yz, diagonal[3]], -1),
        ],
        -2,
    )
    largest = torch.stack(diagonal, -1).argmax(-1)[..., None, None].expand(*matrix.shape[:-2], 1, 4)
    quaternion = normalize(rows.gather(-2, largest).squeeze(-2), dim=-1)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def rotation_6d_to_matrix(rotation_6d: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of the network's 6D form (..., 6), by Gram-Schmidt.

    The six numbers are the first two *columns* of the matrix interleaved, PyMAF's ``view(-1, 3, 2)``:
    (r00, r01, r10, r11, r20, r21). They need not be of unit length or orthogonal. The released code calls
    ``torch.cross`` without ``dim``, which takes the wrong axis when exactly three rotations are passed; here it is the
    last one always.

    Raises:
        ShapeError: the last dimension is not 6.
    """
    _expect_last(rotation_6d, (6,), "6D rotation")
    columns = rotation_6d.reshape(*rotation_6d.shape[:-1], 3, 2)
    first = normalize(columns[..., 0], dim=-1)
    along = (first * columns[..., 1]).sum(-1, keepdim=True)
    second = normalize(columns[..., 1] - along * first, dim=-1)
    third = torch.linalg.cross(first, second, dim=-1)
    return torch.stack([first, second, third], -1)


def matrix_to_rotation_6d(matrix: Tensor) -> Tensor:
    """The 6D form (..., 6) of rotation matrices (..., 3, 3): their first two columns, interleaved.

    Raises:
        ShapeError: the last dimensions are not (3, 3).
    """
    _expect_last(matrix, (3, 3), "rotation matrix")
    return matrix[..., :2].reshape(*matrix.shape[:-2], 6)


def rotation_about_z(angle: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) about the optical axis by ``angle`` (...) radians.

    In camera space (x right, y down, z forward) a positive angle turns the image clockwise.
    """
    cosine, sine = angle.cos(), angle.sin()
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    entries = [cosine, -sine, zero, sine, cosine, zero, zero, zero, one]
    return torch.stack(entries, -1).reshape(*angle.shape, 3, 3)


def _cross_matrix(vector: Tensor) -> Tensor:
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*vector.shape[:-1], 3, 3)


def _rodrigues_coefficients(square: Tensor) -> tuple[Tensor, Tensor]:
    """sin θ / θ and (1 − cos θ) / θ² as smooth functions of θ²."""
    small = square < _SMALL_SQUARE
    safe = torch.where(small, torch.ones_like(square), square)
    angle = safe.sqrt()
    half = (angle / 2).sin()
    series_sine = 1 - square / 6 * (1 - square / 20 * (1 - square / 42))
    series_cosine = 0.5 - square / 24 * (1 - square / 30 * (1 - square / 56))
    sine = torch.where(small, series_sine, angle.sin() / angle)
    # 1 − cos θ = 2 sin²(θ/2): no cancellation for small angles.
    cosine = torch.where(small, series_cosine, 2 * half * half / safe)
    return sine, cosine


def _expect_last(value: Tensor, last: tuple[int, ...], name: str) -> None:
    if tuple(value.shape[-len(last) :]) != last:
        wanted = ", ".join(str(n) for n in last)
        raise ShapeError(f"{name} of shape {tuple(value.shape)}", expected=f"(..., {wanted})")
