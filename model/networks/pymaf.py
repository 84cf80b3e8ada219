"""PyMAF: a body fitted to an image by a pyramid of mesh-aligned feedback steps.

    maps = pyramid(image)                            14², 28², 56²
    body_0 = mean body
    for t in 1, 2, 3:
        points = 21×21 grid                          for t = 1
               = 431 vertices of body_{t−1}, projected
        features = MLP(maps[t] at points)
        body_t = body_{t−1} + regressor_t(features, body_{t−1})

Shape letters: B batch, N points; coordinates are those of :mod:`.network`.

What flows from one iteration into the next is detached, as published: every iteration learns from its own loss.

Source: Zhang et al., "PyMAF: 3D Human Pose and Shape Regression with Pyramidal Mesh Alignment Feedback Loop"
(ICCV 2021), section 3. Module names are those of the released checkpoints; the body is no part of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from torch import Tensor, nn

from ..options import ModelOptions
from .iuv_head import IUVHead
from .maf import GRID_SIDE, POINT_CHANNELS, PointFeatures, sampling_grid
from .network import IUVLogits, Network, Parameters, Prediction, project_to_view
from .pyramid import LEVELS, deconvolutions, feature_pyramid
from .regressor import Regressor

if TYPE_CHECKING:
    from pymaf_data.body import BodyModel

MESH_POINTS = 431


class PyMAF(Network):
    """The network; see :class:`Network` for its arguments. The body's mean parameters are where the loop starts."""

    supervised = slice(1, None)
    # It has no BatchNorm, and its inputs are never negative: at the trunk's rate the last ReLU of its point features
    # dies in a hundred steps.
    loop = ("maf_extractor", "regressor")
    grid: Tensor

    def __init__(self, body: BodyModel, options: ModelOptions | None = None, frame: str = "view") -> None:
        options = options or ModelOptions()
        super().__init__(body, options, frame)
        mean = Parameters(body.mean_pose6d, body.mean_betas, body.mean_camera)
        points = [GRID_SIDE**2] + [MESH_POINTS] * (LEVELS - 1)
        self.deconv_layers = deconvolutions()
        self.maf_extractor = nn.ModuleList(PointFeatures() for _ in range(LEVELS))
        self.regressor = nn.ModuleList(Regressor(POINT_CHANNELS * count, mean, options.dropout) for count in points)
        self.dp_head = IUVHead() if options.auxiliary == "iuv" else None
        self.register_buffer("grid", sampling_grid(), persistent=False)
        self.to(body.v_template.dtype)

    def image_plane(self, image: Tensor, auxiliary: bool) -> tuple[list[Tensor], IUVLogits | None]:
        """Feature maps (B, 256, S, S) at S = 14, 28, 56 of 224 px, and what the head says of the last."""
        maps = feature_pyramid(self.feature_extractor, self.deconv_layers, image)
        return maps, self.dp_head(maps[-1]) if auxiliary and self.dp_head is not None else None

    def refine(self, features: list[Tensor]) -> list[Prediction]:
        """The feedback loop: LEVELS + 1 predictions."""
        first = cast(Regressor, self.regressor[0])
        predictions = [self.decode(first.mean(len(features[0])))]
        for level, (extractor, regressor) in enumerate(zip(self.maf_extractor, self.regressor, strict=True)):
            current = predictions[-1].parameters.detach()
            points = self._points(level, predictions[-1].vertices.detach(), current.camera)
            predictions.append(self.decode(regressor(extractor(features[level], points), current)))
        return predictions

    def _points(self, level: int, vertices: Tensor, camera: Tensor) -> Tensor:
        """(B, N, 2) where this level's map is read: the grid first, then the current mesh."""
        if level == 0:
            return self.grid.expand(vertices.shape[0], -1, -1)
        return project_to_view(self.body.downsample(vertices), camera)
