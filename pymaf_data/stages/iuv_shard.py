"""Rendering the maps of one shard: rows → posed bodies → maps in the stored crop's frame → encoded chunks.

A map shows its person alone and unoccluded, clipped only by the crop, seen by the fit's native camera; where its
source has none, by the weak camera π. Rows are worked on in blocks whose borders depend on nothing but the row numbers,
each by one thread, so the bytes are the same for any number of workers; memory holds a block per worker and the
encoded shard.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from pymaf_data.body import BodyModel
from pymaf_data.digest import digest_arrays
from pymaf_data.fits.chosen import ChosenFits, ChosenReader
from pymaf_data.geometry.affines import compose, resize
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.render import Atlas, StoredMaps, render_stored
from pymaf_data.render.raster import as_numpy
from pymaf_data.render.stored import UV_BLOCK
from pymaf_data.storage import Array, ArraySpec, StageInfo, Store
from pymaf_data.storage.specs import encode_rows

BLOCK = 64
"""Rows posed at a time: the body's correctives, 17 MB, are read once for all of them."""

_DRAWN = 8
"""Rows drawn at a time on the CPU: their maps take 3 MB, which the allocator keeps from one time to the next. Larger
ones it gives back, and to be given them anew takes a twentieth of a block's time."""


def map_specs(size: int, shard: int) -> tuple[ArraySpec, ArraySpec, ArraySpec]:
    """The arrays of a generation of ``iuv``. One map per inner chunk: training reads them at random."""
    return (
        ArraySpec("part", (size, size), "u1", inner_chunk=1),
        ArraySpec("uv", (2, size // UV_BLOCK, size // UV_BLOCK), "u1", inner_chunk=1),
        ArraySpec("rendered", (), "bool", inner_chunk=math.gcd(64, shard)),
    )


@dataclass(frozen=True)
class FitSource:
    """One source of fits, with what is needed to show it.

    Attributes:
        info: the generation of ``fits/<name>`` that was chosen from.
        native_kind: of its cameras.
        body: the body that the fits belong to.
        atlas: the charts of that body.
    """

    info: StageInfo
    native_kind: str
    body: BodyModel
    atlas: Atlas


@dataclass(frozen=True)
class Rows:
    """What R consecutive rows are rendered from: their fits, crop affines (R, 2, 3) image → crop, boxes (R, 3)."""

    fits: ChosenFits
    crop_affine: np.ndarray
    box: np.ndarray

    def digest(self) -> str:
        """Of everything in them."""
        fits = self.fits
        arrays = (fits.source, self.crop_affine, self.box, fits.pose, fits.betas, fits.native, fits.weak_camera)
        return digest_arrays(*arrays)

    def __getitem__(self, rows: np.ndarray | slice) -> Rows:
        return Rows(self.fits[rows], self.crop_affine[rows], self.box[rows])

    def __len__(self) -> int:
        return len(self.fits)


@dataclass(frozen=True)
class ShardRenderer:
    """Renders the rows of a store; safe to share between threads.

    Attributes:
        store: whose rows.
        chosen: reads their fits.
        sources: those that some row was given, by their index in the choice.
        size: Z, side of the maps in pixels.
        backend: of the rasterizer.
    """

    store: Store
    chosen: ChosenReader
    sources: Mapping[int, FitSource]
    size: int
    backend: str

    def read(self, span: slice) -> Rows:
        """The rows of a shard.

        Raises:
            StoreDamaged, StoreIncomplete: from the store.
        """
        fits = self.chosen.read(np.arange(span.start, span.stop))
        crop_affine, box = self._places
        return Rows(fits, crop_affine[span], box[span])

    def encode(
        self, rows: Rows, pool: ThreadPoolExecutor, advance: Callable[[int], None]
    ) -> dict[str, np.ndarray | list[bytes]]:
        """The arrays of a shard, maps encoded; ``advance`` is told how many rows are done."""
        part_spec, uv_spec, _ = map_specs(self.size, self.store.shard)

        def block(first: int) -> tuple[list[bytes], list[bytes]]:
            encoded: tuple[list[bytes], list[bytes]] = [], []
            for maps in self.render(rows[first : first + BLOCK]):
                encoded[0].extend(encode_rows(part_spec, maps.part))
                encoded[1].extend(encode_rows(uv_spec, maps.uv))
            return encoded

        parts: list[bytes] = []
        uvs: list[bytes] = []
        for part, uv in pool.map(block, range(0, len(rows), BLOCK)):
            parts += part
            uvs += uv
            advance(len(part))
        return {"part": parts, "uv": uvs, "rendered": rows.fits.valid}

    def render(self, rows: Rows) -> Iterator[StoredMaps]:
        """Maps of R rows, some at a time; those without a fit are background."""
        mine = {index: np.flatnonzero(rows.fits.source == index) for index in self.sources}
        for index, where in mine.items():
            if len(where) == len(rows) > 0:  # as almost always: nothing to put together
                yield from self._draw(rows, self.sources[index])
                return
        samples = self.size // UV_BLOCK
        whole = StoredMaps(
            np.zeros((len(rows), self.size, self.size), np.uint8),
            np.zeros((len(rows), 2, samples, samples), np.uint8),
        )
        for index, where in mine.items():
            drawn = 0
            for maps in self._draw(rows[where], self.sources[index]):
                places = where[drawn : drawn + len(maps)]
                whole.part[places], whole.uv[places] = maps.part, maps.uv
                drawn += len(maps)
        yield whole

    def _draw(self, rows: Rows, origin: FitSource) -> Iterator[StoredMaps]:
        """Maps, as arrays, of rows that all have a fit of one source, some at a time."""
        pose = axis_angle_to_matrix(torch.from_numpy(rows.fits.pose.reshape(-1, 24, 3)))
        # Posed on the CPU whoever draws: the same machine or another, the same bytes.
        vertices = origin.body.mesh(pose, torch.from_numpy(rows.fits.betas)).to(self.device)
        map_of_image = compose(resize(self.crop_size, self.size), rows.crop_affine)
        camera = rows.fits.cameras(origin.native_kind, rows.box, map_of_image)
        step = BLOCK if self.device == "cuda" else _DRAWN
        for first in range(0, len(rows), step):
            some = slice(first, first + step)
            maps = render_stored(vertices[some], camera[some], origin.atlas, self.size, backend=self.backend)
            yield StoredMaps(as_numpy(maps.part), as_numpy(maps.uv))

    @property
    def device(self) -> str:
        """Where bodies are drawn: a GPU where there is one, for the backend that surely can: PyTorch3D may lack it."""
        return "cuda" if self.backend == "warp" and torch.cuda.is_available() else "cpu"

    @cached_property
    def _places(self) -> tuple[Array, Array]:
        """Crop affines and boxes of all rows; to open an array is to look at each of its shards."""
        return self.store.array("crop_affine"), self.store.array("box")

    @cached_property
    def crop_size(self) -> int:
        """S, side of the stored crop in pixels."""
        return int(self.store.array("image").shape[1])
