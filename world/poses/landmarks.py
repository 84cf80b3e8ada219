"""Named places of the body's surface: markers (one vertex) and patches (many), found once per body.

They are found by geometry on the T-pose (y up, facing +z, left at +x), so any body of SMPL's build has them. Left
ones are described; right ones mirror them.
"""

from __future__ import annotations

import numpy as np

from pymaf_data.geometry.joints import SMPL24

# Marker: the bones whose skin it may lie on, the joint it starts from, the joint it goes towards, how far (share),
# and the direction in which the surface is met.
_MARKERS: dict[str, tuple[tuple[str, ...], str, str, float, tuple[float, float, float]]] = {
    "palm": (("wrist", "hand"), "wrist", "hand", 0.75, (0, -1, 0.05)),
    "grip": (("wrist", "hand"), "wrist", "hand", 1.05, (0, -1, 0.1)),
    "fingers": (("hand",), "wrist", "hand", 1.75, (0, -1, 0)),
    "knuckles": (("wrist", "hand"), "wrist", "hand", 1.0, (0, 1, 0)),
    "forearm": (("elbow",), "elbow", "wrist", 0.55, (0, -1, 0.2)),
    "forearm_back": (("elbow",), "elbow", "wrist", 0.5, (0, 1, -0.3)),
    "wrist": (("elbow", "wrist"), "elbow", "wrist", 0.97, (0, -1, 0)),
    "elbow": (("elbow", "shoulder"), "elbow", "wrist", 0.0, (0, 0, -1)),
    "upper_arm": (("shoulder",), "shoulder", "elbow", 0.6, (0, 0.2, 1)),
    "shoulder": (("shoulder", "collar"), "shoulder", "elbow", 0.05, (0.2, 1, 0)),
    "knee": (("knee", "hip_smpl"), "knee", "ankle", 0.0, (0, 0, 1)),
    "knee_side": (("knee", "hip_smpl"), "knee", "ankle", 0.0, (1, 0, 0.2)),
    "thigh": (("hip_smpl",), "hip_smpl", "knee", 0.62, (0, 0, 1)),
    "thigh_near_knee": (("hip_smpl",), "hip_smpl", "knee", 0.85, (0, 0, 1)),
    "thigh_side": (("hip_smpl",), "hip_smpl", "knee", 0.3, (1, 0, 0)),
    "calf": (("knee",), "knee", "ankle", 0.4, (0, 0, -1)),
    "shin": (("knee",), "knee", "ankle", 0.5, (0.2, 0, 1)),
    "ankle_front": (("knee", "ankle"), "knee", "ankle", 0.95, (0.3, 0, 1)),
    "ankle_inside": (("knee", "ankle"), "knee", "ankle", 0.93, (-1, 0, 0)),
    "instep": (("ankle",), "ankle", "foot", 0.7, (-0.4, 1, 0)),
    "ball_of_foot": (("ankle", "foot"), "ankle", "foot", 0.95, (0, -1, 0)),
    "arch": (("ankle", "foot"), "ankle", "foot", 0.62, (0, -1, 0)),
    "toe": (("foot",), "ankle", "foot", 1.3, (0, -1, 0)),
    "sole": (("ankle",), "ankle", "foot", 0.3, (0, -1, 0)),
    "sole_inside": (("ankle", "foot"), "ankle", "foot", 0.6, (-1, 0, 0)),
}
_MIDDLE: dict[str, tuple[tuple[str, ...], str, str, float, tuple[float, float, float]]] = {
    "left_waist": (("pelvis", "spine1", "spine2"), "spine1", "spine2", 0.1, (1, 0, 0.25)),
    "left_ribs": (("spine2", "spine3", "spine1"), "spine2", "spine3", 0.5, (1, 0, 0.3)),
    "left_chest": (("spine3", "spine2"), "spine3", "left_shoulder", 0.3, (0.1, 0, 1)),
    "belly": (("spine1", "pelvis", "spine2"), "spine1", "spine2", 0.0, (0, 0, 1)),
    "low_back": (("spine1", "pelvis", "spine2"), "spine1", "spine2", 0.2, (0, 0, -1)),
    "left_low_back": (("spine1", "pelvis", "spine2"), "spine1", "spine2", -0.4, (0.7, 0, -1)),
    "left_pocket": (("pelvis", "left_hip_smpl"), "left_hip_smpl", "left_knee", 0.05, (1, 0, 0.8)),
    "chin": (("head", "neck"), "head", "neck", 0.45, (0, -0.15, 1)),
    "left_cheek": (("head",), "head", "neck", 0.1, (0.75, -0.1, 1)),
    "left_temple": (("head",), "head", "neck", -0.6, (1, 0, 0.7)),
    "brow": (("head",), "head", "neck", -0.9, (0, 0, 1)),
    "left_nape": (("head", "neck"), "head", "neck", 0.1, (0.5, 0.1, -1)),
    "crown": (("head",), "head", "neck", -1.0, (0, 1, 0)),
}
_SOLE = 0.012  # metres above the lowest point of the foot that a sole may rise


def find_markers(template: np.ndarray, joints: np.ndarray, owner: np.ndarray, mirror: np.ndarray) -> dict[str, int]:
    """Vertex of each marker; left and right ones are mirror partners."""
    found: dict[str, int] = {}
    for name, (bones, start, end, share, toward) in _MARKERS.items():
        sided = tuple(f"left_{bone}" for bone in bones)
        found[f"left_{name}"] = _meet(template, joints, owner, sided, f"left_{start}", f"left_{end}", share, toward)
    for name, entry in _MIDDLE.items():
        found[name] = _meet(template, joints, owner, *entry)
    lefts = {name: vertex for name, vertex in found.items() if name.startswith("left_")}
    return found | {"right_" + name.removeprefix("left_"): int(mirror[vertex]) for name, vertex in lefts.items()}


def _meet(template, joints, owner, bones, start, end, share, toward) -> int:  # type: ignore[no-untyped-def]
    a, b = joints[SMPL24.index(start)], joints[SMPL24.index(end)]
    origin = a + share * (b - a)
    direction = np.asarray(toward, np.float64) / np.linalg.norm(toward)
    allowed = np.isin(owner, [SMPL24.index(bone) for bone in bones])
    offset = template - origin
    along = offset @ direction
    aside = np.linalg.norm(offset - along[:, None] * direction, axis=1)
    return int(np.argmin(np.where(allowed & (along > 0), aside - 0.15 * along, np.inf)))


def find_patches(
    template: np.ndarray, joints: np.ndarray, owner: np.ndarray, mirror: np.ndarray
) -> dict[str, np.ndarray]:
    """Vertices of each patch, in ascending order."""
    x, y, z = template.T
    at = {name: joints[i] for i, name in enumerate(SMPL24.joints)}

    def own(*bones: str) -> np.ndarray:
        return np.isin(owner, [SMPL24.index(bone) for bone in bones])

    foot = own("left_ankle", "left_foot")
    low = foot & (y < y[foot].min() + _SOLE)
    ankle, toe = at["left_ankle"], at["left_foot"]
    middle = (x[low].min() + x[low].max()) / 2
    ball = low & (z > toe[2] - 0.045) & (z < toe[2] + 0.012)
    left = {
        "heel": low & (z < ankle[2] + 0.01),
        "ball_in": ball & (x < middle), "ball_out": ball & (x >= middle),
        "toes": own("left_foot") & (z > toe[2] + 0.02), "foot": foot,
        "foot_top": foot & (z > ankle[2] + 0.05) & (y > y[foot].min() + 0.02),
        "hand": own("left_wrist", "left_hand"), "palm": own("left_wrist"), "fingers": own("left_hand"),
        "buttock": own("pelvis", "left_hip_smpl") & (x > 0.01) & (y > -0.40) & (y < -0.2) & (z < 0.09),
        "thigh": own("left_hip_smpl") & (y < -0.42) & (y > -0.62), "upper_thigh": own("left_hip_smpl") & (y > -0.45),
        "knee": own("left_hip_smpl", "left_knee") & (np.abs(y - at["left_knee"][1]) < 0.09),
        "shin": own("left_knee") & (y < at["left_knee"][1] - 0.1), "calf": own("left_knee"),
        "elbow": own("left_shoulder", "left_elbow") & (np.abs(x - at["left_elbow"][0]) < 0.06),
        "forearm": own("left_elbow"), "upper_arm": own("left_shoulder"),
        "shoulder": own("left_shoulder", "left_collar") & (x < at["left_shoulder"][0] + 0.08),
        "flank": own("pelvis", "left_hip_smpl") & (x > 0.06) & (y > -0.40),
        "ribs": own("spine2", "spine3") & (x > 0.06),
        "shoulder_blade": own("spine3", "spine2", "left_collar") & (x > 0.02) & (z < 0.02),
    }  # fmt: skip
    found = {f"left_{name}": np.flatnonzero(mask) for name, mask in left.items()}
    found |= {"right_" + name.removeprefix("left_"): np.sort(mirror[rows]) for name, rows in found.items()}
    found["back"] = np.flatnonzero(own("spine1", "spine2", "spine3"))
    found["upper_back"] = np.flatnonzero(own("spine3", "spine2") & (z < 0.03))
    found["belly"] = np.flatnonzero(own("spine1", "spine2", "pelvis") & (z > 0.08))
    found["chest"] = np.flatnonzero(own("spine3", "spine2") & (z > 0.05))
    found["head"] = np.flatnonzero(own("head"))
    found["seat"] = np.union1d(found["left_buttock"], found["right_buttock"])
    return found
