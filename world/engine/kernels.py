"""Numba kernels of the engine: what meshes show, ambient occlusion, and light.

Deferred shading. Meshes first write what they are made of (albedo, normal, gloss) into a canvas of twice the
image's resolution, wherever they are nearer than what is there; light is worked out once for what remains
visible. The empty place is lit at the image's own resolution, and the two are mixed by coverage.

Light on a point is sun · max(0, n·l) · shadow, plus sky and ground light by the normal's height, times the ambient
occlusion of the pixel, plus a Blinn-Phong highlight of the sun, of exponent 24. Shadows come from a depth map that
the sun sees.

Cost. Handing arrays to a helper costs numba several atomic reference counts, 50 ns a call, which is more than the work
of a pixel. So kernels first take everything out of their arguments, arrays stay in the loops that own them, and helpers
take numbers: float32, as the arrays hold.

All kernels are in this file, since numba's cache notices only changes of the file that the outermost one is in.
Shapes: F faces, V vertices, h × w pixels of a mesh's rectangle, H × W pixels of the image, S of the shadow map.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np

from pymaf_data.kernels import njit

Array = np.ndarray
Triple = tuple[float, float, float]
Matrix = tuple[Triple, Triple, Triple]

single = cast("Callable[[Any], float]", np.float32)
"""A float32: what is worked out from such numbers alone is one too, at half the cost of float64."""

_ZERO, _QUARTER, _HALF, _ONE, _TWO, _THREE, _FOUR = (single(value) for value in (0, 0.25, 0.5, 1, 2, 3, 4))
_TINY = single(1e-9)
_FARTHEST = single(30)  # pixels from which occlusion comes
_GRAZING = single(0.004)  # of its depth that a surface must rise to occlude
_SKY = single(1e6)  # metres
_EPSILON, _STRENGTH = single(0.002), single(0.9)
_WRAP = single(0.15)  # how far light reaches around the edge of a mesh's lit side

TAPS = 8
"""Samples of occlusion per pixel."""

_GRAIN_CELLS = single(9)  # per metre
_COARSE, _FINE = single(1.3), single(0.7)  # of the grain and of another, four times as fine
_LATTICE = np.random.default_rng(21).random(1 << 15).astype(np.float32)


class Canvas(NamedTuple):
    """What the nearest mesh shows at each sample of a (2H, 2W) grid; only ``depth`` is defined everywhere."""

    depth: np.ndarray  # (2H, 2W) f4 metres, +inf where no mesh is
    albedo: np.ndarray  # (2H, 2W, 3) f4 linear
    normal: np.ndarray  # (2H, 2W, 3) f4 world
    gloss: np.ndarray  # (2H, 2W) f4


class Eye(NamedTuple):
    """The camera as kernels need it: the ray of pixel (x, y, 1) is ``rays @ (x, y, 1)``, with unit depth."""

    rays: np.ndarray  # (3, 3) f8, from continuous pixels of the image to world directions
    centre: np.ndarray  # (3,) f8 world metres


class Sun(NamedTuple):
    """Light and its depth map. ``to_map @ (x, y, z, 1)`` gives column, row (continuous) and depth along the light."""

    towards: np.ndarray  # (3,) f8 unit, from a surface to the sun
    sun: np.ndarray  # (3,) f8
    sky: np.ndarray  # (3,) f8
    bounce: np.ndarray  # (3,) f8
    to_map: np.ndarray  # (3, 4) f8
    depth: np.ndarray  # (S, S) f4 metres along the light, +inf where nothing is
    coarse: np.ndarray  # (S/8, S/8) f4 least depth of 8 × 8 texels and their neighbours
    bias: float  # metres


@njit(nogil=True, cache=True, error_model="numpy")
def vertex_normals(points: Array, faces: Array) -> Array:
    """Area-weighted unit normals (V, 3) of a mesh that winds counter-clockwise seen from outside."""
    normals = np.zeros((points.shape[0], 3), np.float32)
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, az = points[j, 0] - points[i, 0], points[j, 1] - points[i, 1], points[j, 2] - points[i, 2]
        bx, by, bz = points[k, 0] - points[i, 0], points[k, 1] - points[i, 1], points[k, 2] - points[i, 2]
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        for v in (i, j, k):
            normals[v, 0] += nx
            normals[v, 1] += ny
            normals[v, 2] += nz
    for v in range(normals.shape[0]):
        length = np.sqrt(normals[v, 0] ** 2 + normals[v, 1] ** 2 + normals[v, 2] ** 2)
        scale = 1.0 / max(length, 1e-12)
        for q in range(3):
            normals[v, q] *= scale
    return normals


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _lattice(x: int, y: int, z: int) -> float:
    """A fixed random value in 0 … 1 for each integer point, the same again every 32 cells."""
    return _LATTICE[((x & 31) << 10) | ((y & 31) << 5) | (z & 31)]


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _eased(t: float) -> float:
    return t * t * (_THREE - _TWO * t)


@njit(nogil=True, cache=True, error_model="numpy")
def _noise(point: Triple, scale: float) -> float:
    """Smooth value noise in 0 … 1 with ``scale`` cells per unit."""
    x, y, z = scale * point[0], scale * point[1], scale * point[2]
    floor_x, floor_y, floor_z = np.floor(x), np.floor(y), np.floor(z)
    i, j, k = int(floor_x), int(floor_y), int(floor_z)
    a, b, c = _eased(x - floor_x), _eased(y - floor_y), _eased(z - floor_z)
    low = (_ONE - b) * ((_ONE - a) * _lattice(i, j, k) + a * _lattice(i + 1, j, k)) + b * (
        (_ONE - a) * _lattice(i, j + 1, k) + a * _lattice(i + 1, j + 1, k)
    )
    high = (_ONE - b) * ((_ONE - a) * _lattice(i, j, k + 1) + a * _lattice(i + 1, j, k + 1)) + b * (
        (_ONE - a) * _lattice(i, j + 1, k + 1) + a * _lattice(i + 1, j + 1, k + 1)
    )
    return (_ONE - c) * low + c * high


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _grain(point: Triple) -> float:
    """Unevenness of a paint at a point of the world, −1 … 1."""
    return _COARSE * _noise(point, _GRAIN_CELLS) + _FINE * _noise(point, _FOUR * _GRAIN_CELLS) - _ONE


@njit(nogil=True, cache=True, error_model="numpy")
def draw_thing(
    face: Array,
    bary: Array,
    depth: Array,
    top: int,
    left: int,
    canvas: Canvas,
    points: Array,
    faces: Array,
    normals: Array,
    colours: Array,
    smooth: bool,
    gloss: float,
    grain: float,
) -> None:
    """Write a rigid thing into the canvas where it is nearest.

    ``face``, ``bary``, ``depth`` (h, w) are its raster at (top, left) of the canvas; ``points`` (V, 3) its world
    vertices for the grain, ``normals`` per vertex (V, 3) if smooth, else per face (F, 3).
    """
    height, width = face.shape
    near, albedo, normal, shine = canvas.depth, canvas.albedo, canvas.normal, canvas.gloss
    gloss, grain = single(gloss), single(grain)
    for r0 in range(0, height, 2):
        for c0 in range(0, width, 2):
            shaded, tone = -1, _ONE
            for sample in range(4):
                r, c = r0 + (sample >> 1), c0 + (sample & 1)
                if r >= height or c >= width:
                    continue
                f, d, row, column = face[r, c], depth[r, c], top + r, left + c
                if f < 0 or d >= near[row, column]:
                    continue
                near[row, column], shine[row, column] = d, gloss
                a, b, g = bary[r, c, 0], bary[r, c, 1], bary[r, c, 2]
                i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
                if shaded != f:
                    x = single(a * points[i, 0] + b * points[j, 0] + g * points[k, 0])
                    y = single(a * points[i, 1] + b * points[j, 1] + g * points[k, 1])
                    z = single(a * points[i, 2] + b * points[j, 2] + g * points[k, 2])
                    tone = _ONE + grain * _grain((x, y, z))
                    shaded = f
                for q in range(3):
                    albedo[row, column, q] = colours[f, q] * tone
                    if smooth:
                        normal[row, column, q] = a * normals[i, q] + b * normals[j, q] + g * normals[k, q]
                    else:
                        normal[row, column, q] = normals[f, q]


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _triple(vector: Array) -> Triple:
    """A vector's numbers, in float32."""
    return single(vector[0]), single(vector[1]), single(vector[2])


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _matrix(rows: Array) -> Matrix:
    """The first three columns of three rows, in float32."""
    return _triple(rows[0]), _triple(rows[1]), _triple(rows[2])


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _dot(a: Triple, b: Triple) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _unit(v: Triple) -> Triple:
    scale = _ONE / max(np.sqrt(_dot(v, v)), _TINY)
    return v[0] * scale, v[1] * scale, v[2] * scale


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _ray(rays: Matrix, x: float, y: float) -> Triple:
    """World direction of unit depth through a point of the image."""
    pixel = (x, y, _ONE)
    return _dot(rays[0], pixel), _dot(rays[1], pixel), _dot(rays[2], pixel)


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _origin(sun: Sun) -> Triple:
    """Where the world's origin lies in the sun's map, and the depth from which on it is in shadow there."""
    m = sun.to_map
    return single(m[0, 3]), single(m[1, 3]), single(m[2, 3] - sun.bias)


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _on_map(to_map: Matrix, origin: Triple, point: Triple, normal: Triple, lift: float) -> Triple:
    """Column, row and depth of a surface in the sun's map; looking from off it keeps it from shadowing itself."""
    p = (point[0] + lift * normal[0], point[1] + lift * normal[1], point[2] + lift * normal[2])
    return _dot(to_map[0], p) + origin[0], _dot(to_map[1], p) + origin[1], _dot(to_map[2], p) + origin[2]


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _received(direct: float, upward: float, ambient: float, light: Triple, sky: Triple, bounce: Triple) -> Triple:
    """Light on a surface whose normal has the height ``upward``: the sun's share and what comes from all sides."""
    high = (_HALF + _HALF * upward) * ambient
    low = ambient - high
    return (
        direct * light[0] + high * sky[0] + low * bounce[0],
        direct * light[1] + high * sky[1] + low * bounce[1],
        direct * light[2] + high * sky[2] + low * bounce[2],
    )


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _open_share(u: float, v: float, d: float, near: tuple[float, float, float, float]) -> float:
    """How much of the sun reaches depth ``d`` at (u, v): comparisons with the four texels around, bilinear."""
    fx, fy = u - single(int(u)), v - single(int(v))
    above = (_ONE - fx) * single(near[0] >= d) + fx * single(near[1] >= d)
    below = (_ONE - fx) * single(near[2] >= d) + fx * single(near[3] >= d)
    return (_ONE - fy) * above + fy * below


@njit(nogil=True, cache=True, error_model="numpy")
def light_place(
    albedo: Array, normal: Array, point: Array, emission: Array, lit: Array, occlusion: Array, sun: Sun, out: Array
) -> None:
    """Radiance (H, W, 3) of the empty place, shadowed by the meshes."""
    towards, light, sky, bounce = _triple(sun.towards), _triple(sun.sun), _triple(sun.sky), _triple(sun.bounce)
    to_map, origin, lift = _matrix(sun.to_map), _origin(sun), single(sun.bias)
    depth, coarse, end = sun.depth, sun.coarse, single(sun.depth.shape[0] - 2)
    for r in range(albedo.shape[0]):
        for c in range(albedo.shape[1]):
            if not lit[r, c]:
                for q in range(3):
                    out[r, c, q] = emission[r, c, q]
                continue
            n = (normal[r, c, 0], normal[r, c, 1], normal[r, c, 2])
            direct = max(_dot(n, towards), _ZERO)
            if direct > _ZERO:
                u, v, d = _on_map(to_map, origin, (point[r, c, 0], point[r, c, 1], point[r, c, 2]), n, lift)
                if _TWO < u < end and _TWO < v < end and coarse[int(v) >> 3, int(u) >> 3] < d:
                    u, v = u - _HALF, v - _HALF
                    i, j = int(v), int(u)
                    near = (depth[i, j], depth[i, j + 1], depth[i + 1, j], depth[i + 1, j + 1])
                    direct *= _open_share(u, v, d, near)
            falls = _received(direct, n[1], occlusion[r, c], light, sky, bounce)
            for q in range(3):
                out[r, c, q] = albedo[r, c, q] * falls[q] + emission[r, c, q]


@njit(nogil=True, cache=True, error_model="numpy")
def shade_photograph(
    photo: Array, normal: Array, point: Array, catches: Array, occlusion: Array, sun: Sun, out: Array
) -> None:
    """A photograph (H, W, 3) as the place: its ground, where ``catches``, is darkened by shadow and occlusion."""
    towards, light, sky = _triple(sun.towards), single(sun.sun[1]), single(sun.sky[1])
    to_map, origin, lift = _matrix(sun.to_map), _origin(sun), single(sun.bias)
    depth, coarse, end = sun.depth, sun.coarse, single(sun.depth.shape[0] - 2)
    full = towards[1] * light + sky
    for r in range(photo.shape[0]):
        for c in range(photo.shape[1]):
            share = _ONE
            if catches[r, c]:
                n = (normal[r, c, 0], normal[r, c, 1], normal[r, c, 2])
                direct = max(_dot(n, towards), _ZERO)
                if direct > _ZERO:
                    u, v, d = _on_map(to_map, origin, (point[r, c, 0], point[r, c, 1], point[r, c, 2]), n, lift)
                    if _TWO < u < end and _TWO < v < end and coarse[int(v) >> 3, int(u) >> 3] < d:
                        u, v = u - _HALF, v - _HALF
                        i, j = int(v), int(u)
                        near = (depth[i, j], depth[i, j + 1], depth[i + 1, j], depth[i + 1, j + 1])
                        direct *= _open_share(u, v, d, near)
                share = min((direct * light + sky * occlusion[r, c]) / full, _ONE)
            for q in range(3):
                out[r, c, q] = photo[r, c, q] * share


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _highlight(towards: Triple, ray: Triple, normal: Triple) -> float:
    """Blinn-Phong of exponent 24."""
    back = _unit(ray)
    eighth = max(_dot(normal, _unit((towards[0] - back[0], towards[1] - back[1], towards[2] - back[2]))), _ZERO)
    eighth *= eighth
    eighth *= eighth
    eighth *= eighth
    return eighth * eighth * eighth


@njit(nogil=True, cache=True, error_model="numpy")
def mix_meshes(canvas: Canvas, eye: Eye, sun: Sun, near: Array, occlusion: Array, out: Array) -> None:
    """Light the canvas and lay it over ``out`` (H, W, 3), by how many of a pixel's four samples show a mesh.

    There is none where ``near`` (H, W) is not set.
    """
    towards, light, sky, bounce = _triple(sun.towards), _triple(sun.sun), _triple(sun.sky), _triple(sun.bounce)
    to_map, origin, lift = _matrix(sun.to_map), _origin(sun), single(sun.bias)
    depth, coarse, end = sun.depth, sun.coarse, single(sun.depth.shape[0] - 2)
    rays, o = _matrix(eye.rays), _triple(eye.centre)
    away, normals, albedo, gloss = canvas.depth, canvas.normal, canvas.albedo, canvas.gloss
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            if not near[r, c]:
                continue
            count, red, green, blue = _ZERO, _ZERO, _ZERO, _ZERO
            colour, facing, paint = (_ZERO, _ZERO, _ZERO), (_ZERO, _ZERO, _ZERO), (_ZERO, _ZERO, _ZERO)
            for s in range(4):
                row, column = 2 * r + (s >> 1), 2 * c + (s & 1)
                t = away[row, column]
                if t == np.inf:
                    continue
                n = (normals[row, column, 0], normals[row, column, 1], normals[row, column, 2])
                a = (albedo[row, column, 0], albedo[row, column, 1], albedo[row, column, 2])
                # Samples of a pixel that were given one look are lit once.
                if count == _ZERO or not (n == facing and a == paint):
                    facing, paint = n, a
                    n = _unit(n)
                    ray = _ray(rays, _HALF * single(column) + _QUARTER, _HALF * single(row) + _QUARTER)
                    direct = max((_dot(n, towards) + _WRAP) / (_ONE + _WRAP), _ZERO)
                    if direct > _ZERO:
                        point = (o[0] + t * ray[0], o[1] + t * ray[1], o[2] + t * ray[2])
                        u, v, d = _on_map(to_map, origin, point, n, lift)
                        if _TWO < u < end and _TWO < v < end and coarse[int(v) >> 3, int(u) >> 3] < d:
                            u, v = u - _HALF, v - _HALF
                            i, j = int(v), int(u)
                            direct *= _open_share(
                                u, v, d, (depth[i, j], depth[i, j + 1], depth[i + 1, j], depth[i + 1, j + 1])
                            )
                    shine = gloss[row, column] * direct
                    if shine > _ZERO:
                        shine *= _highlight(towards, ray, n)
                    e = _received(direct, n[1], occlusion[r, c], light, sky, bounce)
                    colour = (
                        a[0] * e[0] + shine * light[0],
                        a[1] * e[1] + shine * light[1],
                        a[2] * e[2] + shine * light[2],
                    )
                count, red, green, blue = count + _ONE, red + colour[0], green + colour[1], blue + colour[2]
            if count > _ZERO:
                rest = _ONE - _QUARTER * count
                out[r, c, 0] = rest * out[r, c, 0] + _QUARTER * red
                out[r, c, 1] = rest * out[r, c, 1] + _QUARTER * green
                out[r, c, 2] = rest * out[r, c, 2] + _QUARTER * blue


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _point_before(rays: Matrix, column: int, row: int, depth: float) -> Triple:
    """World metres from the camera to a depth in a pixel of half the resolution."""
    ray = _ray(rays, _TWO * single(column) + _HALF, _TWO * single(row) + _HALF)
    return depth * ray[0], depth * ray[1], depth * ray[2]


@njit(nogil=True, cache=True, error_model="numpy")
def gather_depth(canvas: Canvas, eye: Eye, forward: Array, point: Array, normal: Array, lit: Array, depth: Array,
                 facing: Array) -> None:  # fmt: skip
    """Depth (H/2, W/2) and normal (…, 3) of every other pixel: the nearest mesh's or else the place's; +inf for sky."""
    f, o = _triple(forward), _triple(eye.centre)
    away, normals = canvas.depth, canvas.normal
    for r in range(depth.shape[0]):
        for c in range(depth.shape[1]):
            i, j = 2 * r, 2 * c
            d = away[2 * i, 2 * j]
            if d < np.inf:
                n = _unit((normals[2 * i, 2 * j, 0], normals[2 * i, 2 * j, 1], normals[2 * i, 2 * j, 2]))
            elif lit[i, j]:
                n = (normal[i, j, 0], normal[i, j, 1], normal[i, j, 2])
                d = _dot(f, (point[i, j, 0] - o[0], point[i, j, 1] - o[1], point[i, j, 2] - o[2]))
            else:
                n = (_ZERO, _ZERO, _ZERO)
            depth[r, c] = d
            facing[r, c, 0], facing[r, c, 1], facing[r, c, 2] = n


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "nsz"})
def occlude(
    depth: Array, facing: Array, eye: Eye, focal: float, radius: float, near: Array, taps: Array, out: Array
) -> None:
    """Ambient occlusion (H/2, W/2) in 0 … 1, 1 is open: how much of a point's hemisphere nearby surfaces take.

    Screen-space samples within ``radius`` metres, weighted as in McGuire et al., "The Alchemy screen-space ambient
    obscurance algorithm" (2011): Σ max(0, v·n) / (v·v + ε). Only pixels where ``near`` (H/2, W/2) is set are worked
    out; ``taps`` (16, 2, K) float32 are x and y of offsets within the unit disc, one pattern for each pixel of a
    4 × 4 tile. ``focal`` and ``eye`` are of the whole image. A pixel's samples are worked out side by side: hence no
    branches, and sums in any order.
    """
    height, width = depth.shape
    rays = _matrix(eye.rays)
    radius = single(radius)
    reached, far = _HALF * radius * single(focal), _FOUR * radius * radius
    for r in range(height):
        for c in range(width):
            out[r, c] = _ONE
            d = depth[r, c]
            if not near[r, c] or d == np.inf:
                continue
            reach = min(reached / d, _FARTHEST)
            if reach < _ONE:
                continue
            n = (facing[r, c, 0], facing[r, c, 1], facing[r, c, 2])
            across, down = single(c) + _HALF, single(r) + _HALF
            p = _point_before(rays, c, r, d)
            turn = (r & 3) * 4 + (c & 3)
            least = _GRAZING * d
            total, count = _ZERO, _ZERO
            for k in range(TAPS):
                x, y = int(across + reach * taps[turn, 0, k]), int(down + reach * taps[turn, 1, k])
                i, j = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
                inside = (i == y) & (j == x)
                q = _point_before(rays, x, y, min(depth[i, j], _SKY))
                v = (q[0] - p[0], q[1] - p[1], q[2] - p[2])
                rise, square = _dot(n, v) - least, _dot(v, v)
                total += rise * radius / (square + _EPSILON) if inside & (rise > _ZERO) & (square <= far) else _ZERO
                count += single(inside)
            out[r, c] = _ONE / (_ONE + _STRENGTH * total / max(count, _ONE))
