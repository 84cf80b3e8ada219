"""Mean parameters of training data: against another way to compute them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pymaf_data.errors import TrainingError, UsageError
from pymaf_data.model import ModelOptions, PyMAF
from pymaf_data.model.means import mean_parameters, nearest_rotations, start_at
from pymaf_data.model.networks.network import Parameters, make_network

N = 7
FITTED = np.array([True, False, True, True, True, False, True])


def quaternions(seed: int, count: tuple[int, ...], spread: float) -> np.ndarray:
    """Unit quaternions (…, 4) about no rotation."""
    q = np.array([1.0, 0, 0, 0]) + spread * np.random.default_rng(seed).normal(size=(*count, 4))
    return q / np.linalg.norm(q, axis=-1, keepdims=True)


def matrices(q: np.ndarray) -> np.ndarray:
    w, x, y, z = np.moveaxis(q, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, np.ndarray, np.ndarray]:
    """Labels of seven persons, two of them without a fit and one without keypoints; rotations and cameras."""
    random = np.random.default_rng(0)
    q = quaternions(1, (N, 24), 0.3)
    q[:, 0] = quaternions(2, (N,), 2.0)  # roots face every way
    camera = np.stack([random.uniform(0.7, 1.1, N), *random.uniform(-0.1, 0.1, (2, N))], axis=1)
    joints = random.normal(scale=0.4, size=(N, 49, 3))
    placed = joints + np.stack([camera[:, 1], camera[:, 2], 10_000 / (224 * camera[:, 0])], axis=1)[:, None]
    view = 5000 * placed[..., :2] / placed[..., 2:] + 112
    box = np.stack([random.uniform(100, 300, N), random.uniform(100, 300, N), random.uniform(80, 400, N)], axis=1)
    image = (view - 112) * box[:, None, 2:] / 224 + box[:, None, :2]
    keypoints = np.concatenate([image, np.ones((N, 49, 1))], axis=-1).astype(np.float32)
    keypoints[3] = 0
    pose = np.where(FITTED[:, None, None, None], matrices(q), np.nan)
    labels = {"box": box, "keypoints": keypoints, "has_fit": FITTED, "betas": random.normal(size=(N, 10))}
    fits = {"pose": pose.astype(np.float32), "betas": labels["betas"], "fit_joints": joints.astype(np.float32)}

    def persons(_: Any, rows: np.ndarray, body: Any, options: Any) -> Any:
        assert (body, options) == ("body", "options")
        found = {name: array[rows] for name, array in fits.items()}
        return SimpleNamespace(**found | {name: torch.from_numpy(found[name]) for name in ("pose", "betas")})

    monkeypatch.setattr("pymaf_data.model.means.persons", persons)

    class Labels(SimpleNamespace):
        def __len__(self) -> int:
            return N

    return Labels(**labels), q, camera


def test_means_are_those_of_quaternions_and_of_the_cameras_that_are_known(
    people: tuple[Any, np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chordal mean of rotations is the first eigenvector of their quaternions' Σ q·qᵀ (Markley et al., 2007)."""
    labels, q, camera = people
    monkeypatch.setattr("pymaf_data.model.means._BLOCK", 3)
    found = mean_parameters(labels, "body", "options")  # type: ignore[arg-type]
    wanted = matrices(np.linalg.eigh(np.einsum("nja,njb->jab", q[FITTED], q[FITTED]))[1][..., -1])
    assert np.abs(found.pose6d.numpy().reshape(24, 3, 2) - wanted[:, :, :2]).max() < 1e-6
    np.testing.assert_allclose(found.betas.numpy()[0], labels.betas[FITTED].mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.camera.numpy()[0], camera[[0, 2, 4, 6]].mean(axis=0), atol=1e-4)
    labels.has_fit = np.array([False, False, False, True, False, False, False])
    with pytest.raises(TrainingError, match="1 have a fit, and 0"):
        mean_parameters(labels, "body", "options")  # type: ignore[arg-type]


def test_the_nearest_rotation_is_none_that_mirrors() -> None:
    turned = matrices(quaternions(3, (2,), 0.5))
    mirrored = turned @ np.diag([3.0, 2.0, -0.1])
    found = nearest_rotations(np.stack([mirrored[0], 5 * turned[1]]))
    np.testing.assert_allclose(found, turned, atol=1e-12)


@pytest.mark.usefixtures("small")
def test_a_network_begins_there_and_keeps_it(free_body: Any) -> None:
    mean = Parameters(torch.rand(1, 144), torch.rand(1, 10), torch.tensor([[0.8, 0.1, 0.2]]))
    for network, steps in (("pymaf", 3), ("hmr", 1)):
        options = ModelOptions(network=network, view_size=64)
        model = make_network(options, free_body, "view").eval()
        start_at(model, mean)
        kept = [value for name, value in model.state_dict().items() if name.endswith("init_shape")]
        assert len(kept) == steps and all(torch.equal(value, mean.betas) for value in kept)
        with torch.no_grad():
            begun = model(torch.zeros(2, 3, 64, 64)).predictions[0].parameters
        assert all(torch.equal(own[1], value[0]) for own, value in zip(begun, mean, strict=True))
    with pytest.raises(UsageError, match="begins at no mean"):
        start_at(torch.nn.Linear(1, 1), mean)  # type: ignore[arg-type]
    assert not torch.equal(PyMAF(free_body, ModelOptions(view_size=64)).regressor[0].init_shape, mean.betas)
