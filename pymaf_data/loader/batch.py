"""A batch of training views."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """B persons in their augmented 224 px views; everything has moved by the one transform of its row.

    Attributes:
        image: (B, 3, W, W) uint8 RGB, W = 224 by default, in channels-last memory. Normalise on the training device.
        keypoints: (B, 49, 3) float32, J49: normalised coordinates x = v/112 − 1 and confidence; 0 where it is 0.
        joints3d: (B, 24, 4) float32, J24: metres and flag; 0 where the flag is 0.
        pose: (B, 24, 3, 3) float32 rotation matrices; identity without a fit.
        betas: (B, 10) float32; 0 without a fit.
        has_fit: (B,) bool.
        camera: (B, 3) float32 π that projects the fit onto the keypoints best; (1, 0, 0) where ``has_camera`` is false.
        has_camera: (B,) bool: a fit with at least two visible joints.
        part: (B, Z, Z) uint8 parts 0 … 24; 0 without a map.
        uv: (B, 2, Z, Z) float32 in [0, 1]; 0 on the background.
        has_iuv: (B,) bool.
        turn: (B, 3, 3) float32, camera space → the frame of the plain view, in which pose and joints stand; identity in
            the frame ``camera``. Its transpose turns a prediction from a plain view back.
        has_turn: (B,) bool, false where ``turn`` is not known, so that nothing can be turned back.
        drawn_pose: (B, 24, 3, 3) float32, the fit before it was turned and augmented; identity without a fit. With the
            next three it is what an exact map is rendered from: a view of an image is the same body under another
            camera.
        drawn_camera: (B, 3, 4) float64: that body's metres → pixels of the augmented map, mirrored where ``flip`` is.
        drawn_orthographic: (B,) bool, whether that camera is orthographic.
        flip: (B,) bool, whether the view is mirrored.
        row: (B,) int64, row of the loader, counted through its stores.
    """

    image: Tensor
    keypoints: Tensor
    joints3d: Tensor
    pose: Tensor
    betas: Tensor
    has_fit: Tensor
    camera: Tensor
    has_camera: Tensor
    part: Tensor
    uv: Tensor
    has_iuv: Tensor
    turn: Tensor
    has_turn: Tensor
    drawn_pose: Tensor
    drawn_camera: Tensor
    drawn_orthographic: Tensor
    flip: Tensor
    row: Tensor

    def __len__(self) -> int:
        return len(self.row)

    def to(self, device: torch.device | str) -> Batch:
        """The batch on another device; from pinned memory the copies run beside the computation."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def held_by_current_stream(self) -> Batch:
        """The same batch: on a GPU, memory that its maker's stream gave is not had back before this stream is done."""

        if self.image.is_cuda:
            stream = torch.cuda.current_stream(self.image.device)
            for field in fields(self):
                getattr(self, field.name).record_stream(stream)
        return self

    def pin_memory(self) -> Batch:
        """The batch in page-locked memory. The name is the one that torch's loader calls."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        return Batch(*(change(getattr(self, field.name)) for field in fields(self)))
