"""Bodies of other models made from the free one: the same persons on another mesh, in files as SMPL-X, SMPL-H, MHR and
what leads between their meshes are published.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

# Where the 24 joints of SMPL are among the 55 of SMPL-X and the 52 of SMPL-H: its hands are their index fingers.
OF_SMPLX = [*range(22), 25, 40]
OF_SMPLH = [*range(22), 22, 37]
_FINGERS = [-1, 0, 1, -1, 3, 4, -1, 6, 7, -1, 9, 10, -1, 12, 13]


class Mesh(NamedTuple):
    """Another mesh of a surface.

    Attributes:
        up: (V', V) its vertices of those of the first.
        faces: (F', 3).
        triangle, weights: (V,), (V, 3) where on it the vertices of the first lie.
    """

    up: sparse.csr_matrix
    faces: np.ndarray
    triangle: np.ndarray
    weights: np.ndarray

    @property
    def down(self) -> sparse.csr_matrix:
        """(V, V') the vertices of the first of its own."""
        rows = np.arange(len(self.triangle)).repeat(3)
        shape = self.up.shape[::-1]
        return sparse.csr_matrix((self.weights.ravel(), (rows, self.faces[self.triangle].ravel())), shape)


def other_mesh(template: np.ndarray, faces: np.ndarray, count: int) -> Mesh:
    """A mesh of so many vertices: edges are split, and no vertex stays where one was."""
    V = len(template)
    up, faces = sparse.identity(V, format="csr"), faces.copy()
    while up.shape[0] < count:
        up, faces = _split(up, faces, count - up.shape[0])
    # Each old vertex goes some way into one of its triangles.
    corner = np.zeros((count, 3), int)
    for k in range(3):
        corner[faces[:, k]] = np.roll(faces, -k, 1)
    rows, stay = np.arange(V).repeat(3), np.arange(V, count)
    values = np.concatenate([np.tile([0.8, 0.1, 0.1], V), np.ones(count - V)])
    places = np.concatenate([rows, stay]), np.concatenate([corner[:V].ravel(), stay])
    up = sparse.csr_matrix((values, places), (count, count)) @ up
    return Mesh(up, faces, *_closest(template, up @ template, faces))


def _split(up: sparse.csr_matrix, faces: np.ndarray, most: int) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Split up to so many edges of which no two belong to one triangle."""
    half = np.concatenate([np.stack([np.arange(len(faces)), np.full(len(faces), k)], 1) for k in range(3)])
    ends = np.sort(np.stack([faces[half[:, 0], half[:, 1]], faces[half[:, 0], (half[:, 1] + 1) % 3]], 1), axis=1)
    order = np.lexsort(ends.T)
    pairs = half[order].reshape(-1, 2, 2)  # closed: every edge has two triangles
    free, chosen = np.ones(len(faces), bool), []
    for number in np.random.default_rng(0).permutation(len(pairs)).tolist():
        one, two = pairs[number, :, 0]
        if free[one] and free[two] and len(chosen) < most:
            free[[one, two]] = False
            chosen.append(number)
    new, N = [], up.shape[0]
    between = []
    for at, number in enumerate(chosen):
        for face, k in pairs[number]:
            a, b, c = np.roll(faces[face], -k)
            new += [(face, (a, N + at, c)), (-1, (N + at, b, c))]
        between.append((a, b))
    changed = faces.copy()
    for face, triangle in new:
        if face >= 0:
            changed[face] = triangle
    faces = np.concatenate([changed, [triangle for face, triangle in new if face < 0]])
    rows = np.arange(len(between)).repeat(2)
    middle = sparse.csr_matrix((np.full(len(rows), 0.5), (rows, np.ravel(between))), (len(between), N))
    return sparse.vstack([up, middle @ up]).tocsr(), faces


def _closest(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each point the triangle around its own vertex that is closest, and where in it."""
    face, of = np.arange(len(faces)).repeat(3), faces.ravel()
    mine = of < len(points)
    face, of = face[mine], of[mine]
    a, b, c = (vertices[faces[face, k]] for k in range(3))
    e, f, p = b - a, c - a, points[of] - a
    ee, ef, ff, pe, pf = ((x * y).sum(1) for x, y in ((e, e), (e, f), (f, f), (p, e), (p, f)))
    det = ee * ff - ef**2
    v, w = (ff * pe - ef * pf) / det, (ee * pf - ef * pe) / det
    weights = np.stack([1 - v - w, v, w], 1).clip(0)
    weights /= weights.sum(1, keepdims=True)
    apart = np.linalg.norm((weights[:, :, None] * np.stack([a, b, c], 1)).sum(1) - points[of], axis=1)
    order = np.lexsort([apart, of])
    first = order[np.searchsorted(of[order], np.arange(len(points)))]
    return face[first], weights[first]


def relief(template: np.ndarray, faces: np.ndarray, metres: float, seed: int = 1) -> np.ndarray:
    """(V, 3) a smooth landscape over a surface, so many metres high and deep."""
    rng, height = np.random.default_rng(seed), np.zeros(len(template))
    for _ in range(6):
        height += np.sin(template @ (8 * rng.normal(size=3)) + rng.uniform(0, 2 * np.pi))
    normals = np.zeros_like(template)
    across = np.cross(template[faces[:, 1]] - template[faces[:, 0]], template[faces[:, 2]] - template[faces[:, 0]])
    for k in range(3):
        np.add.at(normals, faces[:, k], across)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return metres * (height / np.abs(height).max())[:, None] * normals


def smoothed(weights: np.ndarray, faces: np.ndarray, times: int) -> np.ndarray:
    """Skinning weights as another artist paints them: blurred over the mesh."""
    V = len(weights)
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    near = sparse.csr_matrix((np.ones(len(ends)), ends.T), (V, V))
    near = near + near.T
    near.data[:] = 1
    near = sparse.diags(1 / np.asarray(near.sum(1)).ravel()) @ near
    for _ in range(times):
        weights = 0.5 * weights + 0.5 * (near @ weights)
    return weights


def skinned(body: Any, joints: int, places: list[int], up: Any = None, down: Any = None) -> dict[str, Any]:
    """The arrays of a model file with more joints: the body's own are at ``places``, the others move nothing.

    Values are small floats, which a file as large as SMPL-X's takes less time with.
    """
    template, weights, regressor, posedirs = (
        getattr(body, name).double().numpy() for name in ("v_template", "lbs_weights", "J_regressor", "posedirs")
    )
    shapedirs = body.shapedirs.double().numpy()
    V = len(template)
    up = sparse.identity(V, format="csr") if up is None else up
    parents = np.array([-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19])
    hand = [20 if finger < 0 else 1000 + finger for finger in _FINGERS]
    first = joints - 30
    left = [first + at - 1000 if at >= 1000 else 20 for at in hand]
    right = [first + 15 + at - 1000 if at >= 1000 else 21 for at in hand]
    parents = np.concatenate([parents, np.full(first - 22, 15), left, right])
    many = np.zeros((len(template) if up is None else up.shape[0], joints))
    many[:, places] = up @ weights
    regress = np.zeros((joints, up.shape[0]))
    regress[:] = 1 / up.shape[0]
    regress[places] = regressor if down is None else (regressor @ down)
    features = np.zeros((up.shape[0], 3, 9 * (joints - 1)), np.float16)
    moved = (up @ posedirs.T.reshape(V, -1)).reshape(-1, 3, 23, 9)
    for k, place in enumerate(places[1:]):
        features[:, :, 9 * (place - 1) : 9 * place] = moved[:, :, k]
    return {
        "v_template": up @ template, "shapedirs": (up @ shapedirs.reshape(V, -1)).reshape(-1, 3, 10),
        "posedirs": features, "weights": many, "J_regressor": regress, "f": np.zeros((1, 3), np.uint32),
        "kintree_table": np.stack([parents, np.arange(joints)]).astype(np.uint32),
        "hands_meanl": np.zeros(45), "hands_meanr": np.zeros(45),
    }  # fmt: skip


def write_smplx(path: Path, body: Any, mesh: Mesh, **changes: Any) -> Path:
    """SMPL-X of release 1.0: ten betas, ten expressions."""
    arrays = skinned(body, 55, OF_SMPLX, mesh.up, mesh.down)
    arrays["shapedirs"] = np.concatenate([arrays["shapedirs"], np.zeros_like(arrays["shapedirs"])], 2)
    arrays["f"] = mesh.faces.astype(np.uint32)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **(arrays | changes))
    return path


def write_pickle(path: Path, arrays: dict[str, Any]) -> Path:
    """A model, or another dictionary, as a pickle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(arrays, protocol=2))
    return path


def write_mapping(path: Path, mesh: Mesh) -> Path:
    """Barycentric coordinates of the first mesh's vertices on another."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, triangle_ids=mesh.triangle.astype(np.int64), baryc_coords=mesh.weights)
    return path


def write_ply(path: Path, vertices: int, faces: np.ndarray) -> Path:
    """A coloured mesh as VCG writes it."""
    head = (
        "ply\nformat binary_little_endian 1.0\ncomment VCGLIB generated\n" f"element vertex {vertices}\n"
        "property float x\nproperty float y\nproperty float z\nproperty uchar red\nproperty uchar green\n"
        f"property uchar blue\nproperty uchar alpha\nelement face {len(faces)}\n"
        "property list uchar int vertex_indices\nend_header\n"
    )  # fmt: skip
    rows = b"".join(b"\3" + triangle.astype("<i4").tobytes() for triangle in faces)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head.encode() + bytes(16 * vertices) + rows)
    return path
