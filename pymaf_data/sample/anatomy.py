"""Postures in the words of anatomy, and the joint rotations they mean.

A :class:`Posture` holds angles in degrees from standing at ease with the arms hanging; :func:`joint_rotations` turns
it into SMPL's 24 rotations, which count from the T-pose (y up, facing +z, the body's left at +x). Limbs are
described for the left side; the right side is its mirror image, so left and right are treated alike by construction.

Every angle is clipped to :data:`LIMITS`, so no joint can bend the wrong way. Ranges of motion: American Academy of
Orthopaedic Surgeons, "Joint Motion", rounded inwards.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np

from pymaf_data.geometry.joints import SMPL24

HANG = 76.0  # degrees below the T-pose at which a relaxed arm starts
_COLLAR_SHARE = 0.22  # of an arm's elevation beyond the level of the shoulder blade's rest
_COLLAR_FREE = 40.0

Part = TypeVar("Part", "Arm", "Leg", "Trunk")


@dataclass(frozen=True)
class Arm:
    """One arm, from hanging. ``flex`` raises it forward, ``abduct`` sideways, ``twist`` > 0 turns it inward."""

    flex: float = 0.0
    abduct: float = 8.0
    twist: float = 0.0
    elbow: float = 12.0
    pronate: float = 0.0
    wrist: float = 0.0
    curl: float = 12.0


@dataclass(frozen=True)
class Leg:
    """One leg, from standing. ``flex`` lifts the knee forward, ``rotate`` > 0 turns the toes out, ``ankle`` > 0 up."""

    flex: float = 0.0
    abduct: float = 4.0
    rotate: float = 4.0
    knee: float = 3.0
    ankle: float = 0.0
    toes: float = 0.0


@dataclass(frozen=True)
class Trunk:
    """Pelvis against the world (pitch forward, roll to the left), spine against pelvis, head against chest."""

    pitch: float = 0.0
    roll: float = 0.0
    bend: float = 0.0
    side: float = 0.0
    turn: float = 0.0
    nod: float = 0.0
    tilt: float = 0.0
    look: float = 0.0


@dataclass(frozen=True)
class Posture:
    """A whole body: trunk, (left, right) arms, (left, right) legs, and what carries it.

    Args:
        planted: feet whose soles stand flat where the ankle allows it.
        balanced: whether both feet carry the body: level, with the centre of mass over them.
        seated: whether the buttocks rest on a seat.
    """

    trunk: Trunk
    arms: tuple[Arm, Arm]
    legs: tuple[Leg, Leg]
    planted: tuple[bool, bool] = (False, False)
    balanced: bool = False
    seated: bool = False

    def mirrored(self) -> Posture:
        """The same posture with left and right exchanged."""
        t = self.trunk
        trunk = replace(t, roll=-t.roll, side=-t.side, turn=-t.turn, tilt=-t.tilt, look=-t.look)
        planted = (self.planted[1], self.planted[0])
        return replace(self, trunk=trunk, arms=self.arms[::-1], legs=self.legs[::-1], planted=planted)

    def clipped(self) -> Posture:
        """The posture with every angle inside :data:`LIMITS`."""
        arms = _clip(self.arms[0]), _clip(self.arms[1])
        legs = _clip(self.legs[0]), _clip(self.legs[1])
        return replace(self, trunk=_clip(self.trunk), arms=arms, legs=legs)


LIMITS: dict[type, dict[str, tuple[float, float]]] = {
    Arm: {
        "flex": (-50, 175), "abduct": (-25, 165), "twist": (-90, 80), "elbow": (0, 145), "pronate": (-75, 75),
        "wrist": (-55, 55), "curl": (0, 45),
    },
    Leg: {
        "flex": (-25, 125), "abduct": (-20, 45), "rotate": (-35, 45), "knee": (0, 145), "ankle": (-45, 30),
        "toes": (-10, 50),
    },
    Trunk: {
        "pitch": (-180, 180), "roll": (-180, 180), "bend": (-25, 75), "side": (-35, 35), "turn": (-45, 45),
        "nod": (-45, 45), "tilt": (-30, 30), "look": (-65, 65),
    },
}  # fmt: skip
"""Degrees, per angle; pitch and roll of the pelvis place the body in the world and have no limit."""


def _clip(part: Part) -> Part:
    limits = LIMITS[type(part)]
    values = {field.name: float(np.clip(getattr(part, field.name), *limits[field.name])) for field in fields(part)}
    return replace(part, **values)


def turn_x(degrees: float) -> np.ndarray:
    """Rotation (3, 3) about x: y towards z."""
    c, s = _cos_sin(degrees)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def turn_y(degrees: float) -> np.ndarray:
    """Rotation (3, 3) about y: z towards x."""
    c, s = _cos_sin(degrees)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def turn_z(degrees: float) -> np.ndarray:
    """Rotation (3, 3) about z: x towards y."""
    c, s = _cos_sin(degrees)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def _cos_sin(degrees: float) -> tuple[float, float]:
    return float(np.cos(np.deg2rad(degrees))), float(np.sin(np.deg2rad(degrees)))


_MIRROR = np.diag([-1.0, 1.0, 1.0])


def joint_rotations(posture: Posture) -> np.ndarray:
    """SMPL's rotations (24, 3, 3) relative to the parents, of a posture within its limits."""
    rotations = np.tile(np.eye(3), (len(SMPL24), 1, 1))

    def put(joint: str, value: np.ndarray) -> None:
        rotations[SMPL24.index(joint)] = value

    trunk = posture.trunk
    put("pelvis", turn_z(-trunk.roll) @ turn_x(trunk.pitch))
    for joint, share in (("spine1", 0.35), ("spine2", 0.35), ("spine3", 0.30)):
        put(joint, turn_y(share * trunk.turn) @ turn_z(-share * trunk.side) @ turn_x(share * trunk.bend))
    for joint in ("neck", "head"):
        put(joint, turn_y(trunk.look / 2) @ turn_z(-trunk.tilt / 2) @ turn_x(trunk.nod / 2))
    for side, sign in (("left", 0), ("right", 1)):
        limb = _arm_rotations(posture.arms[sign]) | _leg_rotations(posture.legs[sign])
        for joint, value in limb.items():
            put(f"{side}_{joint}", _MIRROR @ value @ _MIRROR if sign else value)
    return rotations


def _arm_rotations(arm: Arm) -> dict[str, np.ndarray]:
    """Left arm. The collar takes its share of what the upper arm is raised."""
    whole = turn_x(-arm.flex) @ turn_z(arm.abduct - HANG) @ turn_x(arm.twist)
    height = np.rad2deg(np.arcsin(np.clip(whole[1, 0], -1, 1))) + 90.0  # of the upper arm above hanging
    lift = _COLLAR_SHARE * max(0.0, height - _COLLAR_FREE)
    collar = turn_z(lift)
    return {
        "collar": collar,
        "shoulder": collar.T @ whole,
        "elbow": turn_y(-arm.elbow) @ turn_x(arm.pronate),
        "wrist": turn_z(arm.wrist),
        "hand": turn_z(-arm.curl),
    }


def _leg_rotations(leg: Leg) -> dict[str, np.ndarray]:
    """Left leg."""
    return {
        "hip_smpl": turn_x(-leg.flex) @ turn_z(leg.abduct) @ turn_y(leg.rotate),
        "knee": turn_x(leg.knee),
        "ankle": turn_x(-leg.ankle),
        "foot": turn_x(-leg.toes),
    }
