"""COCO person keypoints: annotation file → records.

    {"images": [{id, file_name, width, height, license}], "annotations": [{id, image_id, keypoints 17 × (x, y, v),
     bbox (x, y, w, h), iscrowd, category_id, segmentation}], "categories": […], "licenses": […]}

v is 0 (not labelled), 1 (labelled, hidden) or 2 (visible). The file itself must be sound: JSON, with its lists, and
with no id given twice. A single damaged annotation is a counted, named loss and never an excuse for dropping the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from pymaf_data.config import StrictModel
from pymaf_data.datasets.categories import entry_key, find_persons
from pymaf_data.datasets.coco_person import People
from pymaf_data.datasets.dataset import Raw, ReaderOfStills
from pymaf_data.datasets.entries import entry_id, has_keypoints, image_entries, is_crowd, load, refuse_duplicates
from pymaf_data.datasets.outlines import require_drawing
from pymaf_data.datasets.records import PersonRecord
from pymaf_data.datasets.select import Dropped, Told

_TEXT = 300  # characters of a licence's name or address


class CocoOptions(StrictModel):
    """What a manifest chooses."""

    masks: bool = Field(False, description="bring each person's mask, from its outline (`segmentation`)")


class Coco(ReaderOfStills):
    """Reader of annotation files in COCO's format (role ``annotations``: one file, or one for each sequence)."""

    options = CocoOptions

    def read(self, raw: Raw, told: Told) -> Iterator[PersonRecord | Dropped]:
        """Every annotation, in the files' order.

        Raises:
            ConfigError: masks are asked for that cannot be drawn.
            RawDataCorrupt: a file is not JSON or not COCO's, an id occurs twice, or joints are in another order.
        """
        masks, ids = raw.options(CocoOptions).masks, set[int | None]()
        if masks:
            require_drawing()
        for path in raw.files("annotations"):
            yield from _persons(raw, told, path, masks, ids)


def _persons(raw: Raw, told: Told, path: Path, masks: bool, known: set[int | None]) -> Iterator[PersonRecord | Dropped]:
    """Every annotation of a file; ``known`` holds the ids of those in files before."""
    content = load(path, masks)
    entries, annotations = content["images"], content["annotations"]
    told.listed = told.listed[0] + len(entries), told.listed[1] + len(annotations)
    _add_licences(told, content.get("licenses"))
    candidates = [entry for entry in annotations if has_keypoints(entry)]
    ids = [*map(entry_id, candidates)]
    refuse_duplicates([*ids, *known.intersection(ids)], "annotation", path)
    known.update(ids)
    used = {entry_key(entry.get("category_id")) for entry in candidates if not is_crowd(entry)}
    categories = find_persons(content.get("categories"), used, raw.manifest.keypoints, path)
    people = People(raw, told, image_entries(entries, path), categories)
    for position, entry in enumerate(annotations):
        yield people.outcome(entry, position)


def _add_licences(told: Told, listed: Any) -> None:
    """Tell the licences that a file lists, by id; an id that another file uses for another licence states none."""
    if not isinstance(listed, list) or not listed:
        return
    found = {entry_key(entry.get("id")): _licence(entry) for entry in listed if isinstance(entry, dict)}
    before = told.licences or {}
    told.licences = before | {key: one if before.get(key, one) == one else None for key, one in found.items()}


def _licence(entry: dict[str, Any]) -> tuple[str, str] | None:
    """Name and address of a licence; None where neither is stated."""
    name, url = (text if isinstance(text := entry.get(key), str) else "" for key in ("name", "url"))
    name, url = name.strip()[:_TEXT], url.strip()[:_TEXT]
    return (name or url, url) if name or url else None
