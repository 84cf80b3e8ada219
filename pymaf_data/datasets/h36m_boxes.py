"""Boxes of Human3.6M: MySegmentsMat/ground_truth_{bb,bs}/<sequence>.<camera>.mat, v7.3.

Masks  N × 1 cells, each an H × W mask: a filled rectangle (bb), or the silhouette (bs)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pymaf_data.datasets.kept import kept
from pymaf_data.untrusted.mat73 import map_cells

_LEAST = 2  # px of a side: what is less is a speck


def read_boxes(path: Path, frames: Sequence[int], folder: Path | None = None) -> NDArray[np.float64]:
    """(n, 4) left, top, right, bottom in continuous px of some frames; NaN where there is no box.

    Args:
        folder: see :func:`~pymaf_data.datasets.kept.kept`.

    Raises:
        RawDataCorrupt: the file cannot be used.
    """
    what = [extent.__qualname__, _LEAST, *frames]
    return kept(folder, path, what, (len(frames), 4), lambda: map_cells(path, "Masks", extent, 4, frames))


def extent(mask: np.ndarray) -> tuple[int, int, int, int]:
    """What a mask (H, W) covers, the edges of its outermost pixels.

    Raises:
        ValueError: nothing, or a speck.
    """
    if mask.ndim != 2:
        raise ValueError(f"a mask of shape {mask.shape}")
    of_person = mask if mask.dtype == bool else mask == 1
    xs, ys = np.flatnonzero(of_person.any(0)), np.flatnonzero(of_person.any(1))
    if min(len(xs), len(ys)) == 0 or min(xs[-1] - xs[0], ys[-1] - ys[0]) + 1 < _LEAST:
        raise ValueError("a mask of nobody")
    return int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1
