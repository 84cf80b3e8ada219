"""The embedded z-buffer: numba kernels that decide which face each pixel shows.

Algorithm. Vertices are projected once in float64 and reduced to one packed *cell*: for each axis the index of
the first pixel centre at or beyond the vertex. A face whose three cells agree in x or in y covers no pixel
centre and is left after three loads from a table that fits the L1 cache; at 56 px that is seven faces of eight,
which is where the speed comes from. The others are listed by the side that they turn to the viewer, without a branch,
since nothing foretells the side. First the side that is nearer on the whole walks the pixel centres of its bounding
boxes with float64 edge functions; then the other side, of which most faces are found hidden by what their boxes
already show. Barycentrics are computed afterwards, once per visible pixel.

Edges. The edge function of (a, b) at p is (a.y − b.y)·p.x + (b.x − a.x)·p.y + (a.x·b.y − a.y·b.x). Written so,
swapping a and b negates it *exactly*, so two faces that share an edge always disagree about its two sides. A
centre that lies on an edge belongs to the face that it would fall into if it moved a little to the right
(and, on a horizontal edge, down). Together: no holes, no pixel drawn by both, on closed surfaces of any winding.

Depth. The key is linear on the image plane and grows towards the viewer: 1/w in perspective, −z in an
orthographic camera. Equal keys keep the face of the lower index, as PyTorch3D does, in whatever order faces are
drawn. Nothing is culled by its winding: mirrored meshes render alike.

Camera plane. A face with vertices on both sides of the near plane is drawn from homogeneous edge functions
(Olano and Greer, 1997) wherever its depth is at least ``near``: that is the clipped face, without cutting it.

Cost. Handing arrays to a helper costs numba several atomic reference counts, 50 ns a call, which is more than the
work of a pixel. So arrays stay in the loops that own them and helpers take numbers. And a signed index is compared
with zero at every access, lest it count from the end, a sixth of the time in all: hence ``at``.

All kernels are in this file, since numba's cache notices only changes of the file that the outermost one is in.

Shapes: B meshes, V vertices, F faces, H × W pixels. All coordinates are continuous pixels, centres at (j + ½, i + ½).
"""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
from numba import uintp as at

from pymaf_data.kernels import njit
from pymaf_data.render.lit import OF_VERTICES, ONE

Array = np.ndarray
Bounds = tuple[int, int, int, int]
Triple = tuple[float, float, float]

BEHIND = -1
"""Cell of a vertex at or behind the near plane."""

_POSITIVE, _NEGATIVE, _CROSSING, _REACHING = range(4)  # kinds of listed faces: by area, at the camera plane, all

MAX_SIZE = 32767
"""Largest raster side: a cell packs two indices into 31 bits."""

# Largest value that an edge function at a centre must exceed: strictly positive, or "not negative" where the
# fill rule gives the edge to this face. The smallest normal number survives flush-to-zero modes.
_EXCLUSIVE = 0.0
_INCLUSIVE = -2.2250738585072014e-308


class Scratch(NamedTuple):
    """Buffers of one thread: projected vertices, the nearest surface per pixel, and points on it."""

    x: np.ndarray  # (V,) f8
    y: np.ndarray  # (V,) f8
    q: np.ndarray  # (V,) f8 depth key
    cell: np.ndarray  # (V,) i4
    key: np.ndarray  # (H, W) f8
    face: np.ndarray  # (H, W) i4
    pixel: np.ndarray  # (P,) i4 the pixels whose face is asked for, packed as cells are
    weight: np.ndarray  # (P, 3) f8 their barycentrics
    listed: np.ndarray  # (4, F + 1) i4 faces of each kind, and one place that is written in vain

    @classmethod
    def allocate(cls, vertices: int, faces: int, height: int, width: int, pixels: int) -> Scratch:
        """Buffers of one thread, which gets the same memory again while it suffices.

        Fresh memory of megabytes comes from the system page by page, which costs as much as a small mesh.

        Args:
            vertices, faces: of a mesh.
            height, width: of the raster.
            pixels: how many are asked for at most.
        """
        sizes = (vertices, faces, height, width, pixels)
        if _KEPT.sizes != sizes:
            _KEPT.scratch, _KEPT.sizes = cls._cut(*sizes), sizes
        assert _KEPT.scratch is not None
        return _KEPT.scratch

    @classmethod
    def _cut(cls, vertices: int, faces: int, height: int, width: int, pixels: int) -> Scratch:
        """Buffers out of a thread's memory, fresh where what it has does not suffice."""
        wanted = (vertices, faces + 1, height * width, pixels)
        held = _KEPT.lengths if max(_KEPT.lengths) <= _MOST_KEPT else (0, 0, 0, 0)
        if any(one > had for one, had in zip(wanted, held, strict=True)):
            lengths = tuple(map(max, wanted, held))
            _KEPT.flat, _KEPT.lengths = cls._flat(*lengths), lengths
        x, y, q, cell, key, face, pixel, weight, listed = _KEPT.flat
        return cls(
            x[:vertices],
            y[:vertices],
            q[:vertices],
            cell[:vertices],
            key[: height * width].reshape(height, width),
            face[: height * width].reshape(height, width),
            pixel[:pixels],
            weight[:pixels],
            listed[: 4 * (faces + 1)].reshape(4, faces + 1),
        )

    @staticmethod
    def _flat(vertices: int, faces: int, raster: int, pixels: int) -> tuple[np.ndarray, ...]:
        return (
            *(np.empty(vertices) for _ in range(3)),
            np.empty(vertices, np.int32),
            np.empty(raster),
            np.empty(raster, np.int32),
            np.empty(pixels, np.int32),
            np.empty((pixels, 3)),
            np.empty(4 * faces, np.int32),
        )


class _Kept(threading.local):
    """The memory of a thread, how long each of its buffers is, and what was cut out of it last."""

    lengths: tuple[int, ...] = (0, 0, 0, 0)
    flat: tuple[np.ndarray, ...] = ()
    sizes: tuple[int, ...] = ()
    scratch: Scratch | None = None


_KEPT = _Kept()
_MOST_KEPT = 1 << 22  # pixels, beyond which a thread's memory goes when it asks for other sizes


@njit(nogil=True, cache=True, error_model="numpy")
def fill_surfaces(
    vertices: Array,
    faces: Array,
    matrices: Array,
    orthographic: bool,
    near: float,
    scratch: Scratch,
    face: Array,
    bary: Array,
    depth: Array,
) -> int:
    """Fill ``face`` (B,H,W), ``bary`` (B,H,W,3), ``depth`` (B,H,W); returns −1 or the first item that is not finite."""
    nearest, keys, pixel, weight = scratch.face, scratch.key, scratch.pixel, scratch.weight
    for item in range(vertices.shape[0]):
        count = _find_visible(vertices[item], faces, matrices[item], orthographic, near, scratch)
        if count < 0:
            return item
        face[item], bary[item], depth[item] = -1, 0.0, np.inf
        for n in range(count):
            row, column = at(pixel[n] >> 16), at(pixel[n] & 0xFFFF)
            face[item, row, column] = nearest[row, column]
            depth[item, row, column] = -keys[row, column] if orthographic else 1.0 / keys[row, column]
            for k in range(3):
                bary[item, row, column, k] = weight[n, k]
    return -1


@njit(nogil=True, cache=True, error_model="numpy")
def _unit(value: float) -> float:
    """Rounding of the barycentrics may leave [0, 1] by an ulp."""
    return min(max(value, 0.0), 1.0)


@njit(nogil=True, cache=True, error_model="numpy")
def fill_targets(
    vertices: Array,
    faces: Array,
    face_part: Array,
    corner_uv: Array,
    matrices: Array,
    orthographic: bool,
    near: float,
    scratch: Scratch,
    part: Array,
    uv: Array,
) -> int:
    """Fill ``part`` (B,S,S) and ``uv`` (B,2,S,S); returns −1 or the first item that is not finite."""
    nearest, pixel, weight = scratch.face, scratch.pixel, scratch.weight
    for item in range(vertices.shape[0]):
        count = _find_visible(vertices[item], faces, matrices[item], orthographic, near, scratch)
        if count < 0:
            return item
        part[item], uv[item] = 0, 0.0
        for n in range(count):
            row, column = at(pixel[n] >> 16), at(pixel[n] & 0xFFFF)
            f = at(nearest[row, column])
            part[item, row, column] = face_part[f]
            for k in range(2):
                uv[item, k, row, column] = _unit(
                    weight[n, 0] * corner_uv[f, 0, k]
                    + weight[n, 1] * corner_uv[f, 1, k]
                    + weight[n, 2] * corner_uv[f, 2, k]
                )
    return -1


@njit(nogil=True, cache=True, error_model="numpy")
def fill_stored(
    vertices: Array,
    faces: Array,
    face_part: Array,
    corner_uv: Array,
    matrices: Array,
    orthographic: bool,
    near: float,
    scratch: Scratch,
    part: Array,
    uv: Array,
) -> int:
    """Fill ``part`` (B,Z,Z) and, for one pixel of each block, ``uv`` (B,2,Z/K,Z/K) with 255·U, 255·V.

    Returns:
        −1 or the first item that is not finite.
    """
    nearest, pixel, weight = scratch.face, scratch.pixel, scratch.weight
    block = part.shape[1] // uv.shape[2]
    for item in range(vertices.shape[0]):
        bounds, finite = _project(vertices[item], matrices[item], orthographic, near, scratch)
        if not finite:
            return item
        part[item], uv[item] = 0, 0
        _draw(faces, bounds, near, scratch)
        _show_parts(bounds, face_part, scratch, part[item])
        count = _list_samples(bounds, block, scratch, part[item])
        _weigh(count, faces, orthographic, scratch)
        for n in range(count):
            row, column = at(pixel[n] >> 16), at(pixel[n] & 0xFFFF)
            f = at(nearest[row, column])
            for k in range(2):
                value = _unit(
                    weight[n, 0] * corner_uv[f, 0, k]
                    + weight[n, 1] * corner_uv[f, 1, k]
                    + weight[n, 2] * corner_uv[f, 2, k]
                )
                uv[item, k, row // at(block), column // at(block)] = np.uint8(value * 255.0 + 0.5)
    return -1


@njit(nogil=True, cache=True, error_model="numpy")
def blend_mesh(
    vertices: Array,
    faces: Array,
    matrix: Array,
    orthographic: bool,
    near: float,
    scratch: Scratch,
    light: Array,
    colours: Array,
    whose: int,
    K: int,
    alpha: float,
    image: Array,
) -> bool:
    """Blend one mesh, lit, into ``image`` (H/K,W/K,3) uint8: of each pixel the mean of its K × K samples.

    ``light`` is of the vertices; ``whose`` colours there are is told as in :mod:`pymaf_data.render.lit`. A pixel whose
    samples all show one face is lit once, in its middle.

    Returns:
        Whether every coordinate was finite; if not, nothing is drawn.
    """
    x, y, q, cell, face = scratch.x, scratch.y, scratch.q, scratch.cell, scratch.face
    (top, bottom, left, right), finite = _project(vertices, matrix, orthographic, near, scratch)
    if not finite:
        return False
    top, bottom, left, right = top // K, -(-bottom // K), left // K, -(-right // K)  # in whole pixels
    _draw(faces, (top * K, bottom * K, left * K, right * K), near, scratch)
    for i in range(top, bottom):
        for j in range(left, right):
            f, alike = face[at(i * K), at(j * K)], True
            for row in range(i * K, i * K + K):
                for column in range(j * K, j * K + K):
                    alike &= face[at(row), at(column)] == f
            if alike and f < 0:
                continue
            across = 1 if alike else K
            step, covered, red, green, blue = K / across, 0.0, 0.0, 0.0, 0.0
            for row in range(across):
                for column in range(across):
                    f = f if alike else face[at(i * K + row), at(j * K + column)]
                    if f < 0:
                        continue
                    px, py = j * K + (column + 0.5) * step, i * K + (row + 0.5) * step
                    a, b, c = at(faces[at(f), 0]), at(faces[at(f), 1]), at(faces[at(f), 2])
                    if (cell[a] | cell[b] | cell[c]) < 0:
                        e0, e1, e2, _ = _crossing_edges(a, b, c, px, py, scratch)
                    else:
                        e0, e1, e2 = _edges_at(px, py, x[a], y[a], x[b], y[b], x[c], y[c])
                        if not orthographic:
                            e0, e1, e2 = e0 * q[a], e1 * q[b], e2 * q[c]
                    scale = 1.0 / (e0 + e1 + e2)
                    u, v, w = e0 * scale, e1 * scale, e2 * scale
                    shone = u * light[a] + v * light[b] + w * light[c]
                    if whose == OF_VERTICES:
                        red += shone * (u * colours[a, 0] + v * colours[b, 0] + w * colours[c, 0])
                        green += shone * (u * colours[a, 1] + v * colours[b, 1] + w * colours[c, 1])
                        blue += shone * (u * colours[a, 2] + v * colours[b, 2] + w * colours[c, 2])
                    else:
                        own = at(0) if whose == ONE else at(f)
                        red += shone * colours[own, 0]
                        green += shone * colours[own, 1]
                        blue += shone * colours[own, 2]
                    covered += 1.0
            share = alpha / (across * across)
            under = 1.0 - share * covered
            image[i, j, 0] = np.uint8(min(image[i, j, 0] * under + share * red + 0.5, 255.0))
            image[i, j, 1] = np.uint8(min(image[i, j, 1] * under + share * green + 0.5, 255.0))
            image[i, j, 2] = np.uint8(min(image[i, j, 2] * under + share * blue + 0.5, 255.0))
    return True


@njit(nogil=True, cache=True, error_model="numpy")
def _find_visible(
    vertices: Array, faces: Array, matrix: Array, orthographic: bool, near: float, scratch: Scratch
) -> int:
    """Find the visible surface of one mesh: which pixels show it, which face, and where on the face.

    Afterwards the first ``count`` entries of ``scratch.pixel`` and ``scratch.weight`` describe the covered pixels;
    ``scratch.face`` and ``scratch.key`` hold their face and depth key, and are undefined elsewhere.

    Returns:
        ``count``, or −1 where a projected coordinate is not finite.
    """
    bounds, finite = _project(vertices, matrix, orthographic, near, scratch)
    if not finite:
        return -1
    _draw(faces, bounds, near, scratch)
    count = _list_covered(bounds, scratch)
    _weigh(count, faces, orthographic, scratch)
    return count


@njit(nogil=True, cache=True, error_model="numpy")
def _first_centre(value: float, size: int) -> int:
    """Index of the first pixel centre at or beyond ``value``, clamped to 0..size."""
    return int(min(max(np.ceil(value - 0.5), 0.0), float(size)))


@njit(nogil=True, cache=True, error_model="numpy")
def _project(vertices: Array, matrix: Array, orthographic: bool, near: float, scratch: Scratch) -> tuple[Bounds, bool]:
    """Project the vertices of one mesh into ``scratch``.

    Behind the near plane x, y and q hold the undivided homogeneous coordinates instead of pixels and key.

    Returns:
        Bounds of the mesh in cells (top, bottom, left, right), and whether every coordinate was finite.
    """
    x, y, q, cell, key = scratch.x, scratch.y, scratch.q, scratch.cell, scratch.key
    height, width = key.shape
    m = matrix
    top, bottom, left, right, behind = height, 0, width, 0, 0
    checksum = 0.0
    for i in range(vertices.shape[0]):
        a, b, c = np.float64(vertices[i, 0]), np.float64(vertices[i, 1]), np.float64(vertices[i, 2])
        u = m[0, 0] * a + m[0, 1] * b + m[0, 2] * c + m[0, 3]
        v = m[1, 0] * a + m[1, 1] * b + m[1, 2] * c + m[1, 3]
        w = m[2, 0] * a + m[2, 1] * b + m[2, 2] * c + m[2, 3]
        checksum += (u + v + w + c) * 0.0  # stays 0 unless a coordinate is NaN or infinite
        if orthographic:
            u, v, w = u / w, v / w, -c
        elif w < near:
            x[i], y[i], q[i], cell[i] = u, v, w, BEHIND
            behind += 1
            continue
        else:
            w = 1.0 / w
            u, v = u * w, v * w
        x[i], y[i], q[i] = u, v, w
        column, row = _first_centre(u, width), _first_centre(v, height)
        cell[i] = (row << 16) | column
        top, bottom = min(top, row), max(bottom, row)
        left, right = min(left, column), max(right, column)
    if behind > 0:  # a face that crosses the near plane can reach any pixel
        top, bottom, left, right = 0, height, 0, width
    return (top, bottom, left, right), checksum == 0.0


@njit(nogil=True, cache=True, error_model="numpy")
def _threshold(a: float, b: float) -> float:
    """Fill rule of an edge with gradient (a, b), positive towards the face's inside."""
    return _INCLUSIVE if (a > 0.0 or (a == 0.0 and b > 0.0)) else _EXCLUSIVE


@njit(nogil=True, cache=True, error_model="numpy")
def _edge(ax: float, ay: float, bx: float, by: float, sign: float) -> tuple[float, float, float, float]:
    """Edge function of a → b as (a, b, c) of a·x + b·y + c, and the threshold it must exceed."""
    a, b, c = sign * (ay - by), sign * (bx - ax), sign * (ax * by - ay * bx)
    return a, b, c, _threshold(a, b)


@njit(nogil=True, cache=True, error_model="numpy")
def _draw(faces: Array, bounds: Bounds, near: float, scratch: Scratch) -> None:
    """Fill ``scratch.face`` and ``scratch.key`` within ``bounds`` with the nearest surface of one mesh."""
    key, face = scratch.key, scratch.face
    key[bounds[0] : bounds[1], bounds[2] : bounds[3]] = -np.inf
    face[bounds[0] : bounds[1], bounds[2] : bounds[3]] = -1
    positive, negative, crossing, outward = _list_faces(faces, scratch)
    if outward:
        _draw_side(_POSITIVE, positive, False, faces, scratch)
        _draw_side(_NEGATIVE, negative, True, faces, scratch)
    else:
        _draw_side(_NEGATIVE, negative, False, faces, scratch)
        _draw_side(_POSITIVE, positive, True, faces, scratch)
    for n in range(crossing):
        f = scratch.listed[_CROSSING, n]
        _draw_crossing(f, faces[f, 0], faces[f, 1], faces[f, 2], near, scratch)


@njit(nogil=True, cache=True, error_model="numpy")
def _list_faces(faces: Array, scratch: Scratch) -> tuple[int, int, int, bool]:
    """List the faces whose box holds a pixel centre, by the sign of their area in the image.

    Every face is written to the end of every list, which then grows or does not: no branch is guessed wrong.

    Returns:
        How many have a positive and a negative area, how many cross the near plane, and whether the positive ones are
        nearer on the whole: the sign of the volume between the surface and the image plane.
    """
    x, y, q, cell, listed = scratch.x, scratch.y, scratch.q, scratch.cell, scratch.listed
    reaching = 0
    for f in range(faces.shape[0]):
        k0, k1, k2 = cell[at(faces[f, 0])], cell[at(faces[f, 1])], cell[at(faces[f, 2])]
        differing = (k0 ^ k1) | (k0 ^ k2)
        apart = ((differing & 0xFFFF) != 0) & ((differing >> 16) != 0)
        listed[_REACHING, at(reaching)] = f
        reaching += apart | (((k0 | k1 | k2) < 0) & (differing != 0))
    positive, negative, crossing = 0, 0, 0
    volume, total, level = 0.0, 0.0, 0.0
    for n in range(reaching):
        f = listed[_REACHING, n]
        i0, i1, i2 = at(faces[at(f), 0]), at(faces[at(f), 1]), at(faces[at(f), 2])
        behind = (cell[i0] | cell[i1] | cell[i2]) < 0
        area = (x[i1] - x[i0]) * (y[i2] - y[i0]) - (y[i1] - y[i0]) * (x[i2] - x[i0])
        area = 0.0 if behind else area  # a degenerate face, of area 0, has no inside and joins no list
        listed[_POSITIVE, at(positive)] = listed[_NEGATIVE, at(negative)] = listed[_CROSSING, at(crossing)] = f
        positive += area > 0.0
        negative += area < 0.0
        crossing += behind
        volume, total, level = volume + area * q[i0], total + area, level + q[i0]
    return positive, negative, crossing, volume * reaching >= total * level


@njit(nogil=True, cache=True, error_model="numpy")
def _draw_side(kind: int, count: int, covered: bool, faces: Array, scratch: Scratch) -> None:
    """Draw the listed faces of one kind; ``covered`` says that most of them are expected to be hidden."""
    x, y, q, cell, key, face = scratch.x, scratch.y, scratch.q, scratch.cell, scratch.key, scratch.face
    listed = scratch.listed
    sign = 1.0 if kind == _POSITIVE else -1.0
    height, width = key.shape
    slack = 1e-14 * max(height, width) ** 2  # what rounding may add to the sum of a face's edge functions
    for n in range(count):
        f = listed[kind, n]
        i0, i1, i2 = at(faces[at(f), 0]), at(faces[at(f), 1]), at(faces[at(f), 2])
        k0, k1, k2 = cell[i0], cell[i1], cell[i2]
        left, right = min(k0 & 0xFFFF, k1 & 0xFFFF, k2 & 0xFFFF), max(k0 & 0xFFFF, k1 & 0xFFFF, k2 & 0xFFFF)
        top, bottom = min(k0 >> 16, k1 >> 16, k2 >> 16), max(k0 >> 16, k1 >> 16, k2 >> 16)
        q0, q1, q2 = q[i0], q[i1], q[i2]
        x0, y0, x1, y1, x2, y2 = x[i0], y[i0], x[i1], y[i1], x[i2], y[i2]
        doubled = sign * ((x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0))
        if covered:
            bound = max(q0, q1, q2) + max(abs(q0), abs(q1), abs(q2)) * (slack / doubled)
            # The slack holds for vertices inside the raster only. Four corners are all of three boxes in four.
            hidden = (left > 0) & (top > 0) & (right < width) & (bottom < height)
            hidden &= (key[at(top), at(left)] > bound) & (key[at(top), at(right - 1)] > bound)
            hidden &= (key[at(bottom - 1), at(left)] > bound) & (key[at(bottom - 1), at(right - 1)] > bound)
            if (right - left > 2) | (bottom - top > 2):
                for row in range(top, bottom):
                    for column in range(left, right):
                        hidden &= key[at(row), at(column)] > bound
            if hidden:
                continue
        a0, b0, c0, t0 = _edge(x1, y1, x2, y2, sign)
        a1, b1, c1, t1 = _edge(x2, y2, x0, y0, sign)
        a2, b2, c2, t2 = _edge(x0, y0, x1, y1, sign)
        for row in range(top, bottom):
            py = row + 0.5
            r0, r1, r2 = b0 * py + c0, b1 * py + c1, b2 * py + c2
            for column in range(left, right):
                px = column + 0.5
                e0, e1, e2 = a0 * px + r0, a1 * px + r1, a2 * px + r2
                nearness = (e0 * q0 + e1 * q1 + e2 * q2) / doubled
                shown = key[at(row), at(column)]
                nearer = (nearness > shown) | ((nearness == shown) & (f < face[at(row), at(column)]))
                # One branch: which of these fails cannot be predicted, and a wrong guess costs more than a division.
                if (e0 > t0) & (e1 > t1) & (e2 > t2) & nearer:
                    key[at(row), at(column)] = nearness
                    face[at(row), at(column)] = f


@njit(nogil=True, cache=True, error_model="numpy")
def _list_covered(bounds: Bounds, scratch: Scratch) -> int:
    """List the pixels that show a face, in reading order; returns how many there are."""
    face, pixel = scratch.face, scratch.pixel
    count = 0
    for row in range(bounds[0], bounds[1]):
        for column in range(bounds[2], bounds[3]):
            if face[row, column] >= 0:
                pixel[at(count)] = (row << 16) | column
                count += 1
    return count


@njit(nogil=True, cache=True, error_model="numpy")
def _show_parts(bounds: Bounds, face_part: Array, scratch: Scratch, part: Array) -> None:
    """Parts of the visible faces into ``part`` (H,W), which is zero."""
    face = scratch.face
    for row in range(bounds[0], bounds[1]):
        for column in range(bounds[2], bounds[3]):
            if face[row, column] >= 0:
                part[row, column] = face_part[at(face[row, column])]


@njit(nogil=True, cache=True, error_model="numpy")
def _list_samples(bounds: Bounds, block: int, scratch: Scratch, part: Array) -> int:
    """List one pixel of each block that shows a part: its centre, else the first in reading order; returns how many."""
    pixel, centre = scratch.pixel, block // 2
    count = 0
    for top in range(bounds[0] // block * block, bounds[1], block):
        for left in range(bounds[2] // block * block, bounds[3], block):
            if part[at(top + centre), at(left + centre)]:
                pixel[at(count)] = ((top + centre) << 16) | (left + centre)
                count += 1
                continue
            for n in range(block * block):
                row, column = top + n // block, left + n % block
                if part[at(row), at(column)]:
                    pixel[at(count)] = (row << 16) | column
                    count += 1
                    break
    return count


@njit(nogil=True, cache=True, error_model="numpy")
def _edges_at(
    px: float, py: float, x0: float, y0: float, x1: float, y1: float, x2: float, y2: float
) -> tuple[float, float, float]:
    """The edge functions of a face at (px, py), opposite to each vertex; of one sign inside."""
    x0, y0, x1, y1, x2, y2 = x0 - px, y0 - py, x1 - px, y1 - py, x2 - px, y2 - py
    return x1 * y2 - y1 * x2, x2 * y0 - y2 * x0, x0 * y1 - y0 * x1


@njit(nogil=True, cache=True, error_model="numpy")
def _weigh(count: int, faces: Array, orthographic: bool, scratch: Scratch) -> None:
    """Perspective-correct barycentrics of the first ``count`` listed pixels on the faces that they show."""
    x, y, q, cell, face = scratch.x, scratch.y, scratch.q, scratch.cell, scratch.face
    pixel, weight = scratch.pixel, scratch.weight
    for n in range(count):
        row, column = pixel[n] >> 16, pixel[n] & 0xFFFF
        px, py = column + 0.5, row + 0.5
        f = at(face[at(row), at(column)])
        i0, i1, i2 = at(faces[f, 0]), at(faces[f, 1]), at(faces[f, 2])
        if (cell[i0] | cell[i1] | cell[i2]) < 0:
            e0, e1, e2, _ = _crossing_edges(i0, i1, i2, px, py, scratch)
        else:
            e0, e1, e2 = _edges_at(px, py, x[i0], y[i0], x[i1], y[i1], x[i2], y[i2])
            if not orthographic:
                e0, e1, e2 = e0 * q[i0], e1 * q[i1], e2 * q[i2]
        scale = 1.0 / (e0 + e1 + e2)
        weight[n, 0], weight[n, 1], weight[n, 2] = e0 * scale, e1 * scale, e2 * scale


@njit(nogil=True, cache=True, error_model="numpy")
def _cross(p: Triple, r: Triple) -> Triple:
    return p[1] * r[2] - p[2] * r[1], p[2] * r[0] - p[0] * r[2], p[0] * r[1] - p[1] * r[0]


@njit(nogil=True, cache=True, error_model="numpy")
def _homogeneous(i: int, scratch: Scratch) -> Triple:
    x, y, q = scratch.x[i], scratch.y[i], scratch.q[i]
    if scratch.cell[i] == BEHIND:
        return x, y, q
    return x / q, y / q, 1.0 / q


@njit(nogil=True, cache=True, error_model="numpy")
def _crossing_planes(i0: int, i1: int, i2: int, scratch: Scratch) -> tuple[Triple, Triple, Triple, float]:
    """Edge functions nₖ·(x, y, 1) of a face, opposite to each vertex, and its determinant, made positive.

    Where the depth is positive, all three are positive exactly inside the face; divided by their sum they are the
    perspective-correct barycentrics, and the sum over the determinant is the inverse depth.
    """
    p0, p1, p2 = _homogeneous(i0, scratch), _homogeneous(i1, scratch), _homogeneous(i2, scratch)
    n0, n1, n2 = _cross(p1, p2), _cross(p2, p0), _cross(p0, p1)
    det = p0[0] * n0[0] + p0[1] * n0[1] + p0[2] * n0[2]
    if det < 0.0:
        n0, n1, n2 = _cross(p2, p1), _cross(p0, p2), _cross(p1, p0)
    return n0, n1, n2, abs(det)


@njit(nogil=True, cache=True, error_model="numpy")
def _crossing_edges(
    i0: int, i1: int, i2: int, px: float, py: float, scratch: Scratch
) -> tuple[float, float, float, float]:
    """The three edge functions at (px, py) of a face that crosses the near plane, and its determinant."""
    n0, n1, n2, det = _crossing_planes(i0, i1, i2, scratch)
    return (
        n0[0] * px + n0[1] * py + n0[2],
        n1[0] * px + n1[1] * py + n1[2],
        n2[0] * px + n2[1] * py + n2[2],
        det,
    )


@njit(nogil=True, cache=True, error_model="numpy")
def _clipped_bounds(corners: tuple[Triple, Triple, Triple], near: float, height: int, width: int) -> Bounds:
    """Bounds (top, bottom, left, right) in pixels, one wider for rounding, of what lies beyond the near plane."""
    top, bottom, left, right = np.inf, -np.inf, np.inf, -np.inf
    for n in range(3):
        (ax, ay, aw), (bx, by, bw) = corners[n], corners[(n + 1) % 3]
        for share in (0.0, (near - aw) / (bw - aw)):  # the corner itself, and where its edge meets the plane
            w = aw if share == 0.0 else near
            if w < near or not 0.0 <= share <= 1.0:
                continue
            x, y = (ax + share * (bx - ax)) / w, (ay + share * (by - ay)) / w
            top, bottom = min(top, y), max(bottom, y)
            left, right = min(left, x), max(right, x)
    return (
        _first_centre(top - 1.0, height),
        _first_centre(bottom + 1.0, height),
        _first_centre(left - 1.0, width),
        _first_centre(right + 1.0, width),
    )


@njit(nogil=True, cache=True, error_model="numpy")
def _draw_crossing(f: int, i0: int, i1: int, i2: int, near: float, scratch: Scratch) -> None:
    """Draw the part of a face that lies beyond the near plane."""
    n0, n1, n2, det = _crossing_planes(i0, i1, i2, scratch)
    if det == 0.0:
        return
    t0, t1, t2 = _threshold(n0[0], n0[1]), _threshold(n1[0], n1[1]), _threshold(n2[0], n2[1])
    key, face = scratch.key, scratch.face
    corners = _homogeneous(i0, scratch), _homogeneous(i1, scratch), _homogeneous(i2, scratch)
    top, bottom, left, right = _clipped_bounds(corners, near, key.shape[0], key.shape[1])
    for row in range(top, bottom):
        py = row + 0.5
        for column in range(left, right):
            px = column + 0.5
            e0 = n0[0] * px + n0[1] * py + n0[2]
            e1 = n1[0] * px + n1[1] * py + n1[2]
            e2 = n2[0] * px + n2[1] * py + n2[2]
            if e0 > t0 and e1 > t1 and e2 > t2:
                nearness, shown = (e0 + e1 + e2) / det, key[row, column]
                nearer = nearness > shown or (nearness == shown and f < face[row, column])
                if nearer and nearness * near <= 1.0:
                    key[row, column] = nearness
                    face[row, column] = f
