"""A network's bodies of the persons on an image, and the cameras that show them in the whole image.

The network's own camera π, at f = 5000 px of the 224 px view, is exact: moved into the image's plane it shows the body
just where the view shows it, in either frame. Beside it stands the body under the image's camera K, as other programs
want it: a root seen by that camera, and the translation that brings its joints closest to where the network sees them.
Only for a crop on the optical axis is that the same projection; the residual says by how much it is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from pymaf_data.geometry.affines import Floats, invert, view_affine
from pymaf_data.geometry.cameras import Camera, full_frame, weak_to_camera
from pymaf_data.geometry.frames import box_ray, turn_about, turn_of_ray
from pymaf_data.geometry.placement import place
from pymaf_data.geometry.rotations import matrix_to_axis_angle

from ..images import normalise
from ..networks.network import Network
from .seen import Image, Seen


class Bodies(NamedTuple):
    """K persons of an image. Metres; camera space without translation.

    Attributes:
        rotation: (K, 24, 3, 3) joint rotations, the root seen from the network's frame.
        betas: (K, 10).
        pi: (K, 3) s, tx, ty of the 224 px view of the box.
        vertices: (K, V, 3).
        joints: (K, 49, 3).
        camera: (K, 3, 4) of the whole image's continuous pixels.
        keypoints: (K, 49, 2) joints by that camera, px.
        standing: (K, V, 3) as the image's camera K sees them, before any translation.
        root: (K, 3, 3) root rotation seen from there.
        intrinsics: (3, 3) K, as given or assumed.
        translation: (K, 3) metres before K, in which the body stands; NaN where it cannot be.
        residual: (K,) px of the 224 px view, root mean square over joints, between both projections.
    """

    rotation: Floats
    betas: Floats
    pi: Floats
    vertices: Floats
    joints: Floats
    camera: Floats
    keypoints: Floats
    standing: Floats
    root: Floats
    intrinsics: Floats
    translation: Floats
    residual: Floats


class Parameters(NamedTuple):
    """What a network says of K persons, as arrays: see :class:`Bodies`."""

    rotation: Floats
    betas: Floats
    pi: Floats


class Posed(NamedTuple):
    """K bodies, metres: vertices (K, V, 3), joints (K, 49, 3), root joints (K, 3)."""

    vertices: Floats
    joints: Floats
    pivot: Floats


Smooth = Callable[[Seen, Floats, Floats, Floats], tuple[Floats, Floats, Floats]]


def bodies_of(
    model: Network, seen: Sequence[Seen], batch: int, focal: float | None, smooth: Smooth | None = None
) -> list[Bodies]:
    """Of every image, in batches of persons whatever their images.

    Args:
        model: in evaluation mode.
        seen: images.
        batch: persons at a time.
        focal: of every image's camera, px; None assumes the diagonal.
        smooth: what makes parameters of an image steadier, image after image.
    """
    views = np.concatenate([each.views for each in seen])
    found = [_predict(model, views[first : first + batch]) for first in range(0, len(views), batch)]
    counts, every_K = [len(one.persons) for one in seen], [intrinsics_of(one.image, focal) for one in seen]
    if not found:
        return [_nobody(model, K) for K in every_K]
    said = Parameters(*_joined(found))
    if smooth:
        each = zip(seen, _split(said, counts), strict=True)
        said = Parameters(*_joined([smooth(one, *mine) if one.persons else mine for one, mine in each]))
    # Everybody at once: the blend shapes are 18 MB, and to read them for each image takes longer than to use them.
    boxes = np.concatenate([one.box.reshape(-1, 3) for one in seen])
    whole = _placed(said, _posed(model, said), boxes, np.repeat(every_K, counts, axis=0), model.frame)
    bodies = (Bodies(*mine) for mine in _split(whole, counts))
    return [mine._replace(intrinsics=K) for mine, K in zip(bodies, every_K, strict=True)]


def _joined(parts: Sequence[tuple[Floats, ...]]) -> list[Floats]:
    """Arrays of several groups of persons as those of all."""
    return [np.concatenate(each) for each in zip(*parts, strict=True)]


def _split(whole: Sequence[Floats], counts: Sequence[int]) -> Iterator[tuple[Floats, ...]]:
    """Arrays of all persons as those of groups, which have as many."""
    return zip(*(np.split(each, np.cumsum(counts)[:-1]) for each in whole), strict=True)


def _predict(model: Network, views: Image) -> Parameters:
    images = torch.from_numpy(views).permute(0, 3, 1, 2).to(next(model.parameters()).device)
    with torch.inference_mode():
        last = model(normalise(images), auxiliary=False).predictions[-1]
        tensors = (last.rotation, last.parameters.betas, last.parameters.camera)
        return Parameters(*(each.double().cpu().numpy() for each in tensors))


def _nobody(model: Network, K: Floats) -> Bodies:
    """Of an image without persons, where no other of the batch has any."""
    V = len(model.body.v_template)

    def none(*shape: int) -> Floats:
        return np.zeros((0, *shape))

    return Bodies(
        rotation=none(24, 3, 3),
        betas=none(10),
        pi=none(3),
        vertices=none(V, 3),
        joints=none(49, 3),
        camera=none(3, 4),
        keypoints=none(49, 2),
        standing=none(V, 3),
        root=none(3, 3),
        intrinsics=K,
        translation=none(3),
        residual=none(),
    )


def _posed(model: Network, said: Parameters) -> Posed:
    device, dtype = model.body.v_template.device, model.body.v_template.dtype
    with torch.inference_mode():
        rotation, betas = (torch.from_numpy(each).to(device, dtype) for each in (said.rotation, said.betas))
        body = model.body(rotation, betas)
        return Posed(*(each.double().cpu().numpy() for each in (body.vertices, body.joints, body.skeleton[:, 0])))


def _placed(said: Parameters, posed: Posed, boxes: Floats, K: Floats, frame: str) -> Bodies:
    """N bodies in their images' planes by the network's own cameras, and before their images' cameras K (N, 3, 3).

    ``intrinsics`` of the result are those of everybody, (N, 3, 3).
    """
    vertices, points, pivot = posed
    plane = view_affine(boxes)
    image = weak_to_camera(torch.from_numpy(said.pi)).warped(invert(plane))
    keypoints = image.project(torch.from_numpy(points)).numpy()
    turn = np.broadcast_to(np.eye(3), K.shape)
    if frame == "view":
        turn = turn_of_ray(box_ray(K, boxes)).swapaxes(1, 2)
    joints = turn_about(turn, points, pivot)
    aimed = np.concatenate([keypoints, np.ones((*keypoints.shape[:2], 1))], 2)
    camera, good = place(joints, K, aimed)
    translation = np.where(good[:, None], (np.linalg.inv(K) @ camera[..., 3:])[..., 0], np.nan)
    by_K = full_frame(torch.from_numpy(K), torch.from_numpy(translation)).project(torch.from_numpy(joints))
    apart = (by_K.numpy() - keypoints) * plane[:, None, None, 0, 0]
    return Bodies(
        rotation=said.rotation,
        betas=said.betas,
        pi=said.pi,
        vertices=vertices,
        joints=points,
        camera=image.matrix.numpy(),
        keypoints=keypoints,
        standing=turn_about(turn, vertices, pivot),
        root=turn @ said.rotation[:, 0],
        intrinsics=K,
        translation=translation,
        residual=np.sqrt(np.square(apart).sum(-1).mean(1)),
    )


def intrinsics_of(image: Image, focal: float | None) -> Floats:
    """K (3, 3) about the image's centre; without a focal length that of a camera whose focal length is the diagonal,
    which most photographs have within a third (as CLIFF assumes)."""
    height, width = image.shape[:2]
    f = focal or math.hypot(width, height)
    return np.array([[f, 0, width / 2], [0, f, height / 2], [0, 0, 1]])


def axis_angles(rotation: Floats) -> Floats:
    """(..., 3) radians of rotations (..., 3, 3)."""
    turned: Floats = matrix_to_axis_angle(torch.from_numpy(rotation)).numpy()
    return turned


def camera_of(bodies: Bodies, k: int) -> Camera:
    """Of one person, in the image's pixels."""
    return Camera(torch.from_numpy(bodies.camera[k : k + 1]))
