"""Where the views of a batch are made: by the worker, one by one, or (:mod:`~pymaf_data.loader.device`) on a device."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pymaf_data.geometry.affines import Floats
from pymaf_data.loader.images import gain_rows, scale_channels, shown_rows, warp_view
from pymaf_data.render.atlas import Atlas
from pymaf_data.render.stored import StoredMaps
from pymaf_data.render.warp import array_warps
from pymaf_data.storage import Array

Rows = NDArray[np.int64]

StoredArrays = tuple[Array, Array]
"""Those of :class:`~pymaf_data.render.stored.StoredMaps` in a store, one row per inner chunk."""


class Views(Protocol):
    """Makes the pixels of batches. Threads share one.

    Attributes:
        name: who makes them, in words.
        device: where batches lie.
    """

    name: str
    device: torch.device

    def working(self) -> AbstractContextManager[object]:
        """Around the making of a batch, which is complete at its end."""

    def labels(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Tensors of the host, on the device."""

    def canvas(self, *shape: int) -> Tensor:
        """Memory for uint8 on the device."""

    def show(
        self, crops: Array, rows: Rows, matrix: Floats, reduction: Floats, gain: Floats, out: Tensor, places: Rows
    ) -> None:
        """Write the views of K stored crops.

        Args:
            crops: of a store, (N, S, S, 3).
            rows: (K,) which.
            matrix: (K, 2, 3) stored crop → augmented view in pixel indices (``to_cv2``).
            reduction: (K,) crop pixels per view pixel.
            gain: (K, 3) factors of the channels.
            out: (B, W, W, 3) uint8 on the device.
            places: (K,) therein.

        Raises:
            StoreDamaged: bytes of a crop differ from what was committed.
        """

    def target(
        self,
        maps: StoredArrays,
        rows: Rows,
        affine: Floats,
        flip: NDArray[np.bool_],
        atlas: Atlas,
        part: Tensor,
        uv: Tensor,
        places: Rows,
    ) -> None:
        """Write the targets of K stored maps, see :func:`~pymaf_data.render.warp_maps`.

        Args:
            maps: of a store.
            rows: (K,) which.
            affine: (K, 2, 3) stored pixels → target pixels.
            flip: (K,) whether it mirrors.
            atlas: whose charts they show.
            part: (B, Z, Z) on the device, and
            uv: (B, 2, Z, Z), written to at
            places: (K,).

        Raises:
            StoreDamaged: bytes of a map differ from what was committed.
        """


class HostViews:
    """By the worker: each image is decoded where it is shown and warped before the next one is looked at."""

    name = "workers"
    device = torch.device("cpu")

    def working(self) -> AbstractContextManager[object]:
        """Nothing is left under way."""
        return nullcontext()

    def labels(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """They are there."""
        return dict(tensors)

    def canvas(self, *shape: int) -> Tensor:
        """NumPy's memory: it comes in huge pages, torch's in thousands of small ones."""
        return torch.from_numpy(np.empty(shape, np.uint8))

    def show(
        self, crops: Array, rows: Rows, matrix: Floats, reduction: Floats, gain: Floats, out: Tensor, places: Rows
    ) -> None:
        """See :class:`Views`."""
        images, size = out.numpy(), out.shape[1]
        factors = gain_rows(gain, size)
        crop, scratch = np.empty((2, *crops.shape[1:]), np.uint8)
        shown = [slice(*span) for span in shown_rows(matrix, size, len(crop)).tolist()]
        for k, (row, place) in enumerate(zip(rows.tolist(), places.tolist(), strict=True)):
            crops.pixels_into(row, shown[k], crop)
            warp_view(crop, matrix[k], reduction[k], images[place], scratch, shown[k])
            scale_channels(images[place], factors[k])

    def target(
        self,
        maps: StoredArrays,
        rows: Rows,
        affine: Floats,
        flip: NDArray[np.bool_],
        atlas: Atlas,
        part: Tensor,
        uv: Tensor,
        places: Rows,
    ) -> None:
        """See :class:`Views`."""
        parts, samples, warps = part.numpy(), uv.numpy(), array_warps(affine, flip, atlas)
        # One at a time, in the same memory: a map stays in the cache from its reading to its warp.
        one = StoredMaps(*(np.empty((1, *array.shape[1:]), np.uint8) for array in maps))
        for k, (row, place) in enumerate(zip(rows.tolist(), places.tolist(), strict=True)):
            for array, plane in zip(maps, (one.part[0], one.uv[0]), strict=True):
                array.row_into(row, plane)
            warps(k, one.part[0], one.uv[0], parts[place], samples[place])
