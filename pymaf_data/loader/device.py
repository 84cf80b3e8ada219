"""Views of whole batches on a device: crops go there compressed and are decoded (:mod:`~pymaf_data.loader.decoders`),
warped and coloured there; so are stored maps warped, which the CPU decompresses. What is drawn, the affines and the
labels are the worker's, as ever; labels go over in one copy.

On a GPU each worker thread has a stream of its own, beside the training's, and waits until its batch is there.

On the device ``cpu`` the same runs without a GPU: for tests, it is slower than a worker's own way.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pymaf_data.geometry.affines import Floats
from pymaf_data.loader.decoders import decoder_of
from pymaf_data.loader.device_warp import warp_views
from pymaf_data.loader.images import gain_units, shown_rows
from pymaf_data.loader.views import Rows, StoredArrays
from pymaf_data.render.atlas import Atlas
from pymaf_data.render.stored import StoredMaps
from pymaf_data.render.warp import warp_maps
from pymaf_data.storage import Array

_ALIGNED = 16


class DeviceViews:
    """Makes views on a device; see :class:`~pymaf_data.loader.views.Views`."""

    def __init__(self, device: torch.device) -> None:
        self.device, self._own = device, threading.local()
        self.decode = decoder_of(device)
        self.name = f"{device}, crops decoded by {self.decode.name}"

    @contextmanager
    def working(self) -> Iterator[None]:
        """Work on a stream of this thread, and wait for it at the end."""
        if self.device.type != "cuda":
            yield
            return
        if not hasattr(self._own, "stream"):
            self._own.stream = torch.cuda.Stream(self.device)
        with torch.cuda.device(self.device), torch.cuda.stream(self._own.stream):
            yield
            self._own.stream.synchronize()

    def labels(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Tensors of the host on the device, by one copy."""
        starts, end = {}, 0
        for name, tensor in tensors.items():
            starts[name], end = end, end + -(-tensor.nbytes // _ALIGNED) * _ALIGNED
        packed = torch.empty(end, dtype=torch.uint8, pin_memory=self.device.type == "cuda")
        for name, tensor in tensors.items():
            _part(packed, starts[name], tensor).copy_(tensor)
        there = packed.to(self.device, non_blocking=True)
        return {name: _part(there, starts[name], tensor) for name, tensor in tensors.items()}

    def canvas(self, *shape: int) -> Tensor:
        """See :class:`~pymaf_data.loader.views.Views`."""
        return torch.empty(shape, dtype=torch.uint8, device=self.device)

    def show(
        self, crops: Array, rows: Rows, matrix: Floats, reduction: Floats, gain: Floats, out: Tensor, places: Rows
    ) -> None:
        """See :class:`~pymaf_data.loader.views.Views`."""
        size = out.shape[1]
        shown = [slice(*span) for span in shown_rows(matrix, size, crops.shape[1]).tolist()]
        decoded = self.decode(crops, rows.tolist(), shown)
        factors = self._there(gain_units(gain).astype(np.int32))
        out[self._there(places)] = warp_views(decoded, matrix, reduction, factors, size)

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
        """See :class:`~pymaf_data.loader.views.Views`."""
        planes = [np.empty((len(rows), *array.shape[1:]), np.uint8) for array in maps]
        for k, row in enumerate(rows.tolist()):
            for array, plane in zip(maps, planes, strict=True):
                array.row_into(row, plane[k])
        there = StoredMaps(*map(self._there, planes))
        warped, at = warp_maps(there, affine, flip, atlas, part.shape[-1]), self._there(places)
        part[at], uv[at] = torch.as_tensor(warped.part), torch.as_tensor(warped.uv)

    def _there(self, values: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(values)
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)


def _part(packed: Tensor, start: int, like: Tensor) -> Tensor:
    """The bytes from ``start`` on as a tensor like another."""
    size = prod(like.shape) * like.element_size()
    return packed[start : start + size].view(like.dtype).view(like.shape)
