"""The arrays of a body model, checked once where they enter.

Shape letters: V vertices, F faces, J = 24 skeleton joints.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from pymaf_data.body.names import EXTRA, LANDMARKS
from pymaf_data.digest import digest_arrays
from pymaf_data.errors import AssetMismatch
from pymaf_data.geometry.joints import H36M17, SMPL24

NUM_JOINTS = len(SMPL24)
NUM_BETAS = 10
NUM_POSE_FEATURES = 9 * (NUM_JOINTS - 1)
NUM_H36M = len(H36M17)
NUM_DOWNSAMPLED = 431

_ROW_SUM_TOLERANCE = 1e-3  # the published regressors are rounded: rows sum to 1 within 2e-4


def topology_fingerprint(faces: np.ndarray, num_vertices: int) -> str:
    """Name a mesh by its connectivity: regressors and atlases belong to one such mesh.

    Args:
        faces: (F, 3) integer vertex indices, in their order.
        num_vertices: V.

    Returns:
        64 hexadecimal digits (SHA-256).
    """
    return digest_arrays(np.asarray(faces, dtype="<i4"), np.asarray([num_vertices], dtype="<i4"))


@dataclass(frozen=True)
class Regressor:
    """Named joints as linear combinations of the vertices of one mesh.

    Args:
        name: what to call it in messages.
        matrix: (K, V) float64; rows sum to one.
        fingerprint: of the mesh it was made for.
    """

    name: str
    matrix: np.ndarray
    fingerprint: str

    def require(self, rows: int, fingerprint: str, num_vertices: int) -> None:
        """Refuse a regressor of another joint set or mesh.

        Raises:
            AssetMismatch: rows, columns, row sums or fingerprint are not those of the body.
        """
        found = self.matrix.shape
        if found != (rows, num_vertices):
            hint = "14 rows are GraphCMR's joint set; SPIN's and PyMAF's has 9. " if found[:1] == (14,) else ""
            raise AssetMismatch(
                f"{self.name} has shape {found}.",
                expected=f"({rows}, {num_vertices}).",
                action=f"{hint}put the file of SPIN's or PyMAF's data folder in its place.",
            )
        sums = self.matrix.sum(1)
        if not np.allclose(sums, 1.0, atol=_ROW_SUM_TOLERANCE):
            raise AssetMismatch(
                f"{self.name}: row sums lie between {sums.min():.4f} and {sums.max():.4f}.",
                expected="1 for every joint.",
                action="fetch the file again from its source.",
            )
        if self.fingerprint != fingerprint:
            raise AssetMismatch(
                f"{self.name} belongs to the mesh {self.fingerprint[:12]}.",
                expected=f"a regressor of the mesh {fingerprint[:12]}.",
                action="pair a body with its own companion files; vertex numbers of bodies do not transfer.",
            )


@dataclass(frozen=True)
class BodyArrays:
    """Everything that defines a body, float64 and int64.

    Args:
        v_template: (V, 3) metres, T-pose, y up, facing +z, the body's left at +x.
        faces: (F, 3), counter-clockwise seen from outside.
        parents: (24,), −1 at the root, each parent before its child.
        shapedirs: (V, 3, 10) metres per unit of beta.
        posedirs: (207, 3V) metres per unit of R − I, column 3·vertex + axis.
        weights: (V, 24) skinning weights, rows sum to one.
        joints: (24, V) skeleton regressor.
        extra: (9, V) SPIN's extra joints.
        h36m: (17, V) Human3.6M's joints.
        landmarks: (21,) vertices in the order of :data:`~pymaf_data.body.names.LANDMARKS`.
        downsample: (431,) vertices that PyMAF's regressors look at.
        mean_pose6d: (144,) where PyMAF's iterations start.
        mean_betas: (10,) likewise.
        mean_camera: (3,) likewise.
        mirror: (V,) the left-right partner of each vertex, where the mesh is symmetric.
    """

    v_template: np.ndarray
    faces: np.ndarray
    parents: np.ndarray
    shapedirs: np.ndarray
    posedirs: np.ndarray
    weights: np.ndarray
    joints: Regressor
    extra: Regressor
    h36m: Regressor
    landmarks: np.ndarray
    downsample: np.ndarray
    mean_pose6d: np.ndarray
    mean_betas: np.ndarray
    mean_camera: np.ndarray
    mirror: np.ndarray | None = None

    @property
    def fingerprint(self) -> str:
        """The mesh's :func:`topology_fingerprint`."""
        return topology_fingerprint(self.faces, len(self.v_template))

    def digest(self) -> str:
        """SHA-256 over every array."""
        values = (getattr(self, field.name) for field in fields(self))
        arrays = (value.matrix if isinstance(value, Regressor) else value for value in values if value is not None)
        return digest_arrays(*arrays)

    def check(self, origin: str) -> None:
        """Refuse arrays that are not one consistent body.

        Raises:
            AssetMismatch: a shape, an index range, the tree or a row sum is wrong.
        """
        V, mesh = len(self.v_template), self.fingerprint
        self._check_shapes(origin, V)
        self.joints.require(NUM_JOINTS, mesh, V)
        self.extra.require(len(EXTRA), mesh, V)
        self.h36m.require(NUM_H36M, mesh, V)
        for name in ("faces", "landmarks", "downsample", "mirror"):
            value = getattr(self, name)
            if value is not None and not (value.min() >= 0 and value.max() < V):
                raise _mismatch(origin, f"{name} points outside the {V} vertices")
        if self.parents[0] != -1 or not all(0 <= p < j for j, p in enumerate(self.parents) if j):
            raise _mismatch(origin, f"parents {self.parents.tolist()} are no tree with parents first")
        if not np.allclose(self.weights.sum(1), 1.0, atol=_ROW_SUM_TOLERANCE) or self.weights.min() < 0:
            raise _mismatch(origin, "skinning weights are no partition of unity")

    def _check_shapes(self, origin: str, V: int) -> None:
        shapes = {
            "v_template": (V, 3), "faces": (len(self.faces), 3), "parents": (NUM_JOINTS,),
            "shapedirs": (V, 3, NUM_BETAS), "posedirs": (NUM_POSE_FEATURES, 3 * V), "weights": (V, NUM_JOINTS),
            "landmarks": (len(LANDMARKS),), "downsample": (NUM_DOWNSAMPLED,), "mean_pose6d": (6 * NUM_JOINTS,),
            "mean_betas": (NUM_BETAS,), "mean_camera": (3,), "mirror": (V,),
        }  # fmt: skip
        for name, expected in shapes.items():
            value = getattr(self, name)
            if value is not None and value.shape != expected:
                raise _mismatch(origin, f"{name} has shape {value.shape}, not {expected}")
            if value is not None and not np.isfinite(value).all():
                raise _mismatch(origin, f"{name} holds values that are not finite")


def _mismatch(origin: str, what: str) -> AssetMismatch:
    return AssetMismatch(
        f"{origin}: {what}.",
        expected="a body with SMPL's interface (24 joints, 10 betas).",
        action="fetch the file again from its source.",
    )
