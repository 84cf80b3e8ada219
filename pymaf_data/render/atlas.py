"""Atlases: what part of the body a face belongs to, and where on the chart of that part it lies.

DensePose's convention: 24 parts, each a chart with U, V in [0, 1]; 0 is the background.

    1, 2    torso back, front            3, 4    hand R, L           5, 6    foot L, R
    7–10    upper leg R/L back, front    11–14   lower leg R/L back, front
    15–18   upper arm L/R front, back    19–22   lower arm L/R front, back     23, 24  head R, L

An atlas cuts the mesh along the borders of its charts, so its vertices are copies of the mesh's; ``vertex`` says of
which. It belongs to one mesh and is refused with any other. In a mirrored image a part becomes its partner on the
other side with U, V unchanged, except on the two torso charts, which are their own partners and mirror U. DensePose's
charts are not mirror images to the last digit; where its tables of what each U, V becomes lie beside its atlas, they
decide instead. :mod:`pymaf_data.render.sides` applies either.

Shapes: V mesh vertices, A atlas vertices, F faces.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_data.asset_files import find_asset
from pymaf_data.body.arrays import topology_fingerprint
from pymaf_data.body.free import read_free_asset
from pymaf_data.digest import digest_arrays
from pymaf_data.errors import AssetMismatch, AssetMissing, RawDataCorrupt
from pymaf_data.untrusted.mat import read_mat

DENSEPOSE_FILE = "UV_data/UV_Processed.mat"
"""Where DensePose's atlas lies below the assets folder."""

SYMMETRY_FILE = "UV_symmetry_transforms.mat"
"""DensePose's tables for mirrored images, beside its atlas."""

PARTS = 25
"""Classes of a part map: background and 24 parts."""

COARSE_PARTS = (
    (0,), (1, 2), (3,), (4,), (5,), (6,), (7, 9), (8, 10), (11, 13), (12, 14), (15, 17), (16, 18), (19, 21),
    (20, 22), (23, 24),
)  # fmt: skip
"""The 24 parts joined to 14 body parts without front and back, behind the background."""

LIMBS = {
    "head": (23, 24),
    "torso": (1, 2),
    "right_arm": (3, 16, 18, 20, 22),
    "left_arm": (4, 15, 17, 19, 21),
    "right_leg": (6, 7, 9, 11, 13),
    "left_leg": (5, 8, 10, 12, 14),
}
"""The 24 parts joined to six body parts, numbered from 1 in this order; hands and feet belong to their limbs."""

_LIMB_PAIRS = (
    (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16), (17, 18), (19, 20), (21, 22), (23, 24),
)  # fmt: skip
_SELF_MIRRORED = (1, 2)
# Interpolated tables may leave [0, 1] by a part of the step between two of DensePose's entries.
_OVERSHOOT = 1 / 255
# A few faces may lack a chart: DensePose's atlas covers 13,774 of SMPL's 13,776.
_UNCHARTED_FACES = 16


def _coarse_of_part() -> np.ndarray:
    table = np.zeros(PARTS, np.uint8)
    for coarse, parts in enumerate(COARSE_PARTS):
        table[list(parts)] = coarse
    return table


def _limb_of_part() -> np.ndarray:
    table = np.zeros(PARTS, np.uint8)
    for limb, parts in enumerate(LIMBS.values(), start=1):
        table[list(parts)] = limb
    return table


def _part_mirror() -> np.ndarray:
    table = np.arange(PARTS, dtype=np.uint8)
    for right, left in _LIMB_PAIRS:
        table[right], table[left] = left, right
    return table


COARSE_OF_PART = _coarse_of_part()
"""(25,) uint8: the coarse part, 0 … 14, of each part."""

LIMB_OF_PART = _limb_of_part()
"""(25,) uint8: the body part of :data:`LIMBS`, 1 … 6, of each part; 0 for the background."""


@dataclass(frozen=True)
class Atlas:
    """Charts over one mesh.

    Attributes:
        name: "free", or the name of the file it came from.
        vertex: (A,) int32, mesh vertex of each atlas vertex.
        faces: (F, 3) int32, atlas vertices of each face.
        face_part: (F,) uint8, part 1 … 24 of each face.
        uv: (A, 2) float32 in [0, 1].
        part_mirror: (25,) uint8, partner of each part in a mirrored image.
        u_mirror: (25,) bool, whether U becomes 1 − U as well.
        mesh_fingerprint: topology fingerprint of the only mesh it belongs to; empty where the file does not tell.
        uv_mirror: (24, 2, n, n) float32, the U, V that part 1 … 24 at V = row/(n − 1), U = column/(n − 1) has in a
            mirrored image; None where ``u_mirror`` is the whole rule.
    """

    name: str
    vertex: np.ndarray
    faces: np.ndarray
    face_part: np.ndarray
    uv: np.ndarray
    part_mirror: np.ndarray
    u_mirror: np.ndarray
    mesh_fingerprint: str = ""
    uv_mirror: np.ndarray | None = None

    @cached_property
    def mesh_faces(self) -> np.ndarray:
        """(F, 3) int32: the faces as mesh vertices, in the atlas's order; what is rasterized."""
        return np.ascontiguousarray(self.vertex[self.faces])

    @cached_property
    def corner_uv(self) -> np.ndarray:
        """(F, 3, 2) float32: U, V at the corners of each face."""
        return np.ascontiguousarray(self.uv[self.faces])

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that decides what a map shows; tables for mirrored images do not."""
        return digest_arrays(
            self.vertex, self.faces, self.face_part, self.uv, self.part_mirror, self.u_mirror.astype(np.uint8)
        )

    def check_mesh(self, faces: Any, vertices: int, mesh: str = "this mesh") -> None:
        """Refuse a mesh that the atlas was not made for.

        Args:
            faces: (F', 3) faces of the mesh.
            vertices: V, how many vertices it has.
            mesh: its name, for the message.

        Raises:
            AssetMismatch: the fingerprint differs, or the charts hold triangles that the mesh has not.
        """
        mesh_faces = np.asarray(faces, np.int64)
        found = topology_fingerprint(mesh_faces, vertices)
        if self.mesh_fingerprint:
            agrees = found == self.mesh_fingerprint
        else:
            ours, theirs = _triangle_keys(self.mesh_faces, vertices), _triangle_keys(mesh_faces, vertices)
            agrees = self.vertex.max() < vertices and bool(np.isin(ours, theirs).all())
            agrees = agrees and len(theirs) - len(ours) <= _UNCHARTED_FACES
        if not agrees:
            raise AssetMismatch(
                f"atlas {self.name} does not chart {mesh} ({vertices} vertices, topology {found[:12]})",
                expected="the mesh that the atlas was made for: the same faces over the same vertices",
                action="use the atlas 'free' with the free body, and UV_Processed.mat with SMPL.",
            )


def load_atlas(source: str | Path = "free") -> Atlas:
    """Load an atlas.

    Args:
        source: ``"free"`` for the atlas of the free body, or the path of DensePose's ``UV_Processed.mat``. Its
            ``UV_symmetry_transforms.mat`` is read from the same folder where it is there.

    Raises:
        AssetMissing: there is no such file.
        AssetMismatch: the file is not an atlas of 24 charts, or the tables beside it are not those of 24 parts.
    """
    return _load_free() if str(source) == "free" else _load_densepose(Path(source))


def atlas_of_body(body: str, assets: Path | None = None) -> Atlas:
    """The atlas that charts a body of :func:`pymaf_data.body.load_body`.

    Args:
        body: ``"free"``, ``"smpl-neutral"``, …
        assets: folder of licensed files; by default ``assets`` of the data root.

    Raises:
        AssetMissing: DensePose's file is not there.
    """
    return load_atlas("free" if body == "free" else find_asset(DENSEPOSE_FILE, assets))


def _load_free() -> Atlas:
    asset = read_free_asset()
    fingerprint = topology_fingerprint(asset["faces"], len(asset["v_template"]))
    uv = asset["atlas_uv"].astype(np.float32) / np.float32(65534)
    return _atlas("free", asset["atlas_vertex"], asset["atlas_faces"], asset["atlas_face_part"], uv, fingerprint)


def _load_densepose(path: Path) -> Atlas:
    if not path.is_file():
        raise AssetMissing(
            f"no atlas at {path}",
            expected="'free', or the path of DensePose's UV_Processed.mat",
            action="put UV_data/UV_Processed.mat into the assets folder, or use the free body.",
        )
    names = ("All_vertices", "All_Faces", "All_FaceIndices", "All_U_norm", "All_V_norm")
    try:
        vertex, triangles, part, u, v = _matrices(path, names)
        uv = np.stack([u.ravel(), v.ravel()], axis=1).astype(np.float32)
        first = vertex.ravel().astype(np.int64) - 1, triangles.astype(np.int64) - 1  # Matlab counts from 1
    except (ValueError, TypeError) as error:
        raise _unreadable(path, names, error) from None
    return replace(_atlas(path.name, *first, part.ravel(), uv, ""), uv_mirror=_load_symmetry(path.parent))


def _load_symmetry(folder: Path) -> np.ndarray | None:
    """DensePose's tables (24, 2, n, n) for mirrored images; None where they are not in the folder."""
    path, names = folder / SYMMETRY_FILE, ("U_transforms", "V_transforms")
    if not path.is_file():
        return None
    try:
        cells = [np.stack([np.asarray(cell, np.float32) for cell in of.ravel()]) for of in _matrices(path, names)]
        tables = np.ascontiguousarray(np.stack(cells, axis=1))
    except (ValueError, TypeError) as error:
        raise _unreadable(path, names, error) from None
    square = tables.ndim == 4 and tables.shape[0] == PARTS - 1 and tables.shape[2] == tables.shape[3] >= 2
    if not square or not bool((np.abs(tables - 0.5) <= 0.5 + _OVERSHOOT).all()):
        raise AssetMismatch(
            f"{path} holds tables of shape {tables.shape}, or values outside [0, 1]",
            expected="24 square tables of U and 24 of V, with values in [0, 1]",
            action="fetch UV_symmetry_transforms.mat again, or take it away: parts are then mirrored by rule.",
        )
    return np.clip(tables, 0, 1)


def _matrices(path: Path, names: tuple[str, ...]) -> list[np.ndarray]:
    """The named arrays of a Matlab file, in this order.

    Raises:
        AssetMismatch: it cannot be read, lacks one, or holds it as something else.
    """
    try:
        found = list(read_mat(path, names).values())
    except RawDataCorrupt as error:
        raise AssetMismatch(error.found, expected=error.expected, action=f"fetch {path.name} again.") from None
    if not all(isinstance(value, np.ndarray) for value in found):
        raise _unreadable(path, names, TypeError("it holds sparse matrices"))
    return found


def _unreadable(path: Path, names: tuple[str, ...], error: Exception) -> AssetMismatch:
    return AssetMismatch(
        f"{path} cannot be read: {error!r}",
        expected=f"{', '.join(names)}, as DensePose writes them",
        action=f"fetch {path.name} again.",
    )


def _atlas(
    name: str, vertex: np.ndarray, triangles: np.ndarray, face_part: np.ndarray, uv: np.ndarray, fingerprint: str
) -> Atlas:
    """Check the arrays of a file and bring them to one form."""
    whole = (
        triangles.ndim == 2
        and triangles.shape[1] == 3
        and face_part.shape == triangles.shape[:1]
        and uv.shape == (len(vertex), 2)
        and int(triangles.min()) >= 0
        and int(triangles.max()) < len(vertex)
        and int(vertex.min()) >= 0
        and set(np.unique(face_part).tolist()) <= set(range(1, PARTS))
        and bool((uv >= 0).all() and (uv <= 1).all())
    )
    if not whole:
        raise AssetMismatch(
            f"atlas {name} is inconsistent: {len(vertex)} vertices, faces {triangles.shape}, parts {face_part.shape}, "
            f"U, V {uv.shape}",
            expected="faces over its own vertices, one part 1 … 24 per face, U and V in [0, 1]",
            action="fetch or build the file again.",
        )
    u_mirror = np.zeros(PARTS, bool)
    u_mirror[list(_SELF_MIRRORED)] = True
    return Atlas(
        name,
        np.ascontiguousarray(vertex, np.int32),
        np.ascontiguousarray(triangles, np.int32),
        np.ascontiguousarray(face_part, np.uint8),
        np.ascontiguousarray(uv, np.float32),
        _part_mirror(),
        u_mirror,
        fingerprint,
    )


def _triangle_keys(triangles: np.ndarray, vertices: int) -> np.ndarray:
    """(F,) one number per triangle, whatever corner it starts from."""
    corners = np.sort(triangles.astype(np.int64), axis=1)
    return (corners[:, 0] * vertices + corners[:, 1]) * vertices + corners[:, 2]
