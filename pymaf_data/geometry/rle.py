"""Masks as run lengths, in COCO's compressed form: what ``counts`` of a segmentation is, and pycocotools reads.

Runs go column by column, those of 0 first. From the fourth on, each is written as the difference from the one but one
before it, in groups of 5 bits from the lowest on: bit 6 says that another group follows, and 48 makes it a letter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pymaf_data.errors import RawDataCorrupt

_GROUPS = 7  # of 5 bits; no run of an image needs more


def encode_mask(mask: NDArray[np.bool_]) -> bytes:
    """The run lengths of a mask (H, W)."""
    return encode_patch(mask, (0, 0), (mask.shape[1], mask.shape[0]))


def encode_patch(patch: NDArray[np.bool_], corner: tuple[int, int], size: tuple[int, int]) -> bytes:
    """The run lengths of a mask that is nothing but a patch (h, w) of it; the rest is not drawn.

    Args:
        patch: within the mask.
        corner: left and top of it there, px.
        size: width and height of the mask.
    """
    (left, top), total = corner, size[0] * size[1]
    bordered = np.zeros((patch.shape[1], patch.shape[0] + 2), bool)
    bordered[:, 1:-1] = np.asarray(patch, bool).T
    column, row = np.nonzero(bordered[:, 1:] != bordered[:, :-1])
    edges = (left + column) * size[1] + top + row
    # Where a run goes on from one column into the next, it neither ends nor begins.
    again = np.flatnonzero(edges[1:] == edges[:-1])
    edges = np.delete(edges, np.concatenate([again, again + 1]))
    runs = np.diff(edges[edges < total], prepend=0, append=total)
    runs[3:] -= runs[1:-2].copy()
    # A number takes the fewest groups whose highest bit is its sign.
    fits = [(runs >= -(1 << 5 * k + 4)) & (runs < 1 << 5 * k + 4) for k in range(_GROUPS)]
    last = np.argmax(fits, axis=0)[:, None]
    group = np.arange(_GROUPS)
    letters = (runs[:, None] >> 5 * group & 31) + 32 * (group < last) + 48
    return letters[group <= last].astype(np.uint8).tobytes()


def decode_mask(counts: bytes, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask (H, W) of run lengths; zero bytes behind them, as a store pads them, are nothing.

    Args:
        counts: as :func:`encode_mask` gives them.
        size: width and height of the mask in pixels.

    Raises:
        RawDataCorrupt: they are no run lengths, or those of a mask of another size.
    """
    runs = _runs(counts, size)
    return np.repeat(np.arange(runs.size) % 2 == 1, runs).reshape(size).T


def mask_at(counts: bytes, size: tuple[int, int], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether points are within a mask, without drawing it: of an image of any size it costs the same.

    Args:
        counts, size: as of :func:`decode_mask`.
        x, y: continuous pixels, broadcast together; what lies outside the image is not in its mask.

    Raises:
        RawDataCorrupt: as :func:`decode_mask`.
    """
    width, height = size
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    column, row = (np.clip(at, 0, most - 1).astype(np.int64) for at, most in ((x, width), (y, height)))
    number = np.searchsorted(np.cumsum(_runs(counts, size)), column * height + row, side="right")
    return inside & (number % 2 == 1)


def _runs(counts: bytes, size: tuple[int, int]) -> NDArray[np.int64]:
    """The run lengths as numbers, those of 0 first."""
    width, height = size
    letters = np.frombuffer(counts.rstrip(b"\0"), np.uint8).astype(np.int64) - 48
    if not letters.size or letters.min() < 0 or letters.max() > 63 or letters[-1] & 32:
        raise RawDataCorrupt("a mask that is no run lengths", expected="COCO's compressed counts")
    ends = np.flatnonzero(letters & 32 == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    if (ends - starts).max() >= _GROUPS:
        raise RawDataCorrupt("a mask with a run longer than any image", expected="COCO's compressed counts")
    place = np.arange(letters.size) - np.repeat(starts, ends - starts + 1)
    runs = np.add.reduceat((letters & 31) << 5 * place, starts)
    runs -= (letters[ends] & 16 != 0) * (1 << 5 * (place[ends] + 1))
    for parity in (1, 2):
        runs[parity::2] = np.cumsum(runs[parity::2])
    if runs.min() < 0 or runs.max() > width * height or runs.sum() != width * height:
        raise RawDataCorrupt(
            f"a mask of {runs.sum()} pixels",
            expected=f"one of the image's {width} × {height} = {width * height} pixels",
        )
    return runs
