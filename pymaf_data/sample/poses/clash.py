"""Does the body run into itself? Probe points of its surface against radial maps of its segments.

A segment (a forearm, the chest, …) is described by how far its skin lies from its axis: radius r(t, φ) over the length
t and the angle φ, measured on the shaped body's T-pose by rays and carried along by the segment's bone. A probe on
another part of the body at (t, φ, ρ) is r − ρ deep inside. That is exact for what does not deform, cheap (some 300
probes × 19 segments with most rejected at once), and gives the way out: radially.

Soft parts may touch: each pair of parts has a tolerance, and neighbours in the skeleton are not tested.
Shape letters: S segments, T × A map samples, P probes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from pymaf_data.geometry.joints import SMPL24
from pymaf_data.sample.poses.freedoms import SIDES

LENGTHS, ANGLES = 10, 20
_REACH = 0.30  # metres beyond which nothing belongs to a segment
NEAR = 0.015  # metres outside a segment within which probes are still told


# Segment: bone, then its ends as weighted joints.
_ENDS: dict[str, tuple[str, dict[str, float], dict[str, float]]] = {
    "head": ("head", {"head": 1.2, "neck": -0.2}, {"head": 2.9, "neck": -1.9}),
    "pelvis": ("pelvis", {"left_hip_smpl": 0.75, "right_hip_smpl": 0.75, "spine1": -0.5}, {"spine1": 1.0}),
    "belly": ("spine1", {"spine1": 1.0}, {"spine2": 1.0}),
    "waist": ("spine2", {"spine2": 1.0}, {"spine3": 1.0}),
    "chest": ("spine3", {"spine3": 1.0}, {"neck": 1.0}),
}
for _s in SIDES:
    _ENDS |= {
        f"{_s}_upper_arm": (f"{_s}_shoulder", {f"{_s}_shoulder": 1.0}, {f"{_s}_elbow": 1.0}),
        f"{_s}_forearm": (f"{_s}_elbow", {f"{_s}_elbow": 1.0}, {f"{_s}_wrist": 1.0}),
        f"{_s}_hand": (f"{_s}_wrist", {f"{_s}_wrist": 1.0}, {f"{_s}_hand": 1.1, f"{_s}_wrist": -0.1}),
        f"{_s}_thigh": (f"{_s}_hip_smpl", {f"{_s}_hip_smpl": 1.0}, {f"{_s}_knee": 1.0}),
        f"{_s}_shin": (f"{_s}_knee", {f"{_s}_knee": 1.0}, {f"{_s}_ankle": 1.0}),
        f"{_s}_foot": (f"{_s}_ankle", {f"{_s}_ankle": 1.35, f"{_s}_foot": -0.35},
                       {f"{_s}_ankle": -0.4, f"{_s}_foot": 1.4}),
    }  # fmt: skip
SEGMENTS: tuple[str, ...] = tuple(_ENDS)
SEGMENT_BONES = np.array([SMPL24.index(bone) for bone, _, _ in _ENDS.values()])
_TRUNK = ("pelvis", "belly", "waist", "chest")
_ARM = ("upper_arm", "forearm", "hand", "fingers")
_LEG = ("thigh", "shin", "foot")
# How many probes a bone carries.
_PROBES = {
    "shoulder": 14, "elbow": 18, "wrist": 14, "hand": 34, "hip_smpl": 22, "knee": 22, "ankle": 14, "foot": 8,
    "head": 24,
}  # fmt: skip
_PART_OF = {"shoulder": "upper_arm", "elbow": "forearm", "wrist": "hand", "hand": "fingers", "hip_smpl": "thigh",
            "knee": "shin", "ankle": "foot", "foot": "foot"}  # fmt: skip


def _tolerance(part: str, same_side: bool, segment: str) -> float:
    """Metres that a probe of a limb's part may be inside a segment (segment without side); inf: not tested."""
    if part in _ARM:
        if segment in _TRUNK:
            return {"upper_arm": 0.02, "forearm": 0.004}.get(part, 0.002)
        if segment == "head":
            return 0.0
        if same_side and segment in _ARM:
            return 0.005 if part in ("hand", "fingers") and segment == "upper_arm" else np.inf
        return 0.002
    if segment in _ARM:  # arms carry their own probes; feet, shins and heads need not ask again
        return np.inf if part == "thigh" else 0.004
    if segment in _LEG:
        if same_side:
            return 0.02 if part == "foot" and segment == "thigh" else np.inf
        return 0.006 if (part, segment) == ("thigh", "thigh") else 0.002
    if part == "thigh":
        return 0.03 if segment in ("waist", "chest") else np.inf
    if segment == "pelvis":
        return 0.015 if part == "foot" else (0.01 if part == "shin" else np.inf)
    return 0.005


def tolerances() -> np.ndarray:
    """(24, S) metres by which a probe of a bone may lie inside a segment."""
    table = np.full((len(SMPL24), len(SEGMENTS)), np.inf)
    for side in SIDES:
        for joint, part in _PART_OF.items():
            for s, segment in enumerate(SEGMENTS):
                plain = segment.removeprefix("left_").removeprefix("right_")
                same = segment.startswith(side)
                table[SMPL24.index(f"{side}_{joint}"), s] = _tolerance(part, same, plain)
    for s, segment in enumerate(SEGMENTS):
        if segment.endswith(("thigh", "shin", "foot")):
            table[SMPL24.index("head"), s] = 0.005
    return table


TOLERANCES = tolerances()


def choose_probes(template: np.ndarray, joints: np.ndarray, owner: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Vertices spread over limbs and head; right ones mirror left ones. Upper arms and thighs are probed far from
    the trunk only, where they can run into something they do not grow from."""
    chosen: list[int] = []
    for joint, count in _PROBES.items():
        name = joint if joint == "head" else f"left_{joint}"
        rows = np.flatnonzero(owner == SMPL24.index(name))
        if joint in ("shoulder", "hip_smpl"):
            end = joints[SMPL24.index("left_elbow" if joint == "shoulder" else "left_knee")]
            start = joints[SMPL24.index(name)]
            along = (template[rows] - start) @ (end - start) / ((end - start) @ (end - start))
            rows = rows[along > 0.4]
        if joint == "head":
            rows = rows[template[rows, 0] >= -1e-9]
        picked = _spread(template[rows], count)
        chosen += [int(rows[i]) for i in picked]
    return np.unique(np.concatenate([chosen, mirror[chosen]]))


def _spread(points: np.ndarray, count: int) -> list[int]:
    """Farthest-point sampling."""
    picked = [int(np.argmax(np.linalg.norm(points - points.mean(0), axis=1)))]
    distance = np.linalg.norm(points - points[picked[0]], axis=1)
    while len(picked) < min(count, len(points)):
        picked.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(points - points[picked[-1]], axis=1))
    return picked


def segment_ends(joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(S, 3) starts and ends of the segments' axes in the T-pose of ``joints`` (24, 3)."""

    def places(ends: list[dict[str, float]]) -> np.ndarray:
        return np.array([sum(w * joints[SMPL24.index(j)] for j, w in end.items()) for end in ends])

    return places([start for _, start, _ in _ENDS.values()]), places([end for _, _, end in _ENDS.values()])


def frames(axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors (S, 3) across each axis; angles of the maps count from the first to the second."""
    helper = np.where(np.abs(axis[:, 2:3]) < 0.7, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    first = np.cross(axis, helper)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return first, np.cross(axis, first)


@njit(cache=True, nogil=True)
def _depth(
    x: float, y: float, z: float, origin: np.ndarray, axis: np.ndarray, first: np.ndarray, second: np.ndarray,
    length: float, radius: np.ndarray, out: np.ndarray,
) -> float:  # fmt: skip
    """How deep a point (in the bone's frame, metres) lies inside a segment; the way out goes into ``out``."""
    x, y, z = x - origin[0], y - origin[1], z - origin[2]
    t = (x * axis[0] + y * axis[1] + z * axis[2]) / length
    if t < -0.02 or t > 1.02:
        return -1.0
    a = x * first[0] + y * first[1] + z * first[2]
    b = x * second[0] + y * second[1] + z * second[2]
    rho = np.sqrt(a * a + b * b)
    if rho > _REACH:
        return -1.0
    T, A = radius.shape
    u = min(max(t * T - 0.5, 0.0), T - 1.0)
    i = min(int(u), T - 2)
    u -= i
    v = (np.arctan2(b, a) / (2 * np.pi)) % 1.0 * A
    k = int(v) % A
    v -= int(v)
    n = (k + 1) % A
    skin = (1 - u) * ((1 - v) * radius[i, k] + v * radius[i, n]) + u * (
        (1 - v) * radius[i + 1, k] + v * radius[i + 1, n]
    )
    if rho < 1e-6:
        rho, a = 1e-6, 1e-6
    for c in range(3):
        out[c] = (a * first[c] + b * second[c]) / rho
    return skin - rho


@njit(cache=True, nogil=True)
def find_clashes(
    points: np.ndarray, point_bones: np.ndarray, world: np.ndarray, place: np.ndarray, segment_bones: np.ndarray,
    origins: np.ndarray, axes: np.ndarray, first: np.ndarray, second: np.ndarray, lengths: np.ndarray,
    radii: np.ndarray, tolerance: np.ndarray, depths: np.ndarray, normals: np.ndarray, touching: np.ndarray,
) -> None:  # fmt: skip
    """The deepest probe of each bone in each segment.

    Args:
        points: (P, 3) probes in the world; point_bones: (P,).
        world, place: bones' rotations and joints.
        segment_bones, origins, axes, first, second, lengths, radii: the segments, in their bones' frames.
        tolerance: (24, S).
        depths: (24, S) out, metres beyond the tolerance; negative outside, −NEAR where nothing is near.
        normals: (24, S, 3) out, the way out in the world.
        touching: (24, S) out, index of the probe.
    """
    depths[:] = -NEAR
    out, middle = np.empty(3), np.empty(3)
    for s in range(len(segment_bones)):
        j = segment_bones[s]
        for c in range(3):
            middle[c] = 0.0
            for d in range(3):
                middle[c] += world[j, c, d] * (origins[s, d] + 0.5 * lengths[s] * axes[s, d])
        around = (0.52 * lengths[s]) ** 2 + (radii[s].max() + NEAR) ** 2
        for p in range(len(points)):
            b = point_bones[p]
            allowed = tolerance[b, s]
            if allowed > 1.0:
                continue
            x, y, z = points[p, 0] - place[j, 0], points[p, 1] - place[j, 1], points[p, 2] - place[j, 2]
            u, v, w = x - middle[0], y - middle[1], z - middle[2]
            if u * u + v * v + w * w > around:
                continue
            lx = world[j, 0, 0] * x + world[j, 1, 0] * y + world[j, 2, 0] * z
            ly = world[j, 0, 1] * x + world[j, 1, 1] * y + world[j, 2, 1] * z
            lz = world[j, 0, 2] * x + world[j, 1, 2] * y + world[j, 2, 2] * z
            deep = _depth(lx, ly, lz, origins[s], axes[s], first[s], second[s], lengths[s], radii[s], out) - allowed
            if deep > depths[b, s]:
                depths[b, s], touching[b, s] = deep, p
                for c in range(3):
                    normals[b, s, c] = world[j, c, 0] * out[0] + world[j, c, 1] * out[1] + world[j, c, 2] * out[2]


@njit(cache=True, nogil=True)
def ride(world: np.ndarray, place: np.ndarray, bones: np.ndarray, points: np.ndarray, out: np.ndarray) -> None:
    """Points (P, 3) of their bones' frames in the world."""
    for p in range(len(points)):
        b = bones[p]
        for c in range(3):
            out[p, c] = place[b, c] + (
                world[b, c, 0] * points[p, 0] + world[b, c, 1] * points[p, 1] + world[b, c, 2] * points[p, 2]
            )


@njit(cache=True, nogil=True)
def rows_apart(
    held: np.ndarray, depths: np.ndarray, touching: np.ndarray, world: np.ndarray, place: np.ndarray,
    segment_bones: np.ndarray, points: np.ndarray, point_locals: np.ndarray, bones: np.ndarray, locals_: np.ndarray,
    places: np.ndarray,
) -> int:  # fmt: skip
    """Which pairs are to be pushed apart, and between which points; returns how many.

    A pair that once clashed is held at a hair's breadth until it has left, or the reference would push it back in at
    every other step.

    Args:
        held: (24, S) in and out.
        depths, touching: of :func:`find_clashes`.
        world, place: bones' rotations and joints; segment_bones: (S,).
        points, point_locals: (P, 3) probes in the world and in their bones' frames.
        bones, locals_: (2N,), (2N, 3) out, the probe and the point of the segment that it lies in.
        places: (N, 2) out, bone and segment of each pair.
    """
    n = 0
    for b in range(held.shape[0]):
        for s in range(held.shape[1]):
            held[b, s] = depths[b, s] > 0 or (held[b, s] and depths[b, s] > -NEAR)
            if not held[b, s]:
                continue
            p, j = touching[b, s], segment_bones[s]
            bones[2 * n], bones[2 * n + 1] = b, j
            for c in range(3):
                locals_[2 * n, c] = point_locals[p, c]
                locals_[2 * n + 1, c] = 0.0
                for d in range(3):
                    locals_[2 * n + 1, c] += world[j, d, c] * (points[p, d] - place[j, d])
            places[n, 0], places[n, 1] = b, s
            n += 1
    return n
