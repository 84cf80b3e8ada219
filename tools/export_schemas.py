"""Write the JSON Schemas of the records that people and programs meet in files: ``schemas/*.schema.json``.

    python tools/export_schemas.py            write them
    python tools/export_schemas.py --check    exit 1 where a file differs from the code

The pydantic classes are the source; a test runs the check.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from pymaf_data.config import StrictModel
from pymaf_data.datasets.manifest import Manifest
from pymaf_data.datasets.records import PersonRecord
from pymaf_data.recipe import Recipe
from pymaf_data.stages.ingest import IngestReport
from pymaf_data.storage.plan import Provenance
from pymaf_data.storage.records import Commit, Current, StageRecord

FOLDER = Path(__file__).resolve().parents[1] / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

#: Written by hand (Manifest, Recipe), exchanged (PersonRecord), kept in stores, or printed by ``--json``.
RECORDS: tuple[type[StrictModel], ...] = (
    Manifest,
    Recipe,
    PersonRecord,
    Provenance,
    StageRecord,
    Commit,
    Current,
    IngestReport,
)


def schema_files(folder: Path = FOLDER) -> dict[Path, str]:
    """The content that each schema file should have."""
    files = {}
    for record in RECORDS:
        schema = {"$schema": DIALECT, **record.model_json_schema()}
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", record.__name__).lower()
        files[folder / f"{name}.schema.json"] = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
    return files


def stale(folder: Path = FOLDER) -> list[str]:
    """One line per file that is not what the code says."""
    wanted = schema_files(folder)
    lines = [
        f"{path.name}: {'differs from' if path.exists() else 'is missing for'} the code"
        for path, text in wanted.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    extra = sorted(set(folder.glob("*.schema.json")) - set(wanted))
    return lines + [f"{path.name}: describes no record" for path in extra]


def main() -> int:
    """Write or check the files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file differs")
    if parser.parse_args().check:
        lines = stale()
        print("\n".join([*lines, "run: python tools/export_schemas.py"] if lines else ["schemas match the code"]))
        return 1 if lines else 0
    wanted = schema_files()
    for path in sorted(set(FOLDER.glob("*.schema.json")) - set(wanted)):
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(FOLDER.parent))
    return 0


if __name__ == "__main__":
    sys.exit(main())
