"""Bodies are found again by their vertices: their own to rounding, those of other meshes and other skinning closely."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pymaf_data.body import BodyModel
from pymaf_data.body.free import load_free_arrays
from pymaf_data.fits.conversion.convert import WORST
from pymaf_data.fits.conversion.vertex_fit import VertexFit, procrustes
from pymaf_data.fits.fitter.fit import KeypointFitter
from pymaf_data.fits.fitter.limits import HIGH, LOW
from pymaf_data.fits.fitter.objective import State
from pymaf_data.geometry.rotations import axis_angle_to_matrix


class Bodies(NamedTuple):
    """In poses anywhere within the limits, facing anywhere, with hands and feet bent."""

    pose: torch.Tensor
    betas: torch.Tensor
    vertices: torch.Tensor


@pytest.fixture(scope="module")
def bodies(body: BodyModel, fitter: KeypointFitter) -> Bodies:
    rng, K = np.random.default_rng(6), 40
    angles, betas = (torch.from_numpy(part) for part in (rng.uniform(LOW, HIGH, (K, 26)), rng.normal(size=(K, 10))))
    root = torch.from_numpy(Rotation.from_quat(rng.normal(size=(K, 4))).as_matrix())
    pose = fitter.pose_of(State(root, torch.zeros(K, 3).double(), angles, betas)).reshape(K, 24, 3).clone()
    pose[:, [7, 8, 10, 11, 20, 21, 22, 23]] += torch.from_numpy(0.25 * rng.normal(size=(K, 8, 3)))
    matrices = axis_angle_to_matrix(pose)
    return Bodies(matrices, betas, body.mesh(matrices, betas))


@pytest.fixture(scope="module")
def fit(body: BodyModel) -> VertexFit:
    return VertexFit(body)


def apart(pose: torch.Tensor, truth: torch.Tensor) -> np.ndarray:
    """(K, 24) degrees between rotations of joints."""
    turns = Rotation.from_matrix((pose.mT @ truth).reshape(-1, 3, 3).numpy())
    return np.degrees(turns.magnitude()).reshape(-1, 24)


def test_turns_are_proper_ones_whatever_is_turned() -> None:
    x = np.random.default_rng(0).normal(size=(9, 3))
    turn = Rotation.from_rotvec([0.3, -2.0, 1.0]).as_matrix()
    moments = torch.from_numpy(np.stack([x.T @ x @ turn.T, -x.T @ x, np.zeros((3, 3)), np.full((3, 3), np.nan)]))
    found = procrustes(moments)
    assert np.allclose(found[0], turn) and torch.linalg.det(found).allclose(torch.ones(4).double())


def test_bodies_of_the_model_itself_are_found_to_rounding(body: BodyModel, bodies: Bodies, fit: VertexFit) -> None:
    where = torch.tensor([3.0, -2.0, 40.0])
    found = fit(bodies.vertices + where)
    again = body.mesh(found.pose, found.betas) + found.translation[:, None]
    assert (again - bodies.vertices - where).norm(dim=2).max() < 1e-5
    assert apart(found.pose, bodies.pose).max() < 0.05
    assert (found.betas - bodies.betas).abs().max() < 1e-3 and found.residual.max() < 0.01
    assert torch.linalg.det(found.pose).allclose(torch.ones(()).double())
    # Shapes of three deviations, and a body alone as in company.
    large = body.mesh(bodies.pose, 3 * bodies.betas)
    assert fit(large).residual[:, 0].quantile(0.9) < 0.1
    assert torch.allclose(fit(bodies.vertices[7:8]).pose, found.pose[7:8], atol=1e-4)
    assert fit(bodies.vertices[:0]).pose.shape == (0, 24, 3, 3)


@pytest.mark.parametrize("vertices", [10475, pytest.param(18439, marks=pytest.mark.long)])
def test_bodies_on_another_mesh(
    vertices: int, body: BodyModel, bodies: Bodies, fit: VertexFit, others: ModuleType, smplx_mesh: Any
) -> None:
    template, faces = body.v_template.numpy(), body.faces.numpy()
    mesh = smplx_mesh if vertices == 10475 else others.other_mesh(template, faces, vertices)
    resampled = torch.from_numpy(np.stack([mesh.down @ (mesh.up @ each) for each in bodies.vertices.numpy()]))
    found = fit(resampled)
    again = (body.mesh(found.pose, found.betas) + found.translation[:, None] - bodies.vertices).norm(dim=2).mean(1)
    degrees = apart(found.pose, bodies.pose)
    assert again.median() < 0.001 and again.quantile(0.95) < 0.002
    assert np.median(degrees) < 0.5 and np.quantile(degrees, 0.95) < 1.5 and np.quantile(degrees.mean(1), 0.95) < 1
    assert np.median(found.residual.numpy(), 0) == pytest.approx([0.75, 0.15], rel=0.25)


def test_bodies_of_other_skinning_and_relief(
    body: BodyModel, bodies: Bodies, fit: VertexFit, others: ModuleType
) -> None:
    faces, template = body.faces.numpy(), body.v_template.numpy()
    arrays = load_free_arrays()
    weights = others.smoothed(arrays.weights, faces, 10)
    relief = others.relief(template, faces, 0.01)
    other = BodyModel("other", replace(arrays, v_template=template + relief, weights=weights), torch.float64)
    vertices = other.mesh(bodies.pose, bodies.betas)
    found = fit(vertices)
    degrees, left = apart(found.pose, bodies.pose), found.residual.numpy()
    assert np.median(left[:, 0]) < 5 and np.quantile(left[:, 0], 0.95) < 8
    assert np.median(degrees) < 2 and np.quantile(degrees.mean(1), 0.95) < 4
    assert (left < WORST / 2).all()
    # What is left is what is said to be.
    again = body.mesh(found.pose, found.betas) + found.translation[:, None]
    distance = 1000 * (again - vertices).norm(dim=2).mean(1)
    assert np.allclose(left[:, 0], distance, rtol=0.3)


def test_surfaces_that_are_no_bodies_are_known(body: BodyModel, bodies: Bodies, fit: VertexFit) -> None:
    good = bodies.vertices[:1]
    forearm = body.lbs_weights[:, [18, 20, 22]].sum(1) > 0.5
    lost = good + torch.where(forearm[:, None], torch.tensor([0.0, 0.3, 0.0]), torch.zeros(3))
    holes = good.clone()
    holes[0, 77, 1] = torch.nan
    wrong = {
        "a hole": holes, "no numbers": good * torch.inf, "huge": good * 1e200, "centimetres": 100 * good,
        "half the size": 0.5 * good, "a point": 0 * good, "a line": good * torch.tensor([0.0, 0.0, 1.0]),
        "mirrored": good * torch.tensor([-1.0, 1.0, 1.0]), "a forearm elsewhere": lost,
        "shuffled": good[:, torch.randperm(6890, generator=torch.manual_seed(0))],
    }  # fmt: skip
    found = fit(torch.cat([*wrong.values(), good]))
    beyond = ~(found.residual.numpy() <= WORST).all(1)
    assert dict(zip(wrong, beyond.tolist(), strict=False)) == dict.fromkeys(wrong, True) and not beyond[-1]
    assert not found.residual.isnan().any() and found.residual[:4].isinf().all() and found.pose[:4].isnan().all()
    assert apart(found.pose[-1:], bodies.pose[:1]).max() < 0.1, "others' faults are not one's own"
    assert torch.linalg.det(found.pose[4:]).allclose(torch.ones(()).double()), (
        "mirrored bodies are turned, not mirrored"
    )
