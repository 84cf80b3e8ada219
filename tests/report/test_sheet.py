"""Panels and their layout: what is drawn lands where the geometry says."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pymaf_data.geometry.affines import apply
from pymaf_data.geometry.joints import J49
from pymaf_data.report.panels import PANEL, draw_box, draw_keypoints, fit_into_panel, side_view
from pymaf_data.report.sheet import SheetRow, compose_sheet, save_sheet


@pytest.mark.parametrize("shape", [(480, 640), (640, 480), (50, 30), (256, 256)])
def test_a_marker_moves_with_its_image(shape: tuple[int, int]) -> None:
    picture = np.zeros((*shape, 3), np.uint8)
    y, x = shape[0] // 3, shape[1] // 2
    picture[y - 4 : y + 4, x - 4 : x + 4] = 255
    panel, affine = fit_into_panel(picture)
    assert panel.shape == (PANEL, PANEL, 3)
    expected = apply(affine, np.array([[x, y]], np.float64))[0]
    white = (panel[..., 0] > 128) & (panel[..., 0] != 245)
    found = np.argwhere(white).mean(0)[::-1] + 0.5
    assert np.abs(found - expected).max() < 0.75


def test_the_box_is_drawn_around_its_centre() -> None:
    panel = np.zeros((PANEL, PANEL, 3), np.uint8)
    drawn = draw_box(panel, np.array([100.0, 120, 60]), np.array([[1.0, 0, 0], [0, 1, 0]]))
    rows, columns = np.nonzero(drawn[..., 0])
    assert (rows.min() + rows.max()) / 2 == pytest.approx(120, abs=1)
    assert (columns.min() + columns.max()) / 2 == pytest.approx(100, abs=1)
    assert np.ptp(columns) == pytest.approx(60, abs=4)


def test_sides_have_their_colours_and_the_unlabelled_is_not_drawn() -> None:
    keypoints = np.zeros((49, 3))
    keypoints[J49.index("left_wrist")] = (60, 60, 1)
    keypoints[J49.index("right_wrist")] = (180, 60, 1)
    keypoints[J49.index("nose")] = (120, 200, 0)
    drawn = draw_keypoints(np.zeros((PANEL, PANEL, 3), np.uint8), keypoints)
    left, right = drawn[60, 60].astype(int), drawn[60, 180].astype(int)
    assert left[2] > left[0]  # blue: the person's left
    assert right[0] > right[2]  # orange: the person's right
    assert not drawn[190:210, 110:130].any()


def test_the_side_view_is_from_the_images_left() -> None:
    """Two cubes: what is far from the camera lies on the left hand of who looks along the image from its left."""
    corner = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([side for a, b, c, d in quads for side in ((a, b, c), (a, c, d))])
    far, near = 0.3 * corner + (0, 0, 0.6), 0.1 * corner - (0, 0, 0.6)
    camera = np.array([[80.0, 0, 0, 128], [0, 80, 0, 128], [0, 0, 0, 1]])
    panel = side_view(np.concatenate([far, near]), np.concatenate([faces, faces + 8]), camera, (200, 30, 30))
    drawn = (panel != 245).any(-1)
    assert drawn[:, :128].sum() > 5 * drawn[:, 128:].sum() > 0
    assert (panel[drawn][:, 0].astype(int) > panel[drawn][:, 1]).mean() > 0.9, "in its colour"


def test_a_sheet_shows_every_panel_and_says_where_none_is(tmp_path: Path) -> None:
    red = np.zeros((PANEL, PANEL, 3), np.uint8)
    red[..., 0] = 255
    rows = [SheetRow("one", {"a": red}), SheetRow("two", {"b": red})]
    sheet = compose_sheet("title", ["a", "b"], rows)
    assert ((sheet == (255, 0, 0)).all(-1)).sum() == 2 * PANEL * PANEL
    path = save_sheet(sheet, tmp_path / "deep" / "sheet.png")
    again = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    assert np.array_equal(again, sheet)
    assert [entry.name for entry in path.parent.iterdir()] == ["sheet.png"]
