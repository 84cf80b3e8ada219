"""``schemas/*.schema.json`` say what the code says, and describe what the code writes."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from pymaf_data.datasets.columns import PERSON_COLUMNS
from pymaf_data.fits.choice import choice_specs
from pymaf_data.fits.table import fit_specs
from pymaf_data.stages.ingest_shard import array_specs
from pymaf_data.stages.iuv_shard import map_specs
from pymaf_data.storage import ArraySpec

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
    pinned = re.search(r"^pydantic==(.+)$", (REPOSITORY / "constraints.txt").read_text(), re.MULTILINE)
    if pinned is None or pinned[1] != version("pydantic"):
        pytest.skip(f"pydantic {version('pydantic')} words schemas otherwise than that of constraints.txt")
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
    from pymaf_data.datasets import load_manifest

    schema = json.loads((REPOSITORY / "schemas" / "manifest.schema.json").read_text())
    assert set(load_manifest("coco").model_dump()) == set(schema["properties"])
    assert schema["additionalProperties"] is False


S, L, Z = 48, 20, 18
ALL_HAVE = ("box", "image_name", "annotation_id", "present")
WRITTEN: dict[str, tuple[ArraySpec, ...]] = {
    "ingest": array_specs(S, L, 8),
    "fits/<name>": fit_specs(8, converted=True),
    "choice": choice_specs(8),
    "iuv": map_specs(Z, 8),
}


def specified() -> dict[str, dict[str, tuple[tuple[int, ...], str, str]]]:
    """The table of ``store.md``, section 3: stage → array → (shape per row, type, codec)."""
    text = (REPOSITORY / "schemas" / "store.md").read_text(encoding="utf-8")
    section = text.split("## 3. Arrays")[1].split("### Person columns")[0]
    tables: dict[str, dict[str, tuple[tuple[int, ...], str, str]]] = {}
    stage = ""
    for line in (line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| Stage")):
        first, arrays, shapes, types, _ = (cell.strip() for cell in line.strip("|").split("|"))
        stage = first.strip("`") or stage
        names = re.findall(r"`(\w+)`", arrays)
        sizes = [
            tuple(_size(item) for item in re.findall(r"[\w/]+", shape)) for shape in re.findall(r"\((.*?)\)", shapes)
        ]
        codec = "jpeg" if "`jpeg`" in types else "zstd"
        dtypes = re.findall(r"[a-z]+\d+|bool", types)
        for i, name in enumerate(names):
            tables.setdefault(stage, {})[name] = (sizes[min(i, len(sizes) - 1)], dtypes[min(i, len(dtypes) - 1)], codec)
    return tables


def person_columns() -> list[tuple[str, tuple[int, ...], str, str, bool, str]]:
    """The table of person columns: name, shape per row, type, missing value, whether always there, meaning."""
    text = (REPOSITORY / "schemas" / "store.md").read_text(encoding="utf-8")
    section = text.split("### Person columns")[1].split("\n#")[0]
    found = []
    for line in (line for line in section.splitlines() if line.startswith("| `")):
        name, shape, dtype, missing, there, meaning = (cell.strip() for cell in line[1:-1].split("|"))
        sizes = tuple(_size(item) for item in re.findall(r"\w+", shape))
        found.append((name.strip("`"), sizes, dtype, missing, {"always": True, "where brought": False}[there], meaning))
    return found


def _size(text: str) -> int:
    return int({"S": S, "L": L, "Z": Z, "Z/3": Z // 3}.get(text, text))


@pytest.mark.parametrize("stage", WRITTEN)
def test_the_specification_names_the_arrays_that_stages_write(stage: str) -> None:
    written = {spec.name: (spec.shape_per_row, spec.dtype, spec.codecs) for spec in WRITTEN[stage]}
    columns = [column for column in person_columns() if stage == "ingest" and column[4]]
    assert specified()[stage] | {name: (shape, dtype, "zstd") for name, shape, dtype, *_ in columns} == written


def test_the_specification_has_the_schema_of_person_columns() -> None:
    """One by one and in order: shape, type, missing value, whether it is always there, what its codes mean."""
    table = person_columns()
    assert [name for name, *_ in table] == [column.name for column in PERSON_COLUMNS]
    for column, (name, shape, dtype, missing, always, meaning) in zip(PERSON_COLUMNS, table, strict=True):
        assert (column.shape, np.dtype(column.dtype).name) == (tuple(0 if size == L else size for size in shape), dtype)
        assert always == column.always
        # A dash: every person has it.
        assert missing == "–" if name in ALL_HAVE else int(missing) == int(column.missing)
        codes = re.findall(r"(\d) (\w+)(?:,|$)", meaning) if column.words else []
        assert codes == [(str(code), word) for code, word in enumerate(column.words)]


def test_a_store_has_the_columns_that_are_brought_and_no_others() -> None:
    optional = [column.name for column in PERSON_COLUMNS if not column.always]
    assert optional == ["camera", "gender", "box_source", "mask", "parts"]
    shapes = {spec.name: spec.shape_per_row for spec in array_specs(S, L, 8, brought={"gender": (), "mask": (9,)})}
    assert {name: shapes[name] for name in shapes if name in optional} == {"gender": (), "mask": (9,)}
    assert shapes.keys() - {"gender", "mask"} == {spec.name for spec in WRITTEN["ingest"]}


def test_the_specification_names_every_stage() -> None:
    assert specified().keys() == WRITTEN.keys()
