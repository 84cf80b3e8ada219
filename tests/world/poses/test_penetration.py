"""The body is not inside itself: checked on the mesh by winding numbers, without the generator's own maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from pymaf_data.body import BodyModel
from pymaf_data.geometry.joints import SMPL24
from pymaf_data.world.poses import Figure, penetration

# Part whose vertices are asked, and the bones whose skin is its neighbourhood and so is taken out of the mesh.
PARTS = {
    ("wrist", "hand"): ("elbow", "wrist", "hand"),
    ("elbow",): ("shoulder", "elbow", "wrist", "hand"),
    ("ankle", "foot"): ("knee", "ankle", "foot"),
    ("knee",): ("hip_smpl", "knee", "ankle", "foot"),
}


@pytest.fixture(scope="module")
def figures(train: list[Figure], val: list[Figure]) -> list[Figure]:
    return [*train[:12], *val[:12]]


def winding(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Winding number (P,) of triangles (F, 3, 3) around points: 1 inside, 0 outside. Van Oosterom and Strackee."""
    a, b, c = (corners[None, :, k] - points[:, None] for k in range(3))
    la, lb, lc = (np.linalg.norm(side, axis=-1) for side in (a, b, c))
    top = np.einsum("pfc,pfc->pf", a, np.cross(b, c))
    dot = lambda x, y: np.einsum("pfc,pfc->pf", x, y)  # noqa: E731
    bottom = la * lb * lc + dot(a, b) * lc + dot(b, c) * la + dot(c, a) * lb
    return np.arctan2(top, bottom).sum(1) / (2 * np.pi)


def distance(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Distance (P,) to the nearest of triangles, from points spread densely over them."""
    grid = [(i / 4, j / 4, 1 - i / 4 - j / 4) for i in range(5) for j in range(5 - i)]
    samples = np.einsum("gk,fkc->fgc", np.array(grid), corners).reshape(-1, 3)
    return cKDTree(samples).query(points)[0]


def deepest(body: BodyModel, vertices: np.ndarray) -> float:
    """How deep hands, forearms, shins and feet lie inside the rest of the body, metres."""
    faces, owner = body.faces.numpy(), body.lbs_weights.numpy().argmax(1)
    worst = 0.0
    for part, around in PARTS.items():
        for side in ("left", "right"):
            rows = np.flatnonzero(np.isin(owner, [SMPL24.index(f"{side}_{joint}") for joint in part]))[::3]
            near = [SMPL24.index(f"{side}_{joint}") for joint in around]
            corners = vertices[faces[~np.isin(owner[faces], near).any(1)]]
            points = vertices[rows]
            points = points[cKDTree(corners.mean(1)).query(points, distance_upper_bound=0.06)[0] < 0.06]
            if not len(points):
                continue
            inside = points[winding(points, corners) > 0.5]
            if len(inside):
                worst = max(worst, float(distance(inside, corners).max()))
    return worst


def test_the_measure_sees_a_hand_in_the_chest(body):
    identity = torch.eye(3, dtype=torch.float64).expand(1, 24, 3, 3).clone()
    betas = torch.zeros(1, 10, dtype=torch.float64)
    apart = body(identity, betas).vertices[0].numpy()
    assert deepest(body, apart) == 0.0
    hang = torch.tensor([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]], dtype=torch.float64)
    inward = torch.tensor([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]], dtype=torch.float64)
    identity[0, 16], identity[0, 18] = hang, inward @ hang
    rotations = identity[0].numpy()
    assert deepest(body, body(identity, betas).vertices[0].numpy()) > 0.02
    assert penetration(body, np.zeros(10), rotations) > 0.02


@pytest.mark.long
def test_figures_are_not_inside_themselves(body, figures):
    depths = np.array([deepest(body, figure.vertices) for figure in figures[1::2]])
    assert (depths > 0.01).mean() < 0.04, [
        (f.variant, d) for f, d in zip(figures[1::2], depths, strict=True) if d > 0.01
    ]
    assert depths.max() < 0.025


def test_the_generators_check_agrees(body, figures):
    for figure in figures[::2]:
        assert penetration(body, figure.betas, figure.rotations) <= 0.0065
