"""Stored crops as tensors on a device: JPEG decoded there where a library for it is installed, else by the CPU.

nvImageCodec is asked for smooth up-sampling of the colours, as the CPU does it. torchvision's nvJPEG has no such
option: where colours change sharply its pixels are others. Neither is a dependency of this package.
"""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from pymaf_data.storage import Array, encode_jpeg
from pymaf_data.storage.shard import damaged

logger = logging.getLogger(__name__)


class Decoder(Protocol):
    """Decodes crops onto one device. Threads share one.

    Attributes:
        name: for logs.
        on_device: whether the device decodes.
    """

    name: str
    on_device: bool

    def __call__(self, crops: Array, rows: Sequence[int], shown: Sequence[slice]) -> Tensor:
        """The crops ``rows`` (K, S, S, 3) uint8; of each at least the rows of pixels ``shown``.

        Raises:
            StoreDamaged: bytes of a crop differ from what was committed, or do not decode.
        """


class CpuDecoder:
    """By the CPU, only the rows that are shown; the crops are then copied."""

    name, on_device = "the CPU", False

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def __call__(self, crops: Array, rows: Sequence[int], shown: Sequence[slice]) -> Tensor:
        """See :class:`Decoder`."""
        out = torch.empty((len(rows), *crops.shape[1:]), dtype=torch.uint8, pin_memory=self._device.type == "cuda")
        for image, row, part in zip(out.numpy(), rows, shown, strict=True):
            crops.pixels_into(row, part, image)
        return out.to(self._device, non_blocking=True)


class NvImageCodec:
    """By nvImageCodec, on the stream that is current."""

    name, on_device = "nvImageCodec", True

    def __init__(self, device: torch.device) -> None:
        self._device, self._library = device, importlib.import_module("nvidia.nvimgcodec")
        self._own = threading.local()
        self.decode([encode_jpeg(np.zeros((16, 16, 3), np.uint8))])

    def __call__(self, crops: Array, rows: Sequence[int], shown: Sequence[slice]) -> Tensor:
        """See :class:`Decoder`."""
        return _stacked(self.decode([bytes(crops.encoded(row)) for row in rows]), crops, rows)

    def decode(self, streams: Sequence[bytes]) -> list[Tensor | None]:
        """Of each stream its image (H, W, 3) uint8."""
        if not hasattr(self._own, "decoder"):
            options = {"device_id": self._device.index or 0, "options": ":fancy_upsampling=1"}
            self._own.decoder = self._library.Decoder(**options)
        stream = torch.cuda.current_stream(self._device).cuda_stream
        images: list[Any] = self._own.decoder.decode(list(streams), cuda_stream=stream)
        return [None if image is None else torch.from_dlpack(image) for image in images]


class TorchVision:
    """By torchvision's nvJPEG, which up-samples colours without interpolation."""

    name, on_device = "torchvision's nvJPEG", True

    def __init__(self, device: torch.device) -> None:
        self._device, self._library = device, importlib.import_module("torchvision.io")
        self.decode([encode_jpeg(np.zeros((16, 16, 3), np.uint8))])

    def __call__(self, crops: Array, rows: Sequence[int], shown: Sequence[slice]) -> Tensor:
        """See :class:`Decoder`."""
        return _stacked(self.decode([bytes(crops.encoded(row)) for row in rows]), crops, rows)

    def decode(self, streams: Sequence[bytes]) -> list[Tensor | None]:
        """Of each stream its image (H, W, 3) uint8."""
        data = [torch.frombuffer(bytearray(stream), dtype=torch.uint8) for stream in streams]
        mode = self._library.ImageReadMode.RGB
        return [image.permute(1, 2, 0) for image in self._library.decode_jpeg(data, mode=mode, device=self._device)]


def decoder_of(device: torch.device) -> Decoder:
    """The best decoder for a device; which one it is, is logged."""
    found: Decoder = CpuDecoder(device)
    for kind in (NvImageCodec, TorchVision) if device.type == "cuda" else ():
        try:
            found = kind(device)
        except (ImportError, OSError, RuntimeError, AttributeError, TypeError) as error:
            logger.info("crops are not decoded by %s: %s", kind.name, str(error).partition("\n")[0])
        else:
            break
    logger.info("crops for %s are decoded by %s", device, found.name)
    return found


def _stacked(images: Sequence[Tensor | None], crops: Array, rows: Sequence[int]) -> Tensor:
    """(K, S, S, 3); refuses one that is missing or of another size."""
    found: list[Tensor] = []
    for image, row in zip(images, rows, strict=True):
        if image is None or tuple(image.shape) != crops.shape[1:]:
            raise damaged(f"row {row} of {crops.name}", "it does not decode to a crop")
        found.append(image)
    return torch.stack(found)
