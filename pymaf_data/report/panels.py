"""The panels of a contact sheet: each turns one thing that a store or a network knows into an image.

Every panel is (P, P, 3) uint8 RGB with P = :data:`PANEL` pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from pymaf_data.geometry.joints import J49

if TYPE_CHECKING:
    from pymaf_data.geometry.cameras import Camera

Image = NDArray[np.uint8]

PANEL = 256
"""Side of a panel in pixels."""

_SIDE_COLOUR = {"left": (64, 200, 255), "right": (255, 120, 64), "": (250, 250, 120)}
_PAPER = 245


def fit_into_panel(image: Image) -> tuple[Image, NDArray[np.float64]]:
    """The whole image centred in a panel, and the affine (2, 3) from its continuous pixels to the panel's."""
    height, width = image.shape[:2]
    scale = PANEL / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = (PANEL - size[0]) // 2, (PANEL - size[1]) // 2
    panel = np.full((PANEL, PANEL, 3), _PAPER, np.uint8)
    panel[top : top + size[1], left : left + size[0]] = small
    return panel, np.array([[size[0] / width, 0, left], [0, size[1] / height, top]], np.float64)


def resize_panel(image: Image) -> Image:
    """A square image at the panel's size."""
    smooth = cv2.INTER_AREA if image.shape[0] > PANEL else cv2.INTER_LINEAR
    resized = cv2.resize(image, (PANEL, PANEL), interpolation=smooth)
    return np.asarray(resized, np.uint8)


def draw_box(panel: Image, box: NDArray[np.float64], affine: NDArray[np.float64]) -> Image:
    """The person's box (cx, cy, side in image pixels) drawn on the image's panel."""
    centre, side = affine[:, :2] @ box[:2] + affine[:, 2], box[2] * affine[0, 0]
    corner = [tuple(round(value) for value in centre + sign * side / 2) for sign in (-1, 1)]
    drawn = panel.copy()
    cv2.rectangle(drawn, corner[0], corner[1], (255, 80, 80), 2, cv2.LINE_AA)
    return drawn


def draw_keypoints(panel: Image, keypoints: NDArray[np.float64]) -> Image:
    """Labelled J49 keypoints (49, 3: panel pixels, confidence) with their bones; the person's right side is orange."""
    drawn = panel.copy()
    seen = keypoints[:, 2] > 0
    for first, second in J49.edge_indices:
        if seen[first] and seen[second]:
            cv2.line(drawn, _pixel(keypoints[first]), _pixel(keypoints[second]), (255, 255, 255), 1, cv2.LINE_AA)
    for index, name in enumerate(J49.joints):
        if seen[index]:
            cv2.circle(drawn, _pixel(keypoints[index]), 3, _colour(name), -1, cv2.LINE_AA)
    return drawn


def side_view(
    vertices: NDArray[np.float64],
    faces: NDArray[np.int64],
    camera_matrix: NDArray[np.float64],
    colour: tuple[int, int, int] | None = None,
) -> Image:
    """The body from the image's left: turned by 90° about the vertical through its centre, at the crop's scale.

    Args:
        vertices: (V, 3) camera-space metres.
        faces: (F, 3).
        camera_matrix: (3, 4) of the panel, for the scale alone.
        colour: of the body; None for the neutral one.
    """
    import torch

    from pymaf_data.geometry.cameras import Camera
    from pymaf_data.render import SKIN, overlay

    centre = vertices.mean(0)
    turned = (vertices - centre) @ np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]]).T
    depth = camera_matrix[2, :3] @ centre + camera_matrix[2, 3]
    scale = float(np.linalg.norm(camera_matrix[1, :3]) / depth)
    half = PANEL / 2
    matrix = np.array([[scale, 0, 0, half], [0, scale, 0, half], [0, 0, 0, 1.0]])
    camera = Camera(torch.from_numpy(matrix[None]), orthographic=True)
    return overlay(np.full((PANEL, PANEL, 3), _PAPER, np.uint8), turned, faces, camera, colour or SKIN)


def overlay_body(panel: Image, vertices: NDArray[np.float64], faces: NDArray[np.int64], camera: Camera) -> Image:
    """The body (V, 3 camera-space metres) shaded over the panel through a camera of the panel's pixels."""
    from pymaf_data.render import overlay

    return overlay(panel, vertices, faces, camera, alpha=0.9)


def message_panel(text: str) -> Image:
    """An empty panel that says why it is empty."""
    panel = np.full((PANEL, PANEL, 3), _PAPER, np.uint8)
    for row, line in enumerate(text.split("\n")):
        cv2.putText(panel, line, (12, 120 + 20 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (120, 120, 120), 1, cv2.LINE_AA)
    return panel


def labelled(panel: Image, text: str) -> Image:
    """The panel with lines of ASCII at its foot, legible over whatever it shows."""
    drawn = panel.copy()
    for row, line in enumerate(reversed(text.split("\n"))):
        for colour, weight in (((25, 25, 25), 4), ((255, 255, 255), 1)):
            place = (8, PANEL - 10 - 20 * row)
            cv2.putText(drawn, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, weight, cv2.LINE_AA)
    return drawn


def _pixel(point: NDArray[np.float64]) -> tuple[int, int]:
    # OpenCV draws at pixel indices; the centre of index i is i + ½.
    return round(point[0] - 0.5), round(point[1] - 0.5)


def _colour(name: str) -> tuple[int, int, int]:
    plain = name.rpartition(":")[2]
    return _SIDE_COLOUR[plain.partition("_")[0] if plain.startswith(("left_", "right_")) else ""]
