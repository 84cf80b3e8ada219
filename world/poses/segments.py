"""The segments of the body in which clashes are sought, the probes that are held against them, and what may touch.

Soft parts may touch: each pair of parts has a tolerance, and neighbours in the skeleton are not tested.
Shape letter: S segments.
"""

from __future__ import annotations

import numpy as np

from pymaf_data.geometry.joints import SMPL24
from pymaf_data.world.poses.freedoms import SIDES

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
    """Vertices spread over limbs and head, bone by bone; right ones mirror left ones.

    Upper arms and thighs are probed far from the trunk only, where they can run into something they do not grow from.
    """
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
    probes = np.unique(np.concatenate([chosen, mirror[chosen]]))
    return probes[np.argsort(owner[probes], kind="stable")]


def _spread(points: np.ndarray, count: int) -> list[int]:
    """Farthest-point sampling."""
    picked = [int(np.argmax(np.linalg.norm(points - points.mean(0), axis=1)))]
    distance = np.linalg.norm(points - points[picked[0]], axis=1)
    while len(picked) < min(count, len(points)):
        picked.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(points - points[picked[-1]], axis=1))
    return picked


def _ends() -> np.ndarray:
    ends = np.zeros((2, len(_ENDS), len(SMPL24)))
    for s, (_, *both) in enumerate(_ENDS.values()):
        for end, weights in enumerate(both):
            for joint, weight in weights.items():
                ends[end, s, SMPL24.index(joint)] = weight
    return ends


ENDS = _ends()
"""(2, S, 24) the joints whose weighted sums are the starts and ends of the segments' axes in the T-pose."""
