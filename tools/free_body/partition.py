"""Cut the half mesh into the parts of the atlas along smooth lines.

A part's border is where a plane, or the sheet that divides front from back, meets the skin. Every edge that
crosses it is split there, so that a border is as smooth as the surface, and never follows the zig-zag of the mesh. A
new vertex is a point on an edge, hence a convex combination of Anny's vertices: whatever Anny knows about its
vertices (shapes, weights) is known about it, through one sparse matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, vstack
from scipy.sparse.csgraph import connected_components

from .skeleton import JOINTS

# Parts of the left half by DensePose's numbers.
TORSO_BACK, TORSO_FRONT, HAND, FOOT, HEAD = 1, 2, 4, 5, 24
THIGH_BACK, THIGH_FRONT, SHIN_BACK, SHIN_FRONT = 8, 10, 12, 14
UPPER_ARM_FRONT, UPPER_ARM_BACK, FOREARM_FRONT, FOREARM_BACK = 15, 17, 19, 21
_SNAP = 0.06
"""A crossing nearer to an edge's end than this share of the edge takes the end itself."""


@dataclass
class PartMesh:
    """The half mesh with its parts.

    Attributes:
        vertices: (V, 3) mean T-pose.
        basis: (V, V_source) sparse rows of convex weights on the source's vertices.
        faces: (F, 3); ``part``: (F,) DensePose part of each; ``midline``: (V,) bool.
    """

    vertices: np.ndarray
    basis: csr_matrix
    faces: np.ndarray
    part: np.ndarray
    midline: np.ndarray


def partition(vertices: np.ndarray, faces: np.ndarray, midline: np.ndarray, joints: np.ndarray) -> PartMesh:
    """Cut a half in mean T-pose (V, 3) whose joints are (24, 3)."""
    identity = csr_matrix(np.eye(len(vertices)))
    mesh = PartMesh(vertices, identity, faces, np.full(len(faces), TORSO_FRONT), midline)
    at = {name: joints[index] for index, name in enumerate(JOINTS)}
    crotch = vertices[midline & (vertices[:, 1] < at["pelvis"][1])][:, 1].min()
    _cut(mesh, TORSO_FRONT, _plane(at["neck"] + [0.0, -0.012, 0.0], (0.0, 1.0, 0.55)), HEAD)
    _cut(mesh, TORSO_FRONT, _plane(at["left_shoulder"] + [-0.006, 0.0, 0.0], (1.0, 0.12, 0.0)), UPPER_ARM_FRONT)
    _cut(mesh, UPPER_ARM_FRONT, _plane(at["left_elbow"], (1.0, 0.0, 0.0)), FOREARM_FRONT)
    _cut(mesh, FOREARM_FRONT, _plane(at["left_wrist"], (1.0, 0.0, 0.0)), HAND)
    _cut(mesh, TORSO_FRONT, _plane(np.array([0.022, crotch, 0.0]), (0.62, -1.0, 0.22)), THIGH_FRONT)
    _cut(mesh, THIGH_FRONT, _plane(at["left_knee"], (0.0, -1.0, 0.0)), SHIN_FRONT)
    _cut(mesh, SHIN_FRONT, _plane(at["left_ankle"] + [0.0, 0.012, 0.0], (0.0, -1.0, -0.15)), FOOT)
    arm = _behind(at, ("left_shoulder", "left_elbow", "left_wrist"), axis=0)
    leg = _behind(at, ("left_ankle", "left_knee", "left_hip", "left_shoulder"), axis=1)
    for front, back, field in (
        (TORSO_FRONT, TORSO_BACK, leg),
        (UPPER_ARM_FRONT, UPPER_ARM_BACK, arm),
        (FOREARM_FRONT, FOREARM_BACK, arm),
        (THIGH_FRONT, THIGH_BACK, leg),
        (SHIN_FRONT, SHIN_BACK, leg),
    ):
        _cut(mesh, front, field, back)
    return mesh


Field = Callable[[np.ndarray], np.ndarray]


def _plane(point: np.ndarray, normal: tuple[float, float, float]) -> Field:
    unit = np.array(normal) / np.linalg.norm(normal)
    return lambda vertices: (vertices - point) @ unit


def _behind(at: dict[str, np.ndarray], chain: tuple[str, ...], axis: int) -> Field:
    """Positive behind the sheet that runs through the joints of a limb, sideways."""
    places = np.array(sorted((at[name][axis], at[name][2]) for name in chain))
    return lambda vertices: np.interp(vertices[:, axis], places[:, 0], places[:, 1]) - vertices[:, 2]


def _cut(mesh: PartMesh, part: int, field: Field, new_part: int) -> None:
    """Give the side of ``part`` where ``field`` is positive to ``new_part``, splitting what lies across."""
    inside = mesh.faces[mesh.part == part]
    edges = np.unique(np.sort(inside[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0)
    value = _snapped(_one_piece(field(mesh.vertices), edges), edges)
    crossing = edges[value[edges[:, 0]] * value[edges[:, 1]] < 0]
    first = len(mesh.vertices)
    at = value[crossing[:, 0]] / (value[crossing[:, 0]] - value[crossing[:, 1]])
    on_edge = {(int(a), int(b)): first + k for k, (a, b) in enumerate(crossing)}
    mesh.vertices = np.concatenate([mesh.vertices, _mix(mesh.vertices, crossing, at[:, None])])
    rows = mesh.basis[crossing[:, 0]].multiply(1 - at[:, None]) + mesh.basis[crossing[:, 1]].multiply(at[:, None])
    mesh.basis = vstack([mesh.basis, rows]).tocsr()
    mesh.midline = np.concatenate([mesh.midline, mesh.midline[crossing].all(1)])
    value = np.concatenate([value, np.zeros(len(crossing))])
    _split_faces(mesh, on_edge)
    beyond = value[mesh.faces].sum(1) > 0
    mesh.part = np.where((mesh.part == part) & beyond, new_part, mesh.part)


def _mix(values: np.ndarray, edges: np.ndarray, at: np.ndarray) -> np.ndarray:
    mixed: np.ndarray = values[edges[:, 0]] * (1 - at) + values[edges[:, 1]] * at
    return mixed


def _one_piece(value: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Keep one connected piece on either side: a plane through the arm must not cut the hip as well."""
    for sign in (1.0, -1.0):
        side = edges[(value[edges] * sign > 0).all(1)]
        graph = csr_matrix((np.ones(len(side)), (side[:, 0], side[:, 1])), shape=(len(value), len(value)))
        piece = connected_components(graph, directed=False)[1]
        among = np.unique(edges)
        furthest = among[(value[among] * sign).argmax()]
        stray = (value * sign > 0) & (piece != piece[furthest])
        value = np.where(stray, -sign * 1e-6, value)
    return value


def _snapped(value: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Move the border onto vertices that it all but touches, so that no sliver is cut."""
    value = value.copy()
    a, b = edges[value[edges[:, 0]] * value[edges[:, 1]] < 0].T
    at = value[a] / (value[a] - value[b])
    value[a[at < _SNAP]] = 0.0
    value[b[at > 1 - _SNAP]] = 0.0
    return value


def _split_faces(mesh: PartMesh, on_edge: dict[tuple[int, int], int]) -> None:
    """Triangulate anew every face that has a new vertex on one or two of its edges."""
    faces, parts = [], []
    for face, part in zip(mesh.faces.tolist(), mesh.part.tolist(), strict=True):
        corners = [on_edge.get((min(a, b), max(a, b))) for a, b in zip(face, face[1:] + face[:1], strict=True)]
        pieces = _pieces(face, corners, mesh.vertices)
        faces.extend(pieces)
        parts.extend([part] * len(pieces))
    mesh.faces, mesh.part = np.array(faces), np.array(parts)


def _pieces(face: list[int], cuts: list[int | None], vertices: np.ndarray) -> list[tuple[int, int, int]]:
    """The triangles of one face whose edges (i, i+1) carry the new vertices ``cuts`` (or none)."""
    count = sum(cut is not None for cut in cuts)
    if count == 0:
        return [(face[0], face[1], face[2])]
    if count == 1:
        k = next(i for i, cut in enumerate(cuts) if cut is not None)
        a, b, c, m = face[k], face[(k + 1) % 3], face[(k + 2) % 3], cuts[k]
        assert m is not None
        return [(a, m, c), (m, b, c)]
    k = next(i for i, cut in enumerate(cuts) if cut is None)  # a–b is whole; m on b–c, n on c–a
    a, b, c, m, n = face[k], face[(k + 1) % 3], face[(k + 2) % 3], cuts[(k + 1) % 3], cuts[(k + 2) % 3]
    assert m is not None and n is not None
    if np.linalg.norm(vertices[a] - vertices[m]) <= np.linalg.norm(vertices[b] - vertices[n]):
        return [(m, c, n), (a, b, m), (a, m, n)]
    return [(m, c, n), (a, b, n), (b, m, n)]
