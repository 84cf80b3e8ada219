"""Views put back into images at whole pixels, against Pillow and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pymaf_data.geometry.uncrop import uncrop


def test_by_hand() -> None:
    view = np.array([[1, 2], [3, 4]])
    assert uncrop(view, np.array([1, 0, 5, 2]), (6, 3), -1).tolist() == [
        [-1, 1, 1, 2, 2, -1],
        [-1, 3, 3, 4, 4, -1],
        [-1] * 6,
    ]
    # Three pixels of two: centres ⅓, 1, 1⅔ of the view; 1 is the second's.
    assert uncrop(view, np.array([0, 0, 3, 1]), (3, 1)).tolist() == [[3, 4, 4]]
    half_outside = uncrop(view, np.array([-2, -1, 2, 1]), (3, 2))
    assert half_outside.tolist() == [[4, 4, 0], [0, 0, 0]]


@pytest.mark.parametrize("cut", [(-9, 0, -5, 4), (3, 0, 7, 4), (0, 2, 3, 9), (1, 1, 1, 2), (2, 2, 1, 1)])
def test_a_cut_without_a_pixel_of_the_image_shows_nothing(cut: tuple[int, ...]) -> None:
    assert not uncrop(np.ones((2, 2)), np.array(cut), (3, 2)).any()


def test_a_view_enlarged_beyond_all_use_takes_no_more_than_its_image() -> None:
    found = uncrop(np.eye(2, dtype=np.uint8), np.array([-(10**12), -(10**12), 10**12, 10**12]), (4, 4))
    assert found.tolist() == np.eye(4).tolist() or found.tolist() == np.ones((4, 4)).tolist()


def test_nearest_is_pillows() -> None:
    image = pytest.importorskip("PIL.Image")
    view = np.arange(224, dtype=np.uint8)[None].repeat(3, 0)
    for side in range(1, 700):
        want = np.array(image.fromarray(view).resize((side, 3), image.NEAREST))
        np.testing.assert_array_equal(uncrop(view, np.array([0, 0, side, 3]), (side, 3)), want)
