"""Cameras: every projection in the project is one 3 × 4 matrix.

Spaces
    camera space   metres, x right, y down, z forward (a body with pose and translation applied)
    image plane  continuous pixels of the original image, the stored crop or the 224 view

A :class:`Camera` maps homogeneous camera-space metres to homogeneous pixels, perspective or orthographic alike. An
affine of the image plane multiplies it from the left, exactly, so one camera serves every plane: a fit's native
camera in original pixels, warped by ``view_affine(box)``, is its camera in the 224 view.

The weak camera π = (s, tx, ty) belongs to the 224 view of the unpadded box. It stands for a perspective camera of focal
length 5000 px, principal point 112 and translation [tx, ty, 2·5000/(224·s + 1e-9)]; warped into the stored crop of S
pixels its focal length is 5000·S/(224·κ) and its principal point S/2.

    π = (0.9, 0.1, −0.2) and the point (0.3, −0.5, 0.2) m  →  (152.16, 41.72) px, depth 49.80 m
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from numpy.typing import NDArray
from torch import Tensor

from pymaf_data.errors import ShapeError
from pymaf_data.geometry.affines import VIEW_SIZE

#: Focal length in pixels of the 224 view's camera.
FOCAL = 5000.0

_CENTRE = VIEW_SIZE / 2
_TINY = 1e-9  # keeps the released code's depth finite at s = 0


@dataclass(frozen=True)
class Camera:
    """B projections of camera-space metres to one image plane.

    Attributes:
        matrix: (B, 3, 4), homogeneous metres to homogeneous continuous pixels. The third row is a depth in metres, or
            [0, 0, 0, 1] when orthographic.
        orthographic: whether the projection is parallel along z.
    """

    matrix: Tensor
    orthographic: bool = False

    def __post_init__(self) -> None:
        if self.matrix.ndim != 3 or tuple(self.matrix.shape[1:]) != (3, 4):
            raise ShapeError(f"camera matrix of shape {tuple(self.matrix.shape)}", expected="(B, 3, 4)")

    def __len__(self) -> int:
        return len(self.matrix)

    def __getitem__(self, index: int | slice | Tensor) -> Camera:
        """The cameras at ``index``; a single index keeps the batch dimension."""
        rows = self.matrix[index]
        return Camera(rows[None] if rows.ndim == 2 else rows, self.orthographic)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Camera:
        """The same cameras on another device or in another dtype."""
        return Camera(self.matrix.to(device=device, dtype=dtype), self.orthographic)

    def project(self, points: Tensor) -> Tensor:
        """Pixels (B, N, 2) of camera-space points (B, N, 3) in metres; points at depth 0 become infinite."""
        homogeneous = self._transform(points)
        return homogeneous[..., :2] if self.orthographic else homogeneous[..., :2] / homogeneous[..., 2:]

    def depth(self, points: Tensor) -> Tensor:
        """Depth (B, N) in metres of camera-space points (B, N, 3): along the optical axis, or z when orthographic."""
        return points[..., 2] if self.orthographic else self._transform(points)[..., 2]

    def warped(self, affine: Tensor | NDArray) -> Camera:
        """These cameras in the plane that an affine (2, 3) or (B, 2, 3) of continuous pixels leads to.

        Raises:
            ShapeError: the affine has another shape.
        """
        plane = torch.as_tensor(affine, dtype=self.matrix.dtype, device=self.matrix.device)
        if tuple(plane.shape[-2:]) != (2, 3) or plane.ndim > 3:
            raise ShapeError(f"affine of shape {tuple(plane.shape)}", expected="(2, 3) or (B, 2, 3)")
        return Camera(torch.cat([plane @ self.matrix, self.matrix[:, 2:].expand(-1, 1, 4)], -2), self.orthographic)

    def _transform(self, points: Tensor) -> Tensor:
        return points @ self.matrix[..., :3].transpose(-1, -2) + self.matrix[..., None, :, 3]


def weak_to_camera(pi: Tensor) -> Camera:
    """Perspective cameras of the 224 view of weak cameras (B, 3), at f = 5000 px."""
    s, tx, ty = _weak(pi).unbind(-1)
    tz = 2 * FOCAL / (VIEW_SIZE * s + _TINY)
    zero, one = torch.zeros_like(s), torch.ones_like(s)
    focal, centre = FOCAL * one, _CENTRE * one
    rows = [
        *(focal, zero, centre, FOCAL * tx + _CENTRE * tz),
        *(zero, focal, centre, FOCAL * ty + _CENTRE * tz),
        *(zero, zero, one, tz),
    ]
    return Camera(torch.stack(rows, -1).reshape(-1, 3, 4))


def orthographic_view(pi: Tensor) -> Camera:
    """Orthographic cameras of the 224 view of weak cameras (B, 3): v = 112·(s·(X + t) + 1).

    EFT writes crop px = 112·(s·X + t + 1), so its t is s times ours: pass t_eft / s.
    """
    s, tx, ty = _weak(pi).unbind(-1)
    zero, one, scale = torch.zeros_like(s), torch.ones_like(s), _CENTRE * s
    rows = [
        *(scale, zero, zero, scale * tx + _CENTRE),
        *(zero, scale, zero, scale * ty + _CENTRE),
        *(zero, zero, zero, one),
    ]
    return Camera(torch.stack(rows, -1).reshape(-1, 3, 4), orthographic=True)


def full_frame(intrinsics: Tensor, translation: Tensor) -> Camera:
    """Perspective cameras K·[I | t] of the original image, of K (B, 3, 3) in pixels and t (B, 3) in metres.

    Raises:
        ShapeError: another shape.
    """
    if tuple(intrinsics.shape[-2:]) != (3, 3) or translation.shape[-1:] != (3,):
        raise ShapeError(
            f"intrinsics {tuple(intrinsics.shape)} and translation {tuple(translation.shape)}",
            expected="(B, 3, 3) and (B, 3)",
        )
    return Camera(torch.cat([intrinsics, intrinsics @ translation[..., None]], -1))


def weak_of_translation(translation: Tensor) -> Tensor:
    """Weak cameras (B, 3) of translations (B, 3) in metres [tx, ty, 2·5000/(224·s + 1e-9)]."""
    tx, ty, tz = translation.unbind(-1)
    return torch.stack([(2 * FOCAL / tz - _TINY) / VIEW_SIZE, tx, ty], -1)


def _weak(pi: Tensor) -> Tensor:
    if pi.ndim != 2 or pi.shape[-1] != 3:
        raise ShapeError(f"weak camera of shape {tuple(pi.shape)}", expected="(B, 3): s, tx, ty")
    return pi
