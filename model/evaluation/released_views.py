"""Views as released code (SPIN, PyMAF) makes them: whole pixels of the raw image, resized by Pillow's default.

    cut      see :mod:`pymaf_data.geometry.released`; zeros outside the image
    resize   spin-nearest: as Pillow before 7; spin: bicubic, as from 7 on

Bit for bit what those give, without Pillow: its bicubic filter spreads where it reduces, each pass is summed with
weights of 22 bits and rounded to 8. SPIN's first release resized by SciPy's imresize, which also stretched contrast;
that is not reproduced.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from pymaf_data.datasets import Raw, find_reader, load_manifest
from pymaf_data.datasets.columns import stored_column
from pymaf_data.datasets.images import MissingImage
from pymaf_data.errors import EvaluationError
from pymaf_data.geometry.affines import VIEW_SIZE, Floats
from pymaf_data.geometry.released import released_affine, released_corners
from pymaf_data.kernels import njit
from pymaf_data.storage import Store

Rows = NDArray[np.int64]
Image = NDArray[np.uint8]
Resizing = Literal["spin", "spin-nearest"]
_BITS = 22  # of a weight behind its point
_SHARPNESS = -0.5
_REACH = 2.0  # of the filter, in pixels of whichever image is coarser


class RawViews:
    """Views of a store's persons from its raw images.

    Args:
        store: an ingested store.
        root: the folder of the raw data set.
        resizing: see the module.
        size: W, the network's.
        follow_links: take images that are links out of the folder.

    Attributes:
        in_order: see :class:`~.views.Views`; known after :meth:`require`.

    Raises:
        EvaluationError: the folder is not there.
        ConfigError: the store is of a data set that is not known.
    """

    def __init__(
        self, store: Store, root: Path, resizing: Resizing, size: int = VIEW_SIZE, follow_links: bool = False
    ) -> None:
        if not root.is_dir():
            raise _unusable(f"no raw data of {store.path.name}: looked for {root}")
        manifest = load_manifest(store.head["dataset"])
        raw = Raw(root, manifest, store.head["split"], follow_links=follow_links)
        self._store, self._resizing, self._size = store, resizing, size
        self._images = find_reader(manifest.reader).images(raw)
        self._offset = np.array([raw.offsets[1], raw.offsets[1], 0.0])  # released code takes centres as files say them
        self._of_scales = manifest.reader == "npz"
        self._boxes, self._sizes = stored_column(store, "box"), stored_column(store, "image_size")
        self.in_order = False

    def require(self, rows: Rows) -> None:
        """Look whether every image of K rows is there, and whether videos are among them.

        Raises:
            EvaluationError: one is not, or the released cut of a person is empty.
        """
        names = dict.fromkeys(self._store.rows[row][0] for row in rows.tolist())
        places = {name: self._images.place(name) for name in names}
        files = dict.fromkeys(place.file for place in places.values())
        absent = [file for file in files if self._images.stamp(file) < 0]
        if absent:
            raise _unusable(f"{len(absent)} of {len(files)} raw images are not there, the first {absent[0]}")
        self.in_order = any(place.frame >= 0 for place in places.values())
        corners = self._corners(rows)
        empty = np.flatnonzero((corners[:, 2:] <= corners[:, :2]).any(1))
        if len(empty):
            image, annotation = self._store.rows[int(rows[empty[0]])]
            raise _unusable(
                f"released code cuts nothing of {len(empty)} persons, the first {annotation} of {image}: its box is "
                f"{self._boxes.rows(rows[empty[:1]])[0, 2]:.2g} px wide"
            )

    def __call__(self, rows: Rows) -> torch.Tensor:
        """See :class:`~.views.Views`.

        Raises:
            EvaluationError: an image cannot be read.
        """
        corners = self._corners(rows)
        views = np.empty((len(rows), self._size, self._size, 3), np.uint8)
        for places, image in self._decoded(rows):
            for place in places:
                views[place] = cut_and_resize(image, corners[place], self._size, self._resizing)
        return torch.from_numpy(views).permute(0, 3, 1, 2)

    def plane(self, rows: Rows) -> Floats:
        """See :class:`~.views.Views`."""
        return released_affine(self._corners(rows))

    def _corners(self, rows: Rows) -> NDArray[np.int64]:
        box = self._boxes.rows(rows) - self._offset
        if not self._of_scales:
            box[:, 2] = 200.0 * (box[:, 2] / 200.0)  # the files that released code reads hold scales
        return released_corners(box, self._size)

    def _decoded(self, rows: Rows) -> Iterator[tuple[list[int], Image]]:
        """Places among the rows, and the image that they are on; each image once, files of videos forward."""
        names, sizes = [self._store.rows[row][0] for row in rows.tolist()], self._sizes.rows(rows)
        images = [(name, list(group)) for name, group in groupby(range(len(rows)), key=names.__getitem__)]
        for file, group in groupby(images, key=lambda each: self._images.place(each[0]).file):
            persons = list(group)
            frames = [self._images.place(name).frame for name, _ in persons]
            width, height = sizes[persons[0][1][0]].tolist()
            found = self._images.decode(file, frames, (width, height))
            for (name, places), image in zip(persons, found, strict=True):
                if isinstance(image, MissingImage):
                    raise _unusable(f"the raw image {name} cannot be used: {image}")
                yield places, image


def cut_and_resize(image: Image, corners: NDArray[np.int64], size: int, resizing: Resizing) -> Image:
    """The view (W, W, 3) uint8 of one cut (4,) of an image (H, W, 3) uint8; black where it reaches past the image."""
    left, top, right, bottom = corners.tolist()
    if resizing == "spin-nearest":
        return _nearest(image, corners, size)
    rows = slice(max(top, 0), max(min(bottom, len(image)), 0))
    shown = np.ascontiguousarray(image[rows])
    across = _weighted(shown, left, *_weights(right - left, size))
    down = _weighted(np.ascontiguousarray(across.transpose(1, 0, 2)), top - rows.start, *_weights(bottom - top, size))
    return down.transpose(1, 0, 2)


def _nearest(image: Image, corners: NDArray[np.int64], size: int) -> Image:
    left, top, right, bottom = corners.tolist()
    columns, column = _nearest_places(left, right, image.shape[1], size)
    lines, line = _nearest_places(top, bottom, image.shape[0], size)
    view = np.zeros((size, size, 3), np.uint8)
    view[np.ix_(lines, columns)] = image[np.ix_(line, column)]
    return view


def _nearest_places(low: int, high: int, extent: int, size: int) -> tuple[Rows, Rows]:
    """Which places of the view lie inside the image along an axis, and on which of its pixels."""
    step = (high - low) / size
    # Summed up one after the other, as Pillow does: the product falls on another pixel now and then.
    places = low + np.add.accumulate(np.r_[step * 0.5, np.full(size - 1, step)]).astype(np.int64)
    inside = np.flatnonzero((places >= 0) & (places < extent))
    return inside, places[inside]


@lru_cache(maxsize=4096)
def _weights(side: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Of a cut of ``side`` pixels: each view pixel's first one (W,) and the weights (W, K) from there on."""
    step = side / size
    spread = max(step, 1.0)
    reach = _REACH * spread
    centre = (np.arange(size) + 0.5) * step
    first = np.maximum((centre - reach + 0.5).astype(np.int64), 0)
    last = np.minimum((centre + reach + 0.5).astype(np.int64), side)
    taps = np.arange(math.ceil(reach) * 2 + 1)
    weights = _bicubic((taps + first[:, None] - centre[:, None] + 0.5) * (1.0 / spread))
    weights[taps >= (last - first)[:, None]] = 0.0
    weights /= np.add.accumulate(weights, axis=1)[:, -1:]
    scaled = weights * (1 << _BITS)
    return first, np.trunc(scaled + np.copysign(0.5, scaled)).astype(np.int32)


def _bicubic(x: Floats) -> Floats:
    x, a = np.abs(x), _SHARPNESS
    inner, outer = ((a + 2.0) * x - (a + 3.0)) * x * x + 1, (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1.0, inner, np.where(x < _REACH, outer, 0.0))


@njit(nogil=True, cache=True)
def _weighted(image: Image, low: int, first: NDArray[np.int64], weights: NDArray[np.int32]) -> Image:
    """(A, B, 3) → (A, W, 3): weighted means along the second axis, whose pixel 0 lies at ``-low`` of the cut."""
    lines, extent, size = image.shape[0], image.shape[1], len(first)
    out = np.zeros((lines, size, 3), np.uint8)
    for i in range(size):
        start = first[i] + low
        begin, end = max(0, -start), min(weights.shape[1], extent - start)
        for line in range(lines):
            for channel in range(3):
                total = 1 << (_BITS - 1)
                for tap in range(begin, end):
                    total += weights[i, tap] * image[line, start + tap, channel]
                out[line, i, channel] = min(max(total >> _BITS, 0), 255)
    return out


def _unusable(found: str) -> EvaluationError:
    return EvaluationError(
        found,
        expected="the raw images that the store was made of, for --crop spin",
        action="name their folder with --raw, or measure on the store's own views (--crop store).",
    )
