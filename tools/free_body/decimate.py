"""Quadric half-edge collapses that keep the borders of the parts.

Subset placement: a vertex collapses onto a neighbour and never moves, so weights and shapes of what is left are
rows of what there was. A vertex on a border may only slide along it, a vertex where borders meet stays. Each group
of parts has its own budget of faces, which is how hands and faces keep their detail.

Cost of collapsing u onto v: the quadrics of both at v, plus a little of the edge's length, which evens the mesh out
where the surface is flat. O(n log n) with a heap of stamped candidates.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

import numpy as np

from .partition import FOOT, HAND, HEAD, PartMesh

HALF_FACES = 6888
GROUP_OF_PART = {HAND: "hand", FOOT: "foot", HEAD: "head"}
BUDGETS = {"hand": 1140, "foot": 740, "head": 1560}
"""Faces of the half for each group; the body gets what HALF_FACES leaves."""

_SEAM_WEIGHT = 4.0
_FOCUS_WEIGHT, _FOCUS_RADIUS = 24.0, 0.02
"""Errors count this much more at the eyes and the mouth, falling off over so many metres: a face is its eyes."""
_EVENNESS = 1.5e-3
_MIN_NORMAL_AGREEMENT = 0.35
_MIN_QUALITY = 0.08


def decimate(mesh: PartMesh, protected: Iterable[int], focus: Iterable[int]) -> tuple[PartMesh, np.ndarray]:
    """Collapse ``mesh`` to exactly HALF_FACES faces, keeping ``protected`` vertices and what lies about ``focus``.

    Returns the mesh and, for every old vertex, its new number or −1.
    """
    work = _Collapser(mesh, set(protected), _attention(mesh, focus))
    for group, budget in BUDGETS.items():
        work.run(group, budget + 1)
    others = sum(work.count[group] for group in BUDGETS)
    work.run("body", HALF_FACES - others)
    return work.result(mesh)


class _Collapser:
    """The mesh as neighbour sets, its quadrics and its heap."""

    def __init__(self, mesh: PartMesh, protected: set[int], attention: np.ndarray) -> None:
        self.points = mesh.vertices
        self.face = dict(enumerate(map(tuple, mesh.faces.tolist())))
        self.group = [GROUP_OF_PART.get(part, "body") for part in mesh.part.tolist()]
        self.count = {name: self.group.count(name) for name in ("body", *BUDGETS)}
        self.around: list[set[int]] = [set() for _ in mesh.vertices]
        for index, corners in self.face.items():
            for corner in corners:
                self.around[corner].add(index)
        self.protected = protected
        self.stamp = [0] * len(mesh.vertices)
        self.normal = _unit_normals(mesh.vertices, mesh.faces)
        feature = _feature_edges(mesh)
        self.feature: list[set[int]] = [set() for _ in mesh.vertices]
        for a, b in feature.tolist():
            self.feature[a].add(b)
            self.feature[b].add(a)
        self.quadric = list(_quadrics(mesh, feature) * attention[:, None, None])
        self.heap: list[tuple[float, int, int, int, int]] = []

    def run(self, group: str, target: int) -> None:
        """Collapse the cheapest edges of ``group`` until ``target`` faces are left in it."""
        vertices = {v for f, corners in self.face.items() if self.group[f] == group for v in corners}
        self.heap = []
        for vertex in sorted(vertices):
            self._offer(vertex)
        while self.heap and self.count[group] > target:
            _, u, v, stamp_u, stamp_v = heapq.heappop(self.heap)
            if (stamp_u, stamp_v) != (self.stamp[u], self.stamp[v]) or not self.around[u]:
                continue
            lost = self.around[u] & self.around[v]
            ours = all(self.group[f] == group for f in self.around[u] | lost)
            if ours and self.count[group] - len(lost) >= target and self._allowed(u, v, lost):
                self._collapse(u, v, lost)
        if self.count[group] != target and group == "body":
            raise RuntimeError(f"decimation stopped at {self.count[group]} faces of {group}, not {target}")

    def _neighbours(self, vertex: int) -> set[int]:
        return {corner for f in self.around[vertex] for corner in self.face[f]} - {vertex}

    def _offer(self, u: int) -> None:
        """Put all collapses of ``u`` that its borders allow on the heap."""
        if u in self.protected or len(self.feature[u]) not in (0, 2):
            return
        area = self._area(u)
        for v in sorted(self.feature[u] or self._neighbours(u)):
            point = np.append(self.points[v], 1.0)
            length = float(((self.points[u] - self.points[v]) ** 2).sum())
            cost = float(point @ (self.quadric[u] + self.quadric[v]) @ point) + _EVENNESS * length * area
            heapq.heappush(self.heap, (cost, u, v, self.stamp[u], self.stamp[v]))

    def _area(self, vertex: int) -> float:
        corners = self.points[[self.face[f] for f in sorted(self.around[vertex])]]
        return float(np.linalg.norm(_cross(corners), axis=1).sum() / 2)

    def _allowed(self, u: int, v: int, lost: set[int]) -> bool:
        common = self._neighbours(u) & self._neighbours(v)
        if len(common) != len(lost) or self.feature[u] & self.feature[v]:
            return False
        kept = sorted(self.around[u] - lost)
        if not kept:
            return False
        corners = np.array([[v if c == u else c for c in self.face[f]] for f in kept])
        cross = _cross(self.points[corners])
        double_area = np.linalg.norm(cross, axis=1)
        agreement = (cross * self.normal[kept]).sum(1) / np.maximum(double_area, 1e-18)
        return bool(agreement.min() > _MIN_NORMAL_AGREEMENT and self._quality(corners, double_area) > _MIN_QUALITY)

    def _quality(self, corners: np.ndarray, double_area: np.ndarray) -> float:
        """The worst of 2√3·(2 area)/(sum of squared edges): 1 for an equilateral triangle, 0 for a sliver."""
        p = self.points[corners]
        squared = ((p - np.roll(p, -1, axis=1)) ** 2).sum((1, 2))
        return float((2 * np.sqrt(3) * double_area / squared).min())

    def _collapse(self, u: int, v: int, lost: set[int]) -> None:
        for f in lost:
            for corner in self.face[f]:
                self.around[corner].discard(f)
            self.count[self.group[f]] -= 1
            del self.face[f]
        for f in self.around[u]:
            self.face[f] = tuple(v if corner == u else corner for corner in self.face[f])
            self.around[v].add(f)
        self.around[u] = set()
        for other in self.feature[u] - {v}:
            self.feature[other] = (self.feature[other] - {u}) | {v}
            self.feature[v].add(other)
        self.feature[v].discard(u)
        self.quadric[v] = self.quadric[v] + self.quadric[u]
        touched = self._neighbours(v) | {v}
        for vertex in touched:
            self.stamp[vertex] += 1
        # A candidate dies with either end's stamp, so all neighbours of the touched are offered again.
        for vertex in sorted(touched | {w for t in touched for w in self._neighbours(t)}):
            self._offer(vertex)

    def result(self, mesh: PartMesh) -> tuple[PartMesh, np.ndarray]:
        """What is left, and the new number of every old vertex (−1 where it is gone)."""
        kept_faces = sorted(self.face)
        faces = np.array([self.face[f] for f in kept_faces])
        used = np.unique(faces)
        renumber = np.full(len(mesh.vertices), -1)
        renumber[used] = np.arange(len(used))
        left = PartMesh(
            mesh.vertices[used], mesh.basis[used], renumber[faces], mesh.part[kept_faces], mesh.midline[used]
        )
        return left, renumber


def _attention(mesh: PartMesh, focus: Iterable[int]) -> np.ndarray:
    """(V,) how much an error at each vertex counts."""
    squared = np.min([((mesh.vertices - mesh.vertices[f]) ** 2).sum(1) for f in focus], axis=0)
    weight: np.ndarray = 1 + (_FOCUS_WEIGHT - 1) * np.exp(-squared / _FOCUS_RADIUS**2)
    return weight


def _cross(corners: np.ndarray) -> np.ndarray:
    product: np.ndarray = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return product


def _unit_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    cross = _cross(vertices[faces])
    return cross / np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), 1e-18)


def _feature_edges(mesh: PartMesh) -> np.ndarray:
    """(E, 2) edges between two parts, and the border on the midline."""
    sides = np.sort(mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    edges, inverse, count = np.unique(sides, axis=0, return_inverse=True, return_counts=True)
    part = np.repeat(mesh.part, 3)
    low, high = np.full(len(edges), 99), np.zeros(len(edges), dtype=np.int64)
    np.minimum.at(low, inverse.ravel(), part)
    np.maximum.at(high, inverse.ravel(), part)
    return edges[(count == 1) | (low != high)]


def _quadrics(mesh: PartMesh, feature: np.ndarray) -> np.ndarray:
    """A 4 × 4 quadric per vertex: the planes of its faces by area, and upright planes along borders."""
    quadrics = np.zeros((len(mesh.vertices), 4, 4))
    normals = _unit_normals(mesh.vertices, mesh.faces)
    areas = np.linalg.norm(_cross(mesh.vertices[mesh.faces]), axis=1) / 2
    _add_planes(quadrics, mesh.faces, normals, mesh.vertices[mesh.faces[:, 0]], areas / 3)
    along = mesh.vertices[feature[:, 1]] - mesh.vertices[feature[:, 0]]
    vertex_normal = np.zeros_like(mesh.vertices)
    for corner in range(3):
        np.add.at(vertex_normal, mesh.faces[:, corner], normals * areas[:, None])
    upright = np.cross(along, vertex_normal[feature].sum(1))
    upright /= np.maximum(np.linalg.norm(upright, axis=1, keepdims=True), 1e-18)
    weight = _SEAM_WEIGHT * (along**2).sum(1)
    _add_planes(quadrics, feature, upright, mesh.vertices[feature[:, 0]], weight)
    return quadrics


def _add_planes(
    quadrics: np.ndarray, cells: np.ndarray, normals: np.ndarray, points: np.ndarray, weights: np.ndarray
) -> None:
    planes = np.concatenate([normals, -(normals * points).sum(1, keepdims=True)], axis=1)
    outer = planes[:, :, None] * planes[:, None, :] * weights[:, None, None]
    for corner in range(cells.shape[1]):
        np.add.at(quadrics, cells[:, corner], outer)
