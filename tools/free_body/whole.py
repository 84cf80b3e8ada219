"""From the left half to the whole body: the one place that knows how the right side is numbered.

Vertices: the half's own, then the mirror images of those off the midline. Faces: the half's own, then their mirror
images in the same order with reversed winding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, diags

from .partition import PartMesh

SIGN = np.array([-1.0, 1.0, 1.0])
PART_MIRROR = np.array([0, 1, 2, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15, 18, 17, 20, 19, 22, 21, 24, 23])


@dataclass(frozen=True)
class Whole:
    """The whole mesh.

    Attributes:
        half: number of vertices of the half, which come first.
        mirror: (V,) an involution.
        faces: (F, 3) int64; ``part``: (F,).
    """

    half: int
    mirror: np.ndarray
    faces: np.ndarray
    part: np.ndarray

    def vectors(self, half: np.ndarray) -> np.ndarray:
        """(..., V_half, 3) vectors of the left half → (..., V, 3), mirrored exactly."""
        right = half[..., self.mirror[self.half :], :] * SIGN
        return np.concatenate([half, right], axis=-2)

    def numbers(self, half: np.ndarray) -> np.ndarray:
        """(V_half, ...) values that a mirror leaves alone → (V, ...)."""
        return np.concatenate([half, half[self.mirror[self.half :]]])

    @property
    def midline(self) -> np.ndarray:
        """(V,) bool."""
        on: np.ndarray = self.mirror == np.arange(len(self.mirror))
        return on

    def edges(self) -> np.ndarray:
        """(E, 2) undirected edges, sorted."""
        return np.unique(np.sort(self.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0)

    def smoother(self) -> csr_matrix:
        """(V, V) one half-Laplacian pass: each vertex goes half way to the mean of its neighbours."""
        count = len(self.mirror)
        a, b = self.edges().T
        adjacency = csr_matrix((np.ones(2 * len(a)), (np.r_[a, b], np.r_[b, a])), shape=(count, count))
        return (diags(np.ones(count)) + diags(1 / np.asarray(adjacency.sum(1)).ravel()) @ adjacency) / 2


def whole_mesh(mesh: PartMesh) -> Whole:
    """Mirror a half mesh."""
    count = len(mesh.vertices)
    off = np.flatnonzero(~mesh.midline)
    mirror = np.arange(count + len(off))
    mirror[off] = count + np.arange(len(off))
    mirror[count:] = off
    faces = np.concatenate([mesh.faces, mirror[mesh.faces][:, ::-1]])
    return Whole(count, mirror, faces, np.concatenate([mesh.part, PART_MIRROR[mesh.part]]))
