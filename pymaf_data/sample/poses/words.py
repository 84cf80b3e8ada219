"""Postures in the words of anatomy, and the freedoms they mean.

Angles are degrees from standing at ease with the arms hanging. Limbs are described for the left side; the right side
is its mirror image. :func:`freedoms_of` turns words into the vector q of
:mod:`~pymaf_data.sample.poses.freedoms`, clipped to its limits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_data.sample.poses.freedoms import CHAIN, FREEDOMS, PLACE

HANG = 76.0  # degrees below the T-pose at which a relaxed arm starts
_COLLAR_SHARE, _COLLAR_FREE = 0.24, 40.0  # of an arm's elevation beyond the shoulder blade's rest
_COLLAR_FORWARD = 0.10


@dataclass(frozen=True)
class Arm:
    """One arm, from hanging. ``flex`` raises it forward, ``abduct`` sideways, ``twist`` > 0 turns it inward.

    ``wrist`` > 0 extends, ``pronate`` > 0 turns the hanging palm backward, ``deviate`` > 0 towards the little finger.
    """

    flex: float = 0.0
    abduct: float = 6.0
    twist: float = 0.0
    elbow: float = 14.0
    pronate: float = 0.0
    wrist: float = 0.0
    deviate: float = 0.0
    curl: float = 18.0


@dataclass(frozen=True)
class Leg:
    """One leg, from standing. ``flex`` lifts the knee forward, ``rotate`` > 0 turns the toes out, ``ankle`` > 0 up."""

    flex: float = 0.0
    abduct: float = 3.0
    rotate: float = 6.0
    knee: float = 3.0
    ankle: float = 0.0
    toes: float = 0.0


@dataclass(frozen=True)
class Trunk:
    """Pelvis against the world, spine against pelvis, head against chest.

    ``pitch`` forward, ``roll`` and ``side`` and ``tilt`` to the left, ``yaw``, ``turn`` and ``look`` to the left,
    ``bend`` and ``nod`` forward. The pelvis rolls about its own axis first, then pitches, then yaws.
    """

    pitch: float = 0.0
    roll: float = 0.0
    yaw: float = 0.0
    bend: float = 0.0
    side: float = 0.0
    turn: float = 0.0
    nod: float = 0.0
    tilt: float = 0.0
    look: float = 0.0


def turn_x(degrees: float) -> np.ndarray:
    """Rotation (3, 3) about x: y towards z."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])


def turn_y(degrees: float) -> np.ndarray:
    """Rotation (3, 3) about y: z towards x."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, 0, s], [0, 1.0, 0], [-s, 0, c]])


def turn_z(degrees: float) -> np.ndarray:
    """Rotation (3, 3) about z: x towards y."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def upright_of(trunk: Trunk) -> np.ndarray:
    """The pelvis's rotation (3, 3) in the world."""
    return turn_y(trunk.yaw) @ turn_x(trunk.pitch) @ turn_z(-trunk.roll)


def freedoms_of(trunk: Trunk, arms: tuple[Arm, Arm], legs: tuple[Leg, Leg]) -> np.ndarray:
    """The freedoms q (46,) of a posture, (left, right) limbs, inside their limits; the root is left at zero."""
    values = {
        "spine.bend": trunk.bend, "spine.side": -trunk.side, "spine.turn": trunk.turn,
        "neck.bend": trunk.nod, "neck.side": -trunk.tilt, "neck.turn": trunk.look,
    }  # fmt: skip
    for side, arm, leg in zip(("left", "right"), arms, legs, strict=True):
        limb = _arm(arm) | _leg(leg)
        values |= {f"{side}_{name}": value for name, value in limb.items()}
    q = np.zeros(len(FREEDOMS))
    for name, value in values.items():
        q[PLACE[name]] = np.deg2rad(value)
    return np.clip(q, CHAIN.low, CHAIN.high)


def _arm(arm: Arm) -> dict[str, float]:
    """Degrees of the left arm's freedoms. The collar takes its share of what the upper arm is raised."""
    whole = turn_x(-arm.flex) @ turn_z(arm.abduct - HANG) @ turn_x(arm.twist)
    height = np.rad2deg(np.arcsin(np.clip(whole[1, 0], -1, 1))) + 90.0  # of the upper arm above hanging
    up = float(np.clip(_COLLAR_SHARE * max(0.0, height - _COLLAR_FREE), 0, 32))
    forward = float(np.clip(_COLLAR_FORWARD * np.rad2deg(np.arcsin(np.clip(whole[2, 0], -1, 1))), -12, 20))
    collar = _rotation(np.array([0.0, -forward, up]))
    swing, inward = _split(collar.T @ whole, 0)
    return {
        "collar.up": up, "collar.forward": forward,
        "shoulder.up": swing[2], "shoulder.forward": -swing[1], "shoulder.inward": inward,
        "elbow.flex": arm.elbow, "elbow.pronate": arm.pronate,
        "wrist.extend": arm.wrist, "wrist.deviate": arm.deviate, "fingers.curl": arm.curl,
    }  # fmt: skip


def _leg(leg: Leg) -> dict[str, float]:
    swing, outward = _split(turn_x(-leg.flex) @ turn_z(leg.abduct) @ turn_y(leg.rotate), 1)
    return {
        "hip.flex": -swing[0], "hip.abduct": swing[2], "hip.outward": outward,
        "knee.flex": leg.knee, "ankle.up": leg.ankle, "toes.up": leg.toes,
    }  # fmt: skip


def _rotation(degrees: np.ndarray) -> np.ndarray:
    """Rodrigues' formula for a rotation vector in degrees."""
    angle = np.deg2rad(np.linalg.norm(degrees))
    x, y, z = degrees / max(np.linalg.norm(degrees), 1e-12)
    K = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * K + (1 - np.cos(angle)) * K @ K


def _split(rotation: np.ndarray, axis: int) -> tuple[np.ndarray, float]:
    """Degrees of the swing (3,) that carries a coordinate axis where the rotation does, and of the twist about it."""
    bone = np.eye(3)[axis]
    image = rotation[:, axis]
    across = np.cross(bone, image)
    length = np.linalg.norm(across)
    angle = np.rad2deg(np.arctan2(length, image[axis]))
    swing = across / length * angle if length > 1e-9 else np.zeros(3)
    rest = _rotation(swing).T @ rotation
    a, b = (axis + 1) % 3, (axis + 2) % 3
    return swing, float(np.rad2deg(np.arctan2(rest[b, a], rest[a, a])))
