"""Figures as a whole: the contract, contact, balance, limits, splits, left and right."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pymaf_data.errors import UsageError
from pymaf_data.geometry.joints import SMPL24
from pymaf_data.world.poses import FAMILIES, draw_figure
from pymaf_data.world.poses.figure import draw_variant, figure_of
from pymaf_data.world.poses.goals import MASS
from pymaf_data.world.poses.shapes import STATURES, cell_of

pytestmark = pytest.mark.long  # of the world, which is finished

NAMED = (
    *("standing", "walking", "running", "sitting", "squatting", "lying", "reaching", "bending", "climbing", "dancing"),
    "ball_sports",
)
EVERY = [(family, variant) for family, entry in FAMILIES.items() for variant in entry.variants]
STATIC = ("standing", "squatting", "reaching", "bending", "kneeling")


@pytest.fixture(scope="module")
def figures(train, val):
    return train + val


@pytest.fixture(scope="module")
def one_of_each(body):
    return [
        figure_of(np.random.default_rng([3, number]), body, family, variant, "val")
        for number, (family, variant) in enumerate(EVERY)
    ]


def gap(thing, points) -> float:
    """Least distance of points to a thing's surface."""
    a, b, c = (thing.vertices[thing.faces[:, k]][None] for k in range(3))
    p = points[:, None]
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
    height = ((p - a) * normal).sum(-1)
    inside = np.ones(height.shape, bool)
    least = np.full(height.shape, np.inf)
    for start, end in ((a, b), (b, c), (c, a)):
        edge = end - start
        inside &= (np.cross(edge, p - start) * normal).sum(-1) >= 0
        t = ((p - start) * edge).sum(-1) / np.maximum((edge * edge).sum(-1), 1e-12)
        least = np.minimum(least, np.linalg.norm(p - start - np.clip(t, 0, 1)[..., None] * edge, axis=-1))
    return float(np.where(inside, np.abs(height), least).min())


def patch(body, figure, *joints):
    owner = body.lbs_weights.numpy().argmax(1)
    return figure.vertices[np.isin(owner, [SMPL24.index(joint) for joint in joints])]


def test_the_parameters_give_the_vertices(body, figures):
    for figure in figures[::20]:
        out = body(*(torch.from_numpy(a)[None] for a in (figure.rotations, figure.betas, figure.translation)))
        np.testing.assert_allclose(out.vertices[0].numpy(), figure.vertices, atol=1e-8)
        np.testing.assert_allclose(out.skeleton[0].numpy(), figure.skeleton, atol=1e-8)
        identity = figure.rotations @ figure.rotations.transpose(0, 2, 1)
        np.testing.assert_allclose(identity, np.tile(np.eye(3), (24, 1, 1)), atol=1e-9)


def test_figures_stand_at_the_origin(figures):
    for figure in figures:
        middle = (figure.vertices.max(0) + figure.vertices.min(0)) / 2
        assert np.abs(middle[[0, 2]]).max() < 1e-5


def test_nobody_floats_or_sinks(figures, one_of_each):
    for figure in figures + one_of_each:
        lowest = figure.vertices[:, 1].min()
        assert lowest > -0.01, (figure.variant, lowest)
        if not figure.airborne and not figure.things:
            assert lowest < 1e-6, (figure.variant, lowest)


def test_jumps_leave_the_ground(one_of_each):
    for figure in one_of_each:
        if figure.airborne:
            assert 0.01 < figure.vertices[:, 1].min() < 0.7
    assert {"jumping", "dancing", "ball_sports"} <= {figure.family for figure in one_of_each if figure.airborne}


def test_seats_carry_their_sitters(body, one_of_each):
    seated = [f for f in one_of_each if f.family == "sitting" and f.things]
    assert len(seated) >= 8
    for figure in seated:
        bottom = patch(body, figure, "pelvis")
        seat = figure.things[0]
        lowest = bottom[np.argsort(bottom[:, 1])[:6]]
        assert gap(seat, lowest) < 0.03, figure.variant


def test_hands_and_feet_hold_what_they_climb(body, one_of_each):
    for figure in one_of_each:
        if figure.variant in ("ladder", "boulder"):
            for side in ("left", "right"):
                assert gap(figure.things[0], patch(body, figure, f"{side}_wrist", f"{side}_hand")[::3]) < 0.015
                assert gap(figure.things[0], patch(body, figure, f"{side}_ankle", f"{side}_foot")[::3]) < 0.015


@pytest.mark.parametrize("name", ["holding a ball", "a box", "dumbbells", "tennis forehand"])
def test_hands_touch_what_they_hold(body, one_of_each, name):
    figure = next(f for f in one_of_each if f.variant == name)
    hands = patch(body, figure, "left_wrist", "left_hand", "right_wrist", "right_hand")  # either may be mirrored
    assert gap(figure.things[0], hands[::3]) < 0.015


def test_weight_lies_over_what_carries_it(figures):
    for figure in figures:
        if figure.family in STATIC and figure.variant not in ("all fours", "lunging"):
            low = figure.vertices[figure.vertices[:, 1] < 0.03][:, [0, 2]]
            mass = (MASS @ figure.skeleton)[[0, 2]]
            slack = 0.03
            assert (mass > low.min(0) - slack).all() and (mass < low.max(0) + slack).all(), figure.variant


def test_joints_stay_inside_the_limits_that_fits_are_judged_by(body, counting, figures, one_of_each):
    assert counting.census(body, figures + one_of_each).violation.max() < 0.01


def test_named_families_occur_in_both_splits_and_shares_are_everydays():
    for split in ("train", "val"):
        rng = np.random.default_rng(5)
        drawn = [draw_variant(rng, split) for _ in range(4000)]
        share = {name: np.mean([family == name for family, _ in drawn]) for name in FAMILIES}
        assert set(NAMED) <= {name for name, value in share.items() if value > 0.02}
        assert share["standing"] == pytest.approx(0.19, abs=0.04)
        held_out = np.mean([variant.held_out for _, variant in drawn])
        assert held_out == 0 if split == "train" else held_out == pytest.approx(0.5, abs=0.04)


def test_every_family_has_both_kinds_of_variants():
    for name, family in FAMILIES.items():
        assert {variant.held_out for variant in family.variants} == {False, True}, name


def test_shapes_are_broad_and_of_their_split(body, counting, train, val):
    for split, drawn in (("train", train), ("val", val)):
        assert {cell_of(figure.betas) for figure in drawn} == {split}
    betas = np.stack([figure.betas for figure in train])
    assert (betas.std(0) > 0.75).all()
    assert np.abs(betas).max() > 2.4
    stature = counting.census(body, train).stature
    assert STATURES[0] <= stature.min() < 1.52
    assert 1.84 < stature.max() <= STATURES[1]


def test_left_and_right_are_alike(body):
    """The same draw is mirrored for half of all seeds; what hangs together is the exact mirror image."""
    family, variant = "standing", FAMILIES["standing"].variants[1]
    higher = []
    for seed in range(60):
        figure = figure_of(np.random.default_rng([9, seed]), body, family, variant, "train")
        ankles = figure.skeleton[[SMPL24.index("left_ankle"), SMPL24.index("right_ankle")], 2]
        higher.append(ankles[0] > ankles[1])
    assert 0.3 < np.mean(higher) < 0.7


def test_figures_face_forward(figures):
    for figure in figures:
        if figure.family in ("standing", "walking", "sitting", "reaching"):
            across = figure.skeleton[SMPL24.index("left_hip_smpl")] - figure.skeleton[SMPL24.index("right_hip_smpl")]
            assert across[0] > 0.6 * np.linalg.norm(across), figure.variant


def test_same_seed_same_figure_on_any_number_of_threads(body):
    before = torch.get_num_threads()
    drawn = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        drawn.append(draw_figure(np.random.default_rng(17), body, "train"))
    torch.set_num_threads(before)
    for name in ("rotations", "betas", "translation"):
        assert getattr(drawn[0], name).tobytes() == getattr(drawn[1], name).tobytes()
    assert [t.vertices.tobytes() for t in drawn[0].things] == [t.vertices.tobytes() for t in drawn[1].things]


def test_another_split_is_refused(body):
    with pytest.raises(UsageError, match="test"):
        draw_figure(np.random.default_rng(0), body, "test")
