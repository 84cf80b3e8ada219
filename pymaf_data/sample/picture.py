"""From a scene to a photograph-like picture and what each pixel shows.

People and seats are rasterized twice: at the picture's own pixel centres for masks and visibility (the very samples
that an IUV map of that size would take), and at twice the resolution for colour, so that outlines are smooth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.random import Generator
from scipy import sparse

from pymaf_data.body import BodyModel, load_body
from pymaf_data.geometry.cameras import Camera
from pymaf_data.render import Raster, load_atlas, rasterize
from pymaf_data.sample.backdrop import paint_backdrop
from pymaf_data.sample.scene import Person, Scene, View
from pymaf_data.sample.wardrobe import Outfit, Wardrobe

_SEAT_FACES = np.array(
    [[0, 1, 2], [0, 2, 3], [4, 6, 5], [4, 7, 6], [0, 5, 1], [0, 4, 5], [1, 6, 2], [1, 5, 6], [2, 7, 3], [2, 6, 7],
     [3, 4, 0], [3, 7, 4]]
)  # fmt: skip
_FINE = 2
_MIN_SHOWN = 0.35  # of a person's own silhouette
_MIN_AREA = 0.003  # of the picture

Shader = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Shown:
    """What the picture shows of a scene.

    Args:
        scene: with the people who can be seen.
        picture: (H, W, 3) uint8 RGB.
        masks: (N, H, W) bool, visible pixels of each person.
        occlusion: (N,) share of each silhouette inside the frame that others hide.
        depth: (H, W) metres to the nearest person or seat, +inf elsewhere.
    """

    scene: Scene
    picture: np.ndarray
    masks: np.ndarray
    occlusion: np.ndarray
    depth: np.ndarray


class Studio:
    """Body, wardrobe and lights; one per process."""

    def __init__(self) -> None:
        self.body: BodyModel = load_body("free", dtype=torch.float64)
        self.faces = self.body.faces.numpy()
        self.wardrobe = Wardrobe(self.body, load_atlas("free"))
        ones = np.ones(self.faces.size)
        corners = (self.faces.ravel(), np.repeat(np.arange(len(self.faces)), 3))
        self._around = sparse.csr_matrix((ones, corners), shape=(len(self.body.v_template), len(self.faces)))

    def shoot(self, rng: Generator, scene: Scene) -> Shown:
        """Take the picture; people who can hardly be seen leave the scene first."""
        scene, depth, owner, occlusion = _sort_out(scene, self.faces)
        width, height = scene.view.size
        light = _light(rng)
        far = max(-person.ground[:, 2].min() for person in scene.people)
        backdrop = paint_backdrop(rng, scene.view, far + rng.uniform(0.4, 4.0))
        shadow = self._shadow(scene, light)
        colour = backdrop.colour * (1 - np.float32(rng.uniform(0.35, 0.6)) * (shadow * backdrop.ground)[..., None])
        canvas = cv2.resize(colour, (_FINE * width, _FINE * height), interpolation=cv2.INTER_LINEAR)
        nearest = np.full(canvas.shape[:2], np.inf, np.float32)
        towards = scene.view.rotation @ -light
        tint = _tints(rng)
        for person in scene.people:
            shader = self._shader(person, self.wardrobe.dress(rng), towards, tint)
            _draw(canvas, nearest, scene.view, person.vertices, self.faces, shader)
            if person.seat is not None:
                shader = _seat_shader(rng, person.seat, light, tint)
                _draw(canvas, nearest, scene.view, scene.view.to_camera(person.seat), _SEAT_FACES, shader)
        picture = _develop(rng, cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA))
        masks = np.stack([owner == number for number in range(len(scene.people))])
        return Shown(scene, picture, masks, occlusion, depth)

    def _shader(self, person: Person, outfit: Outfit, towards: np.ndarray, tint: np.ndarray) -> Shader:
        corner = person.vertices[self.faces]
        facets = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        normals = self._around @ facets
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        lit = _lit(normals, towards, tint).astype(np.float32)
        height = self.wardrobe.height.astype(np.float32)

        def shade(face: np.ndarray, bary: np.ndarray) -> np.ndarray:
            triangle = self.faces[face]
            albedo = outfit.colours(face, np.einsum("pk,pk->p", bary, height[triangle]))
            return albedo * np.einsum("pk,pkc->pc", bary, lit[triangle])

        return shade

    def _shadow(self, scene: Scene, light: np.ndarray) -> np.ndarray:
        """(H, W) float32 in 0 … 1: where people and seats keep the light from the ground."""
        width, height = scene.view.size
        shadow = np.zeros((height, width), np.float32)
        for person in scene.people:
            for points, faces in ((person.ground, self.faces), (person.seat, _SEAT_FACES)):
                if points is not None:
                    flat = points - light * (points[:, 1:2] / light[1])
                    drawn = _raster(scene.view, scene.view.to_camera(flat), faces, 1)
                    if drawn is not None:
                        raster, rows, columns = drawn
                        np.maximum(shadow[rows, columns], raster.mask, out=shadow[rows, columns])
        return cv2.GaussianBlur(shadow, (0, 0), 2.5)


def _sort_out(scene: Scene, faces: np.ndarray) -> tuple[Scene, np.ndarray, np.ndarray, np.ndarray]:
    """Depth (H, W), owner (H, W) and occlusion (N,) of the scene without people who can hardly be seen."""
    width, height = scene.view.size
    layers = [_layers(scene.view, person, faces) for person in scene.people]
    people = list(scene.people)
    while True:
        depth = np.full((height, width), np.inf, np.float32)
        owner = np.full((height, width), -1, np.int16)
        for number, parts in enumerate(layers):
            for place, (raster, rows, columns) in enumerate(parts):
                front = raster.depth < depth[rows, columns]
                depth[rows, columns][front] = raster.depth[front]
                owner[rows, columns][front] = number if place == 0 else -1
        whole = np.array([int(parts[0][0].mask.sum()) if parts else 0 for parts in layers])
        shown = np.array([int((owner == number).sum()) for number in range(len(people))])
        share = shown / np.maximum(whole, 1)
        hidden = (share < _MIN_SHOWN) | (shown < _MIN_AREA * width * height)
        if not hidden.any() or len(people) == 1:
            return Scene(scene.view, tuple(people)), depth, owner, (1 - share).astype(np.float32)
        worst = int(np.argmin(np.where(hidden, share, np.inf)))
        del people[worst], layers[worst]


_Layer = tuple[Raster, slice, slice]


def _layers(view: View, person: Person, faces: np.ndarray) -> list[_Layer]:
    """Body first, then the seat, as far as they fall into the picture."""
    meshes = [(person.vertices, faces)]
    if person.seat is not None:
        meshes.append((view.to_camera(person.seat), _SEAT_FACES))
    drawn = [_raster(view, points, triangles, 1) for points, triangles in meshes]
    return [layer for layer in drawn if layer is not None]


def _raster(view: View, points: np.ndarray, faces: np.ndarray, fine: int) -> _Layer | None:
    """Rasterize the part of the picture that a mesh can reach; where it lies as row and column slices."""
    width, height = view.size[0] * fine, view.size[1] * fine
    if points[:, 2].min() > 0.05:
        pixels = view.project(points) * fine
        low = np.clip(np.floor(pixels.min(0)) - 1, 0, (width, height)).astype(int)
        high = np.clip(np.ceil(pixels.max(0)) + 1, 0, (width, height)).astype(int)
    else:
        low, high = np.zeros(2, int), np.array([width, height])
    if (high <= low).any():
        return None
    matrix = np.diag([fine, fine, 1.0]) @ np.concatenate([view.intrinsics, np.zeros((3, 1))], axis=1)
    matrix[:2] -= low[:, None] * matrix[2:]
    size = (int(high[1] - low[1]), int(high[0] - low[0]))
    raster = rasterize(points[None], faces, Camera(torch.from_numpy(matrix[None])), size)[0]
    return raster, slice(low[1], high[1]), slice(low[0], high[0])


def _draw(
    canvas: np.ndarray, nearest: np.ndarray, view: View, points: np.ndarray, faces: np.ndarray, shader: Shader
) -> None:
    drawn = _raster(view, points, faces, _FINE)
    if drawn is None:
        return
    raster, rows, columns = drawn
    front = raster.depth < nearest[rows, columns]
    nearest[rows, columns][front] = raster.depth[front]
    canvas[rows, columns][front] = shader(raster.face[front], raster.bary[front])


def _light(rng: Generator) -> np.ndarray:
    """World direction (3,) in which the light falls: from above, from any side but more from the viewer's."""
    azimuth, elevation = rng.uniform(-100, 100), rng.uniform(35, 75)
    a, e = np.deg2rad(azimuth), np.deg2rad(elevation)
    return -np.array([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)])


def _tints(rng: Generator) -> np.ndarray:
    """(2, 3) colours of ambient and direct light."""
    warmth = rng.uniform(-0.05, 0.08)
    ambient = rng.uniform(0.30, 0.48)
    return np.array([[ambient * (1 - warmth), ambient, ambient * (1 + warmth)], [0.78 + warmth, 0.76, 0.76 - warmth]])


def _lit(normals: np.ndarray, towards: np.ndarray, tint: np.ndarray) -> np.ndarray:
    """Light (..., 3) on surfaces with these normals: ambient and half-Lambert, so that no side is black."""
    lambert = (0.5 + 0.5 * normals @ towards) ** 1.6
    return tint[0] + tint[1] * lambert[..., None]


def _seat_shader(rng: Generator, seat: np.ndarray, light: np.ndarray, tint: np.ndarray) -> Shader:
    corner = seat[_SEAT_FACES]
    normals = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    outward = np.einsum("fc,fc->f", normals, corner.mean(1) - seat.mean(0))
    normals *= np.sign(outward)[:, None]
    hue = np.array([0.55, 0.4, 0.28]) * rng.uniform(0.6, 1.5) * rng.uniform(0.9, 1.1, size=3)
    lit = (np.clip(hue, 0, 1) * _lit(normals, -light, tint)).astype(np.float32)
    return lambda face, bary: lit[face]


def _develop(rng: Generator, colour: np.ndarray) -> np.ndarray:
    """Exposure and sensor noise; (H, W, 3) uint8."""
    picture = rng.standard_normal(colour.shape, dtype=np.float32)
    picture *= np.float32(255 * rng.uniform(0.004, 0.014))
    picture += colour * np.float32(255 * rng.uniform(0.9, 1.1))
    return cv2.convertScaleAbs(np.maximum(picture, 0, out=picture))
