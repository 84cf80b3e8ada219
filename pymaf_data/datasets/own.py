"""Anyone's own data: the manifest of an annotation file in COCO's format, so that none need be written.

    pymaf-data ingest my.json --images photos      the same as ten lines of YAML: docs/datasets/own.md

The joints are those that the file's category of persons lists, as far as J49 has them; where it lists none and an
annotation has 17, they are COCO's.
"""

from __future__ import annotations

import logging
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from pymaf_data.datasets.categories import Category, entry_key
from pymaf_data.datasets.conventions import fitting, guesses, of_count
from pymaf_data.datasets.entries import has_keypoints, is_crowd, load
from pymaf_data.datasets.manifest import Manifest, load_manifest, split_of
from pymaf_data.errors import RawDataCorrupt, RawDataMissing

logger = logging.getLogger(__name__)

SUFFIX = ".json"
_HELD_OUT = ("val", "test")
_COCO17 = 17


def names_of(dataset: str, npz: Path | None, split: str) -> tuple[str, str]:
    """What data set and split are called that are asked for by a manifest or an annotation file, or of an npz."""
    if npz is not None:
        return dataset, split_of(npz)
    if dataset.casefold().endswith(SUFFIX):
        return _name(Path(dataset)), split
    return load_manifest(dataset).name, split


def _name(path: Path) -> str:
    return re.sub(r"[^a-z0-9]+", "-", path.stem.casefold()).strip("-") or "own"


def own_data(path: Path, images: Path | None, root: Path | None, split: str) -> tuple[Path, Manifest]:
    """The root and the manifest of an annotation file.

    Args:
        path: the file.
        images: the folder that its image names begin with; by default the file's own.
        root: a folder that holds both; by default the nearest, or the images' where that is the whole disk.
        split: what to call it; one named val… or test… is held out.

    Raises:
        RawDataMissing: there is no such file.
        RawDataCorrupt: it is not COCO's, or does not say what its joints are.
    """
    path, folder = path.absolute(), (images or path.parent).absolute()
    if not path.is_file():
        raise RawDataMissing(f"no annotation file {path}", action="check the path, or name a data set instead.")
    nearest = Path(os.path.commonpath([path.parent, folder]))
    base = (root or (nearest if nearest.name else folder)).absolute()
    status = path.stat()
    content: dict[str, Any] = {
        "name": _name(path),
        "title": path.name,
        "reader": "coco",
        "licences": [{"covers": "annotations and photographs", "name": "not stated"}],
        "splits": {split: {"files": {"annotations": str(path), "images": str(folder)}}},
        "keypoints": {"origin": "index", **_keypoints(path, status.st_size, status.st_mtime_ns)},
        "box": {"factor": 1.2},
        "selections": {"any": {"title": "at least one keypoint labelled", "requires": []}},
        "default_selection": "any",
    }
    content["splits"][split]["held_out"] = split.startswith(_HELD_OUT)
    return base, Manifest.parse(content, str(path)).below(base)


@lru_cache(maxsize=4)
def _keypoints(path: Path, *_version: int) -> dict[str, Any]:
    """``keypoints`` of the manifest but the origin; a file is read once for each of its versions."""
    content = load(path)
    people = [entry for entry in content["annotations"] if has_keypoints(entry) and not is_crowd(entry)]
    names = _names(content.get("categories"), {entry_key(entry.get("category_id")) for entry in people})
    if not names:
        return {"convention": _of_length(path, people)}
    convention = fitting(names)
    if convention:
        return {"convention": convention.name}
    joints = guesses(names)
    ignored = [name for name, joint in joints if joint is None]
    if len(ignored) == len(joints):
        raise RawDataCorrupt(
            f"{path}: no joint that its persons have is one of J49 by its name ({', '.join(names[:30])})",
            expected="names such as left_shoulder",
            action="say in a manifest of your own (*.yaml, docs/datasets/own.md) which is which.",
        )
    if ignored:
        logger.warning("%s: no joint of J49 is called %s; ignored", path.name, ", ".join(ignored))
    return {"joints": [{"name": name, "joint": joint} for name, joint in joints]}


def _names(listed: Any, used: set[Any]) -> tuple[str, ...]:
    """The joints of the category that annotations with keypoints are of, one called persons first; none: not said."""
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    known = [(entry_key(entry.get("id")), Category.of(entry)) for entry in entries]
    meant = [one for key, one in known if key in used or len(known) == 1]
    people = sorted((one for one in meant if one.names and not one.animal), key=lambda one: not one.called_person)
    return people[0].names if people else ()


def _of_length(path: Path, people: list[dict[str, Any]]) -> str:
    """COCO's convention where annotations have so many joints."""
    listed = [entry["keypoints"] for entry in people if isinstance(entry["keypoints"], list)]
    lengths = {len(values) // (1 if isinstance(values[0], list) else 3) for values in listed}
    if lengths <= {_COCO17}:
        return "COCO17"
    others = sorted({name for length in lengths for name in of_count(length)})
    raise RawDataCorrupt(
        f"{path}: its categories do not name the joints, and annotations have {', '.join(map(str, sorted(lengths)))}",
        expected=f"names in `keypoints` of the category, or COCO's {_COCO17} joints",
        action="name the joints in a manifest of your own (*.yaml, docs/datasets/own.md)"
        + (f": as many have {', '.join(others)}." if others else "."),
    )
