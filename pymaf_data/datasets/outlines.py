"""Outlines of persons, COCO's ``segmentation`` → masks as pycocotools draws them.

[[x, y, x, y, …], …]                  polygons: each is filled, and all are one mask
{"size": [h, w], "counts": [n, …]}    run lengths column by column, those of 0 first
{"size": [h, w], "counts": "…"}       the same in COCO's compressed form
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymaf_data.datasets.decoding import MAX_PIXELS
from pymaf_data.datasets.records import MASK_BYTES
from pymaf_data.errors import ConfigError, RawDataCorrupt
from pymaf_data.geometry.rle import decode_mask, encode_mask

_LONGEST = 1e6  # px around all polygons of a person; pycocotools takes memory for each fifth of a pixel
_COUNT = 1 << 40  # no run is as long


def require_drawing() -> None:
    """Look whether polygons can be drawn.

    Raises:
        ConfigError: pycocotools is not installed.
    """
    try:
        import pycocotools.mask  # noqa: F401
    except ImportError:
        raise ConfigError(
            "masks are asked for (masks=true), and pycocotools, which draws them, is not installed",
            action="install pymaf-data[eval], or leave the option out.",
        ) from None


def packed(entry: dict[str, Any]) -> dict[str, Any]:
    """An object of the file with its outline in arrays, to be called while parsing: lists of numbers cost ten times."""
    outline = entry.get("segmentation", entry if "counts" in entry else None)
    if isinstance(outline, list):
        entry["segmentation"] = [as_array(polygon) for polygon in outline]
    elif isinstance(outline, dict) and isinstance(outline.get("counts"), list):
        outline["counts"] = as_array(outline["counts"])
    return entry


def mask_of(outline: Any, size: tuple[int, int]) -> bytes:
    """The run lengths of the mask of an outline as :func:`packed` leaves it; none where a person has no outline.

    Args:
        outline: ``segmentation`` of an annotation, None where it has none.
        size: width and height of the image.

    Raises:
        ValueError: what is wrong with it.
    """
    if outline is None or (isinstance(outline, list) and not outline):
        return b""
    if not 0 < size[0] * size[1] <= MAX_PIXELS:
        raise ValueError(f"an outline on an image of {size[0]} × {size[1]} px")
    counts = _drawn(outline, size) if isinstance(outline, list) else _given(outline, size)
    if len(counts) > MASK_BYTES:
        raise ValueError(f"an outline of {len(counts):,} bytes of run lengths, more than {MASK_BYTES:,}")
    return counts


def as_array(numbers: Any) -> Any:
    """A list of numbers as an array, anything else as it is."""
    if not isinstance(numbers, list) or not {*map(type, numbers)} <= {int, float}:
        return numbers
    try:
        return np.array(numbers, np.float64)
    except OverflowError:
        return None


def _drawn(polygons: list[Any], size: tuple[int, int]) -> bytes:
    from pycocotools import mask as drawing

    length = 0.0
    for polygon in polygons:
        if not isinstance(polygon, np.ndarray) or polygon.size % 2 or polygon.size < 6:
            raise ValueError("a polygon that is not the x and y of three points at least")
        if not (np.abs(polygon) <= _LONGEST).all():
            raise ValueError(f"a polygon with a corner at {polygon[np.argmax(np.abs(polygon))]:g}")
        corners = polygon.reshape(-1, 2)
        length += float(np.abs(corners - np.roll(corners, 1, axis=0)).max(1).sum())
    if length > _LONGEST:
        raise ValueError(f"polygons {length:g} px around")
    mask = drawing.merge(drawing.frPyObjects(polygons, size[1], size[0]))
    if not drawing.area(mask):
        raise ValueError("an outline around no pixel of the image")
    counts: bytes = mask["counts"]
    return counts


def _given(outline: Any, size: tuple[int, int]) -> bytes:
    """Checked, and written anew: there are several spellings of the same runs."""
    counts = outline.get("counts") if isinstance(outline, dict) else None
    if not isinstance(counts, str | np.ndarray) or outline.get("size") != [size[1], size[0]]:
        stated = outline.get("size") if isinstance(outline, dict) else outline
        raise ValueError(f"an outline {str(stated)[:40]} on an image of {size[0]} × {size[1]} px")
    try:
        mask = decode_mask(counts.encode(), size) if isinstance(counts, str) else _laid_out(counts, size)
    except RawDataCorrupt as error:
        raise ValueError(error.found) from None
    if not mask.any():
        raise ValueError("an outline around no pixel of the image")
    return encode_mask(mask)


def _laid_out(counts: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask (H, W) of run lengths that are numbers."""
    sound = counts.size and ((counts >= 0) & (counts < _COUNT) & (counts == np.floor(counts))).all()
    if not sound or counts.sum() != size[0] * size[1]:
        raise ValueError(f"run lengths that are not those of {size[0]} × {size[1]} pixels")
    runs = np.repeat(np.arange(counts.size) % 2 == 1, counts.astype(np.int64))
    return runs.reshape(size).T
