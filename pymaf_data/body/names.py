"""Names of what a body model gives: its skeleton, its surface landmarks, its regressed joints, and J49 among them.

A body with SMPL's interface yields 54 *model joints*, in the order of SPIN and of the ``smplx`` package: 24 skeleton
joints, 21 vertices of the surface, 9 joints from the rows of ``J_regressor_extra``. Each joint of J49 is one of
them: J24's by its own name, OpenPose's by the name without prefix, but for the hips, which are the skeleton's.
"""

from __future__ import annotations

from pymaf_data.geometry.joints import J49, OPENPOSE, SMPL24

LANDMARKS: tuple[str, ...] = (
    *("nose", "right_eye", "left_eye", "right_ear", "left_ear"),
    *("left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel"),
    *("left_thumb", "left_index", "left_middle", "left_ring", "left_pinky"),
    *("right_thumb", "right_index", "right_middle", "right_ring", "right_pinky"),
)
"""Surface points in the order in which ``smplx`` appends them to the skeleton."""

EXTRA: tuple[str, ...] = (
    *("right_hip", "left_hip", "neck_lsp", "head_top_lsp", "pelvis_mpii", "thorax_mpii", "spine_h36m"),
    *("jaw_h36m", "head_h36m"),
)
"""Rows of SPIN's ``J_regressor_extra.npy``; its hips are where annotators click, not the skeleton's."""

MODEL_JOINTS: tuple[str, ...] = SMPL24.joints + LANDMARKS + EXTRA

_OPENPOSE_OWN = {"mid_hip": "pelvis", "right_hip": "right_hip_smpl", "left_hip": "left_hip_smpl"}


def _model_joint(joint: str) -> str:
    plain = joint.removeprefix(OPENPOSE)
    return joint if plain == joint else _OPENPOSE_OWN.get(plain, plain)


J49_INDEX: tuple[int, ...] = tuple(MODEL_JOINTS.index(_model_joint(joint)) for joint in J49.joints)
"""For each joint of J49 its place among the 54 model joints."""
