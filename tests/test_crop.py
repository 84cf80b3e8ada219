"""The stored crop: where things land, what reduction keeps, and what lies outside the image."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pymaf_data.crop import make_crop
from pymaf_data.errors import ShapeError
from pymaf_data.geometry.affines import apply, crop_affine
from pymaf_data.geometry.boxes import CROP_RATIO
from pymaf_data.storage import encode_jpeg

SIZE = 200


def blob(height: int, width: int, centre: tuple[float, float], sigma: float) -> np.ndarray:
    """An image of one Gaussian spot whose centroid, in continuous pixels, is ``centre``."""
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    spot = np.outer(np.exp(-(((y - centre[1]) / sigma) ** 2) / 2), np.exp(-(((x - centre[0]) / sigma) ** 2) / 2))
    return np.repeat(np.round(250 * spot)[..., None], 3, axis=2).astype(np.uint8)


def centroid(picture: np.ndarray) -> np.ndarray:
    # The faint tails carry little light and most of the rounding to uint8.
    weights = np.maximum(picture[..., 0].astype(np.float64) - 40, 0)
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]] + 0.5
    return np.array([(x * weights).sum(), (y * weights).sum()]) / weights.sum()


def box_of(reduction: float, centre: tuple[float, float]) -> np.ndarray:
    """The box about ``centre`` whose crop reduces the image by ``reduction``."""
    return np.array([*centre, reduction * SIZE / CROP_RATIO])


@pytest.mark.parametrize("reduction", [0.31, 0.77, 1.0, 1.001, 1.37, 1.93, 2.0, 2.6, 3.5, 4.0, 7.3])
def test_a_spot_lands_where_the_affine_says(reduction: float) -> None:
    errors = []
    for shift in (0.0, 0.23, 0.61):
        spot = (301.4 + shift, 262.9 - shift)
        picture = blob(560, 640, spot, sigma=7.0 * max(reduction, 1.0))
        box = box_of(reduction, (spot[0] + 8.3 * reduction, spot[1] - 5.1 * reduction))
        errors.append(centroid(make_crop(picture, box, SIZE)) - apply(crop_affine(box, SIZE), [spot])[0])
    # What is left is OpenCV's grid of 1/32 px in the image, half a step of it, and a little rounding to uint8.
    assert np.abs(errors).max() < 0.02 * max(1.0, 1.0 / reduction)


@pytest.mark.parametrize("reduction", [1.6, 1.9, 2.5, 3.0, 4.8])
def test_reduction_averages_what_lies_under_a_pixel(reduction: float) -> None:
    """White noise falls with the number of pixels averaged, r²; bare bilinear sampling keeps most of it."""
    picture = np.random.default_rng(3).normal(128, 30, (1200, 1200, 3)).clip(0, 255).astype(np.uint8)
    box = box_of(reduction, (600.3, 600.4))
    inner = make_crop(picture, box, SIZE)[20:-20, 20:-20]
    bare = cv2.warpAffine(picture, crop_affine(box, SIZE), (SIZE, SIZE))[20:-20, 20:-20]
    assert inner.std() < 30 / reduction < 0.95 * bare.std()
    assert abs(inner.mean() - picture.mean()) < 1.0


@pytest.mark.parametrize("reduction", [1.25, 1.5, 2.0, 2.4, 3.3])
def test_reduction_agrees_with_exact_area_means(reduction: float) -> None:
    """Against the mean over each crop pixel's footprint, taken in float64 from a cumulative sum."""
    rng = np.random.default_rng(7)
    picture = cv2.GaussianBlur(rng.integers(0, 256, (700, 700, 3)).astype(np.uint8), (0, 0), 1.5 * reduction)
    box = box_of(reduction, (350.2, 349.1))
    left = -crop_affine(box, SIZE)[:, 2] * reduction
    total = np.zeros((701, 701))
    total[1:, 1:] = picture[..., 0].astype(np.float64).cumsum(0).cumsum(1)
    at = [left[a] + reduction * np.arange(SIZE + 1) for a in (0, 1)]
    table = _bilinear(total, at[0], at[1])
    exact = (table[1:, 1:] - table[1:, :-1] - table[:-1, 1:] + table[:-1, :-1]) / reduction**2
    assert np.abs(make_crop(picture, box, SIZE)[..., 0] - exact).mean() < 1.0


def _bilinear(table: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    rows = np.stack([np.interp(x, np.arange(table.shape[1]), row) for row in table])
    return np.stack([np.interp(y, np.arange(table.shape[0]), column) for column in rows.T], axis=1)


@pytest.mark.parametrize("reduction", [0.5, 1.0, 1.7, 2.5, 5.0])
def test_outside_of_the_image_is_black_and_its_edge_stays_in_place(reduction: float) -> None:
    picture = np.full((401, 303, 3), 200, np.uint8)
    crop = make_crop(picture, box_of(reduction, (0.0, 0.0)), SIZE)[..., 0].astype(float)
    middle = SIZE // 2
    assert not crop[: middle - 2].any() and not crop[:, : middle - 2].any()
    shown = min(SIZE - middle, int(303 / reduction))
    assert np.abs(crop[middle + 3 : middle + 20, middle + 3 : middle + shown - 3] - 200).max() <= 1
    # The light under a step is its length: the image's left edge lies on the centre of the crop.
    row = crop[middle + 10, : middle + 10]
    assert row.sum() / 200 == pytest.approx(10.0, abs=0.5 + 0.5 / max(reduction, 1.0))


@pytest.mark.parametrize("reduction", [1.5, 3.0, 4.4])
def test_the_far_edge_of_an_image_whose_size_no_cell_divides_stays_in_place(reduction: float) -> None:
    picture = np.full((301, 301, 3), 200, np.uint8)
    row = make_crop(picture, box_of(reduction, (301.0, 150.0)), SIZE)[SIZE // 2, :, 0].astype(float)
    assert row[SIZE // 2 - 20 :].sum() / 200 == pytest.approx(20.0, abs=0.5 / reduction)


def test_a_crop_beside_the_image_is_black() -> None:
    picture = np.full((40, 40, 3), 255, np.uint8)
    assert not make_crop(picture, (500.0, -300.0, 30.0), SIZE).any()


def test_a_crop_at_the_image_s_own_scale_is_the_image() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)
    assert np.array_equal(make_crop(picture, box_of(1.0, (SIZE / 2, SIZE / 2)), SIZE), picture)


@settings(max_examples=60)
@given(st.integers(1, 90), st.integers(1, 90), st.floats(-500, 500), st.floats(-500, 500), st.floats(0.01, 5000))
def test_any_box_on_any_image_gives_a_crop(height: int, width: int, cx: float, cy: float, side: float) -> None:
    crop = make_crop(np.full((height, width, 3), 9, np.uint8), (cx, cy, side), 32)
    assert crop.shape == (32, 32, 3) and crop.dtype == np.uint8 and crop.max() <= 9


def test_an_image_wider_than_opencv_can_warp_is_cut_first() -> None:
    picture = np.zeros((20, 40_000, 3), np.uint8)
    picture[:, 39_000:] = 100
    assert make_crop(picture, (39_500.0, 10.0, 60.0), 64)[32, 32, 0] == 100


@pytest.mark.parametrize(
    "picture",
    [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 4), np.uint8), np.zeros((5, 5, 3), np.float32)],
    ids=["grey", "four channels", "float"],
)
def test_what_is_no_image_is_refused(picture: np.ndarray) -> None:
    with pytest.raises(ShapeError, match=r"^image "):
        make_crop(picture, (2.0, 2.0, 3.0), 16)


@pytest.mark.parametrize("reduction", [0.7, 1.4, 2.6, 3.3])
def test_of_an_image_that_is_turned_round_the_crop_is_so_too_and_its_stream_the_same(reduction: float) -> None:
    picture = np.random.default_rng(5).integers(0, 256, (400, 500, 3), np.uint8)
    turned = np.ascontiguousarray(picture[..., ::-1])[..., ::-1]
    assert turned.strides[2] == -1
    for centre in ((250.3, 199.8), (20.0, 380.0)):
        box = box_of(reduction, centre)
        crop, plain = make_crop(turned, box, SIZE), make_crop(picture, box, SIZE)
        np.testing.assert_array_equal(crop, plain)
        assert crop.strides[2] == -1, "copied"
        assert encode_jpeg(crop) == encode_jpeg(plain) == encode_jpeg(np.asfortranarray(plain))
