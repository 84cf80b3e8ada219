"""The images that a network is measured on: the plain view of each person, W px.

    StoredViews   resampled once from the stored crop, to sub-pixel accuracy
    RawViews      as released code makes them from the raw image (:mod:`.released_views`)

Views are made ahead by threads while the network works: decoding and warping release the interpreter lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pymaf_data.geometry.affines import Floats, crop_to_view, to_cv2, view_affine
from pymaf_data.loader.images import reductions, shown_rows, warp_view
from pymaf_data.storage import Store

Rows = NDArray[np.int64]


class Views(Protocol):
    """Makes views. Called by several threads at once, unless it says that batches must come in their order.

    Attributes:
        in_order: whether one thread alone makes them, as videos want it.
    """

    in_order: bool

    def __call__(self, rows: Rows) -> Tensor:
        """(K, 3, W, W) uint8 RGB, channels last in memory."""

    def plane(self, rows: Rows) -> Floats:
        """(K, 2, 3) continuous pixels of the original image → those of the 224 px view."""


class StoredViews:
    """The plain views of a store's crops.

    Args:
        store: an ingested store.
        size: W, the network's.
    """

    in_order = False

    def __init__(self, store: Store, size: int) -> None:
        self._image, self._box, self._size = store.array("image"), store.array("box"), size
        affine = crop_to_view(self._image.shape[1], size)
        self._matrix, self._reduction = to_cv2(affine), float(reductions(affine))
        self._shown = slice(*shown_rows(self._matrix[None], size, self._image.shape[1])[0].tolist())

    def __call__(self, rows: Rows) -> Tensor:
        """See :class:`Views`."""
        cv2.setNumThreads(0)  # the threads that make views are enough
        views = np.empty((len(rows), self._size, self._size, 3), np.uint8)
        crop, scratch = np.empty((2, *self._image.shape[1:]), np.uint8)
        for row, view in zip(rows.tolist(), views, strict=True):
            self._image.pixels_into(row, self._shown, crop)
            warp_view(crop, self._matrix, self._reduction, view, scratch, self._shown)
        return torch.from_numpy(views).permute(0, 3, 1, 2)

    def plane(self, rows: Rows) -> Floats:
        """See :class:`Views`."""
        return view_affine(self._box.rows(rows))


def ahead(views: Views, rows: Rows, batch: int, workers: int) -> Iterator[tuple[Rows, Tensor]]:
    """Batches of rows and their views in order, made ahead by so many threads."""
    workers = 1 if views.in_order else max(workers, 1)
    parts = [rows[first : first + batch] for first in range(0, len(rows), batch)]
    waiting: deque[tuple[Rows, Future[Tensor]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="pymaf-views")
    try:
        for part in parts:
            waiting.append((part, pool.submit(views, part)))
            if len(waiting) > 2 * workers:
                first, made = waiting.popleft()
                yield first, made.result()
        while waiting:
            first, made = waiting.popleft()
            yield first, made.result()
    finally:
        # Whoever stops early must not wait for views that nobody wants.
        pool.shutdown(wait=True, cancel_futures=True)
