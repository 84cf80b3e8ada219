"""Bodies and cameras that show where two rasterizers could differ, and what counts as a tie between them.

Shared by the benchmark ``parity.py``, which has PyTorch3D beside ours, and by the test that has only its kept images.
Bodies: random poses, shapes and headings, every third one folded so that limbs hide each other. Cameras: the published
weak perspective near and far, strong perspective from 1.2 m, half outside the image, from within arm's reach with the
camera plane through the body, parallel.
"""

from __future__ import annotations

import numpy as np
import torch

from pymaf_data.body import load_body
from pymaf_data.geometry.cameras import Camera, full_frame, orthographic_view, weak_to_camera
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.render import Atlas, Raster

CAMERAS = ("weak, far", "weak, near", "strong perspective", "half outside", "through the camera plane", "parallel")
EDGE = 3e-7
"""Of the image's side: a few roundings of coordinates that reach to 1, in float32."""
DEPTH = 3e-6
"""Relative."""


def bodies(count: int) -> torch.Tensor:
    """(count, V, 3) metres in camera space, about the origin; every third one is folded."""
    generator = torch.Generator().manual_seed(3)
    pose = 0.4 * torch.randn(count, 24, 3, generator=generator, dtype=torch.float64)
    pose[::3, (1, 2), 0] -= 1.4  # thighs before the trunk
    pose[::3, (4, 5), 0] += 1.6
    rotations = axis_angle_to_matrix(pose)
    heading = torch.zeros(count, 3, dtype=torch.float64)
    heading[:, 1] = 2 * torch.pi * torch.rand(count, generator=generator, dtype=torch.float64)
    upright = axis_angle_to_matrix(torch.tensor([torch.pi, 0.0, 0.0], dtype=torch.float64))
    rotations[:, 0] = upright @ axis_angle_to_matrix(heading) @ rotations[:, 0]
    betas = 1.5 * torch.randn(count, 10, generator=generator, dtype=torch.float64)
    body = load_body("free", dtype=torch.float64)
    with torch.no_grad():
        vertices: torch.Tensor = body(rotations, betas).vertices
    return vertices.float()


def cameras(name: str, count: int, size: int) -> Camera:
    """Cameras of one kind, in pixels of a raster of ``size``."""
    random = np.random.default_rng(4)
    to_raster = np.array([[size / 224, 0, 0], [0, size / 224, 0]])
    pi = torch.from_numpy(np.stack([np.full(count, 0.9), *random.normal(0, 0.05, (2, count))], 1))
    if name == "weak, far":
        pi[:, 0] = 0.45
    if name == "weak, near":
        pi[:, 0] = 1.3
    if name == "half outside":
        pi[:, 1] += 1.0
    if name == "parallel":
        return orthographic_view(pi).warped(to_raster)
    if name in ("strong perspective", "through the camera plane"):
        distance = 1.2 if name == "strong perspective" else 0.1
        K = torch.tensor([[0.5 * size, 0, size / 2], [0, 0.5 * size, size / 2], [0, 0, 1]], dtype=torch.float64)
        at = torch.from_numpy(np.stack([*random.normal(0, 0.05, (2, count)), np.full(count, distance)], 1))
        return full_frame(K.repeat(count, 1, 1), at)
    return weak_to_camera(pi).warped(to_raster)


def explained(vertices: np.ndarray, camera: Camera, atlas: Atlas, ours: Raster, theirs: Raster) -> np.ndarray:
    """(K,) of the K pixels of one mesh on which the two differ: does the arithmetic of PyTorch3D say why?

    The pixel's centre lies on an edge to float32; or the two faces are equally far there to float32; or, for parallel
    cameras, PyTorch3D holds its face to be the nearer because it adds 1e-8 to twice a face's area (in units in which
    the image is 2 wide), so that it mixes depths by weights that do not sum to 1.
    """
    row, column = np.nonzero(ours.face != theirs.face)
    centre = np.stack([column + 0.5, row + 0.5], 1)
    pixels = _projected(vertices, camera)
    tied = np.zeros(len(row), bool)
    for raster in (ours, theirs):
        face = raster.face[row, column]
        corners = pixels[atlas.mesh_faces[face]]
        for k in range(3):
            a, b = corners[:, k], corners[:, (k + 1) % 3]
            along = b - a
            t = ((centre - a) * along).sum(1) / np.maximum((along**2).sum(1), 1e-300)
            near = np.linalg.norm(a + np.clip(t, 0, 1)[:, None] * along - centre, axis=1)
            tied |= (face >= 0) & (near <= EDGE * raster.face.shape[0])
    both = (ours.face[row, column] >= 0) & (theirs.face[row, column] >= 0)
    z, other = ours.depth[row, column], theirs.depth[row, column]
    with np.errstate(invalid="ignore"):
        tied |= both & (np.abs(z - other) <= DEPTH * np.abs(z))
    if camera.orthographic:
        depth = vertices[:, 2].astype(np.float64) - vertices[:, 2].min() + 1.0
        shown, held = (
            _mixed_depth(centre, pixels, depth, atlas.mesh_faces[raster.face[row, column]], len(raster.face))
            for raster in (ours, theirs)
        )
        tied |= both & (held <= shown * (1 + DEPTH))
    return tied


def _projected(vertices: np.ndarray, camera: Camera) -> np.ndarray:
    """(V, 2) pixels, in float64."""
    points = np.concatenate([vertices.astype(np.float64), np.ones((len(vertices), 1))], 1) @ camera.matrix[0].numpy().T
    return points[:, :2] / points[:, 2:]


def _mixed_depth(centre: np.ndarray, pixels: np.ndarray, depth: np.ndarray, faces: np.ndarray, size: int) -> np.ndarray:
    """(K,) depth of faces (K, 3) at centres (K, 2), as PyTorch3D mixes it where it does not correct perspective."""
    ndc, at = (size / 2 - pixels) * (2 / size), (size / 2 - centre) * (2 / size)
    v0, v1, v2 = (ndc[faces[:, k]] for k in range(3))

    def edge(p: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (p[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1]) - (p[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])

    weights = np.stack([edge(at, v1, v2), edge(at, v2, v0), edge(at, v0, v1)], 1) / (edge(v2, v0, v1) + 1e-8)[:, None]
    return (weights * depth[faces]).sum(1)


def uv_slack(vertices: np.ndarray, camera: Camera, atlas: Atlas, face: np.ndarray, size: int) -> np.ndarray:
    """(K,) how far U, V of faces (K,) move when corners move by float32's rounding, :data:`EDGE` of the image's side.

    Across a sliver of a hundredth of a pixel that is half a hundredth of the face; elsewhere nothing.
    """
    corners = _projected(vertices, camera)[atlas.mesh_faces[face]]
    sides = np.stack([corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]], 1)
    charts = atlas.corner_uv[face].astype(np.float64)
    across = np.stack([charts[:, 1] - charts[:, 0], charts[:, 2] - charts[:, 0]], 1)
    slope = np.linalg.pinv(sides) @ across
    return np.abs(slope).max((1, 2)) * EDGE * size


def painted(raster: Raster, atlas: Atlas) -> tuple[np.ndarray, np.ndarray]:
    """Part (H, W) and U, V (H, W, 2) of one raster."""
    shown, face = raster.mask, np.maximum(raster.face, 0)
    uv = np.clip((raster.bary[..., None] * atlas.corner_uv[face]).sum(-2), 0, 1)
    return atlas.face_part[face] * shown, uv * shown[..., None]
