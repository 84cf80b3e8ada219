"""What a network can be told: which it is, what it is made of, what it reads. No torch in here.

Source of every default: the authors' released configuration of PyMAF.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from pymaf_data.config import StrictModel

from . import NETWORKS

OF_A_RUN = frozenset({"supervise", "dropout"})
"""Of ModelOptions: how weights are learned, not what they are of."""
# What fits the same weights whatever it is.
_ANY_WEIGHTS = OF_A_RUN | {"view_size"}


class ModelOptions(StrictModel):
    """The network. An option that the one named does not have is refused."""

    network: str = "pymaf"
    """Its name: ``pymaf``, or ``hmr``, the baseline; :data:`pymaf_data.model.networks.NETWORKS` lists them."""
    auxiliary: Literal["iuv", "parts", "none"] = "iuv"
    """What the finest feature map is taught besides: dense correspondence; the 24 parts and the background alone, by
    cross-entropy (Table 5's part segmentation, whose classes the paper does not say: here those of the IUV maps); or
    nothing (Table 5's first row)."""
    features: Literal["mesh", "grid"] = "mesh"
    """Where maps are read once there is a body: at its mesh, or at the fixed grid again (Table 4). Global features are
    those of network hmr."""
    start: Literal["grid", "mean_mesh"] = "grid"
    """Where the first step reads: the grid, or the mean body's mesh (Table 6)."""
    pyramid: bool = True
    """Step t reads map t with a regressor of its own; without, all steps read the finest map with one regressor."""
    iterations: int = Field(default=3, ge=1, le=3)
    """Steps T of the loop. With a pyramid step t reads map t, the coarsest first."""
    maps: Literal["deconvolution", "lateral", "backbone"] = "deconvolution"
    """The pyramid: three deconvolutions behind the trunk; the same, each with the trunk's own map of its size added
    (Lin et al., CVPR 2017; the paper has no such network), for small views, of which the trunk's end is 3 × 3; or the
    trunk's earlier layers alone."""
    reads: Literal["feature", "prediction", "product"] = "feature"
    """What is sampled of the finest map (Table 5): the feature; what the auxiliary head predicts there (parts: 25
    softmax channels; iuv: those and the expected U and V, 27); the feature times the predicted foreground. Gradients
    flow into the head."""
    supervise: Literal["all", "last"] | None = None
    """Which steps learn from labels; None is as released: all of PyMAF's, the last of HMR's. Where all do, what flows
    from one step into the next is detached; where the last does, its gradient flows through all of them."""
    backbone: Literal["resnet50", "resnet18"] = "resnet50"
    """The trunk. With resnet18, ``pyramid_channels: 128`` and ``regressor_width: 512`` the network has two fifths of
    the parameters: for CPUs and laptops."""
    pyramid_channels: int = Field(default=256, ge=16, le=1024)
    """Of each deconvolution's map, which the auxiliary head and the loop read."""
    regressor_width: int = Field(default=1024, ge=16, le=4096)
    """Units of each of a regressor's two hidden layers."""
    dropout: float = Field(default=0.5, ge=0.0, lt=1.0)
    """Before and after the second fully connected layer of each regressor."""
    view_size: int = Field(default=224, ge=64, le=512, multiple_of=32)
    """Side of the images that the network reads, in pixels; maps are a quarter of it. What it predicts refers to the
    224 px view whatever this is. On a CPU a step of 8 at 128 costs half of one at 224."""

    def other_weights(self, other: ModelOptions) -> dict[str, Any]:
        """Options of another network whose weights are not this one's, with its values; none where they fit."""
        own = self.model_dump(exclude=set(_ANY_WEIGHTS))
        theirs = {name: getattr(other, name) for name in own}
        return {name: value for name, value in theirs.items() if value != own[name]}

    @model_validator(mode="before")
    @classmethod
    def _of_its_network(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        name = given.get("network", "pymaf")
        if not (isinstance(name, str) and name in NETWORKS):
            raise ValueError(f"there is no network {name!r:.60}, there are {', '.join(NETWORKS)}")
        lacks = NETWORKS[name].lacks
        for option in lacks.keys() & given.keys():
            if given[option] != lacks[option]:
                raise ValueError(f"network {name} has no {option}, leave it out")
        return {**given, **lacks}

    @model_validator(mode="after")
    def _one_network(self) -> Self:
        if self.network != "pymaf":
            return self
        if self.features == "grid" and self.start == "mean_mesh":
            raise ValueError("features: grid reads nowhere else, so no step begins at the mean mesh: leave start out")
        if not self.pyramid and self.features == "mesh" and self.start == "grid":
            raise ValueError(
                "without a pyramid one regressor reads the grid's points and the mesh's, which are not as many: "
                "start: mean_mesh, or features: grid"
            )
        if self.maps == "backbone" and self.pyramid_channels != type(self).model_fields["pyramid_channels"].default:
            raise ValueError("maps: backbone has no deconvolutions, so no pyramid_channels: leave it out")
        if self.reads != "feature" and self.auxiliary == "none":
            raise ValueError(f"reads: {self.reads} wants an auxiliary head that predicts: auxiliary: parts or iuv")
        if self.reads != "feature" and self.pyramid and self.iterations < 3:
            raise ValueError(f"reads: {self.reads} is of the finest map, which the last of 3 iterations reads")
        return self
