"""``schemas/*.schema.json`` say what the code says, and describe what the code writes."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def export() -> ModuleType:
    import importlib.util

    path = REPOSITORY / "tools" / "export_schemas.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_schema_drifted_from_the_code(export: ModuleType) -> None:
    assert export.stale() == [], "run: python tools/export_schemas.py"


def test_drift_would_be_found(export: ModuleType, tmp_path: Path) -> None:
    for path, text in export.schema_files(tmp_path).items():
        path.write_text(text, encoding="utf-8")
    assert export.stale(tmp_path) == []
    (tmp_path / "person_record.schema.json").write_text("{}")
    (tmp_path / "manifest.schema.json").unlink()
    (tmp_path / "dream.schema.json").write_text("{}")
    assert len(export.stale(tmp_path)) == 3


def test_every_key_of_a_shipped_manifest_is_described() -> None:
    from pymaf_data.sources import load_manifest

    schema = json.loads((REPOSITORY / "schemas" / "manifest.schema.json").read_text())
    assert set(load_manifest("coco").model_dump()) == set(schema["properties"])
    assert schema["additionalProperties"] is False
