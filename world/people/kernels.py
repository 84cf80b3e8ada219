"""Numba kernels of clothing: what is worn at a point of the body, and what that looks like.

Everything is said in the coordinates of the mean body's T-pose (metres, y up, facing +z, left at +x), where sleeves,
hems and necklines are plane cuts: arms lie along x, trunk and legs along y. A point keeps its clothes in every pose.

Helpers take numbers, never arrays, of which numba would count references at every call; so a cut is numbers throughout.
All kernels are in this file, since numba's cache notices only changes of the file that the outermost one is in.
Shapes: F faces, V vertices of the dressed mesh, h × w samples of its raster, K materials.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pymaf_data.kernels import njit

Array = np.ndarray
Triple = tuple[float, float, float]
Quadruple = tuple[float, float, float, float]

HEAD, TORSO, ARM, HAND, LEG, FOOT = range(6)
"""Regions of the body. A region of ``EXTRA + material`` is worn geometry of that one material."""

EXTRA = 16
MATERIALS = 11
SKIN, TOP, BOTTOM, OUTER, SHOE, SOCK, HAIR, HAT, BELT, SOLE, GLASSES = range(MATERIALS)
"""Materials."""

PLAIN, RINGS, STRIPES, CHECKS, DOTS, PATCHES, PRINT, RAGLAN, SIDE, FADED, NUMBER, BLOCK = range(12)
"""Patterns."""


_LATTICE = np.random.default_rng(20).random(1 << 15).astype(np.float32)


class Cut(NamedTuple):
    """Where garments begin and end, metres of the T-pose. A garment that is not worn ends where it begins."""

    sleeve: float  # |x| where the top's sleeve ends; below .16 it is sleeveless
    neck_radius: float  # of the top's opening, around the neck's axis
    neck_drop: float  # how far a V runs down the chest
    collar: float  # height up to which the top closes around the neck
    hem: float  # y where the top ends; on the legs it covers them
    waist: float  # y where the bottom begins
    leg_end: float  # y where the bottom ends
    outer_sleeve: float
    outer_hem: float
    outer_gap: float  # half width of the open front; negative: closed
    shoe_top: float
    sock_top: float
    hair_line: float  # shift of the hair's edge, metres; + is a higher forehead
    hair_sides: float  # y down to which hair covers the sides and the nape
    bald: float  # 1: no hair on the crown
    hat_line: float  # y above which a hat covers the head
    scarf: float  # 1: a headscarf around the face
    glasses: float  # 0 none, 1 rims, 2 dark
    belt: float  # 1: a belt at the waist
    bends: Quadruple  # how much left and right elbow, left and right knee are bent, 0 … 1
    face: tuple[float, float, float, float, float]  # beard, brow, lips, blush, each 0 … 1; the iris' size, 1 is usual


class Cloth(NamedTuple):
    """Materials, one row each."""

    colour: np.ndarray  # (K, 3, 3) f8 linear RGB of base, second and third colour
    pattern: np.ndarray  # (K,) i8
    pitch: np.ndarray  # (K,) f8 metres
    phase: np.ndarray  # (K,) f8
    folds: np.ndarray  # (K,) f8 depth of wrinkles, metres
    weave: np.ndarray  # (K,) f8 amplitude of the fine texture
    gloss: np.ndarray  # (K,) f8


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _hash(x: int, y: int, z: int) -> float:
    """A fixed random value for each integer point, the same again every 32 cells."""
    return _LATTICE[((x & 31) << 10) | ((y & 31) << 5) | (z & 31)]


@njit(nogil=True, cache=True, error_model="numpy")
def _field(x: float, y: float, z: float) -> Quadruple:
    """Smooth noise in 0 … 1, one cell per unit, with its gradient."""
    i, j, k = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    a, b, c = x - i, y - j, z - k
    da, db, dc = 6 * a * (1 - a), 6 * b * (1 - b), 6 * c * (1 - c)
    a, b, c = a * a * (3 - 2 * a), b * b * (3 - 2 * b), c * c * (3 - 2 * c)
    v000, v100, v010, v110 = _hash(i, j, k), _hash(i + 1, j, k), _hash(i, j + 1, k), _hash(i + 1, j + 1, k)
    v001, v101 = _hash(i, j, k + 1), _hash(i + 1, j, k + 1)
    v011, v111 = _hash(i, j + 1, k + 1), _hash(i + 1, j + 1, k + 1)
    x00, x10, x01, x11 = (
        v000 + a * (v100 - v000), v010 + a * (v110 - v010), v001 + a * (v101 - v001), v011 + a * (v111 - v011),
    )  # fmt: skip
    y0, y1 = x00 + b * (x10 - x00), x01 + b * (x11 - x01)
    gx = da * (
        (1 - c) * ((1 - b) * (v100 - v000) + b * (v110 - v010)) + c * ((1 - b) * (v101 - v001) + b * (v111 - v011))
    )
    gy = db * ((1 - c) * (x10 - x00) + c * (x11 - x01))
    return y0 + c * (y1 - y0), gx, gy, dc * (y1 - y0)


@njit(nogil=True, cache=True, error_model="numpy")
def _ramp(value: float, low: float, high: float) -> float:
    """0 below ``low``, 1 above ``high``, smooth between."""
    t = min(max((value - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _hair_edge(x: float, z: float, cut: Cut) -> float:
    """Height above which the head is hairy: forehead, temples, sideburns before the ear, then the nape."""
    forehead = 0.474 + cut.hair_line - 0.9 * max(0.0, abs(x) - 0.045)
    if z > 0.10:
        return forehead
    if z > 0.066:
        return forehead + (0.10 - z) / 0.034 * (0.432 - forehead)
    if z > 0.052:
        return min(0.432, 0.395)
    if z > 0.030 and cut.hair_sides > 0.36:
        return 0.412  # round the ear
    return cut.hair_sides


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _on_head(x: float, y: float, z: float, cut: Cut) -> int:
    """Material on head and neck."""
    if cut.scarf > 0 and not ((x / 0.062) ** 2 + ((y - 0.405) / 0.088) ** 2 < 1 and z > 0.03):
        return HAT
    if y > cut.hat_line - 0.25 * (z - 0.05):
        return HAT
    if y < 0.31 and y < cut.collar + 0.1 * (0.06 - z):
        return TOP
    if y > 0.30 and y > _hair_edge(x, z, cut) and (cut.bald < 0.5 or y < 0.445):
        if abs(x) > 0.066 and 0.355 < y < 0.425 and 0.028 < z < 0.068 and cut.hair_sides > 0.30:
            return SKIN  # the ear stands out of short hair
        return HAIR
    if cut.glasses > 0 and z > 0.06:
        side = abs(abs(x) - 0.031)
        eye = (side / 0.021) ** 2 + ((y - 0.414) / 0.017) ** 2
        if z > 0.11 and eye < 1.25 and (cut.glasses > 1 or eye > 0.8):
            return GLASSES
        if (z > 0.11 and abs(x) < 0.012 and abs(y - 0.42) < 0.002) or (z < 0.125 and abs(y - 0.416) < 0.003):
            return GLASSES
    return SKIN


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _on_trunk(x: float, y: float, z: float, cut: Cut) -> int:
    """Material on torso and legs: outer over top over bottom."""
    closed = z < 0.03 or abs(x) > cut.outer_gap + 0.12 * max(y - 0.05, 0.0)
    around = y <= 0.2 or x * x + (z - 0.035) ** 2 >= 0.066**2
    if y > cut.outer_hem and cut.outer_sleeve > 0 and closed and around:
        return OUTER
    if cut.sleeve > 0 and y > cut.hem:
        axis = np.sqrt(x * x + (z - 0.035) ** 2)
        lowest = 0.195 + 0.055 * _ramp(0.06 - z, 0.0, 0.07)  # a collar stands higher at the back
        open_neck = y > lowest and axis < cut.neck_radius and y > cut.collar
        vee = z > 0.05 and y > 0.235 - cut.neck_drop + abs(x) * cut.neck_drop / 0.07
        strap = cut.sleeve >= 0.16 or abs(x) < cut.sleeve or y < 0.12
        if strap and not open_neck and not (vee and abs(x) < 0.09):
            return TOP
    if y < cut.waist and y > cut.leg_end:
        return BELT if cut.belt > 0 and y > cut.waist - 0.035 else BOTTOM
    if y < cut.shoe_top:
        return SHOE
    if y < cut.sock_top:
        return SOCK
    return SKIN


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def worn_at(region: int, x: float, y: float, z: float, cut: Cut) -> int:
    """The material at a point of the T-pose."""
    if region >= EXTRA:
        return region - EXTRA
    if region == HEAD:
        return _on_head(x, y, z, cut)
    if region == ARM:
        reach = abs(x)
        if reach < cut.outer_sleeve:
            return OUTER
        return TOP if reach < cut.sleeve else SKIN
    if region == HAND:
        return SKIN
    if region == FOOT:
        if y < cut.shoe_top:
            return SOLE if y < -1.143 else SHOE
        return SOCK if y < cut.sock_top else SKIN
    return _on_trunk(x, y, z, cut)


@njit(nogil=True, cache=True, error_model="numpy")
def worn(region: Array, rest: Array, cut: Cut, out: Array) -> None:
    """Materials (V,) of vertices at ``rest`` (V, 3) in regions (V,)."""
    for v in range(rest.shape[0]):
        out[v] = worn_at(region[v], rest[v, 0], rest[v, 1], rest[v, 2], cut)


@njit(nogil=True, cache=True, error_model="numpy")
def _square(value: float) -> float:
    """1 on the first half of each unit, 0 on the second."""
    return 1.0 if value - np.floor(value) < 0.5 else 0.0


@njit(nogil=True, cache=True, error_model="numpy")
def _digit(u: float, v: float, glyph: int) -> bool:
    """Whether (u, v) in 0 … 1, v up, is on a seven-segment digit."""
    if not (0 <= u <= 1 and 0 <= v <= 1):
        return False
    segments = (0x77, 0x24, 0x5D, 0x6D, 0x2E, 0x6B, 0x7B, 0x25, 0x7F, 0x6F)[glyph]
    w = 0.24
    on = (segments & 1 and v > 1 - 0.6 * w) or (segments & 8 and abs(v - 0.5) < 0.3 * w)
    on = on or (segments & 64 and v < 0.6 * w)
    on = on or (segments & 2 and u < w and v > 0.5) or (segments & 4 and u > 1 - w and v > 0.5)
    return bool(on or (segments & 16 and u < w and v < 0.5) or (segments & 32 and u > 1 - w and v < 0.5))


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _second(kind: int, region: int, x: float, y: float, z: float, pitch: float, phase: float) -> float:
    """Share of the second colour (1 … 2: of the third) in a pattern at a point."""
    along, across = (abs(x), y) if region == ARM else (y, x)
    if kind == RINGS:
        return _square(along / pitch + phase)
    if kind == STRIPES:
        return 1.0 if _square(across / pitch + phase) > 0 and (across / pitch + phase) % 1.0 < 0.3 else 0.0
    if kind == CHECKS:
        return 0.5 * _square(along / pitch + phase) + 0.5 * _square(across / pitch + phase)
    if kind == DOTS:
        u, v = along / pitch + phase, across / pitch + 0.5 * np.floor(along / pitch + phase)
        return 1.0 if (u - np.floor(u) - 0.5) ** 2 + (v - np.floor(v) - 0.5) ** 2 < 0.07 else 0.0
    if kind == PATCHES:
        n = _field(x / pitch + phase * 9, y / pitch, z / pitch)[0]
        n = 0.7 * n + 0.3 * _field(3 * x / pitch, 3 * y / pitch, 3 * z / pitch)[0]
        return 2.0 if n > 0.6 else (1.0 if n < 0.44 else 0.0)
    if kind == PRINT and region == TORSO and z > 0.05 and abs(x) < 0.085 and 0.02 < y < 0.15:
        n = _field(x / 0.03 + 31 * phase, y / 0.03, 0.0)[0]
        inside = x * x / 0.0064 + (y - 0.085) ** 2 / 0.0036 < 1
        return (2.0 if n > 0.52 else 1.0) if inside else 0.0
    if kind == RAGLAN:
        return 1.0 if region == ARM or (abs(x) + 0.4 * (0.24 - y) < -1 or abs(x) > 0.135 + 0.25 * (0.2 - y)) else 0.0
    if kind == SIDE:
        return 1.0 if abs(z - 0.035) < 0.011 and (region != TORSO or abs(x) > 0.1) else 0.0
    if kind == FADED and region == LEG:
        return 0.55 * _ramp(z, 0.05, 0.12) * _ramp(0.25 - abs(y + 0.45), 0.0, 0.2)
    if kind == NUMBER and region == TORSO and abs(x) < 0.1:
        mirror = -1.0 if z > 0.04 else 1.0
        u, v = -mirror * x / 0.055, (y - (0.0 if z < 0.04 else 0.06)) / (0.14 if z < 0.04 else 0.08)
        first, other = int(phase * 10) % 10, int(phase * 100) % 10
        return 1.0 if _digit(u + 1.1, v, first) or _digit(u - 0.1, v, other) else 0.0
    if kind == BLOCK:
        return 1.0 if y > 0.06 or (region == ARM and abs(x) < 0.3) else 0.0
    return 0.0


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _fold_gradient(region: int, x: float, y: float, z: float, depth: float, bends: Quadruple) -> Triple:
    """Gradient (T-pose) of the wrinkles' height: creases along the limb, deeper where a joint is bent."""
    side = 0 if x > 0 else 1
    if region == ARM:
        fx, fy, fz, near = 26.0, 9.0, 9.0, bends[side] * np.exp(-(((abs(x) - 0.43) / 0.08) ** 2))
    elif region == LEG:
        near = bends[2 + side] * np.exp(-(((y + 0.66) / 0.10) ** 2)) + 0.5 * np.exp(-(((y + 0.33) / 0.07) ** 2))
        near += 0.7 * np.exp(-(((y + 1.03) / 0.06) ** 2))
        fx, fy, fz = 9.0, 22.0, 9.0
    else:
        near = 0.7 * np.exp(-(((y + 0.10) / 0.08) ** 2)) + 0.4 * np.exp(-(((abs(x) - 0.17) / 0.05) ** 2))
        fx, fy, fz = 11.0, 16.0, 11.0
    # The slow swell also warps the folds, which would lie on a lattice otherwise.
    v2, hx, hy, hz = _field(4.2 * x + 17, 4.2 * y, 4.2 * z + 5)
    w = 2.6 * v2
    v, gx, gy, gz = _field(fx * x + w, fy * y + w, fz * z - w)
    crease = 1.0 if v < 0.5 else -1.0  # ridge: |2v − 1|
    scale = depth * (0.5 + near) * 2.0 * crease
    soft = min(1.0, 6.0 * abs(v - 0.5))
    slow = depth * 1.6
    return (
        scale * soft * gx * fx + slow * hx * 4.2,
        scale * soft * gy * fy + slow * hy * 4.2,
        scale * soft * gz * fz + slow * hz * 4.2,
    )


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _skin(
    region: int, x: float, y: float, z: float, cut: Cut, skin: Triple, hair: Triple, iris: Triple, gloss: float
) -> Quadruple:
    """Linear RGB and gloss of bare skin, with a face."""
    mottle = 0.93 + 0.14 * _field(55 * x, 55 * y, 55 * z)[0]
    red, green, blue = skin[0] * mottle, skin[1] * mottle, skin[2] * mottle
    warm = 0.0
    if region == HAND:
        warm = 0.12
    elif region == ARM:
        warm = 0.10 * np.exp(-(((abs(x) - 0.43) / 0.03) ** 2))
    elif region == LEG:
        warm = 0.12 * np.exp(-(((y + 0.66) / 0.05) ** 2))
    elif region == HEAD and z > 0.05:
        return _face(x, y, z, (red, green, blue), gloss, cut, hair, iris)
    return red * (1 + 0.5 * warm), green * (1 - 0.5 * warm), blue * (1 - 0.5 * warm), gloss


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _face(x: float, y: float, z: float, skin: Triple, gloss: float, cut: Cut, hair: Triple, iris: Triple) -> Quadruple:
    """The face's own colours over the skin's: cheeks, beard, lips, brows, eyes."""
    side = abs(x)
    cheek = np.exp(-(((side - 0.042) / 0.018) ** 2 + ((y - 0.378) / 0.020) ** 2))
    tip = np.exp(-((x / 0.014) ** 2 + ((y - 0.378) / 0.012) ** 2))
    warm = cut.face[3] * (cheek + 0.8 * tip)
    red, green, blue = skin[0] * (1 + 0.08 * warm), skin[1] * (1 - 0.16 * warm), skin[2] * (1 - 0.14 * warm)
    beard = cut.face[0] * _ramp(0.366 - y - 0.25 * max(0.0, 0.11 - z), 0.0, 0.012) * _ramp(y, 0.270, 0.295)
    beard *= _ramp(z, 0.045, 0.06)
    lips = (x / 0.0255) ** 2 + ((y - 0.3445) / (0.0095 if y > 0.3445 else 0.0105)) ** 2
    if z > 0.12 and lips < 1.0:
        tone = cut.face[2] * (1 - 0.3 * lips)
        line = 0.45 if abs(y - 0.3448 + 2.0 * x * x) < 0.0013 else 1.0
        return (
            red * (1 + 0.05 * tone) * line, green * (1 - 0.38 * tone) * line,
            blue * (1 - 0.30 * tone) * line, gloss + 0.06,
        )  # fmt: skip
    brow = abs(y - 0.4335 - 0.12 * (side - 0.012) + 3.5 * max(0.0, side - 0.034) ** 1.0 * 0.10)
    if z > 0.09 and 0.012 < side < 0.05 and brow < 0.0042 - 0.04 * max(0.0, side - 0.034):
        beard = max(beard, cut.face[1])
    beard *= 0.75 + 0.5 * _field(400 * x, 400 * y, 160 * z)[0]
    beard = min(beard, 0.95)
    red += beard * (hair[0] - red)
    green += beard * (hair[1] - green)
    blue += beard * (hair[2] - blue)
    u, v = side - 0.0295, y - 0.4155
    opening = (u / 0.0145) ** 2 + (v / 0.0052) ** 2
    if z > 0.10 and opening < 1.25:
        if opening > 0.8:  # lashes
            return red * 0.35, green * 0.3, blue * 0.3, gloss
        middle = np.sqrt(u * u + (v - 0.0004) ** 2)
        if middle < 0.0026:
            return 0.01, 0.01, 0.01, 0.5
        if middle < 0.0058 * cut.face[4]:
            return iris[0], iris[1], iris[2], 0.5
        shade = 0.30 - 0.15 * opening
        return shade, shade * 0.94, shade * 0.90, 0.4
    hollow = 1 - 0.22 * np.exp(-((u / 0.02) ** 2 + ((v + 0.001) / 0.013) ** 2))
    return red * hollow, green * hollow, blue * hollow, gloss


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _hair(x: float, y: float, z: float, colour: Triple, gloss: float) -> Quadruple:
    """Linear RGB and gloss of strands."""
    strand = _field(230 * x, 26 * y, 230 * z)[0]
    tone = 0.55 + 0.9 * strand * strand + 0.25 * (_field(30 * x, 8 * y, 30 * z)[0] - 0.5)
    return colour[0] * tone, colour[1] * tone, colour[2] * tone, gloss * strand


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _weave(x: float, y: float, z: float, depth: float, fine: bool) -> float:
    """Brightness of a cloth's texture, about 1."""
    tone = 1.0 + depth * (_field(23 * x, 23 * y, 23 * z)[0] - 0.5)
    if fine:
        tone += depth * (_field(310 * x, 310 * y, 310 * z)[0] - 0.5)
    return tone


@njit(nogil=True, cache=True, error_model="numpy")
def draw_person(
    face: Array,
    bary: Array,
    depth: Array,
    top: int,
    left: int,
    near: Array,
    albedo: Array,
    normal: Array,
    gloss: Array,
    faces: Array,
    normals: Array,
    rest: Array,
    turns: Array,
    regions: Array,
    cut: Cut,
    cloth: Cloth,
    close: bool,
) -> None:
    """Write a dressed person into the canvas arrays (2H, 2W, …) where it is nearest.

    Args:
        face, bary, depth: (h, w, …) raster of the dressed mesh, at (top, left) of the canvas.
        near, albedo, normal, gloss: the canvas.
        faces: (F, 3) of the dressed mesh.
        normals: (V, 3) world.
        rest: (V, 3) in the T-pose.
        turns: (V, 3, 3) rotation from the T-pose to the world.
        regions: (F,) int.
        cut, cloth: the outfit.
        close: whether a pixel is small on the person: the weave shows, and a pixel's samples share one look.
    """
    height, width = face.shape
    colour, kinds, pitch, phase = cloth.colour, cloth.pattern, cloth.pitch, cloth.phase
    folded, weave, glosses = cloth.folds, cloth.weave, cloth.gloss
    skin = (colour[SKIN, 0, 0], colour[SKIN, 0, 1], colour[SKIN, 0, 2])
    hair = (colour[HAIR, 0, 0], colour[HAIR, 0, 1], colour[HAIR, 0, 2])
    iris = (colour[GLASSES, 1, 0], colour[GLASSES, 1, 1], colour[GLASSES, 1, 2])
    for r0 in range(0, height, 2):
        for c0 in range(0, width, 2):
            shaded = -1
            for sample in range(4):
                r, c = r0 + (sample >> 1), c0 + (sample & 1)
                if r >= height or c >= width:
                    continue
                f, d, row, column = face[r, c], depth[r, c], top + r, left + c
                if f < 0 or d >= near[row, column]:
                    continue
                near[row, column] = d
                if close and shaded >= 0:
                    other, beside = top + r0 + (shaded >> 1), left + c0 + (shaded & 1)
                    gloss[row, column] = gloss[other, beside]
                    for q in range(3):
                        albedo[row, column, q] = albedo[other, beside, q]
                        normal[row, column, q] = normal[other, beside, q]
                    continue
                shaded = sample
                a, b, g = bary[r, c, 0], bary[r, c, 1], bary[r, c, 2]
                i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
                x = a * rest[i, 0] + b * rest[j, 0] + g * rest[k, 0]
                y = a * rest[i, 1] + b * rest[j, 1] + g * rest[k, 1]
                z = a * rest[i, 2] + b * rest[j, 2] + g * rest[k, 2]
                region = regions[f]
                m = worn_at(region, x, y, z, cut)
                if m == SKIN:
                    look = _skin(region, x, y, z, cut, skin, hair, iris, glosses[m])
                elif m == HAIR:
                    look = _hair(x, y, z, hair, glosses[m])
                else:
                    share = _second(kinds[m], region, x, y, z, pitch[m], phase[m])
                    first = 0 if share <= 1.0 else 1
                    share -= first
                    tone = _weave(x, y, z, weave[m], close)
                    if m == SHOE and region == FOOT and abs(y + 1.128) < 0.004:
                        tone *= 0.6  # welt
                    look = (
                        tone * (colour[m, first, 0] + share * (colour[m, first + 1, 0] - colour[m, first, 0])),
                        tone * (colour[m, first, 1] + share * (colour[m, first + 1, 1] - colour[m, first, 1])),
                        tone * (colour[m, first, 2] + share * (colour[m, first + 1, 2] - colour[m, first, 2])),
                        glosses[m],
                    )
                albedo[row, column, 0], albedo[row, column, 1], albedo[row, column, 2] = look[0], look[1], look[2]
                gloss[row, column] = look[3]
                folds, gx, gy, gz = folded[m], 0.0, 0.0, 0.0
                if folds > 0.0:
                    gx, gy, gz = _fold_gradient(region, x, y, z, folds, cut.bends)
                for q in range(3):
                    smooth = a * normals[i, q] + b * normals[j, q] + g * normals[k, q]
                    crease = turns[i, q, 0] * gx + turns[i, q, 1] * gy + turns[i, q, 2] * gz
                    normal[row, column, q] = smooth - crease
