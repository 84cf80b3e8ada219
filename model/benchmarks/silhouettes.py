"""What bodies show on pixels, and the masks that persons of a store have, for benchmarks that compare the two."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from pymaf_data.datasets.columns import Absent, stored_column
from pymaf_data.datasets.records import PARTS
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.geometry.cameras import Camera
from pymaf_data.geometry.rle import decode_mask
from pymaf_data.render.raster import rasterize
from pymaf_data.storage import Store

from .benchmark import Bodies, Rows

logger = logging.getLogger(__name__)

Faces = NDArray[np.int32]

_BATCH = 16  # bodies at a time: a raster has 20 bytes a pixel
_FAR = 1e15  # metres or pixels: what is farther off is not drawn, lest a number overflow


def faces_shown(bodies: Bodies, camera: Camera, size: tuple[int, int], first: int = 0, end: int | None = None) -> Faces:
    """(K, H, W) int32 the face that each pixel shows of bodies first … end, −1 where it shows none.

    Bodies that are not finite, or beyond all images, show nothing.

    Args:
        bodies: all.
        camera: of each of all, metres → pixels of the raster.
        size: its width and height.
        first, end: which of them.
    """
    vertices, cameras = bodies.vertices[first:end].detach().cpu(), camera[first:end].to("cpu")
    near = torch.stack([each.double().abs().amax((1, 2)) < _FAR for each in (vertices, cameras.matrix)]).all(0)
    found = np.full((len(vertices), size[1], size[0]), -1, np.int32)
    for part in near.nonzero()[:, 0].split(_BATCH):
        if len(part):
            shown = rasterize(vertices[part], bodies.body.faces, cameras[part], size[::-1], backend="numba")
            found[part.numpy()] = shown.face
    return found


class StoredMasks:
    """Masks and parts of a store's persons, at the size of their images.

    Attributes:
        has_masks, has_parts: whether the store has any.
    """

    def __init__(self, store: Store) -> None:
        self._store, self._size = store, stored_column(store, "image_size")
        self._mask, self._parts = (stored_column(store, name) for name in ("mask", "parts"))
        self.has_masks, self.has_parts = (not isinstance(each, Absent) for each in (self._mask, self._parts))

    def known(self, rows: Rows) -> NDArray[np.bool_]:
        """(K,) whether the person has a mask or parts."""
        here = [each.rows(rows).reshape(len(rows), -1).any(1) for each in (self._mask, self._parts)]
        return np.any(here, axis=0)

    def sizes(self, rows: Rows) -> list[tuple[int, int]]:
        """Width and height of each person's image."""
        return [(width, height) for width, height in self._size.rows(rows).tolist()]

    def masks(self, rows: Rows) -> list[NDArray[np.bool_] | None]:
        """(H, W) of each person, None of whom there is none."""
        found = self._drawn(rows, self._mask.rows(rows)[:, None])
        return [None if each is None else each[0] for each in found]

    def parts(self, rows: Rows) -> list[NDArray[np.uint8] | None]:
        """(H, W) labels of each person, 0 … 6 and 255, None of whom there are none."""
        found = self._drawn(rows, self._parts.rows(rows))
        return [None if each is None else _labelled(each) for each in found]

    def _drawn(self, rows: Rows, texts: NDArray[np.uint8]) -> Iterator[list[NDArray[np.bool_]] | None]:
        """Masks (H, W) of the run lengths (K, M, L) of each person."""
        for row, size, person in zip(rows.tolist(), self.sizes(rows), texts, strict=True):
            counts = [text.tobytes().rstrip(b"\0") for text in person]
            try:
                yield [decode_mask(each, size) for each in counts] if all(counts) else None
            except RawDataCorrupt as error:
                image, annotation = self._store.rows[row]
                logger.warning("%s #%d is not measured: %s", image, annotation, error.found)
                yield None


def _labelled(parts: list[NDArray[np.bool_]]) -> NDArray[np.uint8]:
    labels = np.zeros(parts[0].shape, np.uint8)
    for part, mask in zip(PARTS, parts, strict=True):
        labels[mask] = part
    return labels
