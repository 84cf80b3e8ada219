"""How well stored maps under an augmentation agree with rendering the transformed body anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch

from pymaf_data.body import BodyModel
from pymaf_data.geometry.affines import VIEW_SIZE, apply, compose, crop_to_view, invert, resize
from pymaf_data.geometry.cameras import Camera
from pymaf_data.geometry.views import Augmentation, augment_pose
from pymaf_data.render import IUV, TARGET_SIZE, Atlas, StoredMaps, render_iuv, warp_maps


class Comparison(NamedTuple):
    """One augmentation of all bodies: warped from stored maps, and rendered anew."""

    warped: IUV
    exact: IUV
    nearby: np.ndarray  # (B, 9, S, S) parts stored within one pixel of where each target centre lands


def compare(
    body: BodyModel,
    pose: torch.Tensor,
    betas: torch.Tensor,
    view: Camera,
    stored: StoredMaps,
    augmentation: Augmentation,
    atlas: Atlas,
) -> Comparison:
    """Warp stored maps and render the bodies, by cameras of the 224 view, under one augmentation."""
    target_of_view = compose(resize(VIEW_SIZE, TARGET_SIZE), augmentation.affine())
    affine = compose(target_of_view, crop_to_view(stored.part.shape[-1]))
    flip = bool(augmentation.flip)
    matrix = view.warped(target_of_view).matrix
    if flip:  # the mirrored body stands where the camera sees the reflection of the body
        pose = augment_pose(pose, Augmentation.of(flip=True))
        matrix = matrix * matrix.new_tensor([-1.0, 1, 1, 1])
    exact = render_iuv(body(pose, betas).vertices, Camera(matrix, view.orthographic), atlas, TARGET_SIZE)
    return Comparison(warp_maps(stored, affine, flip, atlas), exact, _nearby(stored.part, affine, flip, atlas))


def _nearby(part: np.ndarray, affine: np.ndarray, flip: bool, atlas: Atlas) -> np.ndarray:
    i, j = np.mgrid[:TARGET_SIZE, :TARGET_SIZE] + 0.5
    landing = apply(invert(affine), np.stack([j.ravel(), i.ravel()], 1)).reshape(TARGET_SIZE, TARGET_SIZE, 2)
    column, row = np.floor(landing).astype(int).transpose(2, 0, 1)
    padded = np.pad(part, ((0, 0), (400, 400), (400, 400)))
    steps = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    parts = np.stack([padded[:, row + dy + 400, column + dx + 400] for dy, dx in steps], axis=1)
    return atlas.part_mirror[parts] if flip else parts


def agreement(comparisons: Sequence[Comparison]) -> tuple[float, float]:
    """Shares of the union foreground whose part is right within one stored pixel, and exactly."""
    near = exact = union = 0
    for c in comparisons:
        foreground = c.warped.mask | c.exact.mask
        near += ((c.nearby == c.exact.part[:, None]).any(axis=1) & foreground).sum()
        exact += ((c.warped.part == c.exact.part) & foreground).sum()
        union += foreground.sum()
    return near / union, exact / union


def chart_errors(comparisons: Sequence[Comparison]) -> np.ndarray:
    """The larger error of U and V at every pixel whose part is right."""
    errors = []
    for c in comparisons:
        same = (c.warped.part == c.exact.part) & c.exact.mask
        errors.append(np.abs(c.warped.uv - c.exact.uv).max(axis=1)[same])
    return np.concatenate(errors)


def bias(comparisons: Sequence[Comparison], map_size: int) -> np.ndarray:
    """(x, y) stored pixels by which warping moves silhouettes on the average."""
    warped, exact = (np.concatenate([getattr(c, kind).mask for c in comparisons]) for kind in ("warped", "exact"))
    stored_of_target = compose(invert(crop_to_view(map_size)), resize(TARGET_SIZE, VIEW_SIZE))
    return displacement(warped, exact) * stored_of_target[0, 0]


def displacement(moved: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """(x, y) pixels from silhouettes (B, H, W) to those that moved, pooled over the batch: one Lucas-Kanade step."""
    soft = [np.stack([cv2.GaussianBlur(m.astype(np.float64), (0, 0), 1.5) for m in stack]) for stack in (moved, masks)]
    y, x = np.gradient((soft[0] + soft[1]) / 2, axis=(1, 2))
    gradient = np.stack([x.ravel(), y.ravel()], 1)
    return -np.linalg.lstsq(gradient, (soft[0] - soft[1]).ravel(), rcond=None)[0]
