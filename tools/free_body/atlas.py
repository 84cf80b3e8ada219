"""Charts: each part's disk mapped into the unit square, without a flipped or flat triangle.

The border of a part goes to a square whose sides bulge as arcs of circles: strictly convex, so that any positive
edge weights give a valid embedding (Tutte, Floater), and curved enough to stay so when rounded to integers. The
weights start uniform and are then eased where the chart is stretched (Yoshizawa, Belyaev and Seidel, 2004), which is
what lets fingers keep a visible area. Charts are made on the left and copied to the right; the torso's two, which
lie across the midline, are made whole and mirror U.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import spsolve

from .partition import FOOT, HAND, HEAD, TORSO_BACK, TORSO_FRONT
from .whole import PART_MIRROR, Whole

UV_STEPS = 65534
"""U, V are stored as integers 0 … 65534: an even number, so that the midline has U = ½ exactly."""
_BULGE = 0.15
"""How far the middle of a side lies beyond its ends, of half the square's width."""
_EVEN_SPACING = 0.7
"""Share of even spacing along the border, the rest being by length: near neighbours would lie on one line."""
_EASING_STEPS = 40


@dataclass(frozen=True)
class Charts:
    """The atlas as stored: vertex (A,), faces (F, 3), face_part (F,), uv (A, 2) integers, mirror (A,)."""

    vertex: np.ndarray
    faces: np.ndarray
    face_part: np.ndarray
    uv: np.ndarray
    mirror: np.ndarray


def build_charts(whole: Whole, vertices: np.ndarray) -> Charts:
    """Chart every part of the whole body in mean T-pose (V, 3)."""
    parts = range(1, len(PART_MIRROR))
    members = {part: np.unique(whole.faces[whole.part == part]) for part in parts}
    first = dict(zip(parts, np.cumsum([0] + [len(members[p]) for p in parts])[:-1].tolist(), strict=True))
    image = {p: np.searchsorted(members[int(PART_MIRROR[p])], whole.mirror[members[p]]) for p in parts}
    left = {part: _chart(whole, vertices, part) for part in (*_CORNERS, TORSO_BACK, TORSO_FRONT)}
    uv = {p: left[p] if p in left else left[int(PART_MIRROR[p])][image[p]] for p in parts}
    faces = np.empty_like(whole.faces)
    for part in parts:
        own = whole.part == part
        faces[own] = np.searchsorted(members[part], whole.faces[own]) + first[part]
    return Charts(
        vertex=np.concatenate([members[p] for p in parts]),
        faces=faces,
        face_part=whole.part,
        uv=np.concatenate([uv[p] for p in parts]),
        mirror=np.concatenate([image[p] + first[int(PART_MIRROR[p])] for p in parts]),
    )


def signed_areas(charts: Charts) -> np.ndarray:
    """(F,) twice the signed area of each face in its chart, exact integers."""
    a, b, c = np.moveaxis(charts.uv[charts.faces].astype(np.int64), 1, 0)
    ab, ac = b - a, c - a
    area: np.ndarray = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    return area


def _chart(whole: Whole, vertices: np.ndarray, part: int) -> np.ndarray:
    """(n, 2) integer U, V of the part's vertices in ascending order."""
    members = np.unique(whole.faces[whole.part == part])
    faces = np.searchsorted(members, whole.faces[whole.part == part])
    points = vertices[members]
    border = _border(faces)
    corners = _corners(points[border], part)
    plane = _embed(points, faces, border, _on_square(points[border], corners))
    if part in (TORSO_BACK, TORSO_FRONT):
        other = np.searchsorted(members, whole.mirror[members])
        plane = (plane + plane[other] * [-1.0, 1.0]) / 2
        steps = np.rint(np.abs(plane[:, 0]) * UV_STEPS / 2) * np.sign(plane[:, 0]) + UV_STEPS // 2
        chart = np.stack([steps, np.rint((plane[:, 1] + 1) / 2 * UV_STEPS)], axis=1)
    else:
        chart = np.rint((plane + 1) / 2 * UV_STEPS)
    return chart.astype(np.int64)


def _border(faces: np.ndarray) -> np.ndarray:
    """The one border loop of a disk, along its faces' direction, from its lowest vertex number."""
    directed = {(int(a), int(b)) for a, b in faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)}
    following = {a: b for a, b in directed if (b, a) not in directed}
    loop = [min(following)]
    while (vertex := following[loop[-1]]) != loop[0]:
        loop.append(vertex)
    if len(loop) != len(following):
        raise RuntimeError("a part has more than one border: it is no disk")
    return np.array(loop)


# Directions (x, y, z) in which the four corners of a chart lie on the part's border, in the order lower right, upper
# right, upper left, lower left of the chart; V climbs towards the body's middle. Bodies seen from behind mirror U.
_CORNERS: dict[int, tuple[tuple[float, float, float], ...]] = {
    HAND: ((0, -1, 1), (0, 1, 1), (0, 1, -1), (0, -1, -1)),
    FOOT: ((1, 0, 1), (-1, 0, 1), (-1, 0, -1), (1, 0, -1)),
    HEAD: ((0, -1, 1), (0, 1, 1), (0, 1, -1), (0, -1, -1)),
    **dict.fromkeys((8, 10, 12, 14), ((1, -1, 0), (1, 1, 0), (-1, 1, 0), (-1, -1, 0))),
    **dict.fromkeys((15, 17, 19, 21), ((1, -1, 0), (1, 1, 0), (-1, 1, 0), (-1, -1, 0))),
}
_TORSO_CORNERS = ((1, -0.6, 0), (1, 1, 0), (-1, 1, 0), (-1, -0.6, 0))


def _corners(border: np.ndarray, part: int) -> np.ndarray:
    """(4,) positions on the border loop (n, 3) of the corners, in the loop's own order."""
    centred = (border - border.mean(0)) / np.maximum(np.ptp(border, axis=0), 1e-6)
    directions = np.array(_CORNERS.get(part, _TORSO_CORNERS), dtype=np.float64)
    return np.array([int((centred @ direction).argmax()) for direction in directions])


def _on_square(border: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(n, 2) places of a border loop (n, 3): its four corners to the square's, the rest on the sides between."""
    count = len(border)
    step = np.linalg.norm(np.roll(border, -1, axis=0) - border, axis=1)
    offset = (corners - corners[0]) % count
    order = np.argsort(offset)
    turn = 1 if order[1] == 1 else -1  # whether the loop meets the corners in the chart's order or against it
    places = np.empty((count, 2))
    for k in range(4):
        start, end = corners[order[k]], corners[order[(k + 1) % 4]]
        run = (start + np.arange((end - start) % count)) % count
        even = np.arange(len(run)) / len(run)
        by_length = np.concatenate([[0.0], np.cumsum(step[run[:-1]])]) / step[run].sum()
        along = _EVEN_SPACING * even + (1 - _EVEN_SPACING) * by_length
        places[run] = _side((turn * k) % 4, along if turn == 1 else 1 - along, turn)
    return places


def _side(k: int, along: np.ndarray, turn: int) -> np.ndarray:
    """Points on the arc from corner k to k + 1 (to corner k from k + 1 for the other turn: see ``along``)."""
    side = k if turn == 1 else (k - 1) % 4
    chord = 1 - _BULGE
    radius = (chord**2 + _BULGE**2) / (2 * _BULGE)
    half = np.arcsin(chord / radius)
    angle = (2 * along - 1) * half
    x, y = 1 - radius + radius * np.cos(angle), radius * np.sin(angle)  # the right side, upwards
    for _ in range(side):
        x, y = -y, x
    return np.stack([x, y], axis=1)


def _embed(points: np.ndarray, faces: np.ndarray, border: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(n, 2) places of all vertices, of the least stretch met while the weights are eased."""
    pairs = np.unique(faces[:, [0, 1, 1, 2, 2, 0, 1, 0, 2, 1, 0, 2]].reshape(-1, 2), axis=0)
    weights = np.ones(len(pairs))
    best, least = None, np.inf
    for _ in range(_EASING_STEPS):
        plane = _solve(pairs, weights, border, places, len(points))
        per_vertex, total = _stretch(points, faces, plane)
        if total < least:
            best, least = plane, total
        weights = weights / np.sqrt(per_vertex[pairs[:, 1]])
        weights /= weights.mean()
    if best is None:
        raise RuntimeError("no chart without a flat triangle was found")
    return best


def _solve(pairs: np.ndarray, weights: np.ndarray, border: np.ndarray, places: np.ndarray, count: int) -> np.ndarray:
    """Every inner vertex at the weighted mean of its neighbours."""
    inner = np.setdiff1d(np.arange(count), border)
    matrix = csr_matrix((weights, (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    plane = np.zeros((count, 2))
    plane[border] = places
    laplacian = csr_matrix((np.asarray(matrix.sum(1)).ravel(), (np.arange(count), np.arange(count)))) - matrix
    plane[inner] = spsolve(laplacian[inner][:, inner].tocsc(), matrix[inner][:, border] @ places)
    return plane


def _stretch(points: np.ndarray, faces: np.ndarray, plane: np.ndarray) -> tuple[np.ndarray, float]:
    """L2 stretch (Sander et al., 2001) from the plane to the surface, per vertex and in all."""
    p, q = points[faces], plane[faces]
    area = np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=1)
    e1, e2 = q[:, 1] - q[:, 0], q[:, 2] - q[:, 0]
    flat = np.abs(e1[:, 0] * e2[:, 1] - e1[:, 1] * e2[:, 0]) + 1e-15
    d1, d2 = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
    along_u = (d1 * e2[:, 1:] - d2 * e1[:, 1:]) / flat[:, None]
    along_v = (d2 * e1[:, :1] - d1 * e2[:, :1]) / flat[:, None]
    squared = ((along_u**2).sum(1) + (along_v**2).sum(1)) / 2
    sums, areas = np.zeros(len(points)), np.zeros(len(points))
    for corner in range(3):
        np.add.at(sums, faces[:, corner], squared * area)
        np.add.at(areas, faces[:, corner], area)
    return np.sqrt(sums / areas), float((squared * area).sum() / area.sum())
