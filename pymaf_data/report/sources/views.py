"""Persons in every source's fit, side by side: over the crop, and turned by 90°."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from pymaf_data.body import BodyModel
from pymaf_data.geometry.affines import apply, compose, resize
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.report.panels import PANEL, Image, draw_keypoints, overlay_body, resize_panel, side_view
from pymaf_data.report.sources.columns import Sources
from pymaf_data.report.thumbnails import encode
from pymaf_data.storage import Store

SIDE = 192
"""Side of an image in the page, px: several stand side by side."""

_BATCH = 16

Panels = dict[str, bytes]


def draw_persons(
    store: Store, sources: Sources, rows: Sequence[int], bodies: Mapping[int, BodyModel | None]
) -> Iterator[tuple[int, Panels]]:
    """(row, images as WebP) of each row that has an image.

    Images are ``keypoints``, and of the source at place k its fit from the front, ``front<k>``, and from the side,
    ``side<k>``; without the body, or where there is no fit, those are absent.
    """
    for first in range(0, len(rows), _BATCH):
        batch = np.asarray(rows[first : first + _BATCH], np.int64)
        batch = batch[store.array("present").rows(batch).astype(bool)]
        crops = store.array("image").rows(batch)
        to_panel = np.asarray(resize(crops.shape[1], PANEL))
        planes = compose(to_panel, store.array("crop_affine").rows(batch))
        shown = [resize_panel(crop) for crop in crops]
        panels = [{"keypoints": image} for image in _with_keypoints(store, batch, shown, planes)]
        for place, body in bodies.items():
            if body is not None:
                _add_fits(store, sources, place, body, batch, shown, planes, panels)
        for row, found in zip(batch.tolist(), panels, strict=True):
            yield row, {name: encode(_small(panel)) for name, panel in found.items()}


def _with_keypoints(
    store: Store, rows: NDArray[np.int64], shown: list[Image], planes: NDArray[np.float64]
) -> Iterator[Image]:
    keypoints = store.array("keypoints").rows(rows).astype(np.float64)
    for image, plane, points in zip(shown, planes, keypoints, strict=True):
        yield draw_keypoints(image, np.concatenate([apply(plane, points[:, :2]), points[:, 2:]], axis=1))


def _add_fits(
    store: Store,
    sources: Sources,
    place: int,
    body: BodyModel,
    rows: NDArray[np.int64],
    shown: list[Image],
    planes: NDArray[np.float64],
    panels: list[dict[str, Image]],
) -> None:
    reader, index = sources.reader, sources.of[place].index
    assert reader is not None, "only sources of a choice have a body"
    fits, boxes = reader.read_source(index, rows, allow_partial=True), store.array("box").rows(rows)
    mine = np.flatnonzero(fits.valid)
    pose = axis_angle_to_matrix(torch.from_numpy(fits.pose[mine]).float().reshape(-1, 24, 3))
    meshes = body.mesh(pose, torch.from_numpy(fits.betas[mine]).float()).numpy()
    faces = body.faces.numpy()
    for k, vertices in zip(mine.tolist(), meshes, strict=True):
        one = slice(k, k + 1)
        camera = fits[one].cameras(reader.camera(index), boxes[one], planes[one])
        panels[k][f"front{place}"] = overlay_body(shown[k], vertices, faces, camera)
        panels[k][f"side{place}"] = side_view(vertices, faces, camera.matrix[0].numpy())


def _small(panel: Image) -> Image:
    return np.asarray(cv2.resize(panel, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
