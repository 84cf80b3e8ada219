"""The freedoms of the body: 46 named angles, their limits and what they turn.

The coordinates are those in which fits are judged (:mod:`pymaf_data.fits.fitter.limits`): each joint turns by a
swing, a rotation vector in the plane of its first two axes, after a twist about the third. Spine and neck spread one
angle evenly over their joints. In addition to what 17 keypoints can tell there are wrists, ankles, toes, curled
fingers and the forearm's pronation, which the elbow and the wrist share.

Axes are those of the T-pose (y up, facing +z, left at +x); the right side's are mirror images, so equal numbers on
both sides are a symmetric posture. Ranges of motion: American Academy of Orthopaedic Surgeons, "Joint Motion", and
Norkin and White, "Measurement of Joint Motion", rounded inwards, and everywhere inside those that fits are judged by.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pymaf_data.geometry.joints import SMPL24

_X, _Y, _Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
_NX, _NY, _NZ = (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0)

LIMITS: dict[str, tuple[float, float]] = {
    "spine.bend": (-25, 75), "spine.side": (-35, 35), "spine.turn": (-45, 45),
    "neck.bend": (-45, 50), "neck.side": (-35, 35), "neck.turn": (-70, 70),
    "collar.up": (-8, 33), "collar.forward": (-18, 23),
    "shoulder.up": (-100, 95), "shoulder.forward": (-60, 120), "shoulder.inward": (-95, 85),
    "elbow.flex": (2, 145), "elbow.pronate": (-80, 80),
    "wrist.extend": (-55, 60), "wrist.deviate": (-25, 20), "fingers.curl": (0, 70),
    "hip.flex": (-28, 125), "hip.abduct": (-28, 55), "hip.outward": (-40, 54),
    "knee.flex": (1, 148), "ankle.up": (-48, 36), "ankle.invert": (-18, 25), "toes.up": (-15, 55),
}  # fmt: skip
"""Degrees, for both sides. The root is free: it places the body in the world."""

_STIFFNESS: dict[str, float] = {
    "spine.bend": 7, "spine.side": 5, "spine.turn": 6, "neck.bend": 10, "neck.side": 7, "neck.turn": 10,
    "collar.up": 6, "collar.forward": 6, "shoulder.up": 14, "shoulder.forward": 14, "shoulder.inward": 16,
    "elbow.flex": 16, "elbow.pronate": 25, "wrist.extend": 16, "wrist.deviate": 8, "fingers.curl": 10,
    "hip.flex": 10, "hip.abduct": 6, "hip.outward": 8, "knee.flex": 12, "ankle.up": 16, "ankle.invert": 7,
    "toes.up": 12,
}  # fmt: skip
# Degrees by which an angle may well differ from what was drawn when goals ask for it.

_SPREAD: tuple[tuple[str, str, tuple[tuple[float, float, float], ...], float], ...] = (
    *((f"spine{i}", "spine", (_X, _Z, _Y), 1 / 3) for i in (1, 2, 3)),
    *((joint, "neck", (_X, _Z, _Y), 1 / 2) for joint in ("neck", "head")),
)
_MIDLINE = {"spine": ("bend", "side", "turn"), "neck": ("bend", "side", "turn")}
# Left limbs: joint, its axes (swing, swing, twist) and for each axis the angle and its share.
_LIMBS: tuple[tuple[str, tuple[tuple[float, float, float], ...], tuple[tuple[str, float], ...]], ...] = (
    ("collar", (_Z, _NY, _X), (("collar.up", 1), ("collar.forward", 1), ("", 0))),
    ("shoulder", (_Z, _NY, _X), (("shoulder.up", 1), ("shoulder.forward", 1), ("shoulder.inward", 1))),
    ("elbow", (_NY, _Z, _X), (("elbow.flex", 1), ("", 0), ("elbow.pronate", 0.5))),
    ("wrist", (_Z, _Y, _X), (("wrist.extend", 1), ("wrist.deviate", 1), ("elbow.pronate", 0.5))),
    ("hand", (_NZ, _Y, _X), (("fingers.curl", 1), ("", 0), ("", 0))),
    ("hip_smpl", (_NX, _Z, _Y), (("hip.flex", 1), ("hip.abduct", 1), ("hip.outward", 1))),
    ("knee", (_X, _Z, _Y), (("knee.flex", 1), ("", 0), ("", 0))),
    ("ankle", (_NX, _Z, _Y), (("ankle.up", 1), ("ankle.invert", 1), ("", 0))),
    ("foot", (_NX, _Z, _Y), (("toes.up", 1), ("", 0), ("", 0))),
)
SIDES = ("left", "right")


def _names() -> tuple[str, ...]:
    names = ["root.x", "root.y", "root.z", "root.pitch", "root.yaw", "root.roll"]
    names += [name for name in LIMITS if name.partition(".")[0] in _MIDLINE]
    names += [f"{side}_{name}" for side in SIDES for name in LIMITS if name.partition(".")[0] not in _MIDLINE]
    return tuple(names)


FREEDOMS: tuple[str, ...] = _names()
"""Order of every vector q: the root's shift (metres) and rotation vector, then angles in radians."""
PLACE: dict[str, int] = {name: index for index, name in enumerate(FREEDOMS)}


class Chain(NamedTuple):
    """The same as arrays, for kernels. J = 24 joints, three slots each: swing, swing, twist.

    Args:
        parents: (J,) −1 at the root.
        freedom: (J, 3) index into q, −1 where the slot does not turn.
        share: (J, 3) of the angle that this slot takes.
        axes: (J, 3, 3) axis of each slot in the rest pose.
        low, high: (D,) limits of q.
        stiffness: (D,) how far q may well go from its reference.
    """

    parents: np.ndarray
    freedom: np.ndarray
    share: np.ndarray
    axes: np.ndarray
    low: np.ndarray
    high: np.ndarray
    stiffness: np.ndarray


def _chain() -> Chain:
    J = len(SMPL24)
    parents = np.full(J, -1)
    for parent, child in SMPL24.edges:
        parents[SMPL24.index(child)] = SMPL24.index(parent)
    freedom, share, axes = np.full((J, 3), -1), np.zeros((J, 3)), np.tile(np.eye(3), (J, 1, 1))
    freedom[0], share[0] = (3, 4, 5), 1.0
    for joint, group, turned, part in _SPREAD:
        j = SMPL24.index(joint)
        freedom[j] = [PLACE[f"{group}.{angle}"] for angle in _MIDLINE[group]]
        share[j], axes[j] = part, turned
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        for joint, turned, angles in _LIMBS:
            j = SMPL24.index(f"{side}_{joint}")
            axes[j] = np.asarray(turned) * [1.0, sign, sign]  # axes are pseudo-vectors: x stays
            for slot, (angle, part) in enumerate(angles):
                if angle:
                    freedom[j, slot], share[j, slot] = PLACE[f"{side}_{angle}"], part
    low, high = np.full(len(FREEDOMS), -np.inf), np.full(len(FREEDOMS), np.inf)
    stiffness = np.concatenate([np.full(3, 1e3), np.radians([6.0, 8.0, 6.0]), np.zeros(len(FREEDOMS) - 6)])
    for name, index in list(PLACE.items())[6:]:
        plain = name.rpartition("_")[2]
        low[index], high[index] = np.radians(LIMITS[plain])
        stiffness[index] = np.radians(_STIFFNESS[plain])
    return Chain(parents, freedom, share, axes, low, high, stiffness)


CHAIN = _chain()
