"""Everything about the persons of a store but their pixels, held in memory.

A person takes 0.5 to 1 kB (:mod:`pymaf_data.loader.columns`): what was measured and what the fit says. What follows
from that, rotation matrices, joints and the view's frame, is made with each batch (:mod:`pymaf_data.loader.persons`).
Labels of large stores are made once and kept beside them (:mod:`pymaf_data.loader.kept`). What cannot be used is
flagged here, once, so that making a batch has no special cases.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pymaf_data.body import BodyModel
from pymaf_data.datasets.columns import COLUMN, stored_column
from pymaf_data.errors import AssetMismatch, StoreChanged, StoreIncomplete
from pymaf_data.fits.chosen import ChosenReader
from pymaf_data.geometry.affines import view_affine
from pymaf_data.geometry.frames import box_ray
from pymaf_data.loader.columns import Table
from pymaf_data.loader.frame import AXIS, rays_of_fits
from pymaf_data.render.atlas import Atlas
from pymaf_data.storage import StageInfo, Store

logger = logging.getLogger(__name__)

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Labels:
    """N rows of one store, or of several, one after the other; ``labels.pose[rows]`` are those of some.

    Attributes:
        box: (N, 3) float64.
        keypoints: (N, 49, 3) float32 in original pixels, and confidence.
        joints3d: (N, 24, 4) float32 metres and flag, as they were measured.
        image_ray: (N, 3) float64 unit ray through the box, by the K of the image; NaN where none is known.
        pose: (N, 24, 3) float32 axis-angle radians of the chosen fit as its source says them, 0 without one.
        betas: (N, 10) float32.
        fit_ray: (N, 3) float64 unit ray along which the network sees the fit: the axis for a fit of the frame ``view``
            and without one, NaN where no K is known.
        fit_camera: (N, 3, 4) float64: the fit's metres → pixels of the 224 px view, by its native camera, else by π.
        present: (N,) bool, whether the row has an image.
        measured: (N,) bool, whether a 3D joint was measured.
        fit_orthographic: (N,) bool, whether the fit's camera is orthographic.
        has_fit: (N,) bool.
        has_iuv: (N,) bool, whether a map of the chosen fit is stored.
    """

    box: Table
    keypoints: Table
    joints3d: Table
    image_ray: Table
    pose: Table
    betas: Table
    fit_ray: Table
    fit_camera: Table
    present: Flags
    measured: Flags
    fit_orthographic: Flags
    has_fit: Flags
    has_iuv: Flags

    def __len__(self) -> int:
        return len(self.box)

    @classmethod
    def join(cls, parts: Sequence[Labels]) -> Labels:
        """The rows of several stores, one after the other."""
        columns: dict[str, Any] = {f.name: [getattr(part, f.name) for part in parts] for f in fields(cls)}
        for name, given in columns.items():
            columns[name] = Table.join(given) if isinstance(given[0], Table) else np.concatenate(given)
        return cls(**columns)

    @property
    def nbytes(self) -> int:
        """Bytes that are held, in memory or mapped."""
        return sum(getattr(self, field.name).nbytes for field in fields(self))


def read_labels(store: Store, body: BodyModel, atlas: Atlas, maps: bool, allow_partial: bool) -> Labels:
    """Read the labels of a store.

    Args:
        store: the store.
        body: the body that is trained on; the fits must belong to it.
        atlas: the atlas that is trained on; the maps must belong to it.
        maps: whether IUV maps are wanted.
        allow_partial: flag the rows of missing shards instead of refusing them.

    Raises:
        StoreIncomplete: a shard is missing and ``allow_partial`` is not set.
        AssetMismatch: a chosen fit belongs to another body, or the maps to another atlas.
        StoreChanged: the maps show fits that are no longer the chosen ones.
    """
    stored = _stored(store, store.current("ingest"), allow_partial)
    present, box, keypoints, joints3d = (
        _column(store, name, stored) for name in ("present", "box", "keypoints", "joints3d")
    )
    fits = _read_fits(store, body, box, present, _measured_rays(store, box, stored), allow_partial)
    joints3d = _cleared(joints3d)
    labels = Labels(
        box=Table.of(box),
        keypoints=Table.of(_cleared(keypoints)),
        joints3d=Table.of(joints3d),
        image_ray=Table.of(fits.image_ray),
        pose=Table.of(fits.axis_angle),
        betas=Table.of(fits.betas),
        fit_ray=Table.of(fits.ray),
        fit_camera=Table.of(fits.camera),
        present=present,
        measured=np.any(joints3d[..., 3] > 0, axis=1),
        fit_orthographic=fits.orthographic,
        has_fit=fits.usable,
        has_iuv=_has_map(store, atlas, allow_partial) & fits.usable if maps else np.zeros(len(store), bool),
    )
    counts = [int(flags.sum()) for flags in (labels.present, labels.has_fit, labels.has_iuv)]
    logger.info("%s: of %d persons %d have an image, %d a fit, %d an IUV map", store.path.name, len(store), *counts)
    return labels


class _Fits(NamedTuple):
    """The chosen fits of N rows, zeros where a row has none that can be used."""

    axis_angle: NDArray[np.float32]  # (N, 24, 3)
    betas: NDArray[np.float32]  # (N, 10)
    camera: NDArray[np.float64]  # (N, 3, 4), to the 224 px view
    orthographic: Flags  # (N,)
    usable: Flags  # (N,)
    ray: NDArray[np.float64]  # (N, 3), see loader.frame
    image_ray: NDArray[np.float64]  # (N, 3)

    @classmethod
    def none(cls, N: int, image_ray: NDArray[np.float64]) -> _Fits:
        pose, betas, axis = np.zeros((N, 24, 3), np.float32), np.zeros((N, 10), np.float32), np.tile(AXIS, (N, 1))
        return cls(pose, betas, np.zeros((N, 3, 4)), np.zeros(N, bool), np.zeros(N, bool), axis, image_ray)


def _read_fits(
    store: Store,
    body: BodyModel,
    box: NDArray[np.float64],
    present: Flags,
    rays: NDArray[np.float64],
    allow_partial: bool,
) -> _Fits:
    """The chosen fits that belong to persons with an image. Without a choice no fit is proved: none.

    ``rays`` (N, 3) go through the boxes by the data set's own K, NaN where it states none.
    """
    N = len(store)
    found = _Fits.none(N, rays)
    if not store.has("choice"):
        return found
    chosen = ChosenReader(store)
    fits = chosen.read(np.arange(N), allow_partial)
    found.usable[:] = fits.valid & present
    for index in np.unique(fits.source[found.usable]).tolist():
        _check_body(chosen.source(index), body)
        mine, kind = np.flatnonzero(found.usable & (fits.source == index)), chosen.camera(index)
        camera = fits[mine].cameras(kind, box[mine], view_affine(box[mine]))
        found.axis_angle[mine] = fits.pose[mine].reshape(-1, 24, 3)
        found.betas[mine] = fits.betas[mine]
        found.camera[mine], found.orthographic[mine] = camera.matrix.numpy(), camera.orthographic
        found.ray[mine], found.image_ray[mine] = rays_of_fits(fits[mine], kind, rays[mine], box[mine])
    return found


def _measured_rays(store: Store, box: NDArray[np.float64], stored: Flags) -> NDArray[np.float64]:
    """(N, 3) rays through the boxes by the K that the data set states, NaN where it states none."""
    rays = np.full((len(store), 3), np.nan)
    known = _column(store, "has_intrinsics", stored)
    rays[known] = box_ray(_column(store, "intrinsics", known)[known], box[known])
    return rays


def _has_map(store: Store, atlas: Atlas, allow_partial: bool) -> Flags:
    """(N,) whether a map is stored; none where the store has no such stage."""
    if not store.has("iuv"):
        return np.zeros(len(store), bool)
    maps = store.current("iuv")
    if "part" not in maps.record.specs:
        raise StoreChanged(
            f"the IUV maps of {store.path} have the form of format 1.0: {', '.join(maps.record.specs)}",
            expected="the arrays part and uv",
            action="run `pymaf-data render-iuv` on it; it renders them anew beside the old.",
        )
    if maps.attributes["atlas_digest"] != atlas.digest:
        raise AssetMismatch(
            f"the IUV maps of {store.path} show the charts of another atlas",
            expected=f"maps of the atlas {atlas.name}, as it is here",
            action="run `pymaf-data render-iuv` on it with this atlas.",
        )
    if maps.attributes["choice"] != store.current("choice").generation:
        raise StoreChanged(
            f"the IUV maps of {store.path} show fits that are no longer the chosen ones",
            expected="maps of the present choice",
            action="run `pymaf-data render-iuv` on it.",
        )
    rendered, stored = np.zeros(len(store), bool), _stored(store, maps, allow_partial)
    rendered[stored] = store.array("iuv/rendered").rows(np.flatnonzero(stored))
    return rendered


def _check_body(fit: StageInfo, body: BodyModel) -> None:
    if fit.attributes["body_digest"] != body.digest:
        raise AssetMismatch(
            f"{fit.stage} holds fits of the body {fit.attributes['body']} ({fit.attributes['body_digest'][:12]})",
            expected=f"fits of the body that is trained on: {body.name} ({body.digest[:12]})",
            action="train with the fits' own body, or attach fits of this one.",
        )


def _stored(store: Store, info: StageInfo, allow_partial: bool) -> Flags:
    """(N,) the rows of a generation whose shards are committed."""
    if info.missing and not allow_partial:
        raise StoreIncomplete(
            f"{store.path} lacks {len(info.missing)} of {info.record.shards} shards of stage {info.stage}",
            expected="a complete store",
            action="run the same command again to complete it, or allow a partial store.",
        )
    stored = np.ones(len(store), bool)
    for shard in info.missing:
        stored[shard * store.shard : (shard + 1) * store.shard] = False
    return stored


def _column(store: Store, name: str, rows: Flags) -> np.ndarray:
    """A column of all persons (N, …), of its missing value where ``rows`` (N,) is false or the store has none."""
    values = COLUMN[name].absent(len(store))
    values[rows] = stored_column(store, name).rows(np.flatnonzero(rows))
    return values


def _cleared(labels: np.ndarray) -> np.ndarray:
    """Labels (..., C) with zeros where the last channel, confidence or flag, is not above 0."""
    return np.where(labels[..., -1:] > 0, labels, 0).astype(labels.dtype)
