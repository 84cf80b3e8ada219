"""Light on what a raster shows of a mesh: a numba kernel.

Shapes: V vertices, F faces, H × W pixels.
"""

from __future__ import annotations

import numpy as np

from pymaf_data.kernels import njit

Array = np.ndarray

ONE, OF_VERTICES, OF_FACES = range(3)
"""Whose colours there are, or light."""


@njit(nogil=True, cache=True, error_model="numpy")
def light_samples(
    face: Array,
    bary: Array,
    triangles: Array,
    light: Array,
    whose_light: int,
    colours: Array,
    whose_colours: int,
    image: Array,
) -> None:
    """Fill ``image`` (H, W, 3) uint8, black where ``face`` (H, W) shows none.

    Args:
        face: (H, W) face of each sample, −1: none.
        bary: (H, W, 3).
        triangles: (F, 3).
        light: (V,) or (F,), what colours are multiplied by.
        whose_light: :data:`OF_VERTICES` or :data:`OF_FACES`.
        colours: (1, 3), (V, 3) or (F, 3), 0 … 255.
        whose_colours: :data:`ONE`, :data:`OF_VERTICES` or :data:`OF_FACES`.
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
            shone = light[f] if whose_light == OF_FACES else u * light[a] + v * light[b] + w * light[c]
            for k in range(3):
                if whose_colours == ONE:
                    colour = colours[0, k]
                elif whose_colours == OF_FACES:
                    colour = colours[f, k]
                else:
                    colour = u * colours[a, k] + v * colours[b, k] + w * colours[c, k]
                image[i, j, k] = np.uint8(min(max(colour * shone + 0.5, 0.0), 255.0))
