"""Linear blend skinning of whole meshes on the CPU: each vertex asks only the bones that move it.

Of 24 weights a vertex has four at most that are not zero, in the free body and in SMPL. Without gradients that is all
there is to compute; the differentiable product with all 24 takes two and a half times as long.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import uintp as at

from pymaf_data.kernels import njit


class Influences(NamedTuple):
    """The bones that move each vertex, strongest first.

    Args:
        bones: (V, K) uint8, K the most that any vertex has.
        weights: (V, K), zero beyond a vertex's own bones.
    """

    bones: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, weights: np.ndarray) -> Influences:
        """From skinning weights (V, J); their type is kept."""
        most = max(1, int(np.count_nonzero(weights, axis=1).max()))
        order = np.argsort(-weights, axis=1, kind="stable")[:, :most]
        return cls(order.astype(np.uint8), np.take_along_axis(weights, order, axis=1))

    def skin(self, vertices: np.ndarray, transforms: np.ndarray) -> None:
        """Pose vertices where they lie.

        Args:
            vertices: (B, V, 3) metres, each body in its T-pose; posed afterwards.
            transforms: (B, J, 3, 4) what each bone does to it.
        """
        _skin(vertices, transforms, self.bones, self.weights)


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
def _skin(vertices: np.ndarray, transforms: np.ndarray, bones: np.ndarray, weights: np.ndarray) -> None:
    t = transforms
    for b in range(vertices.shape[0]):
        for v in range(vertices.shape[1]):
            x, y, z = vertices[b, v, 0], vertices[b, v, 1], vertices[b, v, 2]
            w, j = weights[v, 0], at(bones[v, 0])
            px = w * (t[b, j, 0, 0] * x + t[b, j, 0, 1] * y + t[b, j, 0, 2] * z + t[b, j, 0, 3])
            py = w * (t[b, j, 1, 0] * x + t[b, j, 1, 1] * y + t[b, j, 1, 2] * z + t[b, j, 1, 3])
            pz = w * (t[b, j, 2, 0] * x + t[b, j, 2, 1] * y + t[b, j, 2, 2] * z + t[b, j, 2, 3])
            for k in range(1, bones.shape[1]):
                w, j = weights[v, k], at(bones[v, k])
                if w == 0:
                    break
                px += w * (t[b, j, 0, 0] * x + t[b, j, 0, 1] * y + t[b, j, 0, 2] * z + t[b, j, 0, 3])
                py += w * (t[b, j, 1, 0] * x + t[b, j, 1, 1] * y + t[b, j, 1, 2] * z + t[b, j, 1, 3])
                pz += w * (t[b, j, 2, 0] * x + t[b, j, 2, 1] * y + t[b, j, 2, 2] * z + t[b, j, 2, 3])
            vertices[b, v, 0], vertices[b, v, 1], vertices[b, v, 2] = px, py, pz
