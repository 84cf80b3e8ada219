"""Masks that data sets keep as images of their own beside the photographs."""

from __future__ import annotations

from pymaf_data.datasets.images import UNKNOWN_SIZE, Images, MissingImage
from pymaf_data.datasets.select import Told
from pymaf_data.geometry.rle import encode_mask


def read_mask(masks: Images, name: str, told: Told) -> tuple[bytes, tuple[int, int]]:
    """The run lengths of a mask, white where the first channel is not 0, and its width and height.

    One that cannot be read is counted and named: nothing, and a size of (0, 0), for a person without a mask.

    Args:
        masks: of the folder that they lie in.
        name: path below the data set's root.
        told: counts.
    """
    pixels = masks.load(name, UNKNOWN_SIZE)
    if isinstance(pixels, MissingImage):
        told.adjusted.add("no_mask", f"{name}: {pixels}")
        return b"", UNKNOWN_SIZE
    return encode_mask(pixels[..., 0] > 0), (pixels.shape[1], pixels.shape[0])
