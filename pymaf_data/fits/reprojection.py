"""Measure fits on their persons: the derived camera and the reprojection, both in pixels of the 224 view."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from pymaf_data.body import BodyModel
from pymaf_data.fits.alignment import FLIP, align, flipped
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.table import CAMERA, Fits
from pymaf_data.geometry.affines import VIEW_SIZE, view_affine
from pymaf_data.geometry.affines import apply as apply_affine
from pymaf_data.geometry.cameras import Camera, weak_to_camera
from pymaf_data.geometry.joints import J49, OPENPOSE
from pymaf_data.geometry.placement import place
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.geometry.weak_fit import WeakFit, fit_weak_camera

_BATCH = 128
_PLACED = "perspective, placed here"
_DETECTED = np.array([joint.startswith(OPENPOSE) for joint in J49.joints])


@dataclass(frozen=True)
class Measures:
    """Of N fits; rows without a fit hold 0 and, for the two errors, infinity.

    Attributes:
        native: (N, 3, 4) the fits' own cameras, where those lie; of a source without any, K·[I | t] with t by least
            squares on the keypoints where the root is seen by the image's camera and its K is known, else zeros.
        weak_camera: (N, 3) π by least squares on the joints that the native camera projects, else on the keypoints.
        weak_residual: (N,) its root mean square error.
        reprojection: (N,) mean distance of projected joints to the keypoints labelled as seen (to all labelled ones
            where none is). Infinite where nothing is labelled. Where π cannot be solved, that of a dot.
        mirrored, scale: (N,) view pixels by which the mirror image lies nearer, and how many times too large or small
            the fit is, see :class:`~pymaf_data.fits.alignment.Alignment`; NaN where that is not known.
        solvable: (N,) whether π could be solved.
    """

    native: np.ndarray
    weak_camera: np.ndarray
    weak_residual: np.ndarray
    reprojection: np.ndarray
    mirrored: np.ndarray
    scale: np.ndarray
    solvable: np.ndarray

    @classmethod
    def unknown(cls, rows: int) -> Measures:
        """Of fits whose body is not there."""
        zeros, far = (np.zeros((rows, 3, 4)), np.zeros((rows, 3))), (np.full(rows, np.inf), np.full(rows, np.inf))
        return cls(*zeros, *far, np.full(rows, np.nan), np.full(rows, np.nan), np.zeros(rows, bool))

    def only(self, rows: np.ndarray) -> Measures:
        """These measures in the rows of a mask (N,), unknown elsewhere; cameras are as they were: they are large."""
        none = Measures.unknown(len(rows))
        kept = rows[:, None]
        return Measures(
            self.native,
            np.where(kept, self.weak_camera, none.weak_camera),
            np.where(rows, self.weak_residual, none.weak_residual),
            np.where(rows, self.reprojection, none.reprojection),
            np.where(rows, self.mirrored, none.mirrored),
            np.where(rows, self.scale, none.scale),
            self.solvable & rows,
        )


@torch.no_grad()
def measure(body: BodyModel, fits: Fits, persons: Persons, camera: str = "perspective") -> Measures:
    """Measure N fits of ``body`` on their persons; ``camera`` is one of :data:`~pymaf_data.fits.table.CAMERAS`."""
    out = Measures.unknown(len(fits))
    if camera != "none":
        out = replace(out, native=fits.native)
    rows = np.flatnonzero(fits.valid)
    for first in range(0, len(rows), _BATCH):
        batch = rows[first : first + _BATCH]
        joints, native, placed = joints49(body, fits, batch), fits.native[batch], np.ones(len(batch), bool)
        if camera == "none":
            native = _placed(joints, persons[batch], fits.frame[batch] == CAMERA)
            placed = np.abs(native).max((1, 2)) > 0
        for some, kind in ((placed, camera if camera != "none" else _PLACED), (~placed, "none")):
            if some.any():
                found = _measured(joints[some], native[some], persons[batch[some]], kind)
                for field in fields(Measures):
                    getattr(out, field.name)[batch[some]] = getattr(found, field.name)
    return out


def _measured(joints: torch.Tensor, native: np.ndarray, persons: Persons, kind: str) -> Measures:
    """Of B fits whose cameras are all of one kind, or of none."""
    view, seen = view_affine(persons.box), seen_joints(persons)
    target = apply_affine(view, persons.keypoints[..., :2].astype(np.float64))
    if kind == "none":
        weak, projected = _by_keypoints(joints, persons, view)
    else:
        projected = _in_view(joints, native, view, kind == "orthographic")
        weak = fit_weak_camera(joints, projected, torch.ones_like(projected[..., 0]))
    mirrored = flipped(projected.numpy())
    if kind == _PLACED:
        mirrored = _placed_mirrored(joints, persons, view, mirrored)
    return Measures(
        native,
        weak.pi.numpy(),
        weak.residual.numpy(),
        _reprojection(projected.numpy(), target, seen),
        *align(projected.numpy(), mirrored, target, seen),
        weak.valid.numpy(),
    )


def _placed(joints: torch.Tensor, persons: Persons, by_image: np.ndarray) -> np.ndarray:
    """(B, 3, 4) cameras of fits without any, by their images' K: π of a crop sees a root from another side.

    Zeros where K is not known, nobody can stand, or the root is not seen ``by_image`` (B,).
    """
    known = persons.has_intrinsics & by_image
    points = np.concatenate([persons.keypoints[..., :2], _weights(persons)[..., None]], -1)
    native = np.zeros((len(known), 3, 4))
    native[known] = place(joints[known].numpy(), persons.intrinsics[known], points[known])[0]
    return native


def _placed_mirrored(joints: torch.Tensor, persons: Persons, view: np.ndarray, elsewhere: np.ndarray) -> np.ndarray:
    """(B, 49, 2) mirror images of fits that were placed, as the image's camera sees them where they meet the keypoints
    best: off its axis, that is not how a mirror in the view shows them. ``elsewhere``: of those that meet them nowhere.
    """
    other = joints[:, FLIP] * joints.new_tensor([-1.0, 1.0, 1.0])
    native = _placed(other, persons, np.ones(len(other), bool))
    return np.where(np.abs(native).max((1, 2), keepdims=True) > 0, _in_view(other, native, view).numpy(), elsewhere)


def _in_view(joints: torch.Tensor, native: np.ndarray, view: np.ndarray, orthographic: bool = False) -> torch.Tensor:
    """Joints (B, 49, 2) in pixels of the view."""
    return Camera(torch.from_numpy(native), orthographic).warped(torch.from_numpy(view)).project(joints)


def _by_keypoints(joints: torch.Tensor, persons: Persons, view: np.ndarray) -> tuple[WeakFit, torch.Tensor]:
    """π that brings the joints of fits without a camera closest to the person's keypoints, and where it sees them
    (B, 49, 2): in a dot amid the keypoints, which is closest, where only a π that turns the body over would do.
    """
    target = apply_affine(view, persons.keypoints[..., :2].astype(np.float64))
    weights = _weights(persons)
    total = np.maximum(weights.sum(1), np.finfo(float).tiny)
    dot = (weights[..., None] * np.where(weights[..., None] > 0, target, 0.0)).sum(1) / total[:, None]
    weak = fit_weak_camera(joints, torch.from_numpy(target), torch.from_numpy(weights))
    seen = weak_to_camera(weak.pi).project(joints)
    return weak, torch.where(weak.valid[:, None, None], seen, torch.from_numpy(dot)[:, None])


def _weights(persons: Persons) -> np.ndarray:
    """(B, 49) the confidence of what is seen, else 0."""
    return np.where(seen_joints(persons), persons.keypoints[..., 2], 0.0).astype(np.float64)


def joints49(body: BodyModel, fits: Fits, rows: np.ndarray) -> torch.Tensor:
    """J49 (len(rows), 49, 3) float64 of fitted bodies, in camera-space metres before any translation."""
    dtype = body.v_template.dtype
    pose = axis_angle_to_matrix(torch.from_numpy(fits.pose[rows]).to(dtype).reshape(-1, 24, 3))
    return body.keypoints(pose, torch.from_numpy(fits.betas[rows]).to(dtype))[1].double()


def seen_joints(persons: Persons) -> np.ndarray:
    """(N, 49) bool: labelled as seen, or labelled at all where a person has nothing that is seen.

    Joints that OpenPose detected prove nothing of a person who has annotated ones.
    """
    labelled = (persons.keypoints[..., 2] > 0) & np.isfinite(persons.keypoints).all(-1)
    annotated = labelled & ~_DETECTED
    labelled = np.where(annotated.any(1, keepdims=True), annotated, labelled)
    seen = labelled & (persons.visibility == 2)
    return np.where(seen.any(1, keepdims=True), seen, labelled)


def _reprojection(projected: np.ndarray, target: np.ndarray, seen: np.ndarray) -> np.ndarray:
    distance = np.linalg.norm(projected - target, axis=-1)
    total = np.where(seen, distance, 0.0).sum(1)
    return np.where(seen.any(1), total / np.maximum(seen.sum(1), 1), np.inf)


def view_pixels(side: np.ndarray) -> np.ndarray:
    """Pixels of the 224 view in one pixel of the image, for boxes of ``side``."""
    return VIEW_SIZE / side
