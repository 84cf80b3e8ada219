from __future__ import annotations

import hashlib

import numpy as np
import pytest

from pymaf_data.errors import UsageError
from pymaf_data.world.scenery import KINDS, draw_kind, draw_place, paint
from pymaf_data.world.view import View

SIZE = (160, 120)
SPOTS = np.array([[-0.6, -4.0, 0.5], [0.9, -5.5, 0.6]])
ALL = [(split, kind) for split, kinds in KINDS.items() for kind in kinds]


def turn_x(degrees: float) -> np.ndarray:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def turn_z(degrees: float) -> np.ndarray:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def view_of(pitch: float = 8.0, roll: float = 0.0, eye: float = 1.6, fov: float = 60.0) -> View:
    focal = SIZE[0] / 2 / np.tan(np.deg2rad(fov) / 2)
    intrinsics = np.array([[focal, 0, SIZE[0] / 2], [0, focal, SIZE[1] / 2], [0, 0, 1]])
    rotation = turn_z(roll) @ turn_x(pitch) @ np.diag([1.0, -1.0, -1.0])
    return View(intrinsics, rotation, np.array([0.0, eye, 0.0]), SIZE)


def centres() -> np.ndarray:
    x, y = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
    return np.stack([x, y], -1)


def test_val_shows_kinds_that_train_never_shows():
    assert len(KINDS["train"]) >= 6 and len(KINDS["val"]) >= 3
    assert not set(KINDS["train"]) & set(KINDS["val"])
    seen = {draw_place(np.random.default_rng(k), view_of(), SPOTS, "val").kind for k in range(40)}
    assert seen <= set(KINDS["val"]) and len(seen) >= 4
    with pytest.raises(UsageError, match="train, val"):
        draw_place(np.random.default_rng(0), view_of(), SPOTS, "test")


@pytest.mark.parametrize(("split", "kind"), ALL)
def test_points_lie_on_their_pixels_and_hold_everybody(split, kind):
    """Every painted point projects back onto its pixel, and no wall stands between the camera and a spot's feet."""
    for seed, (pitch, roll) in enumerate([(8.0, 0.0), (30.0, 4.0), (-12.0, -3.0)]):
        view = view_of(pitch, roll)
        place = draw_kind(np.random.default_rng(seed), view, SPOTS, split, kind)
        shown = paint(place, view)
        for array in (shown.albedo, shown.normal, shown.point, shown.emission):
            assert array.shape == (SIZE[1], SIZE[0], 3) and array.dtype == np.float32 and np.isfinite(array).all()
        camera = view.to_camera(shown.point[shown.lit].astype(np.float64))
        off = np.abs(view.project(camera) - centres()[shown.lit])
        assert (camera[:, 2] > 0).all() and np.quantile(off, 0.999) < 0.75 and np.median(off) < 0.01
        length = np.linalg.norm(shown.normal[shown.lit], axis=1)
        np.testing.assert_allclose(length, 1, atol=1e-4)
        assert (shown.normal[~shown.lit] == 0).all() and (shown.albedo[~shown.lit] == 0).all()
        towards = view.centre - shown.point[shown.lit]
        facing = (shown.normal[shown.lit] * towards).sum(1) / np.linalg.norm(towards, axis=1)
        assert (facing > -0.02).mean() > 0.995
        assert shown.albedo.min() >= 0 and shown.emission.min() >= 0
        _assert_feet_are_seen(shown, view)


def _assert_feet_are_seen(shown, view: View) -> None:
    feet = view.to_camera(np.stack([SPOTS[:, 0], np.zeros(2), SPOTS[:, 1]], 1))
    for pixel, camera in zip(view.project(feet), feet, strict=True):
        column, row = np.floor(pixel).astype(int)
        if 0 <= column < SIZE[0] and 0 <= row < SIZE[1]:
            depth = view.to_camera(shown.point[row, column].astype(np.float64))[2]
            assert shown.lit[row, column] and depth == pytest.approx(camera[2], rel=0.05)


@pytest.mark.parametrize(("pitch", "roll"), [(0.0, 0.0), (12.0, 6.0), (-10.0, -8.0)])
def test_the_grounds_end_is_the_cameras_horizon(pitch, roll):
    """On open ground the last row of y = 0 is where level rays go."""
    view = view_of(pitch, roll)
    place = draw_kind(np.random.default_rng(1), view, np.zeros((0, 3)), "train", "field")
    shown = paint(place, view)
    level = np.linalg.inv(view.intrinsics) @ np.stack([*centres()[:, SIZE[0] // 2].T, np.ones(SIZE[1])])
    up = (view.rotation.T @ level)[1]  # of each pixel's ray in the middle column
    column = SIZE[0] // 2
    ground = shown.lit[:, column] & (np.abs(shown.point[:, column, 1]) < 0.05)
    wood = shown.lit[:, column] & ~ground
    assert not (ground & (up > 0.008)).any()  # one pixel
    assert (ground | wood)[up < -0.01].all()


@pytest.mark.parametrize(("split", "kind"), ALL)
def test_things_keep_clear_of_people_and_stand_on_the_ground(split, kind):
    reach = {}
    for seed in range(6):
        view = view_of(10.0)
        place = draw_kind(np.random.default_rng(seed), view, SPOTS, split, kind)
        np.testing.assert_array_equal(place.clear, SPOTS)
        for thing in place.things:
            reach[thing.kind] = True
            assert len(thing.faces) < 1700 and thing.colours.shape == (len(thing.faces), 3)
            assert thing.faces.min() >= 0 and thing.faces.max() < len(thing.vertices)
            assert thing.colours.min() >= 0 and thing.colours.max() <= 1
            assert -0.16 < thing.vertices[:, 1].min() < 0.21  # kerbs are 13 cm, tyres and leaves hang over
            low = thing.vertices[thing.vertices[:, 1] < 1.7]
            for x, z, radius in SPOTS:
                assert np.hypot(low[:, 0] - x, low[:, 2] - z).min() > 0.98 * radius, thing.kind
    assert reach


@pytest.mark.parametrize(("split", "kind"), ALL)
def test_no_thing_stands_behind_a_wall(split, kind):
    """Things are drawn over planes, so each must stand before whatever the picture shows at its foot."""
    checked = 0
    for seed in range(6):
        view = view_of(6.0)
        place = draw_kind(np.random.default_rng(seed), view, SPOTS, split, kind)
        shown = paint(place, view)
        for thing in place.things:
            low, high = thing.vertices.min(0), thing.vertices.max(0)
            foot = np.array([[(low[0] + high[0]) / 2, low[1] + 0.02, (low[2] + high[2]) / 2]])
            camera = view.to_camera(foot)
            if not view.inside(camera)[0]:
                continue
            column, row = np.floor(view.project(camera)[0]).astype(int)
            if shown.lit[row, column]:
                depth = view.to_camera(shown.point[row, column].astype(np.float64))[2]
                assert depth > 0.9 * camera[0, 2] - 0.3, thing.kind
                checked += 1
    assert checked


def test_same_chance_same_bytes_whatever_came_before():
    def digest(seed: int) -> str:
        rng = np.random.default_rng(seed)
        place = draw_place(rng, view_of(), SPOTS, "train")
        shown = paint(place, view_of())
        state = hashlib.sha256()
        for array in (shown.albedo, shown.normal, shown.point, shown.emission, shown.lit, rng.random(4)):
            state.update(np.ascontiguousarray(array).tobytes())
        for thing in place.things:
            state.update(thing.vertices.tobytes() + thing.colours.tobytes())
        return state.hexdigest()

    first = [digest(seed) for seed in range(5)]
    assert [digest(seed) for seed in reversed(range(5))] == first[::-1]
    assert len(set(first)) == 5


@pytest.mark.parametrize("kind", ["street", "square", "car park", "park", "gym hall"])
def test_a_pixel_is_the_mean_of_what_lies_in_it(kind):
    """Painted at four times the resolution and averaged, a place looks as when painted once: nothing flickers."""
    view = view_of(10.0, 2.0)
    intrinsics = np.diag([4.0, 4.0, 1.0]) @ view.intrinsics
    fine = View(intrinsics, view.rotation, view.centre, (4 * SIZE[0], 4 * SIZE[1]))
    errors = []
    for seed in range(6):
        place = draw_kind(np.random.default_rng(seed), view, SPOTS, "train", kind)
        once, often = paint(place, view), paint(place, fine)
        colour = once.albedo + once.emission
        samples = (often.albedo + often.emission).reshape(SIZE[1], 4, SIZE[0], 4, 3)
        mean = samples.mean((1, 3))
        errors.append([np.abs(picture - mean).mean() / mean.mean() for picture in (colour, samples[:, 2, :, 2])])
        assert colour.mean() == pytest.approx(mean.mean(), rel=0.01)
    painted, one_sample = np.mean(errors, axis=0)
    print(f"{kind}: {painted:.4f} from the mean, {one_sample:.4f} for a pixel that is one sample of what lies in it")
    assert painted < 0.035
    assert painted < 0.8 * one_sample


def test_edges_of_patches_are_mixed():
    """Where two patches meet, some pixels lie between the two; without, a pixel is one or the other."""
    view = view_of(-15.0, 3.0)
    place = draw_kind(np.random.default_rng(4), view, SPOTS, "train", "office")
    shown = paint(place, view)
    length = np.linalg.norm(np.diff(shown.normal, axis=0), axis=-1)
    between = (length > 0.05) & (length < 1.3)
    assert between.sum() > 20


@pytest.mark.parametrize("kind", ["living room", "corridor", "gym hall"])
def test_rooms_are_closed(kind):
    """Whichever way the camera looks, its rays end on something."""
    for seed, (pitch, roll, fov) in enumerate([(40.0, 5.0, 90.0), (-40.0, -5.0, 90.0), (0.0, 10.0, 75.0)]):
        view = view_of(pitch, roll, eye=0.9 + 0.6 * seed, fov=fov)
        place = draw_kind(np.random.default_rng(seed), view, SPOTS, "train", kind)
        assert paint(place, view).lit.all()
