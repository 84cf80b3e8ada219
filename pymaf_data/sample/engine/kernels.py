"""Numba kernels of the engine: what meshes show, ambient occlusion, and light.

Deferred shading. Meshes first write what they are made of (albedo, normal, gloss) into a canvas of twice the
picture's resolution, wherever they are nearer than what is there; light is worked out once for what remains
visible. The empty place is lit at the picture's own resolution, and the two are mixed by coverage.

Light on a point is sun · max(0, n·l) · shadow, plus sky and ground light by the normal's height, times the ambient
occlusion of the pixel, plus a Blinn-Phong highlight of the sun, of exponent 24. Shadows come from a depth map that
the sun sees.

All kernels are in this file, since numba's cache notices only changes of the file that the outermost one is in.
Shapes: F faces, V vertices, h × w pixels of a mesh's rectangle, H × W pixels of the picture, S of the shadow map.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

Array = np.ndarray

_GRAIN_CELLS = 9.0  # per metre


_LATTICE = np.random.default_rng(21).random(1 << 15)


class Canvas(NamedTuple):
    """What the nearest mesh shows at each sample of a (2H, 2W) grid; only ``depth`` is defined everywhere."""

    depth: np.ndarray  # (2H, 2W) f4 metres, +inf where no mesh is
    albedo: np.ndarray  # (2H, 2W, 3) f4 linear
    normal: np.ndarray  # (2H, 2W, 3) f4 world
    gloss: np.ndarray  # (2H, 2W) f4


class Eye(NamedTuple):
    """The camera as kernels need it: the ray of pixel (x, y, 1) is ``rays @ (x, y, 1)``, with unit depth."""

    rays: np.ndarray  # (3, 3) f8, from continuous pixels of the picture to world directions
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


@njit(nogil=True, cache=True, error_model="numpy")
def _noise(x: float, y: float, z: float) -> float:
    """Smooth value noise in 0 … 1 with one cell per unit."""
    i, j, k = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    a, b, c = x - i, y - j, z - k
    a, b, c = a * a * (3 - 2 * a), b * b * (3 - 2 * b), c * c * (3 - 2 * c)
    low = (1 - b) * ((1 - a) * _lattice(i, j, k) + a * _lattice(i + 1, j, k)) + b * (
        (1 - a) * _lattice(i, j + 1, k) + a * _lattice(i + 1, j + 1, k)
    )
    high = (1 - b) * ((1 - a) * _lattice(i, j, k + 1) + a * _lattice(i + 1, j, k + 1)) + b * (
        (1 - a) * _lattice(i, j + 1, k + 1) + a * _lattice(i + 1, j + 1, k + 1)
    )
    return (1 - c) * low + c * high


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
    for block in range(((height + 1) // 2) * ((width + 1) // 2)):
        r0, c0 = 2 * (block // ((width + 1) // 2)), 2 * (block % ((width + 1) // 2))
        shaded, tone = -1, 1.0
        for sample in range(4):
            r, c = r0 + sample // 2, c0 + sample % 2
            if r >= height or c >= width:
                continue
            f = face[r, c]
            row, column = top + r, left + c
            if f < 0 or depth[r, c] >= canvas.depth[row, column]:
                continue
            canvas.depth[row, column] = depth[r, c]
            canvas.gloss[row, column] = gloss
            a, b, g = bary[r, c, 0], bary[r, c, 1], bary[r, c, 2]
            i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
            if shaded != f:
                x = a * points[i, 0] + b * points[j, 0] + g * points[k, 0]
                y = a * points[i, 1] + b * points[j, 1] + g * points[k, 1]
                z = a * points[i, 2] + b * points[j, 2] + g * points[k, 2]
                s = _GRAIN_CELLS
                fine = _noise(4 * s * x, 4 * s * y, 4 * s * z)
                tone = 1.0 + grain * (1.3 * _noise(s * x, s * y, s * z) + 0.7 * fine - 1.0)
                shaded = f
            for q in range(3):
                canvas.albedo[row, column, q] = colours[f, q] * tone
                if smooth:
                    canvas.normal[row, column, q] = a * normals[i, q] + b * normals[j, q] + g * normals[k, q]
                else:
                    canvas.normal[row, column, q] = normals[f, q]


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _shadow(sun: Sun, x: float, y: float, z: float) -> float:
    """How much of the sun reaches a world point, 0 … 1: four depth comparisons, weighted bilinearly."""
    m = sun.to_map
    u = m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]
    v = m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]
    d = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3] - sun.bias
    size = sun.depth.shape[0]
    if not (2.0 < u < size - 2.0 and 2.0 < v < size - 2.0):
        return 1.0
    if sun.coarse[int(v) // 8, int(u) // 8] >= d:
        return 1.0
    column, row = int(np.floor(u - 0.5)), int(np.floor(v - 0.5))
    fx, fy = u - 0.5 - column, v - 0.5 - row
    above = (1 - fx) * (sun.depth[row, column] >= d) + fx * (sun.depth[row, column + 1] >= d)
    below = (1 - fx) * (sun.depth[row + 1, column] >= d) + fx * (sun.depth[row + 1, column + 1] >= d)
    return (1 - fy) * above + fy * below


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _sunlight(sun: Sun, point: tuple[float, float, float], normal: tuple[float, float, float], wrap: float) -> float:
    """Share of the sun's light that a surface gets; ``wrap`` lets it reach a little around the edge of the lit side."""
    lambert = normal[0] * sun.towards[0] + normal[1] * sun.towards[1] + normal[2] * sun.towards[2]
    lambert = (lambert + wrap) / (1 + wrap)
    if lambert <= 0.0:
        return 0.0
    # Looking from slightly off the surface keeps it from shadowing itself.
    lift = sun.bias
    x, y, z = point[0] + lift * normal[0], point[1] + lift * normal[1], point[2] + lift * normal[2]
    return lambert * _shadow(sun, x, y, z)


@njit(nogil=True, cache=True, error_model="numpy")
def light_place(
    albedo: Array, normal: Array, point: Array, emission: Array, lit: Array, occlusion: Array, sun: Sun, out: Array
) -> None:
    """Radiance (H, W, 3) of the empty place, shadowed by the meshes."""
    for r in range(albedo.shape[0]):
        for c in range(albedo.shape[1]):
            if not lit[r, c]:
                for q in range(3):
                    out[r, c, q] = emission[r, c, q]
                continue
            n = (normal[r, c, 0], normal[r, c, 1], normal[r, c, 2])
            direct = _sunlight(sun, (point[r, c, 0], point[r, c, 1], point[r, c, 2]), n, 0.0)
            up, ambient = 0.5 + 0.5 * n[1], occlusion[r, c]
            for q in range(3):
                soft = (up * sun.sky[q] + (1 - up) * sun.bounce[q]) * ambient
                out[r, c, q] = albedo[r, c, q] * (direct * sun.sun[q] + soft) + emission[r, c, q]


@njit(nogil=True, cache=True, error_model="numpy")
def shade_photograph(
    photo: Array, normal: Array, point: Array, catches: Array, occlusion: Array, sun: Sun, out: Array
) -> None:
    """A photograph (H, W, 3) as the place: its ground, where ``catches``, is darkened by shadow and occlusion."""
    for r in range(photo.shape[0]):
        for c in range(photo.shape[1]):
            share = 1.0
            if catches[r, c]:
                n = (normal[r, c, 0], normal[r, c, 1], normal[r, c, 2])
                bright = sun.towards[1] * sun.sun[1]
                direct = _sunlight(sun, (point[r, c, 0], point[r, c, 1], point[r, c, 2]), n, 0.0) * sun.sun[1]
                share = (direct + sun.sky[1] * occlusion[r, c]) / (bright + sun.sky[1])
            for q in range(3):
                out[r, c, q] = photo[r, c, q] * min(share, 1.0)


@njit(nogil=True, cache=True, error_model="numpy")
def mix_meshes(canvas: Canvas, eye: Eye, sun: Sun, near: Array, occlusion: Array, out: Array) -> None:
    """Light the canvas and lay it over ``out`` (H, W, 3), by how many of a pixel's four samples show a mesh.

    There is none where ``near`` (H, W) is not set.
    """
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            if not near[r, c]:
                continue
            count, red, green, blue = 0, 0.0, 0.0, 0.0
            colour, other, beside = (0.0, 0.0, 0.0), 0, 0
            for s in range(4):
                row, column = 2 * r + s // 2, 2 * c + s % 2
                if canvas.depth[row, column] == np.inf:
                    continue
                # Samples of a pixel that were given one look are lit once.
                if not (
                    count
                    and canvas.normal[row, column, 0] == canvas.normal[other, beside, 0]
                    and canvas.normal[row, column, 1] == canvas.normal[other, beside, 1]
                    and canvas.albedo[row, column, 0] == canvas.albedo[other, beside, 0]
                    and canvas.albedo[row, column, 1] == canvas.albedo[other, beside, 1]
                ):
                    colour = _lit_sample(canvas, eye, sun, row, column, occlusion[r, c])
                    other, beside = row, column
                count, red, green, blue = count + 1, red + colour[0], green + colour[1], blue + colour[2]
            if count:
                rest = 1.0 - 0.25 * count
                out[r, c, 0] = rest * out[r, c, 0] + 0.25 * red
                out[r, c, 1] = rest * out[r, c, 1] + 0.25 * green
                out[r, c, 2] = rest * out[r, c, 2] + 0.25 * blue


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _lit_sample(
    canvas: Canvas, eye: Eye, sun: Sun, row: int, column: int, ambient: float
) -> tuple[float, float, float]:
    """Radiance of one sample of the canvas."""
    m, u, v = eye.rays, 0.5 * (column + 0.5), 0.5 * (row + 0.5)
    dx = m[0, 0] * u + m[0, 1] * v + m[0, 2]
    dy = m[1, 0] * u + m[1, 1] * v + m[1, 2]
    dz = m[2, 0] * u + m[2, 1] * v + m[2, 2]
    d = canvas.depth[row, column]
    point = (eye.centre[0] + d * dx, eye.centre[1] + d * dy, eye.centre[2] + d * dz)
    nx, ny, nz = canvas.normal[row, column, 0], canvas.normal[row, column, 1], canvas.normal[row, column, 2]
    scale = 1.0 / max(np.sqrt(nx * nx + ny * ny + nz * nz), 1e-9)
    normal = (nx * scale, ny * scale, nz * scale)
    share = _sunlight(sun, point, normal, 0.15)
    shine = 0.0
    if canvas.gloss[row, column] > 0.0 and share > 0.0:
        length = np.sqrt(dx * dx + dy * dy + dz * dz)
        hx, hy, hz = sun.towards[0] - dx / length, sun.towards[1] - dy / length, sun.towards[2] - dz / length
        half = max(np.sqrt(hx * hx + hy * hy + hz * hz), 1e-9)
        eighth = max((normal[0] * hx + normal[1] * hy + normal[2] * hz) / half, 0.0)
        eighth *= eighth
        eighth *= eighth
        eighth *= eighth
        shine = canvas.gloss[row, column] * share * eighth * eighth * eighth
    up = 0.5 + 0.5 * normal[1]
    a = canvas.albedo
    return (
        a[row, column, 0] * (share * sun.sun[0] + (up * sun.sky[0] + (1 - up) * sun.bounce[0]) * ambient)
        + shine * sun.sun[0],
        a[row, column, 1] * (share * sun.sun[1] + (up * sun.sky[1] + (1 - up) * sun.bounce[1]) * ambient)
        + shine * sun.sun[1],
        a[row, column, 2] * (share * sun.sun[2] + (up * sun.sky[2] + (1 - up) * sun.bounce[2]) * ambient)
        + shine * sun.sun[2],
    )


@njit(nogil=True, cache=True, error_model="numpy")
def gather_depth(canvas: Canvas, eye: Eye, forward: Array, point: Array, normal: Array, lit: Array, depth: Array,
                 facing: Array) -> None:  # fmt: skip
    """Depth (H/2, W/2) and normal (…, 3) of every other pixel: the nearest mesh's or else the place's; +inf for sky."""
    f, o = forward, eye.centre
    for r in range(depth.shape[0]):
        for c in range(depth.shape[1]):
            i, j = 2 * r, 2 * c
            d = canvas.depth[2 * i, 2 * j]
            if d < np.inf:
                depth[r, c] = d
                nx, ny, nz = (
                    canvas.normal[2 * i, 2 * j, 0],
                    canvas.normal[2 * i, 2 * j, 1],
                    canvas.normal[2 * i, 2 * j, 2],
                )
                scale = 1.0 / max(np.sqrt(nx * nx + ny * ny + nz * nz), 1e-9)
                facing[r, c, 0], facing[r, c, 1], facing[r, c, 2] = nx * scale, ny * scale, nz * scale
            elif lit[i, j]:
                x, y, z = point[i, j, 0] - o[0], point[i, j, 1] - o[1], point[i, j, 2] - o[2]
                depth[r, c] = f[0] * x + f[1] * y + f[2] * z
                for q in range(3):
                    facing[r, c, q] = normal[i, j, q]
            else:
                depth[r, c] = np.inf


@njit(nogil=True, cache=True, error_model="numpy")
def occlude(
    depth: Array, facing: Array, eye: Eye, focal: float, radius: float, near: Array, taps: Array, out: Array
) -> None:
    """Ambient occlusion (H/2, W/2) in 0 … 1, 1 is open: how much of a point's hemisphere nearby surfaces take.

    Screen-space samples within ``radius`` metres, weighted as in McGuire et al., "The Alchemy screen-space ambient
    obscurance algorithm" (2011): Σ max(0, v·n) / (v·v + ε). Only pixels where ``near`` (H/2, W/2) is set are worked
    out; ``taps`` (K, 2) are offsets within the unit disc. ``focal`` and ``eye`` are of the whole picture.
    """
    height, width = depth.shape
    m = eye.rays
    for r in range(height):
        for c in range(width):
            out[r, c] = 1.0
            d = depth[r, c]
            if not near[r, c] or d == np.inf:
                continue
            reach = min(0.5 * radius * focal / d, 30.0)
            if reach < 1.0:
                continue
            u, v = 2 * c + 0.5, 2 * r + 0.5
            px = d * (m[0, 0] * u + m[0, 1] * v + m[0, 2])
            py = d * (m[1, 0] * u + m[1, 1] * v + m[1, 2])
            pz = d * (m[2, 0] * u + m[2, 1] * v + m[2, 2])
            # A turned pattern per pixel of a 4 × 4 tile; the blur that follows averages just this tile.
            angle = ((r & 3) * 4 + (c & 3)) * 0.3926991
            cosine, sine = np.cos(angle), np.sin(angle)
            total, count = 0.0, 0
            for k in range(taps.shape[0]):
                x = int(c + 0.5 + reach * (cosine * taps[k, 0] - sine * taps[k, 1]))
                y = int(r + 0.5 + reach * (sine * taps[k, 0] + cosine * taps[k, 1]))
                if x < 0 or y < 0 or x >= width or y >= height:
                    continue
                count += 1
                e = depth[y, x]
                if e == np.inf:
                    continue
                qx = e * (m[0, 0] * (2 * x + 0.5) + m[0, 1] * (2 * y + 0.5) + m[0, 2]) - px
                qy = e * (m[1, 0] * (2 * x + 0.5) + m[1, 1] * (2 * y + 0.5) + m[1, 2]) - py
                qz = e * (m[2, 0] * (2 * x + 0.5) + m[2, 1] * (2 * y + 0.5) + m[2, 2]) - pz
                square = qx * qx + qy * qy + qz * qz
                if square > 4 * radius * radius:
                    continue
                rise = qx * facing[r, c, 0] + qy * facing[r, c, 1] + qz * facing[r, c, 2] - 0.004 * d
                if rise > 0.0:
                    total += rise * radius / (square + 0.002)
            if count:
                out[r, c] = 1.0 / (1.0 + 0.9 * total / count)
