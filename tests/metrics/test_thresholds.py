"""PCK, its areas and angular errors against their definitions, worked by hand and in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pymaf_data import metrics
from pymaf_data.errors import ShapeError


def test_an_error_that_equals_the_threshold_counts_where_it_is_loose() -> None:
    errors = torch.tensor([[0.0, 49.9, 50.0, 50.1], [150.0, 150.0, 149.0, 151.0]])
    assert metrics.pck(errors, 50, strict=False).tolist() == [75, 0]
    assert metrics.pck(errors, 50, strict=True).tolist() == [50, 0]
    assert metrics.pck(errors, 150, strict=True).tolist() == [100, 25]
    assert metrics.pck(errors, 150, strict=False).tolist() == [100, 75]


def test_areas_by_hand() -> None:
    # Correct at 0, 100, 200: of the errors 0, 100, 150 strictly 0, 1, 3 of 3, else 1, 2, 3.
    errors, steps = torch.tensor([[0.0, 100.0, 150.0]]), (0.0, 100.0, 200.0)
    assert float(metrics.auc_of_steps(errors, steps, strict=True)) == pytest.approx(100 * (0 + 1 + 3) / 9)
    assert float(metrics.auc_of_steps(errors, steps, strict=False)) == pytest.approx(100 * (1 + 2 + 3) / 9)
    assert float(metrics.auc_of_curve(errors, steps, strict=False)) == pytest.approx(100 * (1.5 + 2.5) / 6)
    # Between uneven thresholds the curve is straight: 0 at 0 and 10, 1 at 40.
    assert float(metrics.auc_of_curve(torch.tensor([[20.0]]), (0, 10, 40), strict=True)) == pytest.approx(100 * 15 / 40)


def test_areas_of_many_are_those_of_all_their_joints() -> None:
    errors = np.random.default_rng(0).gamma(2, 40, (50, 14)).round()
    thresholds = np.arange(0, 151, 5)
    shares = [(errors < t).mean() for t in thresholds]
    found = metrics.auc_of_steps(torch.from_numpy(errors), tuple(thresholds.tolist()), strict=True)
    assert float(found.mean()) == pytest.approx(100 * np.mean(shares), abs=1e-9)
    curve = [(errors <= t).mean() for t in range(200)]
    found = metrics.auc_of_curve(torch.from_numpy(errors), tuple(map(float, range(200))), strict=False)
    assert float(found.mean()) == pytest.approx(100 * np.trapezoid(curve, np.arange(200) / 199), abs=1e-9)


@pytest.mark.parametrize("measure", [metrics.pck, metrics.auc_of_steps, metrics.auc_of_curve])
def test_who_lacks_a_joint_is_not_measured(measure: object) -> None:
    errors = torch.tensor([[1.0, float("nan")], [1.0, 500.0]])
    level = 50.0 if measure is metrics.pck else (0.0, 50.0)
    found = measure(errors, level, strict=False)  # type: ignore[operator]
    assert found.isnan().tolist() == [True, False] and float(found[1]) > 0
    with pytest.raises(ShapeError):
        measure(torch.zeros(3, 0), level, strict=False)  # type: ignore[operator]
    with pytest.raises(ShapeError):
        measure(torch.zeros(3), level, strict=False)  # type: ignore[operator]


def test_angles_from_none_to_half_a_turn() -> None:
    angles = np.array([0, 1e-6, 10, 90, 179.9999, 180])
    random = np.random.default_rng(1)
    axes = random.normal(size=(6, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    base = Rotation.random(6, random_state=2)
    turned = Rotation.from_rotvec(np.radians(angles)[:, None] * axes) * base
    a, b = (torch.from_numpy(each.as_matrix())[:, None] for each in (turned, base))
    np.testing.assert_allclose(metrics.mpjae(a, b), angles, atol=1e-6)
    np.testing.assert_allclose(metrics.mpjae(b, a), angles, atol=1e-6)
    many = [Rotation.random(36, random_state=seed) for seed in (3, 4)]
    expected = np.degrees((many[0] * many[1].inv()).magnitude()).reshape(4, 9).mean(1)
    found = metrics.mpjae(*(torch.from_numpy(one.as_matrix().reshape(4, 9, 3, 3)) for one in many))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert bool(metrics.mpjae(a * torch.nan, b).isnan().all())
    with pytest.raises(ShapeError):
        metrics.mpjae(a, b[:3])


def test_the_rotation_of_a_similarity_never_mirrors() -> None:
    random = np.random.default_rng(5)
    points, turn = random.normal(size=(2, 24, 3)), Rotation.from_rotvec([0.3, -1.2, 0.4]).as_matrix()
    target = 1.7 * points @ turn.T + random.normal(size=3)
    target[1] *= [1, 1, -1]  # the best fit of the second would be a reflection
    aligned, found = metrics.similarity(torch.from_numpy(points), torch.from_numpy(target))
    np.testing.assert_allclose(found[0], turn, atol=1e-12)
    np.testing.assert_allclose(aligned[0], target[0], atol=1e-12)
    np.testing.assert_allclose(torch.linalg.det(found), 1, atol=1e-12)
    centred = [each[1] - each[1].mean(0) for each in (points, target)]
    np.testing.assert_allclose(found[1], Rotation.align_vectors(centred[1], centred[0])[0].as_matrix(), atol=1e-9)
    a, b = torch.from_numpy(points), torch.from_numpy(target)
    assert float(metrics.joint_errors(aligned, b)[1].mean()) == pytest.approx(float(metrics.pa_mpjpe(a, b)[1])) != 0
