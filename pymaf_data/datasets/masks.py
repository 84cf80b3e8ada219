"""Masks that data sets keep as images of their own beside the photographs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pymaf_data.cores import available_cores
from pymaf_data.datasets.ahead import in_order
from pymaf_data.datasets.images import UNKNOWN_SIZE, Images, MissingImage
from pymaf_data.datasets.records import MASK_BYTES, PARTS
from pymaf_data.geometry.rle import encode_mask

_AHEAD = 8  # masks that each thread may have read before they are asked for


class Mask(NamedTuple):
    """A person's mask.

    Attributes:
        counts: run lengths; nothing where there is no mask.
        size: width and height, (0, 0) where there is none.
        fault: why there is none; nothing where none was asked for.
    """

    counts: bytes = b""
    size: tuple[int, int] = UNKNOWN_SIZE
    fault: str = ""


def read_masks(masks: Images, names: Iterable[str]) -> Iterator[Mask]:
    """The mask of each name, a path below the data set's root, in order: white is what is not 0 in the first channel.

    Threads read a few ahead, for a large mask takes as long as a photograph.
    """
    return in_order(partial(_read, masks), names, available_cores(), _AHEAD)


def mask_of(masks: Images, name: str, size: tuple[int, int]) -> bytes:
    """The run lengths of a grey mask of this size, white being what is not 0.

    Raises:
        ValueError: why there is none.
    """
    return run_lengths(_labels(masks, name, size) > 0)[0]


def parts_of(masks: Images, name: str, size: tuple[int, int]) -> tuple[bytes, ...]:
    """Those of each of :data:`PARTS`, from a grey image of this size whose values they are; 0 is the background.

    Raises:
        ValueError: why there are none.
    """
    labels = _labels(masks, name, size)
    unknown = np.setdiff1d(labels, (0, *PARTS))
    if unknown.size:
        raise ValueError(f"a part {unknown[0]}")
    return run_lengths(*(labels == part for part in PARTS))


def _labels(masks: Images, name: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W) of a grey image."""
    pixels = masks.load(name, size)
    if isinstance(pixels, MissingImage):
        raise ValueError(str(pixels))
    if (pixels != pixels[..., :1]).any():
        raise ValueError("it has colours, not labels")
    return pixels[..., 0]


def run_lengths(*masks: NDArray[np.bool_]) -> tuple[bytes, ...]:
    """Of each mask (H, W).

    Raises:
        ValueError: they are longer than is stored.
    """
    counts = tuple(map(encode_mask, masks))
    if max(map(len, counts)) > MASK_BYTES:
        raise ValueError(f"an outline of more than {MASK_BYTES:,} bytes")
    return counts


def _read(masks: Images, name: str) -> Mask:
    try:
        pixels = masks.load(name, UNKNOWN_SIZE)
        if isinstance(pixels, MissingImage):
            return Mask(fault=f"{name}: {pixels}")
        return Mask(run_lengths(pixels[..., 0] > 0)[0], (pixels.shape[1], pixels.shape[0]))
    except ValueError as error:  # a name that no file system spells, or an outline that is too long
        return Mask(fault=f"{name!r}: {type(error).__name__}: {error}")
