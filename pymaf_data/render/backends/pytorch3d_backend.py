"""Backend ``pytorch3d``: PyTorch3D's rasterizer through its public function, on the CPU or a CUDA device.

Vertices are projected here, in float64, and handed over in PyTorch3D's normalised coordinates (x left, y up, the
shorter side of the image reaching from −1 to 1) with their depth in metres; from there on everything is PyTorch3D's,
in float32. On a CPU it takes more than a thousand times as long as the embedded rasterizer; it is here because
published targets were made with it.

Depths of an orthographic camera may be negative, which PyTorch3D leaves out, so it is given shifted ones.
"""

from __future__ import annotations

import torch
from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
from pytorch3d.structures import Meshes
from torch import Tensor

from pymaf_data.render.backends import TensorScene


def rasterize(scene: TensorScene) -> tuple[tuple[Tensor, Tensor, Tensor], int]:
    """Face (B, H, W) int32, barycentrics (B, H, W, 3) float32 and depth (B, H, W) float32, on the scene's device.

    Returns:
        These three, and −1 or the first mesh that is not finite.
    """
    vertices, faces, matrices, orthographic, near, size = scene
    B, device = len(vertices), vertices.device
    homogeneous = vertices.double() @ matrices[..., :3].transpose(-1, -2) + matrices[..., None, :, 3]
    broken = (~torch.isfinite(homogeneous)).flatten(1).any(1) | (~torch.isfinite(vertices)).flatten(1).any(1)
    if broken.any():
        return _nothing(B, size, device), int(broken.nonzero()[0, 0])
    if B == 0 or len(faces) == 0:
        return _nothing(B, size, device), -1
    depth = vertices[..., 2].double() if orthographic else homogeneous[..., 2]
    shift = 1.0 - depth.amin() if orthographic else torch.zeros_like(depth[0, 0])
    ndc = _normalised(homogeneous[..., :2] / homogeneous[..., 2:], size)
    meshes = Meshes(torch.cat([ndc, (depth + shift)[..., None]], -1).float(), faces.long().expand(B, -1, -1))
    crossing = not orthographic and bool((depth < near).any())
    found, _, bary, _ = rasterize_meshes(
        meshes,
        image_size=size,
        blur_radius=0.0,
        faces_per_pixel=1,
        perspective_correct=not orthographic,
        clip_barycentric_coords=False,
        cull_backfaces=False,
        z_clip_value=near if crossing else None,
    )
    face, bary = found[..., 0], bary[..., 0, :]
    # PyTorch3D adds 1e-8 to a face's area, which in its units is up to a hundredth of it: the weights sum to less than
    # 1, and the depths that it mixes by them are that much too small.
    bary = bary / bary.sum(-1, keepdim=True)
    shown = face >= 0
    mesh = torch.arange(B, device=device)[:, None, None]
    face = torch.where(shown, face - mesh * len(faces), -1)
    z = (bary * depth[mesh[..., None], faces.long()[face]]).sum(-1)
    return (
        face.int(),
        torch.where(shown[..., None], bary, 0.0),
        torch.where(shown, z, torch.inf).float(),
    ), -1


def paint(scene: TensorScene, face_part: Tensor, corner_uv: Tensor) -> tuple[tuple[Tensor, Tensor], int]:
    """Part (B, H, W) uint8 and U, V (B, 2, H, W) float32 of charts (F,) and (F, 3, 2); else as :func:`rasterize`."""
    (face, bary, _), bad = rasterize(scene)
    shown, index = face >= 0, face.clamp_min(0).long()
    uv = (bary[..., None] * corner_uv[index]).sum(-2).clamp(0, 1) * shown[..., None]
    return (face_part[index] * shown, uv.permute(0, 3, 1, 2).contiguous()), bad


def _normalised(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Continuous pixels (…, 2) in PyTorch3D's normalised coordinates."""
    centre = pixels.new_tensor([size[1] / 2, size[0] / 2])
    return (centre - pixels) * (2 / min(size))


def _nothing(B: int, size: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    face = torch.full((B, *size), -1, dtype=torch.int32, device=device)
    return face, torch.zeros((B, *size, 3), device=device), torch.full((B, *size), torch.inf, device=device)
