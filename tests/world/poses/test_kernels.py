"""The settling's kernels against what they stand for, written plainly."""

from __future__ import annotations

import numpy as np
import pytest

from pymaf_data.world.poses import descent
from pymaf_data.world.poses.follow import find_contacts
from pymaf_data.world.poses.mannequin import mannequin_of
from pymaf_data.world.poses.skin_contact import ASKED, REACH
from pymaf_data.world.rigid import placed


@pytest.fixture(scope="module")
def figure(train):
    """One that touches itself."""
    return next(figure for figure in train if figure.variant == "kneeling" or figure.family == "sitting")


def test_contacts_are_those_of_the_nearest_vertices(body, figure):
    m, vertices = mannequin_of(body), np.ascontiguousarray(figure.vertices)
    depths, pairs = np.empty((24, 24)), np.zeros((24, 24, 2), np.int64)
    deepest = find_contacts(vertices, m.skin, m.clusters, m.fine_probes, ASKED, depths, pairs)
    corners = vertices[m.faces]
    normals = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(normals, m.faces[:, k], np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    wanted = np.full((24, 24), -REACH)
    for probe in m.fine_probes:
        own = m.owner[probe]
        distance = np.where(ASKED[own, m.owner], np.linalg.norm(vertices - vertices[probe], axis=1), np.inf)
        met = distance.argmin()
        if distance[met] < REACH:
            deep = normals[met] @ (vertices[met] - vertices[probe])
            wanted[own, m.owner[met]] = max(wanted[own, m.owner[met]], deep)
    assert (wanted > -REACH).any()
    np.testing.assert_allclose(depths, wanted, atol=1e-12)
    assert deepest == max(depths.max(), 0.0)


def test_a_step_solves_the_normal_equations():
    rng = np.random.default_rng(4)
    factor, gradient = rng.normal(size=(80, 52)), rng.normal(size=52)
    factor[:, rng.random(52) < 0.3] = 0.0
    full = factor.T @ factor
    q, free = np.zeros(52), np.full(52, np.inf)
    size = descent.step(q, q.copy(), np.ones(52), -free, free, np.tril(full), gradient.copy(), 1e3)
    wanted = -np.linalg.solve(full + np.eye(52) + 1e-6 * np.diag(full.diagonal() + 1), gradient)
    np.testing.assert_allclose(q, wanted, atol=1e-10)
    assert size == pytest.approx(np.abs(wanted[3:]).max())


@pytest.mark.parametrize("shape", [(3,), (7, 3), (2, 5, 3)])
def test_points_are_turned_and_shifted(shape):
    rng = np.random.default_rng(5)
    points, turn, shift = rng.normal(size=shape), rng.normal(size=(3, 3)), rng.normal(size=3)
    np.testing.assert_allclose(placed(points, turn, shift), points @ turn.T + shift, atol=1e-14)
