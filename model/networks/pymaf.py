"""PyMAF: a body fitted to an image by a pyramid of mesh-aligned feedback steps.

    maps = pyramid(image)                            14², 28², 56²
    body_0 = mean body
    for t in 1, 2, 3:
        points = 21×21 grid                          for t = 1
               = 431 vertices of body_{t−1}, projected
        features = MLP(maps[t] at points)
        body_t = body_{t−1} + regressor_t(features, body_{t−1})

Shape letters: B batch, N points; coordinates are those of :mod:`.network`.

What flows from one iteration into the next is detached, as published: every iteration learns from its own loss. What
the paper's tables 4 to 6 change of this, :class:`~pymaf_data.model.networks.options.ModelOptions` says.

Source: Zhang et al., "PyMAF: 3D Human Pose and Shape Regression with Pyramidal Mesh Alignment Feedback Loop"
(ICCV 2021), section 3. Module names are those of the released checkpoints; the body is no part of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from torch import Tensor, nn

from .iuv_head import HEADS, channels_read, what_is_read
from .maf import GRID_SIDE, POINT_CHANNELS, PointFeatures, sampling_grid
from .network import Dense, Network, Parameters, Prediction, project_to_view
from .options import ModelOptions
from .pyramid import LEVELS, backbone_pyramid, deconvolutions, feature_pyramid, laterals
from .regressor import Regressor

if TYPE_CHECKING:
    from pymaf_data.body import BodyModel

MESH_POINTS = 431


class PyMAF(Network):
    """The network; see :class:`Network` for its arguments. The body's mean parameters are where the loop starts."""

    # It has no BatchNorm, and its inputs are never negative: at the trunk's rate the last ReLU of its point features
    # dies in a hundred steps.
    loop = ("maf_extractor", "regressor")
    grid: Tensor

    def __init__(self, body: BodyModel, options: ModelOptions | None = None, frame: str = "view") -> None:
        options = options or ModelOptions()
        super().__init__(body, options, frame)
        self.options = options
        self.supervise(options, released="all")
        head = HEADS.get(options.auxiliary)
        # Without a reader the finer maps would be made for nothing.
        levels = options.iterations if options.pyramid and head is None else LEVELS
        if options.maps != "backbone":
            self.deconv_layers = deconvolutions(self.feature_extractor.channels[-1], options.pyramid_channels, levels)
            channels = [options.pyramid_channels] * LEVELS
            added = options.maps == "lateral"
            self.lateral_layers = laterals(self.feature_extractor, channels[0], levels) if added else None
        else:
            self.feature_extractor.layer4.requires_grad_(False)  # ImageNet's weights have it, and nothing reads it
            channels = [*self.feature_extractor.channels[LEVELS - 1 :: -1]]
        self.dp_head = head(channels[-1]) if head else None
        self._make_loop(channels, Parameters(body.mean_pose6d, body.mean_betas, body.mean_camera), options)
        self.register_buffer("grid", sampling_grid(), persistent=False)
        self.to(body.v_template.dtype)

    def _make_loop(self, channels: list[int], mean: Parameters, options: ModelOptions) -> None:
        """A step of its own for each level, or one for all of them; of maps of so many channels."""
        widths = [*channels[:-1], channels_read(options.reads, options.auxiliary, channels[-1])]
        steps = range(options.iterations) if options.pyramid else [0]
        read = widths[: options.iterations] if options.pyramid else widths[-1:]
        self.maf_extractor = nn.ModuleList(PointFeatures(width) for width in read)
        self.regressor = nn.ModuleList(
            Regressor(POINT_CHANNELS * self._count(step), mean, options.dropout, options.regressor_width)
            for step in steps
        )

    def image_plane(self, image: Tensor, auxiliary: bool) -> tuple[list[Tensor], Dense | None]:
        """Feature maps (B, C, S, S) at S = 14, 28, 56 of 224 px, and what the head says of the last."""
        if self.options.maps == "backbone":
            maps = backbone_pyramid(self.feature_extractor, image)
        else:
            maps = feature_pyramid(self.feature_extractor, self.deconv_layers, image, self.lateral_layers)
        needed = auxiliary or self.options.reads != "feature"
        dense = self.dp_head(maps[-1]) if needed and self.dp_head is not None else None
        if dense is not None and self.options.reads != "feature":
            maps[-1] = what_is_read(maps[-1], dense, self.options.reads)
        return maps if self.options.pyramid else maps[-1:], dense if auxiliary else None

    def refine(self, features: list[Tensor]) -> list[Prediction]:
        """The feedback loop: iterations + 1 predictions."""
        first = cast(Regressor, self.regressor[0])
        predictions = [self.decode(first.mean(1)).of_everybody(len(features[0]))]
        for step in range(self.options.iterations):
            level = step if self.options.pyramid else 0
            current = predictions[-1].parameters
            points = self._points(step, predictions[-1].sampled.detach(), current.camera.detach())
            read = self.maf_extractor[level](features[level], points)
            predictions.append(self.decode(self.regressor[level](read, self.handed_on(current))))
        return predictions

    def _on_grid(self, step: int) -> bool:
        return self.options.features == "grid" or (step == 0 and self.options.start == "grid")

    def _count(self, step: int) -> int:
        return GRID_SIDE**2 if self._on_grid(step) else MESH_POINTS

    def _points(self, step: int, sampled: Tensor, camera: Tensor) -> Tensor:
        """(B, N, 2) where this step's map is read: the grid, or the current mesh."""
        if self._on_grid(step):
            return self.grid.expand(len(sampled), -1, -1)
        return project_to_view(sampled, camera)
