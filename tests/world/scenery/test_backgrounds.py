from __future__ import annotations

import logging

import cv2
import numpy as np
import pytest

from pymaf_data.errors import RawDataMissing
from pymaf_data.world.scenery import open_backgrounds, paint
from pymaf_data.world.view import View

SPOTS = np.array([[0.0, -3.0, 0.5]])


def turn_x(degrees: float) -> np.ndarray:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def view() -> View:
    intrinsics = np.array([[140.0, 0, 80], [0, 140.0, 60], [0, 0, 1]])
    return View(intrinsics, turn_x(10.0) @ np.diag([1.0, -1.0, -1.0]), np.array([0.0, 1.5, 0.0]), (160, 120))


def save(path, picture) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())


def test_pictures_of_any_shape_fill_the_frame(tmp_path):
    for number, shape in enumerate([(50, 400), (500, 60), (120, 160), (33, 33)]):
        save(tmp_path / f"{number}.png", np.full((*shape, 3), (0, 0, 255), np.uint8))  # OpenCV's red
    backgrounds = open_backgrounds(tmp_path)
    assert [path.name for path in backgrounds.paths] == ["0.png", "1.png", "2.png", "3.png"]
    for seed in range(8):
        shown = paint(backgrounds.draw_place(np.random.default_rng(seed), SPOTS), view())
        np.testing.assert_allclose(shown.albedo.reshape(-1, 3), np.tile([1.0, 0, 0], (160 * 120, 1)), atol=1e-3)


def test_the_unseen_ground_catches_shadows_below_the_horizon(tmp_path):
    save(tmp_path / "one.jpg", np.full((90, 120, 3), 188, np.uint8))
    shown = paint(open_backgrounds(tmp_path).draw_place(np.random.default_rng(0), SPOTS), view())
    assert not shown.lit.any()
    np.testing.assert_allclose(shown.albedo, 0.5, atol=0.02)  # sRGB 188 is half the light
    assert shown.catches is not None and shown.catches[-1].all() and not shown.catches[0].any()
    points = shown.point[shown.catches].astype(np.float64)
    assert np.abs(points[:, 1]).max() < 1e-3
    x, y = np.meshgrid(np.arange(160) + 0.5, np.arange(120) + 0.5)
    pixels = view().project(view().to_camera(points))
    np.testing.assert_allclose(pixels, np.stack([x, y], -1)[shown.catches], atol=0.05)


def test_what_cannot_be_read_is_named_and_left_out(tmp_path, caplog):
    save(tmp_path / "b" / "good.jpg", np.zeros((64, 64, 3), np.uint8))
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not looked at")
    save(tmp_path / "dot.png", np.zeros((4, 4, 3), np.uint8))
    with caplog.at_level(logging.WARNING):
        found = open_backgrounds(tmp_path)
    assert [path.name for path in found.paths] == ["good.jpg"]
    assert all(name in caplog.text for name in ("broken.jpg", "empty.png", "dot.png")) and "notes" not in caplog.text


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(RawDataMissing, match="is no folder"):
        open_backgrounds(tmp_path / "nowhere")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(RawDataMissing, match="1 tried"):
        open_backgrounds(tmp_path)


def test_a_picture_that_goes_away_is_named(tmp_path):
    save(tmp_path / "one.jpg", np.zeros((64, 64, 3), np.uint8))
    found = open_backgrounds(tmp_path)
    (tmp_path / "one.jpg").unlink()
    with pytest.raises(RawDataMissing, match=r"one\.jpg"):
        found.draw_place(np.random.default_rng(0), SPOTS)
