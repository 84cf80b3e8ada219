from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from pymaf_data.world.develop import Exposure, develop, draw_exposure, encode

PLAIN = Exposure(
    stops=0.0, balance=(1.0, 1.0, 1.0), contrast=1.0, saturation=1.0, vignette=0.0, fringe=0.0, softness=0.3,
    shake=(0.0, 0.0), noise=0.0, shadow_noise=0.0, quality=90, coarse_colour=True,
)  # fmt: skip


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def cross(side: int = 301) -> np.ndarray:
    """Symmetric about its centre: a bright dot and rings."""
    y, x = np.mgrid[:side, :side] - side // 2
    grey = 0.15 + 0.5 * (np.hypot(x, y) < 9) + 0.3 * (np.abs(x) % 20 < 2)
    return np.repeat(grey[..., None], 3, -1).astype(np.float32)


@pytest.mark.parametrize(
    "change",
    [{"shake": (2.6, 1.1)}, {"shake": (-0.7, 2.2)}, {"softness": 1.4}, {"fringe": 0.0012}, {"vignette": 0.3}],
    ids=str,
)
def test_whatever_the_lens_does_the_middle_stays_in_the_middle(change):
    """A picture that looks the same turned by 180° still does, so no keypoint moves."""
    exposure = replace(PLAIN, **change)
    picture = develop(rng(), cross(), exposure).astype(int)
    # A fringe is shifted in steps of 1/32 pixel.
    assert np.abs(picture - picture[::-1, ::-1]).max() <= (5 if exposure.fringe else 1)
    assert (picture != develop(rng(), cross(), PLAIN)).mean() > 0.02  # the change can be seen


@pytest.mark.parametrize("brightness", [1e-3, 0.05, 1.0, 40.0])
def test_pictures_are_neither_black_nor_burnt(brightness):
    scene = rng().gamma(2.0, 0.15, (120, 160, 3)).astype(np.float32) * np.float32(brightness)
    grey = develop(rng(), scene, PLAIN)
    assert 70 < grey.mean() < 170
    assert (grey >= 254).mean() < 0.08 and (grey <= 2).mean() < 0.08


def test_a_bright_sky_does_not_leave_the_ground_black():
    scene = np.full((120, 160, 3), 0.06, np.float32)
    scene[:50] = 1.0
    shown = develop(rng(), scene, PLAIN)
    assert shown[100].mean() > 45 and shown[10].mean() > 225


def test_black_light_and_hot_pixels_survive():
    assert develop(rng(), np.zeros((64, 64, 3), np.float32), PLAIN).shape == (64, 64, 3)
    scene = np.full((64, 64, 3), 0.2, np.float32)
    scene[5, 5] = 1e6
    assert develop(rng(), scene, PLAIN)[5, 5].min() >= 250


def test_tone_rises_with_light():
    ramp = np.repeat(np.linspace(0, 4, 256, dtype=np.float32)[None, :, None], 64, 0).repeat(3, -1)
    tones = develop(rng(), ramp, PLAIN)[32, :, 0].astype(int)
    assert (np.diff(tones) >= 0).all() and len(np.unique(tones)) > 80


def test_noise_is_what_was_asked_for_and_comes_from_chance():
    flat = np.full((200, 200, 3), 0.2, np.float32)
    calm, rough = develop(rng(), flat, PLAIN), develop(rng(), flat, replace(PLAIN, noise=0.05))
    assert calm.std() < 0.6
    assert 1.5 < rough.std() < 12
    assert abs(float(rough.mean()) - float(calm.mean())) < 1.0
    other = develop(np.random.default_rng(4), flat, replace(PLAIN, noise=0.05))
    assert not np.array_equal(rough, other)
    assert np.array_equal(rough, develop(rng(), flat, replace(PLAIN, noise=0.05)))


def test_black_and_white_is_grey():
    scene = rng().random((64, 64, 3)).astype(np.float32)
    shown = develop(rng(), scene, replace(PLAIN, saturation=0.0, noise=0.03))
    assert np.ptp(shown.astype(int), axis=-1).max() <= 1


def test_cameras_differ_and_stay_within_reason():
    drawn = [draw_exposure(np.random.default_rng(k), kind) for k in range(150) for kind in ("living room", "street")]
    assert {60 <= e.quality <= 97 for e in drawn} == {True}
    assert len({e.quality for e in drawn}) > 25
    assert any(np.hypot(*e.shake) > 1 for e in drawn) and sum(np.hypot(*e.shake) == 0 for e in drawn) > 100
    indoors, outdoors = (np.mean([e.noise for e in drawn[start::2]]) for start in (0, 1))
    assert indoors > 1.3 * outdoors


def test_files_are_jpegs_of_their_quality():
    scene = cv2.resize(rng().random((12, 16, 3)).astype(np.float32), (160, 120))
    picture = develop(rng(), scene, replace(PLAIN, noise=0.05))
    sizes = []
    for quality in (60, 80, 97):
        data = encode(picture, replace(PLAIN, quality=quality))
        back = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert back.shape == picture.shape
        assert np.abs(back.astype(int) - picture).mean() < 12
        sizes.append(len(data))
    assert sizes == sorted(sizes) and sizes[-1] > 1.5 * sizes[0]
