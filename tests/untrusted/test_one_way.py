"""Files of others are read in one room."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
OTHERS = re.compile(
    r"\bnp\.(load|fromfile|memmap)\(|\bpickle\.(loads?|Unpickler)\b|\bloadmat\(|\byaml\.\w*load|^import yaml",
    re.M,
)


def test_no_other_room_reads_pickles_arrays_matlab_files_or_yaml() -> None:
    paths = [path for room in ("pymaf_data", "model", "flows") for path in (REPOSITORY / room).rglob("*.py")]
    assert len(paths) > 200
    elsewhere = [path for path in paths if path.parent.name != "untrusted" and OTHERS.search(path.read_text("utf-8"))]
    assert elsewhere == []
    assert any(OTHERS.search(path.read_text("utf-8")) for path in paths), "the pattern finds nothing at all"
