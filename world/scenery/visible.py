"""Which patch each pixel of an empty place shows.

A patch is a rectangle in space. With the ray through pixel (x, y) as C + t·d(x, y) of unit depth, 1/t and u/t, v/t
(metres along the patch's sides) are affine in (x, y): row by row, the pixels that a patch covers are one interval, and
of the patches that cover a pixel the one of the largest 1/t shows. Pixels beside another patch get four samples.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pymaf_data.kernels import njit

RECTANGLE, SKYLINE = 0, 1
"""Shape of a patch: all of it, or what lies below an uneven upper edge (tree tops)."""

Array = np.ndarray


class Patches(NamedTuple):
    """Rectangles: corner + u·side_u + v·side_v, 0 ≤ u, v ≤ size; P of them, world metres.

    ``normal`` points to the lit side, ``corner_dark`` (P, 4) is how much light is lost at u = 0, u = 1, v = 0, v = 1,
    ``decals`` (P, 2) the first and the number of the marks on it, ``ragged`` (P, 3) depth of a skyline's edge as a
    share of the height, metres of its tile, and its shift.
    """

    corner: np.ndarray
    side_u: np.ndarray
    side_v: np.ndarray
    normal: np.ndarray
    size: np.ndarray
    material: np.ndarray
    shape: np.ndarray
    ragged: np.ndarray
    corner_dark: np.ndarray
    decals: np.ndarray


def lens_of(patches: Patches, rays: np.ndarray, eye: np.ndarray) -> np.ndarray:
    """(P, 3, 3): 1/t, u/t and v/t of every patch as functions of (x, y, 1).

    Args:
        patches: P of them.
        rays: (3, 3), takes (x, y, 1) to world directions of unit depth.
        eye: (3,) the camera's centre.
    """
    height = np.einsum("pk,pk->p", patches.normal, patches.corner - eye)
    height = np.where(np.abs(height) < 1e-6, 1e-6, height)
    q = (patches.normal @ rays) / height[:, None]
    u = patches.side_u @ rays + np.einsum("pk,pk->p", patches.side_u, eye - patches.corner)[:, None] * q
    v = patches.side_v @ rays + np.einsum("pk,pk->p", patches.side_v, eye - patches.corner)[:, None] * q
    return np.stack([q, u, v], axis=1)


@njit(cache=True, nogil=True, error_model="numpy")
def _cut(slope: float, value: float, low: float, high: float) -> tuple[float, float]:
    """The part of low … high in which slope · x + value ≥ 0."""
    if slope > 0.0:
        return max(low, -value / slope), high
    if slope < 0.0:
        return low, min(high, -value / slope)
    return (low, high) if value >= 0.0 else (1.0, 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _below_edge(u: float, share: float, ragged: Array, profile: Array) -> bool:
    """Whether a point lies below a skyline's edge; ``share`` is its height above the patch's foot, 0 … 1."""
    position = u / ragged[1] * profile.shape[0] + ragged[2]
    whole = int(np.floor(position))
    part = position - whole
    count = profile.shape[0]
    edge = profile[whole % count] * (1.0 - part) + profile[(whole + 1) % count] * part
    return share < 1.0 - ragged[0] * (0.5 - 0.5 * edge)


@njit(cache=True, nogil=True, error_model="numpy")
def find_patches(lens: Array, patches: Patches, profile: Array, nearness: Array, shown: Array) -> None:
    """Fill ``shown`` (H, W) int32 with the patch at every pixel centre, −1 for none, and ``nearness`` with 1/t."""
    height, width = shown.shape
    shown[:] = -1
    nearness[:] = 0.0
    for p in range(lens.shape[0]):
        a, b = patches.size[p, 0], patches.size[p, 1]
        q, u, v = lens[p, 0], lens[p, 1], lens[p, 2]
        for row in range(height):
            y = row + 0.5
            q0, u0, v0 = q[1] * y + q[2], u[1] * y + u[2], v[1] * y + v[2]
            low, high = _cut(q[0], q0, 0.5, width - 0.5)
            low, high = _cut(u[0], u0, low, high)
            low, high = _cut(v[0], v0, low, high)
            low, high = _cut(a * q[0] - u[0], a * q0 - u0, low, high)
            low, high = _cut(b * q[0] - v[0], b * q0 - v0, low, high)
            if low > high:
                continue
            for column in range(int(np.ceil(low - 0.5)), int(np.floor(high - 0.5)) + 1):
                x = column + 0.5
                near = q[0] * x + q0
                if near > nearness[row, column]:
                    if patches.shape[p] == SKYLINE and not _below_edge(
                        (u[0] * x + u0) / near, (v[0] * x + v0) / (near * b), patches.ragged[p], profile
                    ):
                        continue
                    nearness[row, column] = near
                    shown[row, column] = p


@njit(cache=True, nogil=True, error_model="numpy")
def _nearest(x: float, y: float, around: Array, count: int, lens: Array, patches: Patches, profile: Array) -> int:
    """Which of the first ``count`` patches of ``around`` shows at (x, y)."""
    best, found = 0.0, -1
    for n in range(count):
        p = around[n]
        near = lens[p, 0, 0] * x + lens[p, 0, 1] * y + lens[p, 0, 2]
        if near <= best:
            continue
        u = (lens[p, 1, 0] * x + lens[p, 1, 1] * y + lens[p, 1, 2]) / near
        v = (lens[p, 2, 0] * x + lens[p, 2, 1] * y + lens[p, 2, 2]) / near
        if u < 0.0 or v < 0.0 or u > patches.size[p, 0] or v > patches.size[p, 1]:
            continue
        if patches.shape[p] == SKYLINE and not _below_edge(u, v / patches.size[p, 1], patches.ragged[p], profile):
            continue
        best, found = near, p
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def find_edges(
    shown: Array, lens: Array, patches: Patches, profile: Array, shifts: Array, pixels: Array, samples: Array
) -> int:
    """List the pixels beside another patch.

    ``pixels`` (n,) gets their flat indices and ``samples`` (n, S) what the points ``shifts`` (S, 2) from their centres
    show; returns how many there are (no more than fit).
    """
    height, width = shown.shape
    around = np.empty(9, np.int32)
    found = 0
    for row in range(height):
        for column in range(width):
            own = shown[row, column]
            right, left = min(column + 1, width - 1), max(column - 1, 0)
            if (
                shown[row, left] == own
                and shown[row, right] == own
                and shown[max(row - 1, 0), column] == own
                and shown[min(row + 1, height - 1), column] == own
            ) or found == len(pixels):
                continue
            count = 0
            for r in range(max(row - 1, 0), min(row + 2, height)):
                for c in range(max(column - 1, 0), min(column + 2, width)):
                    other, known = shown[r, c], shown[r, c] < 0
                    for n in range(count):
                        known |= around[n] == other
                    if not known:
                        around[count] = other
                        count += 1
            pixels[found] = row * width + column
            for s in range(shifts.shape[0]):
                x, y = column + 0.5 + shifts[s, 0], row + 0.5 + shifts[s, 1]
                samples[found, s] = _nearest(x, y, around, count, lens, patches, profile)
            found += 1
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def blend_edges(
    pixels: Array, samples: Array, shown: Array, slots: Array, fine: Array, albedo: Array, normal: Array, point: Array,
    emission: Array, lit: Array,
) -> None:  # fmt: skip
    """Give edge pixels the mean of their samples; where part is sky, the sky's share is emission on no albedo.

    ``fine`` (4, F, 3) holds albedo, normal, point and emission of the samples that show another patch than their
    pixel's centre; ``slots`` (n · S,) says where in it, −1 for samples like the centre. Whatever is not ``lit`` (N,)
    has zero albedo and normal.
    """
    count = samples.shape[1]
    for e in range(pixels.shape[0]):
        p = pixels[e]
        mean, turned = np.zeros(3), np.zeros(3)
        glow = np.zeros(3)
        solid, from_slot = 0, -1
        for s in range(count):
            slot = slots[e * count + s]
            for k in range(3):
                mean[k] += albedo[p, k] if slot < 0 else fine[0, slot, k]
                turned[k] += normal[p, k] if slot < 0 else fine[1, slot, k]
                glow[k] += emission[p, k] if slot < 0 else fine[3, slot, k]
            if samples[e, s] >= 0:
                solid += 1
                from_slot = max(from_slot, slot)
        length = np.sqrt(turned[0] ** 2 + turned[1] ** 2 + turned[2] ** 2)
        if shown[p] < 0 and from_slot >= 0:
            for k in range(3):
                point[p, k] = fine[2, from_slot, k]
        for k in range(3):
            albedo[p, k], emission[p, k] = mean[k] / count, glow[k] / count
            if solid > 0 and length > 0.3:
                normal[p, k] = turned[k] / length
            elif solid == 0:
                normal[p, k] = 0.0
        lit[p] = solid > 0
