"""Rendering the maps of one shard: rows → posed bodies → maps in the stored crop's frame → encoded chunks.

A map shows its person alone and unoccluded, clipped only by the crop, seen by the fit's native camera; where its
source has none, by the weak camera π. Rows are worked on in blocks whose borders depend on nothing but the row numbers,
each by one thread, so the bytes are the same for any number of workers; memory holds a block per worker and the
encoded shard.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from pymaf_data.body import BodyModel
from pymaf_data.digest import digest_arrays
from pymaf_data.geometry.affines import compose, invert, resize, view_affine
from pymaf_data.geometry.cameras import Camera, weak_to_camera
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.render import Atlas, render_maps
from pymaf_data.storage import ArraySpec, Store
from pymaf_data.storage.specs import encode_rows

BLOCK = 32
"""Rows rendered at a time."""

NATIVE_KINDS = ("perspective", "orthographic", "none")
_FIT_ARRAYS = ("pose", "betas", "native", "weak_camera", "valid")


def map_specs(size: int, shard: int) -> tuple[ArraySpec, ArraySpec]:
    """The arrays of a generation of ``iuv``. One map per inner chunk: training reads them at random."""
    flags = ArraySpec("rendered", (), "bool", inner_chunk=math.gcd(64, shard))
    return ArraySpec("map", (3, size, size), "u1", inner_chunk=1), flags


@dataclass(frozen=True)
class FitSource:
    """One source of fits, with what is needed to show it.

    Attributes:
        name: of the stage ``fits/<name>``.
        group: of its generation, which prefixes its arrays.
        generation: digest of its arrays.
        native_kind: one of :data:`NATIVE_KINDS`.
        body: the body that the fits belong to.
        atlas: the charts of that body.
    """

    name: str
    group: str
    generation: str
    native_kind: str
    body: BodyModel
    atlas: Atlas


@dataclass(frozen=True)
class Rows:
    """What R consecutive rows are rendered from."""

    source: np.ndarray  # (R,) index of the chosen source, −1: none
    crop_affine: np.ndarray  # (R, 2, 3) image → crop
    box: np.ndarray  # (R, 3)
    pose: np.ndarray  # (R, 72)
    betas: np.ndarray  # (R, 10)
    native: np.ndarray  # (R, 3, 4)
    weak_camera: np.ndarray  # (R, 3)

    def digest(self) -> str:
        """Of everything in them."""
        return digest_arrays(*vars(self).values())

    def __getitem__(self, rows: np.ndarray | slice) -> Rows:
        return Rows(*(values[rows] for values in vars(self).values()))

    def __len__(self) -> int:
        return len(self.source)


@dataclass(frozen=True)
class ShardRenderer:
    """Renders the rows of a store; safe to share between threads.

    Attributes:
        store: whose rows.
        choice: group of the generation of ``choice`` in force.
        sources: those that some row chose, by their index in the choice.
        size: Z, side of the maps in pixels.
        backend: of the rasterizer.
    """

    store: Store
    choice: str
    sources: Mapping[int, FitSource]
    size: int
    backend: str

    def read(self, span: slice) -> Rows:
        """The rows of a shard. A chosen fit that is marked as invalid counts as none, as does one that is not finite.

        Raises:
            StoreDamaged, StoreIncomplete: from the store.
        """
        source = self.store.array(f"{self.choice}/source")[span].astype(np.int64)
        R = len(source)
        fitted: dict[str, np.ndarray] = {"pose": np.zeros((R, 72), "f4"), "betas": np.zeros((R, 10), "f4")}
        fitted |= {"native": np.zeros((R, 3, 4)), "weak_camera": np.zeros((R, 3), "f4"), "valid": np.zeros(R, bool)}
        for index, origin in self.sources.items():
            mine = source == index
            if mine.any():
                for name in _FIT_ARRAYS:
                    fitted[name][mine] = self.store.array(f"{origin.group}/{name}")[span][mine]
        usable = fitted.pop("valid")
        for values in fitted.values():
            usable = usable & np.isfinite(values.reshape(R, -1)).all(axis=1)
        source[~usable] = -1
        crop_affine, box = self.store.array("crop_affine")[span], self.store.array("box")[span]
        return Rows(source, crop_affine, box, **fitted)

    def encode(
        self, rows: Rows, pool: ThreadPoolExecutor, advance: Callable[[int], None]
    ) -> dict[str, np.ndarray | list[bytes]]:
        """The arrays of a shard, maps encoded; ``advance`` is told how many rows are done."""
        spec = map_specs(self.size, self.store.shard)[0]

        def block(first: int) -> list[bytes]:
            return encode_rows(spec, self.render(rows[first : first + BLOCK]))

        chunks: list[bytes] = []
        for encoded in pool.map(block, range(0, len(rows), BLOCK)):
            chunks += encoded
            advance(len(encoded))
        return {"map": chunks, "rendered": rows.source >= 0}

    @torch.no_grad()
    def render(self, rows: Rows) -> np.ndarray:
        """Maps (R, 3, Z, Z) uint8; rows without a fit are background."""
        maps = np.zeros((len(rows), 3, self.size, self.size), np.uint8)
        for index, origin in self.sources.items():
            mine = np.flatnonzero(rows.source == index)
            if mine.size:
                chosen = rows[mine]
                pose = axis_angle_to_matrix(torch.from_numpy(chosen.pose.reshape(-1, 24, 3)))
                vertices = origin.body(pose, torch.from_numpy(chosen.betas)).vertices
                camera = self._camera(chosen, origin.native_kind)
                maps[mine] = render_maps(vertices, camera, origin.atlas, self.size, self.backend)
        return maps

    def _camera(self, rows: Rows, native_kind: str) -> Camera:
        """Cameras in pixels of the maps: the crop's frame at Z pixels."""
        map_of_image = compose(resize(self.crop_size, self.size), rows.crop_affine)
        if native_kind == "none":
            map_of_view = compose(map_of_image, invert(view_affine(rows.box)))
            return weak_to_camera(torch.from_numpy(rows.weak_camera).double()).warped(map_of_view)
        return Camera(torch.from_numpy(rows.native), native_kind == "orthographic").warped(map_of_image)

    @property
    def crop_size(self) -> int:
        """S, side of the stored crop in pixels."""
        return int(self.store.array("image").shape[1])
