"""The contact sheet is drawn once, and again when what it shows has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pymaf_data.model.preview import SheetOptions, contact_sheet


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
