"""The contact sheet: one row a person, one column a step of the pipeline, as one PNG that eyes judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from pymaf_data.report.panels import PANEL, Image, message_panel
from pymaf_data.storage.files import LocalFiles

_GAP, _HEAD, _CAPTION = 6, 34, 22
_PAPER, _INK = 255, (40, 40, 40)


@dataclass
class SheetRow:
    """One person: a caption and a panel per column title; a column that a person lacks shows why."""

    caption: str
    panels: dict[str, Image] = field(default_factory=dict)


def compose_sheet(title: str, columns: Sequence[str], rows: Sequence[SheetRow]) -> Image:
    """Lay the panels out under their column titles.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    width = len(columns) * (PANEL + _GAP) + _GAP
    row_height = PANEL + _CAPTION + _GAP
    sheet = np.full((2 * _HEAD + max(1, len(rows)) * row_height, width, 3), _PAPER, np.uint8)
    _write(sheet, title, (_GAP, 24), 0.65, 2)
    for column, name in enumerate(columns):
        _write(sheet, name, (_GAP + column * (PANEL + _GAP), _HEAD + 22), 0.5, 1)
    for index, row in enumerate(rows):
        top = 2 * _HEAD + index * row_height
        for column, name in enumerate(columns):
            left = _GAP + column * (PANEL + _GAP)
            panel = row.panels.get(name)
            sheet[top : top + PANEL, left : left + PANEL] = message_panel("none") if panel is None else panel
        _write(sheet, row.caption, (_GAP, top + PANEL + 16), 0.45, 1)
    return sheet


def save_sheet(sheet: Image, path: Path) -> Path:
    """Write the sheet as PNG, whole or not at all.

    Raises:
        DiskFull: no room.
    """
    _, data = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    LocalFiles(path.parent).write({path.name: [data.tobytes()]}, temporary="")
    return path


def _write(sheet: Image, text: str, origin: tuple[int, int], size: float, weight: int) -> None:
    # OpenCV's stroke fonts hold ASCII alone.
    plain = text.encode("ascii", "replace").decode("ascii")
    cv2.putText(sheet, plain, origin, cv2.FONT_HERSHEY_SIMPLEX, size, _INK, weight, cv2.LINE_AA)
