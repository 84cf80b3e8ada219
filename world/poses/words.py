"""Postures in the words of anatomy, and the freedoms they mean.

Angles are degrees from standing at ease with the arms hanging. Limbs are described for the left side; the right side
is its mirror image. :func:`freedoms_of` turns words into the vector q of
:mod:`~pymaf_data.world.poses.freedoms`, clipped to its limits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pymaf_data.kernels import njit
from pymaf_data.world.poses.freedoms import CHAIN, FREEDOMS, PLACE

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


@njit(cache=True, nogil=True)
def turn_x(degrees: float) -> np.ndarray:
    """Rotation (3, 3) about x: y towards z."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


@njit(cache=True, nogil=True)
def turn_y(degrees: float) -> np.ndarray:
    """Rotation (3, 3) about y: z towards x."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


@njit(cache=True, nogil=True)
def turn_z(degrees: float) -> np.ndarray:
    """Rotation (3, 3) about z: x towards y."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def upright_of(trunk: Trunk) -> np.ndarray:
    """The pelvis's rotation (3, 3) in the world."""
    return turn_y(float(trunk.yaw)) @ turn_x(float(trunk.pitch)) @ turn_z(-float(trunk.roll))


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
    q[[PLACE[name] for name in values]] = np.radians(list(values.values()))
    return np.clip(q, CHAIN.low, CHAIN.high)


def _arm(arm: Arm) -> dict[str, float]:
    """Degrees of the left arm's freedoms."""
    up, forward, raised, ahead, inward = _upper_arm(float(arm.flex), float(arm.abduct), float(arm.twist))
    return {
        "collar.up": up, "collar.forward": forward,
        "shoulder.up": raised, "shoulder.forward": ahead, "shoulder.inward": inward,
        "elbow.flex": arm.elbow, "elbow.pronate": arm.pronate,
        "wrist.extend": arm.wrist, "wrist.deviate": arm.deviate, "fingers.curl": arm.curl,
    }  # fmt: skip


def _leg(leg: Leg) -> dict[str, float]:
    flex, abduct, outward = _thigh(float(leg.flex), float(leg.abduct), float(leg.rotate))
    return {
        "hip.flex": flex, "hip.abduct": abduct, "hip.outward": outward,
        "knee.flex": leg.knee, "ankle.up": leg.ankle, "toes.up": leg.toes,
    }  # fmt: skip


@njit(cache=True, nogil=True)
def _upper_arm(flex: float, abduct: float, twist: float) -> tuple[float, float, float, float, float]:
    """The collar's two angles and the shoulder's three. The collar takes its share of what the upper arm is raised."""
    whole = turn_x(-flex) @ turn_z(abduct - HANG) @ turn_x(twist)
    height = math.degrees(math.asin(min(max(whole[1, 0], -1.0), 1.0))) + 90.0  # of the upper arm above hanging
    up = min(max(_COLLAR_SHARE * (height - _COLLAR_FREE), 0.0), 32.0)
    forward = min(max(_COLLAR_FORWARD * math.degrees(math.asin(min(max(whole[2, 0], -1.0), 1.0))), -12.0), 20.0)
    collar = _rotation(0.0, -forward, up)
    _, ahead, raised, inward = _split(collar.T @ whole, 0)
    return up, forward, raised, -ahead, inward


@njit(cache=True, nogil=True)
def _thigh(flex: float, abduct: float, rotate: float) -> tuple[float, float, float]:
    back, _, aside, outward = _split(turn_x(-flex) @ turn_z(abduct) @ turn_y(rotate), 1)
    return -back, aside, outward


@njit(cache=True, nogil=True)
def _rotation(x: float, y: float, z: float) -> np.ndarray:
    """Rodrigues' formula for a rotation vector in degrees."""
    degrees = max(math.sqrt(x * x + y * y + z * z), 1e-12)
    angle = math.radians(degrees)
    x, y, z = x / degrees, y / degrees, z / degrees
    K = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + math.sin(angle) * K + (1 - math.cos(angle)) * K @ K


@njit(cache=True, nogil=True)
def _split(rotation: np.ndarray, axis: int) -> tuple[float, float, float, float]:
    """Degrees of the swing (a vector) that carries a coordinate axis where the rotation does, and of the twist."""
    a, b = (axis + 1) % 3, (axis + 2) % 3
    swing = np.zeros(3)  # axis × its image, as long as the angle between them
    swing[a], swing[b] = -rotation[b, axis], rotation[a, axis]
    length = math.sqrt(swing[a] ** 2 + swing[b] ** 2)
    if length > 1e-9:
        swing *= math.degrees(math.atan2(length, rotation[axis, axis])) / length
    rest = _rotation(swing[0], swing[1], swing[2]).T @ rotation
    return swing[0], swing[1], swing[2], math.degrees(math.atan2(rest[b, a], rest[a, a]))
