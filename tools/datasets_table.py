"""Write the table of all data sets into docs/datasets.md, from their manifests.

    python tools/datasets_table.py            write it
    python tools/datasets_table.py --check    exit 1 where it is not what the manifests say

A test runs the check. A data set's name leads to docs/datasets/NAME.md where there is such a page.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from pymaf_data.cli.datasets import described
from pymaf_data.datasets import Manifest, known_manifests, load_manifest
from pymaf_data.paths import DataRoot

PAGE = Path(__file__).resolve().parents[1] / "docs" / "datasets.md"
START, END = "<!-- made by tools/datasets_table.py -->\n", "<!-- end -->\n"


def table(folder: Path) -> str:
    """The table, a row for each split, and links to the pages of ``folder`` that are of no single data set."""
    names = known_manifests()
    lines = ["| Data set | Split | Persons | What they bring | Licences |", "|---|---|---|---|---|"]
    lines += [row for name in names for row in _rows(load_manifest(name), folder)]
    others = sorted(page.stem for page in folder.glob("*.md") if page.stem not in names)
    links = [f"\nAlso: {', '.join(f'[{name}](datasets/{name}.md)' for name in others)}."] * bool(others)
    return "\n".join([*lines, *links, ""])


def _rows(manifest: Manifest, folder: Path) -> Iterator[str]:
    page = folder / f"{manifest.name}.md"
    name = f"[{manifest.title}](datasets/{page.name})" if page.is_file() else manifest.title
    command = f"{name}<br>`ingest {manifest.name}`"
    joints = manifest.keypoints.listed
    brings = ", ".join([f"{len(joints.joints)} joints ({joints.name})", *manifest.brings])
    licences = "; ".join(f"{licence.covers}: {licence.name}" for licence in manifest.licences)
    for split, said in described(manifest, DataRoot(Path("data")))["splits"].items():
        counts = "; ".join(f"{count:,} ({selection})" for selection, count in said["expected"].items()) or "not known"
        held = ", held out" if said["held_out"] else ""
        yield f"| {command} | {split}{held} | {counts} | {brings} | {licences} |"
        command = brings = licences = ""


def page(text: str, folder: Path) -> str:
    """The overview with the table as it is to be."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise SystemExit(f"{PAGE.name} lacks the marks between which the table stands")
    return f"{before}{start}\n{table(folder)}\n{end}{after}"


def main() -> int:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the table differs")
    text = PAGE.read_text(encoding="utf-8")
    wanted = page(text, PAGE.parent / "datasets")
    if parser.parse_args().check:
        print("the table is as the manifests say" if text == wanted else "run: python tools/datasets_table.py")
        return int(text != wanted)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
