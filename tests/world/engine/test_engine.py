"""The renderer against what geometry and light say: shadows, occlusion, coverage, and nothing left behind."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest

from pymaf_data.world.engine.film import Film
from pymaf_data.world.engine.kernels import vertex_normals
from pymaf_data.world.engine.shadow import cast_shadows
from pymaf_data.world.light import Light
from pymaf_data.world.things import Thing, ball, box
from pymaf_data.world.view import View

SIZE = (400, 300)
PIXEL = 0.01  # metres of the ground
HEIGHT = 6.0
SUN, SKY, BOUNCE = np.array([1.2, 1.0, 0.8]), np.array([0.3, 0.4, 0.5]), np.array([0.1, 0.1, 0.1])
WHITE = np.ones(3)


def from_above() -> View:
    """A camera that looks straight down: a pixel is a centimetre of the ground, x to the right and z downwards."""
    intrinsics = np.array([[HEIGHT / PIXEL, 0, SIZE[0] / 2], [0, HEIGHT / PIXEL, SIZE[1] / 2], [0, 0, 1]])
    return View(intrinsics, np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]), np.array([0.0, HEIGHT, 0.0]), SIZE)


def level() -> View:
    """A camera one metre up that looks along −z."""
    intrinsics = np.array([[400.0, 0, SIZE[0] / 2], [0, 400, SIZE[1] / 2], [0, 0, 1]])
    return View(intrinsics, np.diag([1.0, -1, -1]), np.array([0.0, 1.0, 0.0]), SIZE)


@dataclass(frozen=True)
class Floor:
    """A white ground that the camera from above sees everywhere."""

    albedo: np.ndarray
    normal: np.ndarray
    point: np.ndarray
    emission: np.ndarray
    lit: np.ndarray
    catches: np.ndarray | None = None


def floor() -> Floor:
    column, row = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
    x, z = (column - SIZE[0] / 2) * PIXEL, (row - SIZE[1] / 2) * PIXEL
    point = np.stack([x, 0 * x, z], -1).astype(np.float32)
    normal = np.broadcast_to(np.array([0, 1, 0], np.float32), point.shape).copy()
    return Floor(np.ones_like(point), normal, point, np.zeros_like(point), np.ones(point.shape[:2], bool))


def nothing() -> Floor:
    """A place that shows black and nothing else."""
    dark = np.zeros((*SIZE[::-1], 3), np.float32)
    return Floor(dark, dark, dark, dark, np.zeros(SIZE[::-1], bool))


def light(x: float, z: float, sun: np.ndarray = SUN, sky: np.ndarray = SKY) -> Light:
    """Light that moves by (x, z) along the ground for each metre that it falls."""
    direction = np.array([x, -1.0, z])
    return Light(direction / np.linalg.norm(direction), sun, sky, BOUNCE)


def exposed(view: View, place: Floor, shine: Light, things: tuple[Thing, ...] = ()) -> np.ndarray:
    film = Film(view)
    for thing in things:
        film.add_thing(thing)
    casters = [(thing.vertices, thing.faces) for thing in things]
    return film.expose(place, cast_shadows(shine, casters, np.zeros(3)))


def plain(thing: Thing) -> Thing:
    """Without grain and gloss."""
    return replace(thing, grain=0.0, gloss=0.0)


@pytest.mark.parametrize("slope", [(0.0, 0.0), (0.7, -0.4), (-2.0, 1.0)])
def test_a_white_ground_in_full_light_shows_what_light_promises(slope):
    shine = light(*slope)
    out = exposed(from_above(), floor(), shine)
    np.testing.assert_allclose(out, np.broadcast_to(-shine.direction[1] * SUN + SKY, out.shape), rtol=1e-5)


def in_shadow(points: np.ndarray, towards: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Whether rays from points (..., 3) to the sun meet a box: they are within all three slabs at once."""
    with np.errstate(divide="ignore"):
        one, two = (low - points) / towards, (high - points) / towards
    enter, leave = np.minimum(one, two).max(-1), np.maximum(one, two).min(-1)
    return (leave > np.maximum(enter, 0)) & (leave > 0)


@pytest.mark.parametrize("slope", [(0.7, -0.4), (-0.9, 0.8), (1.2, 0.0), (0.05, 1.0)])
def test_a_boxs_shadow_falls_where_the_light_says(slope):
    """Every pixel that disagrees lies within two texels of the shadow's edge, and one pixel that shows it."""
    low, high = np.array([-0.3, 0.0, -0.25]), np.array([0.2, 0.9, 0.35])
    thing, shine, place = plain(box(low, high, WHITE)), light(*slope), floor()
    sun = cast_shadows(shine, [(thing.vertices, thing.faces)], np.zeros(3))
    out = exposed(from_above(), place, shine, (thing,))
    texel = 1 / np.linalg.norm(sun.to_map[0, :3])
    lifted = place.point + np.array([0, sun.bias, 0])  # a surface looks for its shadow from slightly off itself
    expected = in_shadow(lifted.astype(np.float64), sun.towards, low, high)
    bare = np.abs(out[..., 2] - SKY[2]) < 0.35 * SUN[2] * -shine.direction[1]
    found = out.sum(-1) < (0.5 * SUN * -shine.direction[1] + SKY).sum()
    ground = ~seen_from_above(thing)
    reach = int(np.ceil(2 * texel / PIXEL)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    inner, outer = (f(expected.astype(np.uint8), kernel) > 0 for f in (cv2.erode, cv2.dilate))
    assert sun.bias < 0.02, "what the shadow is moved by is less than a shoe's sole"
    assert texel < 0.006
    assert expected[ground].sum() > 2000
    assert bare.any()
    assert found[inner & ground].all()
    assert not found[~outer & ground].any()


def seen_from_above(thing: Thing) -> np.ndarray:
    """Pixels near those of a thing, by its convex outline."""
    view = from_above()
    pixels = view.project(view.to_camera(thing.vertices))
    shape = np.zeros(SIZE[::-1], np.uint8)
    cv2.fillConvexPoly(shape, cv2.convexHull(np.round(pixels).astype(np.int32)), 1)
    return cv2.dilate(shape, np.ones((5, 5))) > 0


def test_shadow_is_skylight_alone():
    """Deep in a shadow and off its caster, the ratio to the lit ground is sky / (sun + sky)."""
    tall = plain(box((-1.4, 0.0, -0.4), (-1.2, 3.0, 0.4), WHITE))
    shine = light(1.0, 0.0)
    out = exposed(from_above(), floor(), shine, (tall,))
    dark, bright = out[150, 250], out[20, 250]
    np.testing.assert_allclose(bright, SUN * -shine.direction[1] + SKY, rtol=1e-5)
    np.testing.assert_allclose(dark / bright, SKY / (SUN * -shine.direction[1] + SKY), rtol=1e-5)


def test_a_photographs_ground_is_darkened_by_that_ratio_and_nowhere_brightened():
    tall = plain(box((-1.4, 0.0, -0.4), (-1.2, 3.0, 0.4), WHITE))
    place, shine = floor(), light(1.0, 0.0)
    photo = replace(place, albedo=0.5 * place.albedo, catches=place.lit.copy())
    photo.catches[:, 350:] = False
    out = exposed(from_above(), photo, shine, (tall,))
    np.testing.assert_allclose(out[20, 250], 0.5, rtol=1e-5)
    green = SKY[1] / (SUN[1] * -shine.direction[1] + SKY[1])
    np.testing.assert_allclose(out[150, 250], 0.5 * green, rtol=1e-5)
    np.testing.assert_allclose(out[150, 360], 0.5, rtol=1e-5)
    assert out[~seen_from_above(tall)].max() <= 0.5 + 1e-6


def test_occlusion_darkens_a_corner_and_is_one_in_the_open():
    """Under an even white sky and no sun the ground shows its occlusion itself."""
    block = plain(box((-0.5, 0.0, -0.5), (0.5, 0.25, 0.5), WHITE))
    even = Light(np.array([0.0, -1.0, 0.0]), np.zeros(3), WHITE, WHITE)
    out = exposed(from_above(), floor(), even, (block,))[..., 0]
    side = SIZE[0] // 2 + 53  # the first column beside the block's top, which looks nearer to the camera
    profile = out[SIZE[1] // 2 - 20 : SIZE[1] // 2 + 20, side:].mean(0)
    assert profile[2] < 0.85
    assert (np.diff(profile[5:60]) > -0.005).all(), "it grows lighter with the distance"
    np.testing.assert_allclose(profile[60:], 1.0, atol=1e-6)
    np.testing.assert_allclose(out[:10, :10], 1.0, atol=1e-6)


def test_open_tops_are_not_darkened():
    block = plain(box((-0.5, 0.0, -0.5), (0.5, 1.0, 0.5), WHITE))
    even = Light(np.array([0.0, -1.0, 0.0]), np.zeros(3), WHITE, WHITE)
    out = exposed(from_above(), floor(), even, (block,))[..., 0]
    np.testing.assert_allclose(out[SIZE[1] // 2 - 30 : SIZE[1] // 2 + 30, SIZE[0] // 2], 1.0, atol=0.01)


def board(left: float, z: float = -4.0, colour: np.ndarray = WHITE) -> Thing:
    """A wall across the level camera's picture from ``left`` pixels on, at a depth."""
    x = (left - SIZE[0] / 2) / 400 * -z
    return plain(box((x, -9.0, z - 0.1), (x + 30, 9.0, z), colour))


@pytest.mark.parametrize(("edge", "share"), [(200.0, 1.0), (200.5, 0.5), (201.0, 0.0)])
def test_a_half_covered_pixel_is_half_a_pixel(edge, share):
    front = Light(np.array([0.0, 0.0, -1.0]), WHITE, np.zeros(3), np.zeros(3))
    out = exposed(level(), nothing(), front, (board(edge),))[..., 0]
    whole = out[100, 300]
    assert whole == pytest.approx(1.0, rel=1e-3)
    np.testing.assert_allclose(out[50:250, 200], share * whole, atol=1e-5)
    assert not out[:, 199].any()


def test_the_nearest_thing_wins_whatever_the_order():
    even = Light(np.array([0.0, -1.0, 0.0]), np.zeros(3), WHITE, WHITE)
    red, green = board(100.0, -5.0, np.array([1.0, 0, 0])), board(200.0, -4.0, np.array([0, 1.0, 0]))
    one, two = (exposed(level(), nothing(), even, order) for order in ((red, green), (green, red)))
    np.testing.assert_array_equal(one, two)
    assert one[150, 150, 0] > 0.5 and not one[150, 150, 1]
    assert one[150, 300, 1] > 0.5 and not one[150, 300, 0]


def test_an_exposure_leaves_nothing_behind():
    shine, view, block = light(0.4, 0.2), from_above(), plain(box((-0.5, 0.0, -0.5), (0.5, 1.0, 0.5), WHITE))
    empty = exposed(view, floor(), shine)
    full = exposed(view, floor(), shine, (block,))
    assert not np.array_equal(empty, full)
    np.testing.assert_array_equal(exposed(view, floor(), shine), empty)
    np.testing.assert_array_equal(exposed(view, floor(), shine, (block,)), full)


def test_what_is_outside_or_behind_the_camera_shows_nothing():
    even = Light(np.array([0.0, -1.0, 0.0]), np.zeros(3), WHITE, WHITE)
    behind, aside = (plain(ball(np.array(centre), 0.5, WHITE)) for centre in ((0.0, 1.0, 5.0), (50.0, 1.0, -5.0)))
    assert not exposed(level(), nothing(), even, (behind, aside)).any()


def test_normals_of_a_ball_point_outward():
    thing = ball(np.array([1.0, 2.0, 3.0]), 0.7, WHITE, rings=16)
    out = (thing.vertices - [1.0, 2.0, 3.0]) / 0.7
    normals = vertex_normals(thing.vertices, thing.faces)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    assert (normals * out).sum(1).min() > 0.98


def test_the_side_that_faces_the_sun_is_lit():
    """A ball is brightest where its normal points to the sun, and dark on the other side but for sky and bounce."""
    sphere = plain(ball(np.array([0.0, 1.0, -3.0]), 0.5, WHITE, rings=24))
    out = exposed(level(), nothing(), Light(np.array([-1.0, -0.2, -0.6]) / 1.183, SUN, SKY, BOUNCE), (sphere,))[..., 0]
    assert out[150, 240] > 3 * out[150, 150] > 0
    assert out[150, 150] < SKY[0]
