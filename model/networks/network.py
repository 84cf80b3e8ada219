"""What every network is to the loop around it: an image in, the bodies of every iteration out.

    output = network(image)                  losses, watchers, prediction read nothing but this
    network.parameter_groups()               the optimizer reads this
    make_network(options, body, frame)       checkpoints and training make one by its name

Shape letters: B batch, V vertices, W view size, S map size. Bodies are in metres, T-pose y up; predictions in camera
space have y down and z forward. Projected keypoints are normalised view coordinates n = v/112 − 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from pymaf_data.errors import ShapeError, UsageError
from pymaf_data.geometry.cameras import VIEW_SIZE, weak_to_camera
from pymaf_data.geometry.rotations import matrix_to_axis_angle, rotation_6d_to_matrix

from . import NETWORKS
from .options import ModelOptions
from .resnet import ResNet

if TYPE_CHECKING:
    from pymaf_data.body import BodyModel

REDUCTION = 4
"""Of dense maps, against the image."""


class Parameters(NamedTuple):
    """What a network refines."""

    pose6d: Tensor
    """(B, 144): 24 joint rotations, 6D."""
    betas: Tensor
    """(B, 10) shape."""
    camera: Tensor
    """(B, 3): s, tx, ty of the 224 px view."""

    def detach(self) -> Parameters:
        """Cut from the graph: no gradient flows from one iteration into the one before."""
        return Parameters(*(field.detach() for field in self))


@dataclass(frozen=True)
class Prediction:
    """One iteration's body, M_t in PyMAF's paper. The loop needs joints and a few vertices; the mesh is made when it is
    asked for."""

    parameters: Parameters
    rotation: Tensor
    """(B, 24, 3, 3) joint rotations."""
    skeleton: Tensor
    """(B, 24, 3) SMPL's joints, metres."""
    joints: Tensor
    """(B, 49, 3) J49, metres."""
    keypoints: Tensor
    """(B, 49, 2) J49 projected, normalised."""
    sampled: Tensor
    """(B, 431, 3) the vertices at which maps are read, metres."""
    body: BodyModel

    @cached_property
    def vertices(self) -> Tensor:
        """(B, V, 3) metres."""
        posed: Tensor = self.body(self.rotation, self.parameters.betas).vertices
        return posed

    def of_everybody(self, batch: int) -> Prediction:
        """The prediction of one person, the mean body, as that of so many."""
        tensors = (self.rotation, self.skeleton, self.joints, self.keypoints, self.sampled)
        rotation, skeleton, joints, keypoints, sampled = (each.expand(batch, *each.shape[1:]) for each in tensors)
        parameters = Parameters(*(each.expand(batch, -1) for each in self.parameters))
        return Prediction(parameters, rotation, skeleton, joints, keypoints, sampled, self.body)

    @property
    def theta(self) -> Tensor:
        """(B, 85) released layout: camera 3, betas 10, axis-angle 72."""
        axis_angle = matrix_to_axis_angle(self.rotation).flatten(1)
        return torch.cat([self.parameters.camera, self.parameters.betas, axis_angle], dim=1)


class IUVLogits(NamedTuple):
    """What is said about each pixel of a dense map, S = W / 4."""

    part: Tensor
    """(B, 25, S, S) logits; channel 0 is background."""
    coarse: Tensor
    """(B, 15, S, S) logits of the coarse parts."""
    u: Tensor
    """(B, 25, S, S) U in [0, 1] per part channel, unbounded as regressed."""
    v: Tensor
    """(B, 25, S, S) V likewise."""

    def to(self, dtype: torch.dtype) -> IUVLogits:
        """The same in another dtype."""
        return IUVLogits(*(field.to(dtype) for field in self))


class PartLogits(NamedTuple):
    """What is said about each pixel of a dense map by a head that knows parts alone."""

    part: Tensor
    """(B, 25, S, S) logits; channel 0 is background."""

    def to(self, dtype: torch.dtype) -> PartLogits:
        """The same in another dtype."""
        return PartLogits(self.part.to(dtype))


Dense = IUVLogits | PartLogits


class Output(NamedTuple):
    """All iterations: ``predictions[0]`` is the mean body, the last is the result."""

    predictions: list[Prediction]
    supervised: slice
    """Which predictions learn from labels."""
    dense: Dense | None


def project_to_view(points: Tensor, camera: Tensor) -> Tensor:
    """Body-space (B, N, 3) metres by weak camera (B, 3) → (B, N, 2) normalised view coordinates."""
    half = VIEW_SIZE / 2
    return weak_to_camera(camera).project(points) / half - 1.0


class Network(nn.Module):
    """A network that fits ``body`` to images. A kind of it says what it reads off an image, and what it makes of that.

    Args:
        body: a :class:`~pymaf_data.body.BodyModel`; not part of the state dict. The network has its precision.
        options: the trunk, dropout, whether an auxiliary head exists, the size of images.
        frame: ``view`` or ``camera``, see :attr:`frame`.

    Attributes:
        feature_extractor: the trunk, which ImageNet's weights fit.
        frame: from where the root rotations that it learns are seen: along the ray through the person's box, or by the
            camera of the whole image. It changes nothing here; who reads a prediction has to know it.
        autocast: dtype in which the image-plane part runs (``torch.bfloat16``), or None for the network's own.
            Points, regressors and bodies stay in that (float32 unless ``double()`` was called): bfloat16 resolves a
            224 px coordinate to one pixel at best.
    """

    supervised: slice
    """See :class:`Output`."""
    loop: ClassVar[tuple[str, ...]]
    """Names of the parts that map a body to a better one; the others are the trunk."""

    def __init__(self, body: BodyModel, options: ModelOptions, frame: str) -> None:
        super().__init__()
        self.body, self.view_size, self.frame = body, options.view_size, frame
        self.feature_extractor = ResNet(options.backbone)
        self.autocast: torch.dtype | None = None

    def image_plane(self, image: Tensor, auxiliary: bool) -> tuple[list[Tensor], Dense | None]:
        """What is read off the images (B, 3, W, W): features, and dense logits where they are wanted."""
        raise NotImplementedError

    def refine(self, features: list[Tensor]) -> list[Prediction]:
        """Features → the mean body and the prediction of every iteration."""
        raise NotImplementedError

    def forward(self, image: Tensor, *, auxiliary: bool | None = None) -> Output:
        """Fit the body to each image.

        Args:
            image: (B, 3, W, W) float, ImageNet-normalised RGB, W the network's ``view_size``, by default 224.
            auxiliary: whether to run the auxiliary head; None runs it where it exists and the module trains.

        Raises:
            ShapeError: the image has another shape.
            UsageError: the head is asked for and there is none.
        """
        W = self.view_size
        if image.ndim != 4 or tuple(image.shape[1:]) != (3, W, W):
            raise ShapeError(
                f"image of shape {tuple(image.shape)}",
                expected=f"(B, 3, {W}, {W}), ImageNet-normalised",
                action=f"crop to the view at {W} px first.",
            )
        precise = self.body.v_template.dtype
        with torch.autocast(image.device.type, dtype=self.autocast, enabled=self.autocast is not None):
            features, dense = self.image_plane(image.to(precise), self.training if auxiliary is None else auxiliary)
        if auxiliary and dense is None:
            raise UsageError(
                f"this {type(self).__name__} has no auxiliary head",
                expected="a network that predicts dense maps",
                action="leave `auxiliary` out, or take a PyMAF with model.auxiliary: iuv.",
            )
        predictions = self.refine([feature.to(precise) for feature in features])
        return Output(predictions, self.supervised, None if dense is None else dense.to(precise))

    def supervise(self, options: ModelOptions, released: Literal["all", "last"]) -> None:
        """Say which predictions learn from labels: as the options do, or as released."""
        every = (options.supervise or released) == "all"
        self.supervised = slice(1, None) if every else slice(-1, None)

    def handed_on(self, parameters: Parameters) -> Parameters:
        """What the next step begins with: detached where each step learns from its own loss."""
        return parameters.detach() if self.supervised.start == 1 else parameters

    def decode(self, parameters: Parameters) -> Prediction:
        """Parameters → body and projected keypoints."""
        rotation = rotation_6d_to_matrix(parameters.pose6d.unflatten(1, (24, 6)))
        posed = self.body.reduced(rotation, parameters.betas)
        return Prediction(
            parameters=parameters,
            rotation=rotation,
            skeleton=posed.skeleton,
            joints=posed.joints,
            keypoints=project_to_view(posed.joints, parameters.camera),
            sampled=posed.sampled,
            body=self.body,
        )

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """What learns at the run's rate (``loop``) and at its multiple for trunks (``trunk``)."""
        groups: dict[str, list[nn.Parameter]] = {"loop": [], "trunk": []}
        for name, value in self.named_parameters():
            groups["loop" if name.split(".")[0] in self.loop else "trunk"].append(value)
        return groups


def make_network(options: ModelOptions, body: BodyModel, frame: str) -> Network:
    """A new network of the name and options given, from torch's generator."""
    module, _, name = NETWORKS[options.network].place.partition(":")
    kind: Any = getattr(import_module(module), name)
    network: Network = kind(body, options, frame)
    return network
