"""Masks that data sets keep as images of their own beside the photographs."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from pymaf_data.datasets.images import UNKNOWN_SIZE, Images, MissingImage
from pymaf_data.datasets.records import MASK_BYTES
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
    workers, waiting = os.cpu_count() or 1, deque[Future[Mask]]()
    with ThreadPoolExecutor(workers) as pool:
        for name in names:
            waiting.append(pool.submit(_read, masks, name))
            if len(waiting) > _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _read(masks: Images, name: str) -> Mask:
    try:
        pixels = masks.load(name, UNKNOWN_SIZE)
    except ValueError as error:  # a name that no file system spells
        return Mask(fault=f"{name!r}: {type(error).__name__}")
    if isinstance(pixels, MissingImage):
        return Mask(fault=f"{name}: {pixels}")
    counts = encode_mask(pixels[..., 0] > 0)
    if len(counts) > MASK_BYTES:
        return Mask(fault=f"{name}: an outline of more than {MASK_BYTES:,} bytes")
    return Mask(counts, (pixels.shape[1], pixels.shape[0]))
