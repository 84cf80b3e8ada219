"""The z-buffer of :mod:`pymaf_data.render.zbuffer` as kernels of NVIDIA's ``warp-lang``, one source for GPU and CPU.

Same cells, edge functions, fill rule, depth keys and clipping, in float64 and without fused multiply-add, so the pixels
are the same. What differs is the order of work: all faces at once, so the nearest surface is found in two passes.

    project  every vertex → pixels, depth key, cell
    draw     every face, claim = 0: atomic maximum of the depth key per pixel
    draw     every face, claim = 1: of the faces that reach that key, the lowest index
    weigh    every pixel → barycentrics and depth, or part and U, V

Depth keys are doubles stored as integers of the same order. Consumer GPUs are slow in float64; the few hundred
operations a face do not matter beside what culling by cells leaves out.

Shapes: B meshes, V vertices, F faces, H × W pixels.
"""

from __future__ import annotations

from typing import Any

import warp as wp

wp.set_module_options({"fuse_fp": False, "fast_math": False, "enable_backward": False})

BEHIND = wp.constant(-1)
NOTHING = wp.constant(2147483647)
"""Face index of a pixel that shows none."""
FARTHEST = wp.constant(wp.int64(-9223372036854775807))
"""Below every depth key."""

_MAGNITUDE = wp.constant(wp.int64(9223372036854775807))
_INCLUSIVE = wp.constant(wp.float64(-2.2250738585072014e-308))
_ZERO = wp.constant(wp.float64(0.0))
_ONE = wp.constant(wp.float64(1.0))
_MINUS_ONE = wp.constant(wp.float64(-1.0))  # warp 1.10 makes a float32 of -_ONE
_HALF = wp.constant(wp.float64(0.5))


@wp.func
def ordered(value: wp.float64) -> wp.int64:
    """A double as an integer of the same order; both zeros are one."""
    bits = wp.cast(value + _ZERO, wp.int64)
    if bits < wp.int64(0):
        bits = bits ^ _MAGNITUDE
    return bits


@wp.func
def unordered(key: wp.int64) -> wp.float64:
    """The inverse of :func:`ordered`."""
    bits = key
    if bits < wp.int64(0):
        bits = bits ^ _MAGNITUDE
    return wp.cast(bits, wp.float64)


@wp.func
def first_centre(value: wp.float64, size: int) -> int:
    """Index of the first pixel centre at or beyond ``value``, clamped to 0..size."""
    return int(wp.min(wp.max(wp.ceil(value - _HALF), _ZERO), wp.float64(size)))


@wp.kernel
def project(
    vertices: wp.array3d(dtype=Any),
    matrices: wp.array3d(dtype=wp.float64),
    orthographic: int,
    near: wp.float64,
    height: int,
    width: int,
    place: wp.array2d(dtype=wp.vec3d),
    cell: wp.array2d(dtype=int),
    broken: wp.array(dtype=int),
):
    """(x, y) pixels and depth key of each vertex; undivided homogeneous coordinates behind the near plane."""
    b, i = wp.tid()
    x, y, z = wp.float64(vertices[b, i, 0]), wp.float64(vertices[b, i, 1]), wp.float64(vertices[b, i, 2])
    u = matrices[b, 0, 0] * x + matrices[b, 0, 1] * y + matrices[b, 0, 2] * z + matrices[b, 0, 3]
    v = matrices[b, 1, 0] * x + matrices[b, 1, 1] * y + matrices[b, 1, 2] * z + matrices[b, 1, 3]
    w = matrices[b, 2, 0] * x + matrices[b, 2, 1] * y + matrices[b, 2, 2] * z + matrices[b, 2, 3]
    if not wp.isfinite(u + v + w + z):
        broken[b] = 1
    if orthographic != 0:
        u, v, w = u / w, v / w, -z
    elif w < near:
        place[b, i] = wp.vec3d(u, v, w)
        cell[b, i] = BEHIND
        return
    else:
        w = _ONE / w
        u, v = u * w, v * w
    place[b, i] = wp.vec3d(u, v, w)
    cell[b, i] = (first_centre(v, height) << 16) | first_centre(u, width)


@wp.func
def threshold(a: wp.float64, b: wp.float64) -> wp.float64:
    """Fill rule of an edge with gradient (a, b), positive towards the face's inside."""
    if a > _ZERO or (a == _ZERO and b > _ZERO):
        return _INCLUSIVE
    return _ZERO


@wp.func
def edge(p: wp.vec3d, q: wp.vec3d, sign: wp.float64) -> wp.vec3d:
    """Edge function of p → q as (a, b, c) of a·x + b·y + c."""
    return wp.vec3d(sign * (p[1] - q[1]), sign * (q[0] - p[0]), sign * (p[0] * q[1] - p[1] * q[0]))


@wp.func
def value(plane: wp.vec3d, x: wp.float64, y: wp.float64) -> wp.float64:
    """a·x + (b·y + c), in the order of the CPU's kernel."""
    return plane[0] * x + (plane[1] * y + plane[2])


@wp.func
def value_of_crossing(plane: wp.vec3d, x: wp.float64, y: wp.float64) -> wp.float64:
    """(a·x + b·y) + c, in the order of the CPU's kernel."""
    return plane[0] * x + plane[1] * y + plane[2]


@wp.func
def homogeneous(p: wp.vec3d, cell: int) -> wp.vec3d:
    """Homogeneous pixels of a projected vertex."""
    if cell == BEHIND:
        return p
    return wp.vec3d(p[0] / p[2], p[1] / p[2], _ONE / p[2])


@wp.func
def crossed(p: wp.vec3d, q: wp.vec3d) -> wp.vec3d:
    """Cross product, spelled out so that its rounding is the CPU's."""
    return wp.vec3d(p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0])


@wp.func
def offer(
    claim: int,
    nearness: wp.float64,
    face: int,
    b: int,
    row: int,
    column: int,
    key: wp.array3d(dtype=wp.int64),
    nearest: wp.array3d(dtype=int),
):
    """First pass: keep the nearest depth. Second pass: keep the lowest face that has it."""
    found = ordered(nearness)
    if claim == 0:
        wp.atomic_max(key, b, row, column, found)
    elif found == key[b, row, column]:
        wp.atomic_min(nearest, b, row, column, face)


@wp.func
def draw_crossing(
    claim: int,
    f: int,
    b: int,
    p0: wp.vec3d,
    p1: wp.vec3d,
    p2: wp.vec3d,
    near: wp.float64,
    key: wp.array3d(dtype=wp.int64),
    nearest: wp.array3d(dtype=int),
):
    """Draw the part of a face, of homogeneous corners, that lies beyond the near plane."""
    n0, n1, n2 = crossed(p1, p2), crossed(p2, p0), crossed(p0, p1)
    det = p0[0] * n0[0] + p0[1] * n0[1] + p0[2] * n0[2]
    if det == _ZERO:
        return
    if det < _ZERO:
        n0, n1, n2 = crossed(p2, p1), crossed(p0, p2), crossed(p1, p0)
        det = -det
    t0, t1, t2 = threshold(n0[0], n0[1]), threshold(n1[0], n1[1]), threshold(n2[0], n2[1])
    for row in range(key.shape[1]):
        y = wp.float64(row) + _HALF
        for column in range(key.shape[2]):
            x = wp.float64(column) + _HALF
            e0, e1, e2 = value_of_crossing(n0, x, y), value_of_crossing(n1, x, y), value_of_crossing(n2, x, y)
            if e0 > t0 and e1 > t1 and e2 > t2:
                nearness = (e0 + e1 + e2) / det
                if nearness * near <= _ONE:
                    offer(claim, nearness, f, b, row, column, key, nearest)


@wp.kernel
def draw(
    claim: int,
    faces: wp.array2d(dtype=int),
    place: wp.array2d(dtype=wp.vec3d),
    cell: wp.array2d(dtype=int),
    near: wp.float64,
    key: wp.array3d(dtype=wp.int64),
    nearest: wp.array3d(dtype=int),
):
    """Offer each face to the pixels whose centres it covers."""
    b, f = wp.tid()
    i0, i1, i2 = faces[f, 0], faces[f, 1], faces[f, 2]
    k0, k1, k2 = cell[b, i0], cell[b, i1], cell[b, i2]
    differing = (k0 ^ k1) | (k0 ^ k2)
    if differing == 0:
        return
    p0, p1, p2 = place[b, i0], place[b, i1], place[b, i2]
    if (k0 | k1 | k2) < 0:
        draw_crossing(claim, f, b, homogeneous(p0, k0), homogeneous(p1, k1), homogeneous(p2, k2), near, key, nearest)
        return
    if (differing & 65535) == 0 or (differing >> 16) == 0:
        return
    area = (p1[0] - p0[0]) * (p2[1] - p0[1]) - (p1[1] - p0[1]) * (p2[0] - p0[0])
    if area == _ZERO:
        return
    sign = _ONE
    if area < _ZERO:
        sign = _MINUS_ONE
    n0, n1, n2 = edge(p1, p2, sign), edge(p2, p0, sign), edge(p0, p1, sign)
    t0, t1, t2 = threshold(n0[0], n0[1]), threshold(n1[0], n1[1]), threshold(n2[0], n2[1])
    left = wp.min(wp.min(k0 & 65535, k1 & 65535), k2 & 65535)
    right = wp.max(wp.max(k0 & 65535, k1 & 65535), k2 & 65535)
    top, bottom = wp.min(wp.min(k0 >> 16, k1 >> 16), k2 >> 16), wp.max(wp.max(k0 >> 16, k1 >> 16), k2 >> 16)
    for row in range(top, bottom):
        y = wp.float64(row) + _HALF
        for column in range(left, right):
            x = wp.float64(column) + _HALF
            e0, e1, e2 = value(n0, x, y), value(n1, x, y), value(n2, x, y)
            if e0 > t0 and e1 > t1 and e2 > t2:
                nearness = (e0 * p0[2] + e1 * p1[2] + e2 * p2[2]) / (sign * area)
                offer(claim, nearness, f, b, row, column, key, nearest)


@wp.func
def weights_of(
    f: int,
    b: int,
    row: int,
    column: int,
    orthographic: int,
    faces: wp.array2d(dtype=int),
    place: wp.array2d(dtype=wp.vec3d),
    cell: wp.array2d(dtype=int),
) -> wp.vec3d:
    """Perspective-correct barycentrics of a pixel's centre on its face."""
    i0, i1, i2 = faces[f, 0], faces[f, 1], faces[f, 2]
    p0, p1, p2 = place[b, i0], place[b, i1], place[b, i2]
    x, y = wp.float64(column) + _HALF, wp.float64(row) + _HALF
    if (cell[b, i0] | cell[b, i1] | cell[b, i2]) < 0:
        h0, h1, h2 = homogeneous(p0, cell[b, i0]), homogeneous(p1, cell[b, i1]), homogeneous(p2, cell[b, i2])
        e0 = value_of_crossing(crossed(h1, h2), x, y)
        e1 = value_of_crossing(crossed(h2, h0), x, y)
        e2 = value_of_crossing(crossed(h0, h1), x, y)
    else:
        x0, y0, x1, y1, x2, y2 = p0[0] - x, p0[1] - y, p1[0] - x, p1[1] - y, p2[0] - x, p2[1] - y
        e0, e1, e2 = x1 * y2 - y1 * x2, x2 * y0 - y2 * x0, x0 * y1 - y0 * x1
        if orthographic == 0:
            e0, e1, e2 = e0 * p0[2], e1 * p1[2], e2 * p2[2]
    scale = _ONE / (e0 + e1 + e2)
    return wp.vec3d(e0 * scale, e1 * scale, e2 * scale)


@wp.kernel
def weigh(
    orthographic: int,
    faces: wp.array2d(dtype=int),
    place: wp.array2d(dtype=wp.vec3d),
    cell: wp.array2d(dtype=int),
    key: wp.array3d(dtype=wp.int64),
    nearest: wp.array3d(dtype=int),
    bary: wp.array4d(dtype=float),
    depth: wp.array3d(dtype=float),
):
    """Barycentrics and depth of each covered pixel; marks the others as background in ``nearest``."""
    b, row, column = wp.tid()
    f = nearest[b, row, column]
    if f == NOTHING:
        nearest[b, row, column] = -1
        return
    weight = weights_of(f, b, row, column, orthographic, faces, place, cell)
    for k in range(3):
        bary[b, row, column, k] = float(weight[k])
    nearness = unordered(key[b, row, column])
    if orthographic != 0:
        depth[b, row, column] = float(-nearness)
    else:
        depth[b, row, column] = float(_ONE / nearness)


@wp.kernel
def paint(
    orthographic: int,
    faces: wp.array2d(dtype=int),
    place: wp.array2d(dtype=wp.vec3d),
    cell: wp.array2d(dtype=int),
    nearest: wp.array3d(dtype=int),
    face_part: wp.array(dtype=wp.uint8),
    corner_uv: wp.array3d(dtype=float),
    part: wp.array3d(dtype=wp.uint8),
    uv: wp.array4d(dtype=float),
):
    """Part and U, V of each covered pixel."""
    b, row, column = wp.tid()
    f = nearest[b, row, column]
    if f == NOTHING:
        return
    weight = weights_of(f, b, row, column, orthographic, faces, place, cell)
    part[b, row, column] = face_part[f]
    for k in range(2):
        mixed = (
            weight[0] * wp.float64(corner_uv[f, 0, k])
            + weight[1] * wp.float64(corner_uv[f, 1, k])
            + weight[2] * wp.float64(corner_uv[f, 2, k])
        )
        uv[b, k, row, column] = float(wp.min(wp.max(mixed, _ZERO), _ONE))
