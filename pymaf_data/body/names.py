"""Names of what a body model gives: its skeleton, its surface landmarks, its regressed joints, and J49 among them.

A body with SMPL's interface yields 54 *model joints*, in the order of SPIN and of the ``smplx`` package: 24 skeleton
joints, 21 vertices of the surface, 9 joints from the rows of ``J_regressor_extra``. Each joint of J49 is one of
these; the two tables below say which, by name (SPIN's JOINT_MAP).
"""

from __future__ import annotations

SKELETON: tuple[str, ...] = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand",
)  # fmt: skip

LANDMARKS: tuple[str, ...] = (
    "nose", "right_eye", "left_eye", "right_ear", "left_ear",
    "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel",
    "left_thumb", "left_index", "left_middle", "left_ring", "left_pinky",
    "right_thumb", "right_index", "right_middle", "right_ring", "right_pinky",
)  # fmt: skip
"""Surface points in the order in which ``smplx`` appends them to the skeleton."""

EXTRA: tuple[str, ...] = (
    "right_hip_lsp", "left_hip_lsp", "neck_lsp", "head_top_lsp", "pelvis_mpii", "thorax_mpii", "spine_h36m",
    "jaw_h36m", "head_h36m",
)  # fmt: skip
"""Rows of SPIN's ``J_regressor_extra.npy``; its hips are LSP's, where annotators click."""

MODEL_JOINTS: tuple[str, ...] = SKELETON + LANDMARKS + EXTRA

_OPENPOSE: tuple[str, ...] = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
    "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel",
)  # fmt: skip
_J24: tuple[str, ...] = (
    "right_ankle", "right_knee", "right_hip_lsp", "left_hip_lsp", "left_knee", "left_ankle",
    "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
    "neck_lsp", "head_top_lsp", "pelvis_mpii", "thorax_mpii", "spine_h36m", "jaw_h36m", "head_h36m",
    "nose", "left_eye", "right_eye", "left_ear", "right_ear",
)  # fmt: skip

J49_MODEL_JOINTS: tuple[str, ...] = _OPENPOSE + _J24
"""For each joint of J49 the model joint that stands for it."""

J49_INDEX: tuple[int, ...] = tuple(MODEL_JOINTS.index(name) for name in J49_MODEL_JOINTS)
