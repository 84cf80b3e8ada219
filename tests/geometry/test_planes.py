"""Boxes and affines."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pymaf_data.errors import ShapeError
from pymaf_data.geometry import affines, boxes

boxes_any = st.tuples(st.floats(-500, 1500), st.floats(-500, 1500), st.floats(1, 3000)).map(np.array)
scales = st.floats(0.75, 1.25)
turns = st.floats(-np.pi / 3, np.pi / 3)
POINTS = np.array([[0.0, 0.0], [112.0, 112.0], [10.5, 200.25], [-30.0, 260.0]])


def test_a_box_covers_its_bounding_box() -> None:
    box = boxes.box_from_xywh([[100, 50, 80, 160], [0, 0, 30, 10]])
    np.testing.assert_allclose(box, [[140, 130, 192], [15, 5, 36]])
    np.testing.assert_allclose(boxes.crop_side(192.0), 339.4112549695428)


@given(boxes_any)
def test_the_view_shows_the_box_from_border_to_border(box: np.ndarray) -> None:
    corners = box[:2] + box[2] / 2 * np.array([[-1, -1], [1, 1]])
    np.testing.assert_allclose(affines.apply(affines.view_affine(box), corners), [[0, 0], [224, 224]], atol=1e-7)
    corners = box[:2] + boxes.CROP_RATIO * box[2] / 2 * np.array([[-1, -1], [1, 1]])
    np.testing.assert_allclose(affines.apply(affines.crop_affine(box, 512), corners), [[0, 0], [512, 512]], atol=1e-7)


@settings(max_examples=50)
@given(boxes_any, scales, turns, st.booleans())
def test_inverse_undoes_and_order_of_composition_is_outer_after_inner(
    box: np.ndarray, scale: float, turn: float, flip: bool
) -> None:
    view, moved = affines.view_affine(box), affines.augmentation_affine(scale, turn, flip)
    both = affines.compose(moved, view)
    points = box[:2] + (POINTS - 112) * box[2] / 224
    np.testing.assert_allclose(
        affines.apply(both, points), affines.apply(moved, affines.apply(view, points)), atol=1e-8
    )
    np.testing.assert_allclose(affines.apply(affines.invert(both), affines.apply(both, points)), points, atol=1e-7)
    np.testing.assert_allclose(affines.compose(affines.invert(moved), moved), np.eye(2, 3), atol=1e-11)


def test_the_order_of_the_steps_is_scale_then_turn_then_flip() -> None:
    """A quarter turn takes the right of the image down; the flip then has nothing left to mirror there."""
    point = np.array([[112.0 + 50, 112.0]])
    quarter = np.pi / 2
    np.testing.assert_allclose(affines.apply(affines.augmentation_affine(2.0, quarter, True), point), [[112, 137]])
    np.testing.assert_allclose(affines.apply(affines.augmentation_affine(1.0, 0.0, True), point), [[62, 112]])


@given(scales, turns)
def test_flip_twice_is_identity_and_a_flip_reverses_the_turn(scale: float, turn: float) -> None:
    flip = affines.augmentation_affine(1.0, 0.0, True)
    np.testing.assert_allclose(affines.compose(flip, flip), np.eye(2, 3), atol=1e-12)
    flip_first = affines.compose(affines.augmentation_affine(scale, -turn, False), flip)
    np.testing.assert_allclose(affines.augmentation_affine(scale, turn, True), flip_first, atol=1e-10)


@given(st.floats(0.75, 1.25), st.floats(-np.pi, np.pi), st.booleans())
def test_every_augmented_view_lies_inside_the_stored_crop(scale: float, turn: float, flip: bool) -> None:
    way_back = affines.invert(
        affines.compose(affines.augmentation_affine(scale, turn, flip), affines.crop_to_view(400))
    )
    corners = affines.apply(way_back, [[0, 0], [224, 0], [0, 224], [224, 224]])
    assert corners.min() > -1e-9
    assert corners.max() < 400 + 1e-9


def test_the_widest_turn_reaches_the_border_of_the_crop() -> None:
    """κ is no larger than it must be."""
    way_back = affines.invert(
        affines.compose(affines.augmentation_affine(1.25, np.pi / 4, False), affines.crop_to_view())
    )
    corners = affines.apply(way_back, [[0, 0], [224, 0], [0, 224], [224, 224]])
    np.testing.assert_allclose([corners.min(), corners.max()], [0, 400], atol=1e-9)


def test_batches_broadcast() -> None:
    box = np.array([[10.0, 20, 30], [40, 50, 60]])
    batch = affines.compose(affines.augmentation_affine([1, 1.2], [0, 0.3], [True, False]), affines.view_affine(box))
    assert batch.shape == (2, 2, 3)
    single = affines.compose(affines.augmentation_affine(1.2, 0.3, False), affines.view_affine(box[1]))
    np.testing.assert_allclose(batch[1], single, atol=1e-12)
    np.testing.assert_allclose(affines.invert(batch)[1], affines.invert(single), atol=1e-12)
    assert affines.apply(batch, POINTS).shape == (2, 4, 2)


@pytest.mark.parametrize("ratio", [2, 4])
def test_opencv_sees_pixel_centres_where_the_contract_has_them(ratio: int) -> None:
    """An image enlarged by ``to_cv2`` has every pixel's value spread evenly about the enlarged pixel's centre."""
    picture = np.zeros((8, 8), np.float32)
    picture[3, 5] = 1.0
    size = 8 * ratio
    large = cv2.warpAffine(picture, affines.to_cv2(affines.resize(8, size)), (size, size), flags=cv2.INTER_LINEAR)
    rows, columns = np.mgrid[:size, :size] + 0.5
    centre = [(large * columns).sum() / large.sum(), (large * rows).sum() / large.sum()]
    np.testing.assert_allclose(centre, [5.5 * ratio, 3.5 * ratio], atol=1e-5)


def test_opencv_mirrors_exactly() -> None:
    picture = np.arange(224 * 224, dtype=np.uint32).astype(np.uint8).reshape(224, 224)
    flip = affines.to_cv2(affines.augmentation_affine(1.0, 0.0, True))
    np.testing.assert_array_equal(cv2.warpAffine(picture, flip, (224, 224)), picture[:, ::-1])


@pytest.mark.parametrize("box", [[1.0, 2.0], [1.0, 2.0, 0.0], [1.0, 2.0, -3.0], [np.nan, 2.0, 3.0], 5.0])
def test_a_box_that_is_none_is_refused(box: object) -> None:
    with pytest.raises(ShapeError, match="Expected"):
        affines.view_affine(box)  # type: ignore[arg-type]


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ShapeError):
        boxes.box_from_xywh([1.0, 2.0, 3.0])
    with pytest.raises(ShapeError):
        affines.apply(np.eye(3), POINTS)
    with pytest.raises(ShapeError):
        affines.apply(np.eye(2, 3), POINTS[0])
    with pytest.raises(ShapeError, match="singular"):
        affines.invert(np.zeros((2, 3)))
