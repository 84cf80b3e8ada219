"""What a store knows of its persons, as panels of a contact sheet.

Columns: the original image with the person's box (where the raw data is at hand), the stored crop with its keypoints,
the chosen fit over the crop and turned by 90°, the stored IUV map, and, where a network is asked, its body.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pymaf_data.body import BodyModel
from pymaf_data.datasets import ImageSource, MissingImage, one_image
from pymaf_data.fits.chosen import ChosenReader
from pymaf_data.geometry.affines import apply, compose, resize
from pymaf_data.geometry.cameras import Camera
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.render import part_image
from pymaf_data.report.panels import (
    PANEL,
    Image,
    draw_box,
    draw_keypoints,
    fit_into_panel,
    message_panel,
    overlay_body,
    resize_panel,
    side_view,
)
from pymaf_data.report.sheet import SheetRow
from pymaf_data.storage import Store

logger = logging.getLogger(__name__)

IMAGE, KEYPOINTS, FIT, SIDE, IUV, PREDICTION = (
    "image and box",
    "crop and keypoints",
    "chosen fit",
    "the fit from the side",
    "IUV target",
    "network",
)
COLUMNS = (IMAGE, KEYPOINTS, FIT, SIDE, IUV, PREDICTION)


@dataclass(frozen=True)
class Predictions:
    """What a network makes of K rows: vertices (K, V, 3) camera-space metres and K cameras of the stored crop."""

    vertices: NDArray[np.float32]
    cameras: Camera


def person_rows(
    store: Store,
    rows: Sequence[int],
    body: BodyModel | None,
    images: ImageSource | None = None,
    predictions: Predictions | None = None,
) -> list[SheetRow]:
    """A sheet row per person.

    Args:
        store: an ingested store; fits and maps are shown where it has them.
        rows: K rows of the store.
        body: the body of the fits; without it no fit is drawn.
        images: of the raw data set, for the original ones.
        predictions: of the same K rows.
    """
    indices = np.asarray(rows)
    crops = store.array("image").rows(indices)
    to_panel = np.asarray(resize(crops.shape[1], PANEL))
    planes = np.stack([compose(to_panel, affine) for affine in store.array("crop_affine").rows(indices)])
    result = [SheetRow(caption(store, row)) for row in rows]
    if images is not None:
        _add_images(result, store, indices, images)
    _add_crops(result, store, indices, [resize_panel(crop) for crop in crops], planes)
    _add_fits(result, store, indices, body, planes)
    _add_maps(result, store, indices)
    if predictions is not None and body is not None:
        cameras = predictions.cameras.warped(to_panel)
        for k, entry in enumerate(result):
            crop = entry.panels[KEYPOINTS] if not present(store, rows[k]) else resize_panel(crops[k])
            entry.panels[PREDICTION] = overlay_body(crop, predictions.vertices[k], body.faces.numpy(), cameras[k])
    return result


def present(store: Store, row: int) -> bool:
    """Whether a row has an image."""
    return bool(store.array("present")[row])


def caption(store: Store, row: int) -> str:
    """Who a row is."""
    name, annotation = store.rows[row]
    return f"row {row}: {name}, annotation {annotation}"


def _add_images(result: list[SheetRow], store: Store, rows: NDArray[np.int64], images: ImageSource) -> None:
    boxes, sizes = store.array("box").rows(rows), store.array("image_size").rows(rows)
    for k, entry in enumerate(result):
        width, height = sizes[k].tolist()
        image = one_image(images, store.rows[rows[k]][0], (width, height))
        if isinstance(image, MissingImage):
            entry.panels[IMAGE] = message_panel(str(image))
            continue
        panel, affine = fit_into_panel(image)
        entry.panels[IMAGE] = draw_box(panel, boxes[k], affine)


def _add_crops(
    result: list[SheetRow], store: Store, rows: NDArray[np.int64], crops: list[Image], planes: NDArray[np.float64]
) -> None:
    keypoints = store.array("keypoints").rows(rows).astype(np.float64)
    for k, entry in enumerate(result):
        if not present(store, int(rows[k])):
            entry.panels[KEYPOINTS] = message_panel("no image")
            continue
        moved = np.concatenate([apply(planes[k], keypoints[k, :, :2]), keypoints[k, :, 2:]], axis=1)
        entry.panels[KEYPOINTS] = draw_keypoints(crops[k], moved)
        entry.panels[FIT] = crops[k]


def _add_fits(
    result: list[SheetRow], store: Store, rows: NDArray[np.int64], body: BodyModel | None, planes: NDArray[np.float64]
) -> None:
    if body is None or not store.has("choice"):
        for entry in result:
            entry.panels.pop(FIT, None)
        return
    chosen = ChosenReader(store)
    fits, boxes = chosen.read(rows), store.array("box").rows(rows)
    with torch.no_grad():
        pose = axis_angle_to_matrix(torch.from_numpy(fits.pose).float().reshape(-1, 24, 3))
        vertices = body.mesh(pose, torch.from_numpy(fits.betas).float()).numpy()
    faces = body.faces.numpy()
    for k, entry in enumerate(result):
        if not fits.valid[k] or FIT not in entry.panels:
            entry.panels[FIT] = message_panel("no fit")
            continue
        source, one = int(fits.source[k]), slice(k, k + 1)
        camera = fits[one].cameras(chosen.camera(source), boxes[one], planes[one])
        entry.panels[FIT] = overlay_body(entry.panels[FIT], vertices[k], faces, camera)
        entry.panels[SIDE] = side_view(vertices[k], faces, camera.matrix[0].numpy())
        entry.caption += f", fit {chosen.names[source]}"


def _add_maps(result: list[SheetRow], store: Store, rows: NDArray[np.int64]) -> None:
    if not store.has("iuv"):
        return
    if "part" not in store.current("iuv").record.specs:
        logger.warning("%s: its maps have the form of format 1.0 and are not shown; run render-iuv anew", store.path)
        return
    part, uv, rendered = (store.array(f"iuv/{name}").rows(rows) for name in ("part", "uv", "rendered"))
    block = part.shape[1] // uv.shape[2]
    for k, entry in enumerate(result):
        if rendered[k]:
            every_pixel = np.repeat(np.repeat(uv[k], block, axis=1), block, axis=2)
            entry.panels[IUV] = resize_panel(part_image(part[k], every_pixel.astype(np.float32) / 255))
