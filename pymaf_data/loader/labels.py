"""Everything about the persons of a store but their pixels, held in memory.

A person takes 2.7 kB, so the 28,000 of COCO take 76 MB and Human3.6M's 312,000 take 840 MB. Of large stores they are
made once and kept beside them (:mod:`pymaf_data.loader.kept`). What cannot be used is flagged here, once, so that
making a batch has no special cases.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from pymaf_data.body import BodyModel
from pymaf_data.datasets.columns import COLUMN, stored_column
from pymaf_data.errors import AssetMismatch, StoreChanged, StoreIncomplete
from pymaf_data.fits.chosen import ChosenReader
from pymaf_data.geometry.affines import view_affine
from pymaf_data.geometry.frames import box_ray
from pymaf_data.geometry.joints import J24
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.loader.frame import AXIS, rays_of_fits
from pymaf_data.render.atlas import Atlas
from pymaf_data.storage import StageInfo, Store

logger = logging.getLogger(__name__)

_BLOCK = 1024  # fits posed at a time
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Labels:
    """N rows of one store, or of several, one after the other.

    Attributes:
        box: (N, 3) float64.
        keypoints: (N, 49, 3) float32 in original pixels, and confidence.
        joints3d: (N, 24, 4) float32 metres and flag.
        joints_fitted: (N,) bool, whether these joints are the fit's, because none were measured.
        image_ray: (N, 3) float64 unit ray through the box, by the K of the image; NaN where none is known.
        present: (N,) bool, whether the row has an image.
        pose: (N, 24, 3, 3) float32 rotation matrices of the chosen fit, identity without one.
        betas: (N, 10) float32.
        fit_joints: (N, 49, 3) float32 metres: the fit's J49 without translation.
        fit_root: (N, 3) float32 metres: its root joint, about which it turns.
        fit_root_axis_angle: (N, 3) float32 its root rotation as the source says it, and
        drawn_root: (N, 3, 3) float32 as a matrix: what maps are drawn from, however ``pose`` is turned.
        fit_ray: (N, 3) float64 unit ray along which the network sees the fit: the axis for a fit of the frame ``view``
            and without one, NaN where no K is known.
        fit_camera: (N, 3, 4) float64: the fit's metres → pixels of the 224 px view, by its native camera, else by π.
        fit_orthographic: (N,) bool, whether that camera is orthographic.
        has_fit: (N,) bool.
        has_iuv: (N,) bool, whether a map of the chosen fit is stored.
    """

    box: NDArray[np.float64]
    keypoints: NDArray[np.float32]
    joints3d: NDArray[np.float32]
    joints_fitted: Flags
    image_ray: NDArray[np.float64]
    present: Flags
    pose: NDArray[np.float32]
    betas: NDArray[np.float32]
    fit_joints: NDArray[np.float32]
    fit_root: NDArray[np.float32]
    fit_root_axis_angle: NDArray[np.float32]
    drawn_root: NDArray[np.float32]
    fit_ray: NDArray[np.float64]
    fit_camera: NDArray[np.float64]
    fit_orthographic: Flags
    has_fit: Flags
    has_iuv: Flags

    def __len__(self) -> int:
        return len(self.box)

    @classmethod
    def join(cls, parts: Sequence[Labels]) -> Labels:
        """The rows of several stores, one after the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def with_fitted_joints(self) -> Labels:
        """The same, with the J24 of the fit for persons who have a fit and no measured 3D joint."""
        lacking = self.has_fit & ~(self.joints3d[..., 3] > 0).any(axis=1)
        joints = self.joints3d.copy()
        joints[lacking, :, :3], joints[lacking, :, 3] = self.fit_joints[lacking, -len(J24) :], 1
        return replace(self, joints3d=joints, joints_fitted=lacking)

    @property
    def joints_ray(self) -> NDArray[np.float64]:
        """(N, 3) unit ray along which the network sees the 3D joints."""
        return np.where(self.joints_fitted[:, None], self.fit_ray, self.image_ray)


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
    pose = axis_angle_to_matrix(torch.from_numpy(fits.axis_angle)).numpy()
    joints, root = _pose_bodies(body, pose, fits.betas, fits.usable)
    labels = Labels(
        box=box,
        keypoints=_cleared(keypoints),
        joints3d=_cleared(joints3d),
        joints_fitted=np.zeros(len(store), bool),
        image_ray=fits.image_ray,
        present=present,
        pose=pose,
        betas=fits.betas,
        fit_joints=joints,
        fit_root=root,
        fit_root_axis_angle=fits.axis_angle[:, 0],
        drawn_root=pose[:, 0],
        fit_ray=fits.ray,
        fit_camera=fits.camera,
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


def _pose_bodies(
    body: BodyModel, pose: NDArray[np.float32], betas: NDArray[np.float32], valid: Flags
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """J49 (N, 49, 3) and root joint (N, 3) of the valid fits, from pose (N, 24, 3, 3), without the mesh."""
    joints, root = np.zeros((len(pose), 49, 3), np.float32), np.zeros((len(pose), 3), np.float32)
    like = body.v_template
    rows = np.flatnonzero(valid)
    with torch.no_grad():
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            shape = torch.from_numpy(betas[block]).to(like)
            _, posed = body.keypoints(torch.from_numpy(pose[block]).to(like), shape)
            joints[block] = posed.cpu().numpy()
            root[block] = body.rest_joints(shape)[:, 0].cpu().numpy()
    return joints, root


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
