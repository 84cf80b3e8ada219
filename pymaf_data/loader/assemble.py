"""Makes a batch: (epoch, rows, keys) ↦ Batch, a pure function of the stores, the options and its arguments.

Images and maps are read row by row; everything else is arithmetic on whole batches, which costs a twentieth of the
decoding. Threads may share an :class:`Assembler`; a process gets a copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pymaf_data.body import BodyModel
from pymaf_data.geometry import affines
from pymaf_data.geometry.affines import VIEW_SIZE, Floats
from pymaf_data.geometry.cameras import Camera
from pymaf_data.geometry.frames import turn_of_ray
from pymaf_data.geometry.joints import J24, J49
from pymaf_data.geometry.views import Augmentation, augment_joints3d, augment_pose, move_keypoints
from pymaf_data.geometry.weak_fit import weak_camera
from pymaf_data.loader.augment import Draw, draw
from pymaf_data.loader.batch import Batch
from pymaf_data.loader.frame import AXIS
from pymaf_data.loader.images import reductions
from pymaf_data.loader.labels import Labels
from pymaf_data.loader.options import LoaderOptions
from pymaf_data.loader.persons import Persons, persons
from pymaf_data.loader.views import StoredArrays, Views
from pymaf_data.render.atlas import Atlas
from pymaf_data.storage import Array, Store

Rows = NDArray[np.int64]


@dataclass
class Source:
    """The pixels of one store. What travels to another process is the store; it maps its files again there.

    Args:
        store: the store.
        with_maps: whether to read its IUV maps, where there are any.
    """

    store: Store
    with_maps: bool

    def __getstate__(self) -> dict[str, object]:
        return {"store": self.store, "with_maps": self.with_maps}

    @cached_property
    def image(self) -> Array:
        """Stored crops (N, S, S, 3), one row per inner chunk."""
        return self.store.array("image")

    @cached_property
    def maps(self) -> StoredArrays | None:
        """Stored IUV maps, parts (N, Z, Z) and U, V (N, 2, Z/K, Z/K), one row per inner chunk."""
        has_maps = self.with_maps and self.store.has("iuv")
        return (self.store.array("iuv/part"), self.store.array("iuv/uv")) if has_maps else None


class Assembler:
    """Makes batches of the rows of several stores, counted through."""

    def __init__(
        self,
        sources: Sequence[Source],
        labels: Labels,
        body: BodyModel,
        atlas: Atlas,
        options: LoaderOptions,
        views: Views,
    ) -> None:
        self.labels, self.options, self._body, self._views = labels, options, body, views
        self._sources, self._atlas = tuple(sources), atlas
        self._first = np.cumsum([0, *(len(source.store) for source in sources)])

    def __call__(self, epoch: int, rows: Rows, keys: Rows, stream: int) -> Batch:
        """The batch of ``rows`` (B,) in an epoch, whichever worker makes it.

        Args:
            epoch: whose random stream decides on augmentation.
            rows: (B,).
            keys: (B,) their places in that stream.
            stream: how many places it has.

        Raises:
            StoreDamaged: bytes of an image or map differ from what was committed.
        """
        # A batch occupies one core. OpenCV's own threads would fight over it with the other workers.
        cv2.setNumThreads(0)
        drawn = draw(self.options.augmentation, self.options.seed, epoch, keys, stream)
        keypoints = self._view_keypoints(rows, drawn.view)
        who = persons(self.labels, rows, self._body, self.options)
        labels = {
            "has_iuv": torch.from_numpy(self.labels.has_iuv[rows]),
            "row": torch.from_numpy(rows),
            **self._annotations(who, drawn.view, keypoints),
            **self._fits(who, rows, drawn.view, keypoints),
            **self._turn(rows),
            **self._drawn(who, rows, drawn.view),
        }
        with self._views.working():
            part, uv = self._targets(rows, drawn.view)
            return Batch(image=self._images(rows, drawn), part=part, uv=uv, **self._views.labels(labels))

    def _images(self, rows: Rows, drawn: Draw) -> Tensor:
        """(B, 3, W, W) uint8, channels last in memory: no transposition, and the layout that GPUs like."""
        size = self.options.view_size
        images = self._views.canvas(len(rows), size, size, 3)
        affine = affines.compose(affines.resize(VIEW_SIZE, size), drawn.view.affine())
        for source, places, local in self._by_source(rows):
            to_view = affines.compose(affine[places], affines.crop_to_view(source.image.shape[1]))
            matrix, reduction = affines.to_cv2(to_view), reductions(to_view)
            self._views.show(source.image, local, matrix, reduction, drawn.gain[places], images, places)
        return images.permute(0, 3, 1, 2)

    def _targets(self, rows: Rows, view: Augmentation) -> tuple[Tensor, Tensor]:
        """Parts (B, Z, Z) and U, V (B, 2, Z, Z) of the rows that have a map."""
        B, size, device = len(rows), self.options.map_size, self._views.device
        part = torch.zeros((B, size, size), dtype=torch.uint8, device=device)
        uv = torch.zeros((B, 2, size, size), device=device)
        from_view = affines.compose(affines.resize(VIEW_SIZE, size), view.affine())
        for source, places, local in self._by_source(rows):
            mapped = self.labels.has_iuv[rows[places]]
            if source.maps is None or not mapped.any():
                continue
            seen = places[mapped]
            moved = affines.compose(from_view[seen], affines.crop_to_view(source.maps[0].shape[-1]))
            self._views.target(source.maps, local[mapped], moved, view.flip[seen], self._atlas, part, uv, seen)
        return part, uv

    def _annotations(self, who: Persons, view: Augmentation, keypoints: Floats) -> dict[str, Tensor]:
        normalised = keypoints * [2 / VIEW_SIZE, 2 / VIEW_SIZE, 1] - [1, 1, 0]
        normalised = np.where(keypoints[..., 2:] > 0, normalised, 0)
        return {
            "keypoints": torch.from_numpy(normalised.astype(np.float32)),
            "joints3d": augment_joints3d(torch.from_numpy(who.joints3d), view, J24),
        }

    def _fits(self, who: Persons, rows: Rows, view: Augmentation, keypoints: Floats) -> dict[str, Tensor]:
        """The fit as the view shows it, and the camera that projects it onto the keypoints best."""
        has_fit = torch.from_numpy(self.labels.has_fit[rows])
        pose = augment_pose(who.pose, view)
        # The body turns about its root and is mirrored there, so its joints do.
        root = torch.from_numpy(who.fit_root)[:, None]
        joints = augment_joints3d(torch.from_numpy(who.fit_joints) - root, view, J49) + root
        seen = torch.from_numpy(keypoints.astype(np.float32))
        camera, valid = weak_camera(joints, seen[..., :2], seen[..., 2] * has_fit[:, None])
        return {
            "pose": torch.where(has_fit[:, None, None, None], pose, torch.eye(3)),
            "betas": who.betas,
            "has_fit": has_fit,
            "camera": camera,
            "has_camera": valid,
        }

    def _turn(self, rows: Rows) -> dict[str, Tensor]:
        """From camera space to the frame of the plain view."""
        rays = self.labels.image_ray[rows] if self.options.frame == "view" else np.tile(AXIS, (len(rows), 1))
        turn = torch.from_numpy(turn_of_ray(rays).astype(np.float32))
        return {"turn": turn, "has_turn": torch.from_numpy(np.isfinite(rays).all(1))}

    def _drawn(self, who: Persons, rows: Rows, view: Augmentation) -> dict[str, Tensor]:
        """What an exact map of the view is rendered from."""
        to_map = affines.compose(affines.resize(VIEW_SIZE, self.options.map_size), view.affine())
        seen = Camera(torch.from_numpy(self.labels.fit_camera[rows])).warped(to_map)
        return {
            "drawn_pose": who.drawn_pose,
            "drawn_camera": seen.matrix,
            "drawn_orthographic": torch.from_numpy(self.labels.fit_orthographic[rows]),
            "flip": torch.from_numpy(np.broadcast_to(view.flip, len(rows)).copy()),
        }

    def _view_keypoints(self, rows: Rows, view: Augmentation) -> Floats:
        """J49 (B, 49, 3) in pixels of the augmented view, and confidence."""
        affine = affines.compose(view.affine(), affines.view_affine(self.labels.box[rows]))
        return move_keypoints(self.labels.keypoints[rows], affine, view.flip, J49)

    def _by_source(self, rows: Rows) -> Iterator[tuple[Source, Rows, Rows]]:
        """(store, places in the batch, rows of the store)."""
        number = np.searchsorted(self._first, rows, side="right") - 1
        for k in np.unique(number).tolist():
            places = np.flatnonzero(number == k)
            yield self._sources[k], places, rows[places] - self._first[k]
