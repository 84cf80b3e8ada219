"""How far the silhouette of a fit agrees with the person's mask.

A fit is the whole body, a mask what is visible of it. So pixels outside the mask count against a fit only where the
body would have been seen: not where somebody else's mask lies, not outside the image, and not on limbs whose keypoint
nobody marked as seen, which a table or a wall may hide. On a generated sample's exact bodies the plain overlap of both
is below 0.4 for one person in twenty, this one for one in three hundred.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from pymaf_data.body import BodyModel
from pymaf_data.datasets.columns import Absent, stored_column
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.cameras import seen_by
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.table import Fits
from pymaf_data.geometry.affines import crop_affine, invert
from pymaf_data.geometry.joints import J49, SMPL24
from pymaf_data.geometry.rle import mask_at
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.render.raster import rasterize
from pymaf_data.storage import Store

logger = logging.getLogger(__name__)

SIZE = 112
"""Side in pixels of the stored crop's square, in which silhouettes are drawn: 224 says nearly the same for thrice."""

_BATCH = 64
_TRUNK = ("left_hip", "right_hip", "left_shoulder", "right_shoulder")
_LIMBS = {"hip_smpl": "knee", "knee": "ankle", "ankle": "ankle", "foot": "ankle"} | {
    "shoulder": "elbow",
    "elbow": "wrist",
    "wrist": "wrist",
    "hand": "wrist",
}
_SHOWN_BY = {"head": ("nose", "left_eye", "right_eye", "left_ear", "right_ear")} | {
    side + joint: (side + end,) for side in ("left_", "right_") for joint, end in _LIMBS.items()
}
"""SMPL's joint → keypoints by which the part of the body that it moves is known to be seen; of others, the trunk's."""

Masks = Sequence[tuple[bytes, Sequence[bytes]]]
"""Of each person the run lengths of the mask, none where there is none, and those of everybody else on the image."""


def masks_of(store: Store, rows: slice) -> Masks | None:
    """The masks of rows of a store; ``None`` where it holds none at all."""
    column = stored_column(store, "mask")
    if isinstance(column, Absent):
        return None
    names, first, end = store.rows, rows.start, min(rows.stop, len(store))
    while first > 0 and names[first - 1][0] == names[rows.start][0]:
        first -= 1
    while end < len(store) and names[end][0] == names[rows.stop - 1][0]:
        end += 1
    counts = [mask.tobytes().rstrip(b"\0") for mask in column[first:end]]
    on_image: dict[str, list[int]] = {}
    for place in range(len(counts)):
        on_image.setdefault(names[first + place][0], []).append(place)
    found = []
    for place in range(rows.start - first, min(rows.stop, len(store)) - first):
        others = on_image[names[first + place][0]]
        found.append((counts[place], [counts[other] for other in others if other != place and counts[other]]))
    return found


@torch.no_grad()
def mask_iou(
    body: BodyModel, fits: Fits, weak_camera: NDArray[np.float64], persons: Persons, masks: Masks, camera: str
) -> NDArray[np.float64]:
    """Overlap of silhouettes and masks over their union, as far as it can be seen: (N,) in [0, 1].

    NaN without a fit or a mask, and where a mask is not of the image's size.

    Args:
        body: of the fits.
        fits: of N persons.
        weak_camera: (N, 3) π, which sees those of a source without cameras.
        persons: the N persons.
        masks: theirs.
        camera: what the native cameras are, one of :data:`~pymaf_data.fits.table.CAMERAS`.
    """
    found = np.full(len(fits), np.nan)
    rows = np.flatnonzero(fits.valid & np.array([bool(mask) for mask, _ in masks], bool))
    joint_of_face = body.lbs_weights[body.faces].sum(1).argmax(1).numpy()
    for first in range(0, len(rows), _BATCH):
        batch = rows[first : first + _BATCH]
        plane = crop_affine(persons.box[batch], SIZE)
        seen = seen_by(camera, fits.native[batch], weak_camera[batch], persons.box[batch], plane)
        pose = axis_angle_to_matrix(torch.from_numpy(fits.pose[batch]).to(body.v_template).reshape(-1, 24, 3))
        vertices = body.mesh(pose, torch.from_numpy(fits.betas[batch]).to(body.v_template)).double()
        good = (vertices.abs().amax((1, 2)) < _FAR) & (seen.matrix.abs().amax((1, 2)) < _FAR)
        found[batch[~good.numpy()]] = 0.0  # beyond all images
        batch, plane = batch[good.numpy()], plane[good.numpy()]
        face = rasterize(vertices[good], body.faces, seen[good], SIZE, backend="numba").face
        for row, shown, affine in zip(batch.tolist(), face, plane, strict=True):
            joint = np.where(shown < 0, _NOWHERE, joint_of_face[shown])
            found[row] = _overlap(joint, affine, persons[row : row + 1], *masks[row])
    return found


_FAR = 1e15  # metres or pixels: what is farther off is not drawn, lest a number overflow
_NOWHERE = len(SMPL24)


def _overlap(
    joint: NDArray[np.int64], affine: NDArray[np.float64], person: Persons, mask: bytes, others: Sequence[bytes]
) -> float:
    """Of one person: ``joint`` (S, S) is the body's at each pixel of the crop that ``affine`` leads to."""
    width, height = person.image_size[0].tolist()
    (scale, _, left), (_, _, top) = invert(affine)
    centres = scale * (np.arange(SIZE) + 0.5)
    x, y = (centres + left)[None], (centres + top)[:, None]
    on_image = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    try:
        marked = mask_at(mask, (width, height), x, y)
        beyond = np.nonzero((joint != _NOWHERE) & on_image & ~marked)
        counted = _marked_parts(person)[joint[beyond]]
        for other in others:
            counted &= ~mask_at(other, (width, height), x[0, beyond[1]], y[beyond[0], 0])
    except RawDataCorrupt as error:
        logger.warning("%s #%d: %s", person.names[0], person.annotation_id[0], error.found)
        return float("nan")
    union = int(marked.sum()) + int(counted.sum())
    return float(((joint != _NOWHERE) & marked).sum() / union) if union else float("nan")


def _marked_parts(person: Persons) -> NDArray[np.bool_]:
    """(24,) whether the part of the body that a joint moves was marked as seen; all, where nothing was."""
    seen: NDArray[np.bool_] = (_ends() & (person.visibility[0] == 2)).any(1)
    return seen | (not seen.any())


@lru_cache(maxsize=1)
def _ends() -> NDArray[np.bool_]:
    """(24, 49) the keypoints that show the part of each joint."""
    ends = [[name in _SHOWN_BY.get(joint, _TRUNK) for name in J49.joints] for joint in SMPL24.joints]
    return np.array(ends, bool)
