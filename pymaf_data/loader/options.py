"""What a user may choose about batches and augmentation."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pymaf_data.config import FiniteModel

Seed = Annotated[int, Field(ge=0, lt=2**63)]
"""As large as PyTorch takes them."""
Share = Annotated[float, Field(gt=0)]
"""Of what is drawn; shares are made to sum to 1."""


class AugmentationOptions(FiniteModel):
    """How views vary; the defaults are SPIN's and PyMAF's.

    The stored crop reaches to a scale of 1 + 0.25 under any rotation, so no larger limit is accepted.
    """

    flip_probability: float = Field(default=0.5, ge=0, le=1)
    """Share of mirrored views."""

    channel_noise: float = Field(default=0.4, ge=0, lt=1)
    """Each colour channel is multiplied by a uniform number in 1 ± this."""

    upright_probability: float = Field(default=0.6, ge=0, le=1)
    """Share of views that are not rotated."""

    rotation_std: float = Field(default=30.0, ge=0)
    """Standard deviation of the other rotations in degrees."""

    rotation_limit: float = Field(default=60.0, ge=0, le=180)
    """Where rotations are clipped, in degrees."""

    scale_std: float = Field(default=0.25, ge=0)
    """Standard deviation of the scale about 1."""

    scale_limit: float = Field(default=0.25, ge=0, le=0.25)
    """Where the scale's distance from 1 is clipped."""

    @classmethod
    def none(cls) -> AugmentationOptions:
        """Plain views: for evaluation, and for overfitting on purpose."""
        return cls(flip_probability=0, channel_noise=0, upright_probability=1, scale_limit=0)


class LoaderOptions(FiniteModel):
    """How batches are made."""

    batch_size: int = Field(default=64, ge=1)
    augmentation: AugmentationOptions = AugmentationOptions()
    seed: Seed = 0
    """Decides order and augmentation, together with epoch and row and nothing else."""

    shuffle: bool = True
    mixture: dict[str, Share] = Field(default_factory=dict)
    """Groups of stores and the shares of them that are drawn, see :mod:`~pymaf_data.loader.mixture`; none: every person
    once an epoch."""

    epoch_length: int | None = Field(default=None, ge=1)
    """Persons that an epoch of a mixture draws; by default as many as the largest store has, as released."""

    rank: int = Field(default=0, ge=0)
    ranks: int = Field(default=1, ge=1)
    """Which of so many processes this is: each has its part of every batch of ``batch_size`` times ``ranks``."""

    drop_last: bool = False
    """Leave out a last batch that is not full."""

    maps: bool = True
    """Read IUV maps, where there are any."""

    view_size: int = Field(default=224, ge=1)
    """Side of the images in pixels. Everything else goes on referring to the view at 224 px."""

    joints3d: Literal["measured", "fitted"] = "measured"
    """Where 3D joints come from: from the data set alone, or from the fit where the data set measured none."""

    frame: Literal["camera", "view"] = "view"
    """From where root rotations and 3D joints are seen: along the ray through the person's box, which is all that a
    crop can show, or by the camera of the whole image, as released; see docs/geometry.md."""

    map_size: int = Field(default=56, ge=1)
    """Side of the IUV targets in pixels."""

    workers: int = Field(default=2, ge=0)
    """Batches made at the same time; 0 makes them when they are asked for."""

    worker_kind: Literal["thread", "process"] = "thread"
    """Threads share one copy of the labels; decoding, warping and checksums release the interpreter lock."""

    device: str | None = None
    """Where images and IUV targets are made, a batch at a time, and batches lie: ``cuda``, ``cuda:1``; only for worker
    threads. None: the workers make them one by one in host memory. See :mod:`~pymaf_data.loader.device`."""

    prefetch: int = Field(default=2, ge=1)
    """Batches that each worker may be ahead."""

    allow_partial: bool = False
    """Use a store of which shards are missing: their rows are left out, or flagged as without fit or map."""

    @model_validator(mode="after")
    def _processes_make_views_themselves(self) -> Self:
        if self.device is not None and self.worker_kind == "process":
            raise ValueError("`device` is for worker threads: take `worker_kind: thread`")
        return self
