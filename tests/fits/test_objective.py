"""The reduced body agrees with the real one; derivatives agree with differences."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
import torch

from pymaf_data.body import BodyModel
from pymaf_data.fits.fitter.cues import _FACE
from pymaf_data.fits.fitter.fit import KeypointFitter
from pymaf_data.fits.fitter.flips import LIMBS, flip_limb
from pymaf_data.fits.fitter.limits import ANGLES, FLIP_ORDER, FLIP_SIGNS, HIGH, LOW
from pymaf_data.fits.fitter.objective import Objective, Observation, State
from pymaf_data.fits.fitter.prior import ARM, LEGS, NECK, SPINE, PosePrior
from pymaf_data.fits.fitter.solver import solve
from pymaf_data.geometry.joints import J24
from pymaf_data.geometry.rotations import axis_angle_to_matrix

A = len(ANGLES)
States = Callable[..., State]


@pytest.fixture
def states(factory: ModuleType) -> Callable[..., State]:
    def make(count: int, seed: int = 1) -> State:
        rng = np.random.default_rng(seed)
        root = axis_angle_to_matrix(torch.from_numpy(np.array([[np.pi, 0, 0]]) + 0.4 * rng.normal(size=(count, 3))))
        position = torch.from_numpy(np.array([[0.1, 0.0, 4.0]]) + 0.1 * rng.normal(size=(count, 3)))
        angles = torch.from_numpy(factory.usual_angles(rng, count))
        return State(root, position, angles, torch.from_numpy(0.5 * rng.normal(size=(count, 10))))

    return make


def observation(objective: Objective, state: State, noise: float, seed: int = 2) -> Observation:
    B = len(state.position)
    ones = torch.ones(B, len(J24), dtype=torch.float64)
    plain = Observation(torch.zeros(B, len(J24), 2), ones / 4, 2 * ones, 300 * ones[:, :2], 112 * ones[:, :2])
    target = plain.project(objective.posed(state).points)
    target = target + noise * torch.from_numpy(np.random.default_rng(seed).normal(size=tuple(target.shape)))
    return Observation(target, plain.precision, plain.visibility, plain.focal, plain.principal)


def moved(state: State, step: torch.Tensor) -> State:
    return State(
        axis_angle_to_matrix(step[:, :3]) @ state.root,
        state.position + step[:, 3:6],
        state.angles + step[:, 6 : 6 + A],
        state.betas + step[:, 6 + A :],
    )


def test_keypoints_of_the_rig_are_those_of_the_body(fitter: KeypointFitter, body: BodyModel, states: States) -> None:
    state = states(20)
    points = fitter.search.objective.posed(state).points - state.position[:, None]
    pose = axis_angle_to_matrix(fitter.pose_of(state).reshape(-1, 24, 3))
    joints = body.keypoints(pose, state.betas)[1][:, 25:] - body.rest_joints(state.betas)[:, :1]
    assert (points - joints).norm(dim=-1).max() < 0.02  # pose blend shapes are left out
    assert (points - joints).norm(dim=-1).mean() < 0.003


def test_jacobian_is_the_derivative(fitter: KeypointFitter, states: States) -> None:
    rig, state = fitter.rig, states(3)
    found = rig.jacobian(fitter.search.objective.posed(state))
    for column in range(found.shape[-1]):
        step = torch.zeros(3, found.shape[-1], dtype=torch.float64)
        step[:, column] = 1e-6
        ends = [fitter.search.objective.posed(moved(state, sign * step)).points for sign in (1, -1)]
        assert torch.allclose((ends[0] - ends[1]) / 2e-6, found[..., column], atol=1e-7), column


def test_gradient_is_the_derivative_of_the_energy(fitter: KeypointFitter, states: States) -> None:
    objective, state = fitter.search.objective, states(4)
    seen = observation(objective, states(4), noise=8.0)
    _, gradient = objective.normal_equations(state, seen, objective.posed(state))
    for column in range(gradient.shape[1]):
        step = torch.zeros_like(gradient)
        step[:, column] = 1e-6
        slope = (objective.energy(moved(state, step), seen) - objective.energy(moved(state, -step), seen)) / 2e-6
        # A residual's robust weight is held fixed in the matrix, never in the gradient.
        assert torch.allclose(slope, gradient[:, column], rtol=1e-5, atol=1e-5), column


def test_the_solver_never_goes_up_and_stays_within_limits(fitter: KeypointFitter, states: States) -> None:
    objective, state = fitter.search.objective, states(6)
    seen = observation(objective, states(6, seed=9), noise=3.0)
    energies = [solve(objective, state, seen, steps)[1] for steps in (0, 3, 12)]
    assert (energies[1] <= energies[0]).all()
    assert (energies[2] <= energies[1]).all()
    assert energies[2].sum() < 0.5 * energies[0].sum()


def test_a_body_behind_the_camera_is_infinitely_bad(fitter: KeypointFitter, states: States) -> None:
    objective, state = fitter.search.objective, states(2)
    seen = observation(objective, state, noise=0.0)
    behind = State(state.root, state.position - torch.tensor([0.0, 0.0, 8.0]), state.angles, state.betas)
    assert torch.isinf(objective.energy(behind, seen)).all()
    assert objective.energy(state, seen).isfinite().all()


def test_the_prior_does_not_know_left_from_right(factory: ModuleType) -> None:
    prior, angles = PosePrior(), torch.from_numpy(factory.usual_angles(np.random.default_rng(3), 50))
    mirrored = angles[:, FLIP_ORDER] * torch.from_numpy(FLIP_SIGNS)
    assert torch.allclose(prior.energy(angles), prior.energy(mirrored))


def test_a_face_looks_alike_to_both_sides() -> None:
    for name, (x, y, z) in _FACE.items():
        other = name.replace("left", "?").replace("right", "left").replace("?", "right")
        assert _FACE[other] == (-x, y, z)
        assert np.hypot(x, z) == pytest.approx(1, abs=0.01), name


def test_habits_are_shares_of_a_whole_and_lie_within_the_limits() -> None:
    """What is usual can be done: no habit's middle is beyond a limit, and nothing turns that cannot."""
    for habits in (SPINE, NECK, LEGS, ARM):
        assert sum(habit.share for habit in habits) == pytest.approx(1.0)
    for prefix, habits in (("spine.", SPINE), ("neck.", NECK), ("", LEGS), ("left_", ARM), ("right_", ARM)):
        for habit in habits:
            for name, (middle, spread) in habit.angles.items():
                angle = ANGLES.index(prefix + name)
                assert np.degrees(LOW)[angle] <= middle <= np.degrees(HIGH)[angle] and 3 <= spread <= 40, (name, middle)


def test_a_slight_bend_is_a_step_and_not_a_stiff_stand() -> None:
    """A narrow habit is dense; taken at its whole density it would explain bent knees by leaning."""
    angles = PosePrior().mean()[None].clone()
    for side in ("left", "right"):
        angles[0, ANGLES.index(f"{side}_hip.flexion")] = np.radians(15)
        angles[0, ANGLES.index(f"{side}_knee.flexion")] = np.radians(19)
    _, slope, _ = PosePrior().residuals(angles)
    step = next(habit for habit in LEGS if habit.name == "walk")
    knee = "left_knee.flexion"
    assert slope[0, ANGLES.index(knee)] == pytest.approx(1 / np.radians(step.angles[knee][1]))


def test_the_prior_prefers_its_mean_to_a_contortion() -> None:
    prior = PosePrior()
    mean = prior.mean()[None]
    assert prior.energy(mean)[0] < prior.energy(mean + 0.3)[0] < prior.energy(mean + 0.8)[0]


def test_a_limb_aimed_where_it_points_stays(fitter: KeypointFitter, states: States) -> None:
    objective, state = fitter.search.objective, states(30)
    before = objective.posed(state).joints
    for limb in LIMBS:
        same = objective.posed(flip_limb(objective, state, limb, (False, False))).joints
        assert (same - before)[:, [limb.hinge, limb.end]].norm(dim=-1).median() < 0.03


def test_a_mirrored_limb_moves_along_the_ray(fitter: KeypointFitter, states: States) -> None:
    objective, base = fitter.search.objective, states(1)
    angles = torch.zeros(1, A, dtype=torch.float64)
    pose = {"shoulder.elevation": -30, "shoulder.forward": 30, "elbow.flexion": 4, "hip.flexion": 20, "knee.flexion": 3}
    for name, degrees in pose.items():
        for side in ("left_", "right_"):
            angles[0, ANGLES.index(side + name)] = np.radians(degrees)
    facing_camera = axis_angle_to_matrix(torch.tensor([[np.pi, 0.0, 0.0]], dtype=torch.float64))
    state = State(facing_camera, base.position, angles, 0 * base.betas)
    before = objective.posed(state).joints
    for limb in LIMBS:
        flipped = objective.posed(flip_limb(objective, state, limb, (True, True))).joints
        shift = (flipped - before)[0, limb.end]
        assert shift[2] > 0.2, "towards the camera before, away from it now"
        assert shift[:2].norm() < 0.35 * shift.norm()
