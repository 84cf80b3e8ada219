"""Dense targets rendered while training, exactly as the augmented view shows the fit, instead of warped stored maps.

A view of an image is the same body under another camera, so one projection takes in scale, rotation and mirroring; in
a mirrored view the parts then change sides. Nothing is resampled. It happens on the training device: on a GPU by the
backend ``warp`` without leaving it, on a CPU by the embedded rasterizer.

Shapes: B persons, Z map pixels.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from pymaf_data.body import BodyModel
from pymaf_data.geometry.cameras import Camera
from pymaf_data.loader.batch import Batch
from pymaf_data.render import Atlas, render_iuv
from pymaf_data.render.sides import change_sides


@torch.no_grad()
def render_targets(batch: Batch, body: BodyModel, atlas: Atlas) -> Batch:
    """The batch with maps of its fits, (B, Z, Z) and (B, 2, Z, Z); persons without a fit have none.

    Args:
        batch: on the device of the body.
        body: the body that the fits belong to.
        atlas: its charts.

    Raises:
        RenderError: a fit is not finite once projected.
    """
    part, uv = torch.zeros_like(batch.part), torch.zeros_like(batch.uv)
    for orthographic in (False, True):
        rows = torch.nonzero(batch.has_fit & (batch.drawn_orthographic == orthographic))[:, 0]
        if not len(rows):
            continue
        vertices = body.mesh(batch.drawn_pose[rows], batch.betas[rows])
        seen = render_iuv(vertices, Camera(batch.drawn_camera[rows], orthographic), atlas, batch.part.shape[-1])
        part[rows] = torch.as_tensor(seen.part, device=part.device)
        uv[rows] = torch.as_tensor(seen.uv, device=uv.device)
    part, u, v = change_sides(part, uv[:, 0], uv[:, 1], batch.flip[:, None, None], atlas)
    return replace(batch, part=part, uv=torch.stack([u, v], 1), has_iuv=batch.has_fit)
