"""Anny's resting pose → the T-pose, for any number of body shapes at once.

Every bone gets an absolute world rotation (an identity pose of Anny's own parameterisation is not its resting
shape) computed on the left and mirrored to the right; the bones are then chained head to head and the skin follows
by linear blending. Directions of the limbs are the same for all shapes, so shape and pose separate cleanly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .source import HalfSource

# Unit-free directions of the left limbs, in the package's frame (x to the body's left, y up, z ahead).
UPPER_ARM = (1.0, -0.02, -0.06)
FOREARM = (1.0, 0.02, 0.0)
THIGH = (0.05, -1.0, -0.012)
SHIN = (-0.01, -1.0, -0.10)
TOE_OUT = np.radians(8.0)
SHOULDER_RAISE = np.radians(5.0)
TORSO_TILT = np.radians(-5.0)
"""Rotation about x at the top of the spine: a resting MakeHuman body stands slightly bent forward."""
FOREARM_TWIST = {"lowerarm01": 0.25, "lowerarm02": 0.70}
FINGER_STRAIGHTENING = 0.75
_MIRROR = np.diag([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Posed:
    """K shapes in T-pose: half vertices (K, V, 3) and the heads of all bones (K, B, 3)."""

    vertices: np.ndarray
    heads: np.ndarray


def t_pose(source: HalfSource, vertices: np.ndarray, heads: np.ndarray) -> Posed:
    """Pose half vertices (K, V, 3) with symmetric bone heads (K, B, 3)."""
    rotations = _world_rotations(source, heads)
    posed_heads = _chain(source, heads, rotations)
    offsets = posed_heads - np.einsum("kbij,kbj->kbi", rotations, heads)
    moved = np.empty_like(vertices)
    for k in range(len(vertices)):
        blended = source.bone_weights @ np.concatenate([rotations[k], offsets[k][..., None]], -1).reshape(-1, 12)
        blended = blended.reshape(-1, 3, 4)
        moved[k] = np.einsum("vij,vj->vi", blended[:, :, :3], vertices[k]) + blended[:, :, 3]
    moved[:, source.midline, 0] = 0.0
    return Posed(moved, source.symmetric_bones(posed_heads))


def _chain(source: HalfSource, heads: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    posed = heads.copy()
    for bone, parent in enumerate(source.bone_parents):
        if parent >= 0:
            step = (heads[:, bone] - heads[:, parent])[..., None]
            posed[:, bone] = posed[:, parent] + (rotations[:, parent] @ step)[..., 0]
    return posed


def _world_rotations(source: HalfSource, heads: np.ndarray) -> np.ndarray:
    """(K, B, 3, 3) world rotation of every bone."""
    at = {name: heads[:, index] for index, name in enumerate(source.bones)}
    rotations = np.tile(np.eye(3), (*heads.shape[:2], 1, 1))
    left = _spine(len(heads)) | _leg(at) | _arm(at)
    for name, rotation in left.items():
        index = source.bones.index(name)
        rotations[:, index] = rotation
        if source.bone_mirror[index] != index:
            rotations[:, source.bone_mirror[index]] = _MIRROR @ rotation @ _MIRROR
    return rotations


def _spine(count: int) -> dict[str, np.ndarray]:
    """The tilt grows along the spine, and neck and head keep it."""
    shares = {"spine04": 0.25, "spine03": 0.5, "spine02": 0.75}
    upper = ["spine01", "neck01", "neck02", "neck03", "head", "eye.L"]
    return {name: _about_x(TORSO_TILT * shares.get(name, 1.0), count) for name in [*shares, *upper]}


def _leg(at: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    thigh = _between(at["lowerleg01.L"] - at["upperleg01.L"], np.array(THIGH))
    shin = _between(np.einsum("kij,kj->ki", thigh, at["foot.L"] - at["lowerleg01.L"]), np.array(SHIN)) @ thigh
    ahead = at["toe2-1.L"] - at["foot.L"]
    yaw = TOE_OUT - np.arctan2(ahead[:, 0], ahead[:, 2])
    foot = _about(np.tile([0.0, 1.0, 0.0], (len(yaw), 1)), yaw)
    rotations = {"upperleg01.L": thigh, "upperleg02.L": thigh, "lowerleg01.L": shin, "lowerleg02.L": shin}
    rotations |= {name: foot for name in at if name.endswith(".L") and name.startswith(("foot", "toe"))}
    return rotations


def _arm(at: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    count = len(at["root"])
    girdle = _about(np.tile([0.0, 0.0, 1.0], (count, 1)), np.full(count, SHOULDER_RAISE)) @ _about_x(TORSO_TILT, count)
    upper = _between(at["lowerarm01.L"] - at["upperarm01.L"], np.array(UPPER_ARM))
    lower = _between(_turn(upper, at["wrist.L"] - at["lowerarm01.L"]), np.array(FOREARM)) @ upper
    hand = _flat_hand(at)
    # The rotation still missing between forearm and hand, about the forearm: shared out along it.
    missing = _twist_about(hand @ lower.swapaxes(-1, -2), np.array(FOREARM))
    axis = np.tile(np.array(FOREARM) / np.linalg.norm(FOREARM), (count, 1))
    rotations = {"clavicle.L": girdle, "shoulder01.L": girdle, "upperarm01.L": upper, "upperarm02.L": upper}
    for name, share in FOREARM_TWIST.items():
        rotations[f"{name}.L"] = _about(axis, missing * share) @ lower
    rotations["wrist.L"] = hand
    rotations |= {f"metacarpal{finger}.L": hand for finger in range(1, 5)}
    return rotations | _fingers(at, hand)


def _flat_hand(at: dict[str, np.ndarray]) -> np.ndarray:
    """The rotation that lays the hand along the forearm, palm down."""
    along = at["finger3-1.L"] - at["wrist.L"]
    across = at["finger2-1.L"] - at["finger5-1.L"]
    return _frame(np.tile(FOREARM, (len(along), 1)), np.tile([0.0, 0.0, 1.0], (len(along), 1))) @ _frame(
        along, across
    ).swapaxes(-1, -2)


def _fingers(at: dict[str, np.ndarray], hand: np.ndarray) -> dict[str, np.ndarray]:
    """Straighten each finger towards the plane of the hand; the thumb keeps a third of its bend."""
    rotations = {}
    for finger in range(1, 6):
        first = _turn(hand, at[f"finger{finger}-2.L"] - at[f"finger{finger}-1.L"])
        share = FINGER_STRAIGHTENING if finger > 1 else 0.3
        for phalanx in (1, 2, 3):
            name = f"finger{finger}-{phalanx}.L"
            last = at.get(f"finger{finger}-{phalanx + 1}.L")
            tail = at[f"finger{finger}-3.L"] - at[f"finger{finger}-2.L"] if last is None else last - at[name]
            direction = _turn(hand, tail)
            straight = direction * np.array([1.0, 0.0, 1.0]) if finger > 1 else first
            rotations[name] = _between(direction, straight, share) @ hand
    return rotations


def _turn(rotation: np.ndarray, vector: np.ndarray) -> np.ndarray:
    turned: np.ndarray = np.einsum("kij,kj->ki", rotation, vector)
    return turned


def _frame(along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """(K, 3, 3) orthonormal columns: along, the part of ``across`` orthogonal to it, their product."""
    first = along / np.linalg.norm(along, axis=-1, keepdims=True)
    second = across - (across * first).sum(-1, keepdims=True) * first
    second /= np.linalg.norm(second, axis=-1, keepdims=True)
    return np.stack([first, second, np.cross(first, second)], axis=-1)


def _about(axis: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """(K, 3) unit axes and (K,) angles → (K, 3, 3), Rodrigues."""
    x, y, z = axis.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(-1, 3, 3)
    sine, versine = np.sin(angle)[:, None, None], (1 - np.cos(angle))[:, None, None]
    rotation: np.ndarray = np.eye(3) + sine * cross + versine * (cross @ cross)
    return rotation


def _about_x(angle: float, count: int) -> np.ndarray:
    return _about(np.tile([1.0, 0.0, 0.0], (count, 1)), np.full(count, angle))


def _between(start: np.ndarray, end: np.ndarray, share: float = 1.0) -> np.ndarray:
    """The smallest rotation that turns ``start`` (K, 3) onto ``end``, or a share of it."""
    a = start / np.linalg.norm(start, axis=-1, keepdims=True)
    b = np.broadcast_to(end / np.linalg.norm(end, axis=-1, keepdims=True), a.shape)
    axis = np.cross(a, b)
    sine = np.linalg.norm(axis, axis=-1)
    angle = np.arctan2(sine, (a * b).sum(-1))
    return _about(axis / np.maximum(sine, 1e-12)[:, None], angle * share)


def _twist_about(rotation: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """(K,) the angle of ``rotation``'s twist about ``axis`` (swing-twist by quaternions)."""
    unit = axis / np.linalg.norm(axis)
    trace = np.trace(rotation, axis1=-2, axis2=-1)
    vector = np.stack(
        [
            rotation[:, 2, 1] - rotation[:, 1, 2],
            rotation[:, 0, 2] - rotation[:, 2, 0],
            rotation[:, 1, 0] - rotation[:, 0, 1],
        ],
        axis=-1,
    )
    # (1 + trace, vector) is parallel to the quaternion (w, x, y, z) for rotations below a half turn.
    angle: np.ndarray = 2 * np.arctan2(vector @ unit, 1 + trace)
    return angle
