"""Joint conventions by name: index maps, flip pairs and skeletons derive from the names, never from typed lists.

Two joints are the same joint exactly when their names are equal, so a joint that another source regresses differently
has another name: ``right_hip`` (annotated, J24), ``right_hip_smpl`` (of SMPL's skeleton) and ``openpose:right_hip``
(detected) are three joints. Left and right are the anatomical sides of the person.

    index_map(COCO17, J24)[J24.index("nose")] == 0        COCO17's joint 0 is the nose
    J24.flip_permutation[0] == 5                          right ankle ↔ left ankle
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pymaf_data.errors import ShapeError, UsageError

Indices = NDArray[np.int64]
Edge = tuple[str, str]
Joints = TypeVar("Joints", bound=Any)

OPENPOSE = "openpose:"


@dataclass(frozen=True)
class Convention:
    """An ordered list of joint names with the edges of its skeleton.

    Attributes:
        name: what messages and files call it.
        joints: joint names in storage order, each once.
        edges: pairs of joint names that a drawing connects.
    """

    name: str
    joints: tuple[str, ...]
    edges: tuple[Edge, ...] = ()

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Position of a joint.

        Raises:
            UsageError: the convention has no joint of this name.
        """
        try:
            return self._positions[joint]
        except KeyError:
            near = difflib.get_close_matches(joint, self.joints, n=3)
            raise UsageError(
                f"{self.name} has no joint {joint!r}", expected=f"one of {', '.join(near or self.joints)}"
            ) from None

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {joint: position for position, joint in enumerate(self.joints)}

    @cached_property
    def flip_permutation(self) -> Indices:
        """(J,) where a mirrored image's joint j comes from: ``flipped[j] = mirrored[flip_permutation[j]]``."""
        return _frozen([self._positions[_other_side(joint)] for joint in self.joints])

    @cached_property
    def edge_indices(self) -> Indices:
        """(E, 2) the skeleton's edges as joint positions."""
        return _frozen([[self._positions[end] for end in edge] for edge in self.edges]).reshape(-1, 2)


def index_map(source: Convention, target: Convention) -> Indices:
    """(J_target,) for each joint of ``target`` its position in ``source``, −1 where ``source`` lacks it."""
    return _frozen([source._positions.get(joint, -1) for joint in target.joints])


def pick(joints: Joints, source: Convention, target: Convention | Sequence[str]) -> Joints:
    """Joints asked for by name, so that nobody slices where another joint of the same name stands.

    Args:
        joints: (..., J, C), an array or a tensor in the order of ``source``.
        source: the convention that they come in; what bodies and networks give is J49.
        target: a convention, or names.

    Returns:
        (..., K, C) in the order of ``target``.

    Raises:
        ShapeError: another number of joints than ``source`` has.
        UsageError: ``source`` lacks one of them.
    """
    if joints.ndim < 2 or joints.shape[-2] != len(source):
        raise ShapeError(f"joints of shape {tuple(joints.shape)}", expected=f"(..., {len(source)}, C) of {source.name}")
    names = target.joints if isinstance(target, Convention) else target
    found: Joints = joints[..., [source.index(name) for name in names], :]
    return found


def _other_side(joint: str) -> str:
    _, _, plain = joint.rpartition(":")
    for side, other in (("left_", "right_"), ("right_", "left_")):
        if plain.startswith(side):
            return joint[: len(joint) - len(plain)] + other + plain.removeprefix(side)
    return joint


def _frozen(values: list[int] | list[list[int]]) -> Indices:
    array = np.array(values, dtype=np.int64)
    array.flags.writeable = False  # shared by every caller
    return array


def _both(*edges: Edge) -> tuple[Edge, ...]:
    """The edges given for the right side, and their mirror images."""
    mirrored = tuple((_other_side(a), _other_side(b)) for a, b in edges)
    return edges + tuple(edge for edge in mirrored if edge not in edges)


_LIMBS = _both(
    ("right_ankle", "right_knee"),
    ("right_knee", "right_hip"),
    ("right_wrist", "right_elbow"),
    ("right_elbow", "right_shoulder"),
)

_LSP = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
    *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist"),
    *("neck_lsp", "head_top_lsp"),
)
_LSP_EDGES = (
    *_LIMBS,
    *_both(("right_hip", "neck_lsp"), ("right_shoulder", "neck_lsp")),
    ("neck_lsp", "head_top_lsp"),
)

_J24 = (
    *_LSP,
    *("pelvis_mpii", "thorax_mpii", "spine_h36m", "jaw_h36m", "head_h36m"),
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
)
_J24_EDGES = (
    *_LIMBS,
    *_both(
        ("right_hip", "pelvis_mpii"),
        ("right_shoulder", "thorax_mpii"),
        ("nose", "right_eye"),
        ("right_eye", "right_ear"),
    ),
    *(("pelvis_mpii", "spine_h36m"), ("spine_h36m", "thorax_mpii"), ("thorax_mpii", "neck_lsp")),
    *(("neck_lsp", "jaw_h36m"), ("jaw_h36m", "head_h36m"), ("head_h36m", "head_top_lsp")),
)

_OPENPOSE = (
    *("nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist"),
    *("mid_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("right_eye", "left_eye", "right_ear", "left_ear"),
    *("left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel"),
)
_OPENPOSE_EDGES = (
    *_LIMBS,
    *(("nose", "neck"), ("neck", "mid_hip")),
    *_both(
        ("neck", "right_shoulder"),
        ("mid_hip", "right_hip"),
        ("nose", "right_eye"),
        ("right_eye", "right_ear"),
        ("right_ankle", "right_heel"),
        ("right_ankle", "right_big_toe"),
        ("right_big_toe", "right_small_toe"),
    ),
)

_SMPL_PARENT = {
    "pelvis": None,
    "left_hip_smpl": "pelvis",
    "right_hip_smpl": "pelvis",
    "spine1": "pelvis",
    "left_knee": "left_hip_smpl",
    "right_knee": "right_hip_smpl",
    "spine2": "spine1",
    "left_ankle": "left_knee",
    "right_ankle": "right_knee",
    "spine3": "spine2",
    "left_foot": "left_ankle",
    "right_foot": "right_ankle",
    "neck": "spine3",
    "left_collar": "spine3",
    "right_collar": "spine3",
    "head": "neck",
    "left_shoulder": "left_collar",
    "right_shoulder": "right_collar",
    "left_elbow": "left_shoulder",
    "right_elbow": "right_shoulder",
    "left_wrist": "left_elbow",
    "right_wrist": "right_elbow",
    "left_hand": "left_wrist",
    "right_hand": "right_wrist",
}

#: The 24 annotated joints of SPIN and PyMAF.
J24 = Convention("J24", _J24, _J24_EDGES)

#: OpenPose's BODY_25 detections; every name carries the prefix ``openpose:``.
OPENPOSE25 = Convention(
    "OPENPOSE25",
    tuple(OPENPOSE + joint for joint in _OPENPOSE),
    tuple((OPENPOSE + a, OPENPOSE + b) for a, b in _OPENPOSE_EDGES),
)

#: SPIN's and PyMAF's 49 keypoints: OPENPOSE25, then J24.
J49 = Convention("J49", OPENPOSE25.joints + J24.joints, OPENPOSE25.edges + J24.edges)

#: COCO's 17 person keypoints.
COCO17 = Convention(
    "COCO17",
    (
        *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder"),
        *("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip"),
        *("left_knee", "right_knee", "left_ankle", "right_ankle"),
    ),
    (
        *_LIMBS,
        *_both(("right_shoulder", "right_hip"), ("nose", "right_eye"), ("right_eye", "right_ear")),
        *(("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")),
    ),
)

#: Leeds Sports Pose: the first 14 of J24.
LSP14 = Convention("LSP14", _LSP, _LSP_EDGES)

#: MPII Human Pose.
MPII16 = Convention(
    "MPII16",
    (
        *_LSP[:6],
        *("pelvis_mpii", "thorax_mpii", "neck_lsp", "head_top_lsp"),
        *_LSP[6:12],
    ),
    (
        *_LIMBS,
        *_both(("right_hip", "pelvis_mpii"), ("right_shoulder", "thorax_mpii")),
        *(("pelvis_mpii", "thorax_mpii"), ("thorax_mpii", "neck_lsp"), ("neck_lsp", "head_top_lsp")),
    ),
)

#: The 17 joints of ``J_regressor_h36m`` and of Human3.6M's and MPI-INF-3DHP's annotations, as SPIN orders them.
H36M17 = Convention(
    "H36M17",
    (
        *("pelvis_mpii", "left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle"),
        *("spine_h36m", "neck_lsp", "jaw_h36m", "head_h36m"),
        *("left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist"),
    ),
    (
        *_LIMBS,
        *_both(("right_hip", "pelvis_mpii"), ("right_shoulder", "neck_lsp")),
        *(("pelvis_mpii", "spine_h36m"), ("spine_h36m", "neck_lsp")),
        *(("neck_lsp", "jaw_h36m"), ("jaw_h36m", "head_h36m")),
    ),
)

#: The 14 joints that SPIN and PyMAF evaluate on: LSP14 with Human3.6M's head for the top of the head.
J14 = Convention("J14", (*_LSP[:13], "head_h36m"))

#: The skeleton of SMPL; its edges are (parent, child).
SMPL24 = Convention(
    "SMPL24",
    tuple(_SMPL_PARENT),
    tuple((parent, joint) for joint, parent in _SMPL_PARENT.items() if parent is not None),
)
