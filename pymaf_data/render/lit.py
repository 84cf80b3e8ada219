"""Light on what a raster shows, and its samples blended into an image: numba kernels.

Shapes: V vertices, F faces, H × W pixels, K × K samples of each.
"""

from __future__ import annotations

import numpy as np

from pymaf_data.kernels import njit

Array = np.ndarray

ONE, OF_VERTICES, OF_FACES = range(3)
"""Whose colours, or normals, there are."""


@njit(nogil=True, cache=True, error_model="numpy")
def light_samples(
    face: Array,
    bary: Array,
    triangles: Array,
    normals: Array,
    whose_normals: int,
    colours: Array,
    whose_colours: int,
    light: Array,
    ambient: float,
    image: Array,
) -> None:
    """Fill ``image`` (H, W, 3) uint8, black where ``face`` (H, W) shows none.

    Args:
        face: (H, W) face of each sample, −1: none.
        bary: (H, W, 3).
        triangles: (F, 3).
        normals: (V, 3) or (F, 3), of any length.
        whose_normals: :data:`OF_VERTICES` or :data:`OF_FACES`.
        colours: (1, 3), (V, 3) or (F, 3), 0 … 255.
        whose_colours: :data:`ONE`, :data:`OF_VERTICES` or :data:`OF_FACES`.
        light: (3,) of unit length, towards it.
        ambient: what a side that is turned away from the light keeps.
        image: (H, W, 3).
    """
    for i in range(face.shape[0]):
        for j in range(face.shape[1]):
            f = face[i, j]
            if f < 0:
                image[i, j, 0] = image[i, j, 1] = image[i, j, 2] = 0
                continue
            a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
            u, v, w = float(bary[i, j, 0]), float(bary[i, j, 1]), float(bary[i, j, 2])
            length, along = 0.0, 0.0
            for k in range(3):
                if whose_normals == OF_VERTICES:
                    n = u * normals[a, k] + v * normals[b, k] + w * normals[c, k]
                else:
                    n = normals[f, k]
                length += n * n
                along += n * light[k]
            lambert = 0.5 + 0.5 * along / max(np.sqrt(length), 1e-12)
            intensity = ambient + (1 - ambient) * lambert * np.sqrt(max(lambert, 0.0))
            for k in range(3):
                if whose_colours == ONE:
                    colour = colours[0, k]
                elif whose_colours == OF_FACES:
                    colour = colours[f, k]
                else:
                    colour = u * colours[a, k] + v * colours[b, k] + w * colours[c, k]
                image[i, j, k] = np.uint8(min(max(colour * intensity + 0.5, 0.0), 255.0))


@njit(nogil=True, cache=True, error_model="numpy")
def blend_samples(face: Array, drawn: Array, alpha: float, K: int, image: Array) -> None:
    """Blend samples ``drawn`` (K·H, K·W, 3), black where ``face`` shows none, into ``image`` (H, W, 3) uint8."""
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            count = red = green = blue = 0
            for y in range(i * K, i * K + K):
                for x in range(j * K, j * K + K):
                    if face[y, x] >= 0:
                        count += 1
                        red += drawn[y, x, 0]
                        green += drawn[y, x, 1]
                        blue += drawn[y, x, 2]
            if count:
                # What is drawn is already multiplied by coverage: no further factor on it.
                under, over = 1 - alpha * count / (K * K), alpha / (K * K)
                image[i, j, 0] = np.uint8(min(image[i, j, 0] * under + red * over + 0.5, 255.0))
                image[i, j, 1] = np.uint8(min(image[i, j, 1] * under + green * over + 0.5, 255.0))
                image[i, j, 2] = np.uint8(min(image[i, j, 2] * under + blue * over + 0.5, 255.0))
