"""Fits that are wrong in a known way: one class of fault each, planted into good fits.

Shapes: N fits of N persons. A fault that is planted leaves ``reason`` 0: nobody has found it yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from pymaf_data.body import BodyModel
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.reprojection import joints49
from pymaf_data.fits.rule import Rule
from pymaf_data.fits.table import VIEW, Fits
from pymaf_data.geometry.affines import compose, invert, view_affine
from pymaf_data.geometry.frames import box_ray, turn_of_ray
from pymaf_data.geometry.joints import SMPL24
from pymaf_data.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle

Plant = Callable[[Fits, Persons, BodyModel, np.random.Generator], Fits]
STRICT = Rule(reprojection=11.5, mask_iou=0.52, betas=3.5, beyond_limits=30, pose_prior=2.5, mirrored=0.5, scale=1.12)
"""The gates that docs/fits.md calls strict."""

HARDLY = 100.0
"""Millimetres by which a fault moves the joints in the mean, below which it is hardly one: the mirror image of a person
who is nearly symmetric."""

_VIEW = 224.0
_LIMBS = [
    tuple(SMPL24.index(side + name) for name in names)
    for side in ("left_", "right_")
    for names in (("hip_smpl", "knee", "ankle"), ("shoulder", "elbow", "wrist"))
]


def same_image(fits: Fits, persons: Persons, body: BodyModel, rng: np.random.Generator) -> Fits:
    """Somebody else's fit of the same image, where there is somebody; others are left as not valid."""
    other = np.arange(len(fits))
    for name in np.unique(persons.names):
        rows = np.flatnonzero((persons.names == name) & fits.valid)
        other[rows] = np.roll(rows, 1)
    found = taken(fits, other)
    found.drop(other == np.arange(len(fits)), "no fit in the source")
    return found


def other_image(fits: Fits, persons: Persons, body: BodyModel, rng: np.random.Generator) -> Fits:
    """A fit of another image as its crop showed it, in this person's box: rows of a file that are shifted."""
    rows = np.flatnonzero(fits.valid)
    other = np.arange(len(fits))
    other[rows] = np.roll(rows, 7)
    moved = compose(invert(view_affine(persons.box)), view_affine(persons.box[other]))
    found = taken(fits, other)
    found.native[:] = in_image(moved, found.native)
    return found


def mirrored(fits: Fits, persons: Persons, body: BodyModel, rng: np.random.Generator) -> Fits:
    """The mirror image of the fit, in the same box: crops that were flipped, and fits that were not flipped back."""
    pose = fits.pose.reshape(-1, 24, 3)[:, SMPL24.flip_permutation] * [1.0, -1.0, -1.0]
    flip = np.array([[-1.0, 0.0, _VIEW], [0.0, 1.0, 0.0]])
    turned = seen_turned(fits, body, np.diag([-1.0, 1.0, 1.0]), flip, persons)
    return replace(fits, pose=pose.reshape(-1, 72), native=turned)


def upside_down(fits: Fits, persons: Persons, body: BodyModel, rng: np.random.Generator) -> Fits:
    """Turned by 180° in the image, about the middle of the box."""
    half = np.diag([-1.0, -1.0, 1.0])
    around = np.array([[-1.0, 0.0, _VIEW], [0.0, -1.0, _VIEW]])
    found = with_root(fits, half @ roots(fits))
    return replace(found, native=seen_turned(fits, body, half, around, persons))


def turned_about(fits: Fits, persons: Persons, body: BodyModel, rng: np.random.Generator) -> Fits:
    """Turned by 180° about the body's own upright axis: the back is the front."""
    return with_root(fits, roots(fits) @ np.diag([-1.0, 1.0, -1.0]))


def random_pose(fits: Fits, persons: Persons, body: BodyModel, rng: np.random.Generator) -> Fits:
    """Every joint but the root turned about any axis, by up to 90°."""
    axis = rng.normal(size=(len(fits), 23, 3))
    angle = rng.uniform(0, np.pi / 2, (len(fits), 23, 1))
    pose = (axis / np.linalg.norm(axis, axis=-1, keepdims=True) * angle).reshape(len(fits), 69)
    return replace(fits, pose=np.concatenate([fits.pose[:, :3], pose], 1))


def extreme_shape(fits: Fits, persons: Persons, body: BodyModel, rng: np.random.Generator) -> Fits:
    """One coefficient of shape of 4 … 8 standard deviations, either way."""
    betas = fits.betas.copy()
    betas[np.arange(len(fits)), rng.integers(0, 10, len(fits))] = rng.uniform(4, 8, len(fits)) * _sign(rng, len(fits))
    return replace(fits, betas=betas)


def wrong_scale(fits: Fits, persons: Persons, body: BodyModel, rng: np.random.Generator) -> Fits:
    """A quarter larger or smaller in the image, about the middle of the box: a scale of other pixels."""
    k = 1.25 ** _sign(rng, len(fits))
    scale = np.zeros((len(fits), 2, 3))
    scale[:, 0, 0] = scale[:, 1, 1] = k
    scale[:, :, 2] = (_VIEW / 2 * (1 - k))[:, None]
    view = view_affine(persons.box)
    return replace(fits, native=in_image(compose(invert(view), compose(scale, view)), fits.native))


def flipped_limb(fits: Fits, persons: Persons, body: BodyModel, rng: np.random.Generator) -> Fits:
    """Both bones of one limb mirrored along the camera's axis: what two dimensions hardly see."""
    pose = axis_angle_to_matrix(torch.from_numpy(fits.pose.reshape(-1, 24, 3))).numpy()
    rest = body.rest_joints(torch.from_numpy(fits.betas)).numpy()
    parents, world = body.parents.tolist(), pose.copy()
    for joint in range(1, 24):
        world[:, joint] = world[:, parents[joint]] @ pose[:, joint]
    for row, limb in enumerate(rng.integers(0, len(_LIMBS), len(fits)).tolist()):
        above = world[row, parents[_LIMBS[limb][0]]]
        for joint, end in zip(_LIMBS[limb], _LIMBS[limb][1:], strict=False):
            bone = world[row, joint] @ (rest[row, end] - rest[row, joint])
            here = _shortest(bone, bone * [1.0, 1.0, -1.0]) @ world[row, joint]
            pose[row, joint], above = above.T @ here, here
        last = _LIMBS[limb][-1]
        pose[row, last] = above.T @ world[row, last]
    return replace(fits, pose=matrix_to_axis_angle(torch.from_numpy(pose)).numpy().reshape(-1, 72))


FAULTS: dict[str, Plant] = {
    "same image": same_image,
    "other image": other_image,
    "mirrored": mirrored,
    "upside down": upside_down,
    "turned about": turned_about,
    "random pose": random_pose,
    "extreme shape": extreme_shape,
    "wrong scale": wrong_scale,
}
UNSEEN: dict[str, Plant] = {"flipped limb": flipped_limb}
"""What two dimensions cannot be asked to show."""


def noisy(fits: Fits, rng: np.random.Generator) -> Fits:
    """Good fits that are not exact: 2° at every joint, 0.2 of a standard deviation in each coefficient of shape."""
    turn = axis_angle_to_matrix(torch.from_numpy(np.radians(2.0) * rng.normal(size=(len(fits), 24, 3)) / 3**0.5))
    pose = axis_angle_to_matrix(torch.from_numpy(fits.pose.reshape(-1, 24, 3))) @ turn
    betas = fits.betas + 0.2 * rng.normal(size=fits.betas.shape)
    return replace(fits, pose=matrix_to_axis_angle(pose).numpy().reshape(-1, 72), betas=betas)


def in_view(fits: Fits, persons: Persons) -> Fits:
    """The fits as a method that knew the crop alone gives them: without a camera, roots seen along the box's ray."""
    K = np.where(fits.valid[:, None, None], fits.native[:, :, :3], np.eye(3))
    found = with_root(fits, turn_of_ray(box_ray(K, persons.box)) @ roots(fits))
    return replace(found, frame=np.full(len(fits), VIEW, np.uint8))


def taken(fits: Fits, rows: np.ndarray) -> Fits:
    """The fits of other rows."""
    return Fits(*(np.array(getattr(fits, name)[rows]) for name in ("pose", "betas", "native", "frame", "reason")))


def in_image(affine: np.ndarray, native: np.ndarray) -> np.ndarray:
    """Cameras (N, 3, 4) whose image is moved by affines (N, 2, 3)."""
    return np.concatenate([affine @ native, native[:, 2:]], 1)


def roots(fits: Fits) -> np.ndarray:
    """(N, 3, 3) root rotations."""
    return axis_angle_to_matrix(torch.from_numpy(fits.pose[:, :3])).numpy()


def with_root(fits: Fits, rotation: np.ndarray) -> Fits:
    """The fits with other root rotations (N, 3, 3)."""
    root = matrix_to_axis_angle(torch.from_numpy(np.ascontiguousarray(rotation))).numpy()
    return replace(fits, pose=np.concatenate([root, fits.pose[:, 3:]], 1))


def seen_turned(fits: Fits, body: BodyModel, turn: np.ndarray, view: np.ndarray, persons: Persons) -> np.ndarray:
    """Cameras (N, 3, 4) that see what is turned about the root joint (3, 3) in a view that is moved (2, 3) likewise.

    With q = T(p − J) + J a point that was at p is seen where p was, moved: p = T⁻¹(q − J) + J.
    """
    root = body.rest_joints(torch.from_numpy(fits.betas))[:, 0].numpy()
    back = np.linalg.inv(turn)
    rows = np.zeros((len(fits), 4, 4))
    rows[:, :3, :3], rows[:, 3, 3] = back, 1.0
    rows[:, :3, 3] = root - root @ back.T
    plane = view_affine(persons.box)
    return in_image(compose(invert(plane), compose(view, plane)), fits.native @ rows)


def apart(a: Fits, b: Fits, body: BodyModel) -> np.ndarray:
    """(N,) mean distance in millimetres of the joints of two bodies about their middle."""
    rows = np.arange(len(a))
    first, second = (joints49(body, fits, rows).numpy()[:, 25:] for fits in (a, b))
    first, second = (joints - joints.mean(1, keepdims=True) for joints in (first, second))
    return 1000 * np.linalg.norm(first - second, axis=-1).mean(1)


def _sign(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.choice([-1.0, 1.0], count)


def _shortest(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(3, 3) the least rotation that brings the direction of ``a`` to that of ``b``."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    axis, cosine = np.cross(a, b), float(a @ b)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-9:
        return np.eye(3) if cosine > 0 else np.diag([-1.0, -1.0, -1.0]) + 2 * np.outer(_across(a), _across(a))
    vector = torch.from_numpy(axis / sine * np.arctan2(sine, cosine))
    return axis_angle_to_matrix(vector[None])[0].numpy()


def _across(a: np.ndarray) -> np.ndarray:
    """A unit vector across ``a``."""
    other = np.cross(a, np.eye(3)[int(np.argmin(np.abs(a)))])
    return other / np.linalg.norm(other)
