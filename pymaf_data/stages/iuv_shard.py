"""Rendering the maps of one shard: rows → posed bodies → maps in the stored crop's frame → encoded chunks.

A map shows its person alone and unoccluded, clipped only by the crop, seen by the fit's native camera; where its
source has none, by the weak camera π. Rows are worked on in blocks whose borders depend on nothing but the row numbers,
each by one thread, so the bytes are the same for any number of workers; memory holds a block per worker and the
encoded shards.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from pymaf_data.body import BodyModel
from pymaf_data.digest import digest_arrays
from pymaf_data.fits.chosen import ChosenFits
from pymaf_data.geometry.affines import compose, resize
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.render import Atlas, StoredMaps, render_stored
from pymaf_data.render.raster import as_numpy
from pymaf_data.render.stored import UV_BLOCK
from pymaf_data.stages.held import Held
from pymaf_data.stages.shards import Advance, Made, Mapper
from pymaf_data.storage import ArraySpec
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
        stage, generation: of ``fits/<name>`` that was chosen from.
        native_kind: of its cameras.
        body: the body that the fits belong to.
        atlas: the charts of that body.
    """

    stage: str
    generation: str
    native_kind: str
    body: Held[BodyModel]
    atlas: Held[Atlas]


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
class MapTask:
    """The maps of one shard.

    Attributes:
        rows: of the shard.
        sources: those that some row of the store was given, by their index in the choice.
        crop_size: S, side of the stored crop in pixels.
        size: Z, side of the maps in pixels.
        backend: of the rasterizer.
    """

    rows: Rows
    sources: Mapping[int, FitSource]
    crop_size: int
    size: int
    backend: str

    def make(self, each: Mapper, advance: Advance) -> Made:
        """Its arrays, maps encoded; the notes are the number of maps."""
        part_spec, uv_spec, _ = map_specs(self.size, len(self.rows))

        def block(first: int) -> tuple[list[bytes], list[bytes]]:
            encoded: tuple[list[bytes], list[bytes]] = [], []
            for maps in self.render(self.rows[first : first + BLOCK]):
                encoded[0].extend(encode_rows(part_spec, maps.part))
                encoded[1].extend(encode_rows(uv_spec, maps.uv))
            return encoded

        parts: list[bytes] = []
        uvs: list[bytes] = []
        for part, uv in each(block, range(0, len(self.rows), BLOCK)):
            parts += part
            uvs += uv
            advance(len(part))
        valid = self.rows.fits.valid
        return Made({"part": parts, "uv": uvs, "rendered": valid}, self.rows.digest(), int(valid.sum()))

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
        vertices = origin.body.get().mesh(pose, torch.from_numpy(rows.fits.betas)).to(self.device)
        map_of_image = compose(resize(self.crop_size, self.size), rows.crop_affine)
        camera = rows.fits.cameras(origin.native_kind, rows.box, map_of_image)
        step = BLOCK if self.device == "cuda" else _DRAWN
        for first in range(0, len(rows), step):
            some = slice(first, first + step)
            maps = render_stored(vertices[some], camera[some], origin.atlas.get(), self.size, backend=self.backend)
            yield StoredMaps(as_numpy(maps.part), as_numpy(maps.uv))

    @property
    def device(self) -> str:
        """Where bodies are drawn: a GPU where there is one, for the backend that surely can: PyTorch3D may lack it."""
        return "cuda" if self.backend == "warp" and torch.cuda.is_available() else "cpu"
