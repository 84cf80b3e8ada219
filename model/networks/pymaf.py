"""PyMAF: a body fitted to an image by a pyramid of mesh-aligned feedback steps.

    maps = pyramid(image)                            14², 28², 56²
    body_0 = mean body
    for t in 1, 2, 3:
        points = 21×21 grid                          for t = 1
               = 431 vertices of body_{t−1}, projected
        features = MLP(maps[t] at points)
        body_t = body_{t−1} + regressor_t(features, body_{t−1})

Shape letters: B batch, V vertices, N points. Bodies are in metres, T-pose y up; predictions in camera space have y
down and z forward. Projected keypoints are normalised view coordinates n = v/112 − 1.

What flows from one iteration into the next is detached, as published: every iteration learns from its own loss.

Source: Zhang et al., "PyMAF: 3D Human Pose and Shape Regression with Pyramidal Mesh Alignment Feedback Loop"
(ICCV 2021), section 3. Module names are those of the released checkpoints; the body is no part of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import torch
from torch import Tensor, nn

from pymaf_data.errors import ShapeError
from pymaf_data.geometry.cameras import VIEW_SIZE, weak_to_camera
from pymaf_data.geometry.rotations import matrix_to_axis_angle, rotation_6d_to_matrix

from ..options import ModelOptions
from .iuv_head import IUVHead, IUVLogits
from .maf import GRID_SIDE, POINT_CHANNELS, PointFeatures, sampling_grid
from .pyramid import LEVELS, deconvolutions, feature_pyramid
from .regressor import Parameters, Regressor
from .resnet import ResNet50

if TYPE_CHECKING:
    from pymaf_data.body import BodyModel

MESH_POINTS = 431


class Prediction(NamedTuple):
    """One iteration's body, M_t in the paper."""

    parameters: Parameters
    rotation: Tensor
    """(B, 24, 3, 3) joint rotations."""
    vertices: Tensor
    """(B, V, 3) metres."""
    skeleton: Tensor
    """(B, 24, 3) SMPL's joints, metres."""
    joints: Tensor
    """(B, 49, 3) J49, metres."""
    keypoints: Tensor
    """(B, 49, 2) J49 projected, normalised."""

    @property
    def theta(self) -> Tensor:
        """(B, 85) released layout: camera 3, betas 10, axis-angle 72."""
        axis_angle = matrix_to_axis_angle(self.rotation).flatten(1)
        return torch.cat([self.parameters.camera, self.parameters.betas, axis_angle], dim=1)


class PyMAFOutput(NamedTuple):
    """All iterations: ``predictions[0]`` is the mean body, the last is the result."""

    predictions: list[Prediction]
    iuv: IUVLogits | None


def project_to_view(points: Tensor, camera: Tensor) -> Tensor:
    """Body-space (B, N, 3) metres by weak camera (B, 3) → (B, N, 2) normalised view coordinates."""
    half = VIEW_SIZE / 2
    return weak_to_camera(camera).project(points) / half - 1.0


class PyMAF(nn.Module):
    """The network. ``body`` is what it fits; its mean parameters are where the loop starts.

    Args:
        body: a :class:`~pymaf_data.body.BodyModel`; not part of the state dict. The network has its precision.
        options: dropout, whether the auxiliary head exists, the size of images.
        frame: ``view`` or ``camera``, see :attr:`frame`.

    Attributes:
        frame: from where the root rotations that it learns are seen: along the ray through the person's box, or by the
            camera of the whole image. It changes nothing here; who reads a prediction has to know it.
        autocast: dtype in which the image-plane part runs (``torch.bfloat16``), or None for the network's own.
            Points, regressors and bodies stay in that (float32 unless ``double()`` was called): bfloat16 resolves a
            224 px coordinate to one pixel at best.
    """

    grid: Tensor

    def __init__(self, body: BodyModel, options: ModelOptions | None = None, frame: str = "view") -> None:
        super().__init__()
        options = options or ModelOptions()
        mean = Parameters(body.mean_pose6d, body.mean_betas, body.mean_camera)
        points = [GRID_SIDE**2] + [MESH_POINTS] * (LEVELS - 1)
        self.body, self.view_size, self.frame = body, options.view_size, frame
        self.feature_extractor = ResNet50()
        self.deconv_layers = deconvolutions()
        self.maf_extractor = nn.ModuleList(PointFeatures() for _ in range(LEVELS))
        self.regressor = nn.ModuleList(Regressor(POINT_CHANNELS * count, mean, options.dropout) for count in points)
        self.dp_head = IUVHead() if options.auxiliary == "iuv" else None
        self.register_buffer("grid", sampling_grid(), persistent=False)
        self.autocast: torch.dtype | None = None
        self.to(body.v_template.dtype)

    def forward(self, image: Tensor, *, auxiliary: bool | None = None) -> PyMAFOutput:
        """Fit the body to each image.

        Args:
            image: (B, 3, W, W) float, ImageNet-normalised RGB, W the network's ``view_size``, by default 224.
            auxiliary: whether to run the IUV head; None runs it where it exists and the module trains.

        Raises:
            ShapeError: the image has another shape.
        """
        W = self.view_size
        if image.ndim != 4 or tuple(image.shape[1:]) != (3, W, W):
            raise ShapeError(
                f"image of shape {tuple(image.shape)}",
                expected=f"(B, 3, {W}, {W}), ImageNet-normalised",
                action=f"crop to the view at {W} px first.",
            )
        wanted = self.training if auxiliary is None else auxiliary
        maps, iuv = self._image_plane(image.to(self.grid.dtype), wanted)
        return PyMAFOutput(self._refine(maps), iuv)

    def _image_plane(self, image: Tensor, auxiliary: bool) -> tuple[list[Tensor], IUVLogits | None]:
        """Feature maps and dense logits, computed in ``autocast`` and handed on in the network's precision."""
        with torch.autocast(image.device.type, dtype=self.autocast, enabled=self.autocast is not None):
            maps = feature_pyramid(self.feature_extractor, self.deconv_layers, image)
            iuv = self.dp_head(maps[-1]) if auxiliary and self.dp_head is not None else None
        precise = self.grid.dtype
        return [feature_map.to(precise) for feature_map in maps], None if iuv is None else iuv.to(precise)

    def _refine(self, maps: list[Tensor]) -> list[Prediction]:
        """The feedback loop: LEVELS + 1 predictions."""
        batch = maps[0].shape[0]
        first = cast(Regressor, self.regressor[0])
        predictions = [self.decode(first.mean(batch))]
        for level, (extractor, regressor) in enumerate(zip(self.maf_extractor, self.regressor, strict=True)):
            current = predictions[-1].parameters.detach()
            points = self._points(level, predictions[-1].vertices.detach(), current.camera)
            predictions.append(self.decode(regressor(extractor(maps[level], points), current)))
        return predictions

    def _points(self, level: int, vertices: Tensor, camera: Tensor) -> Tensor:
        """(B, N, 2) where this level's map is read: the grid first, then the current mesh."""
        if level == 0:
            return self.grid.expand(vertices.shape[0], -1, -1)
        return project_to_view(self.body.downsample(vertices), camera)

    def decode(self, parameters: Parameters) -> Prediction:
        """Parameters → body and projected keypoints."""
        rotation = rotation_6d_to_matrix(parameters.pose6d.unflatten(1, (24, 6)))
        body = self.body(rotation, parameters.betas)
        return Prediction(
            parameters=parameters,
            rotation=rotation,
            vertices=body.vertices,
            skeleton=body.skeleton,
            joints=body.joints,
            keypoints=project_to_view(body.joints, parameters.camera),
        )
