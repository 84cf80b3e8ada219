"""The contact sheet is drawn once, and again when what it shows has changed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from pymaf_data.datasets import one_image
from pymaf_data.model.preview import _images, contact_sheet
from pymaf_data.report.options import SheetOptions


def test_a_sheet_is_drawn_once_until_what_it_shows_changes(pipeline: Any, tmp_path: Path) -> None:
    options = SheetOptions(store=pipeline.store.path, out=tmp_path / "sheet.png", persons=2)
    assert contact_sheet(options).drawn
    first = options.out.read_bytes()
    assert not contact_sheet(options).drawn
    more = contact_sheet(options.model_copy(update={"persons": 3}))
    assert more.drawn
    assert options.out.read_bytes() != first
    options.out.with_suffix(".json").write_text("{")
    assert contact_sheet(options).drawn, "a damaged record has the sheet drawn again"
    assert options.out.read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sheet.json", "sheet.png"]


def test_original_images_lie_where_ingest_finds_them(tmp_path: Path) -> None:
    """A split's folder may be a link to another disk, which only the data set's own reader knows."""
    raw, disk = tmp_path / "raw", tmp_path / "disk"
    for folder in (raw, disk):
        folder.mkdir()
    cv2.imwrite(str(disk / "a.png"), np.full((30, 40, 3), 7, np.uint8))
    store: Any = SimpleNamespace(head={"dataset": "coco", "split": "train"})
    for dataset, folder in (("", "train2014"), ("mpii", "images")):
        (raw / folder).symlink_to(disk)
        options = SheetOptions(store=tmp_path, out=tmp_path / "sheet.png", raw=raw, dataset=dataset)
        with _images(store, options) as images:
            assert images is not None
            assert np.array_equal(one_image(images, f"{folder}/a.png", (40, 30)), np.full((30, 40, 3), 7))
    with _images(store, SheetOptions(store=tmp_path, out=tmp_path / "sheet.png")) as images:
        assert images is None
