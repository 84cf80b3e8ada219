from __future__ import annotations

import numpy as np
import pytest

from pymaf_data.geometry import affines
from pymaf_data.loader.images import gain_rows, reductions, scale_channels, warp_view


def view_of(crop: np.ndarray, scale: float, rotation: float = 0.0, flip: bool = False) -> np.ndarray:
    to_view = affines.compose(affines.augmentation_affine(scale, rotation, flip), affines.crop_to_view(len(crop)))
    out = np.full((224, 224, 3), 77, np.uint8)
    warp_view(crop, affines.to_cv2(to_view), reductions(to_view), out, np.empty_like(crop))
    return out


def test_channels_are_scaled_rounded_and_cut_at_white() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (224, 224, 3)).astype(np.uint8)
    gain = np.array([0.6, 1.0, 1.4])
    expected = np.minimum(picture * gain, 255)
    scale_channels(picture, gain_rows(gain[None], 224)[0])
    # Gains are taken in steps of 1/128: at most half a step of 255, and the rounding.
    assert np.abs(picture - expected).max() <= 255 / 256 + 0.5
    assert (picture[..., 1] == expected[..., 1]).all()
    levels = np.tile(np.arange(256, dtype=np.uint8)[:, None, None], (1, 2, 3))
    exact, whole = levels * np.array([77, 128, 179]) / 128, levels.copy()
    scale_channels(whole, gain_rows(np.array([[77, 128, 179]]) / 128, 2)[0])
    assert (np.abs(whole - np.minimum(exact, 255)) <= 0.5).all(), "rounded, not cut off"


def test_the_largest_gain_does_not_overflow() -> None:
    picture = np.full((2, 2, 3), 255, np.uint8)
    scale_channels(picture, gain_rows(np.array([[1.999, 1.999, 0.0]]), 2)[0])
    assert picture[0, 0].tolist() == [255, 255, 0]


@pytest.mark.parametrize("scale", [0.75, 1.0, 1.25])
def test_an_even_image_stays_even(scale: float) -> None:
    assert (view_of(np.full((400, 400, 3), 130, np.uint8), scale, 0.5, True) == 130).all()


def test_a_reduced_view_has_no_moire() -> None:
    """Stripes of one pixel are grey from afar; bare bilinear sampling beats against them."""
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    view = view_of(stripes, 1.25).astype(float)
    assert view.std() < 30
    assert view.mean() == pytest.approx(127.5, abs=1)


def test_what_the_crop_does_not_reach_is_black() -> None:
    out = view_of(np.full((400, 400, 3), 200, np.uint8), 2.0)
    assert (out[0] == 0).all()
    assert (out[112, 112] == 200).all()
