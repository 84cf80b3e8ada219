"""COCO person keypoints: annotation file → records.

    {"images": [{id, file_name, width, height, license}], "annotations": [{id, image_id, keypoints 17 × (x, y, v),
     bbox (x, y, w, h), iscrowd, category_id}], "categories": […], "licenses": […]}

v is 0 (not labelled), 1 (labelled, hidden) or 2 (visible). The file itself must be sound: JSON, with its lists, and
with no id given twice. A single damaged annotation is a counted, named loss and never an excuse for dropping the rest.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.geometry.boxes import box_from_xywh
from pymaf_data.sources.manifest import Manifest, SelectionRule
from pymaf_data.sources.pictures import image_name
from pymaf_data.sources.records import Licence, PersonRecord
from pymaf_data.sources.select import Dropped, Selection, refusal, sort_out

Id = Annotated[int, Field(ge=0, lt=2**63)]

_AGAIN = "fetch the annotation file again (it may have been cut off), or give the right one by a manifest of your own."


class _Raw(BaseModel):
    """Entries carry more keys than are needed here; types are taken at their word ("640" is no width)."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, allow_inf_nan=False)


class _Image(_Raw):
    file_name: str = Field(min_length=1)
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    license: int | None = None


class _Annotation(_Raw):
    id: Id
    image_id: Id
    keypoints: list[float]
    bbox: list[float] = Field(min_length=4, max_length=4)
    iscrowd: int = Field(default=0, ge=0, le=1)
    category_id: int | None = None


class _License(_Raw):
    id: int
    name: str = Field(max_length=300)
    url: str = Field(default="", max_length=300)


def read_coco(
    path: Path, manifest: Manifest, split: str, rule: SelectionRule, *, stop: bool = False, root: Path | None = None
) -> Selection:
    """Read the persons of one annotation file that ``rule`` selects, in row order.

    Args:
        path: the annotation file.
        manifest: conventions of the data set.
        split: name of the split, for the folder of its pictures and the counts to expect.
        rule: which persons to keep.
        stop: raise at the first damaged annotation instead of counting it.
        root: the data set's folder, for file names that are absolute and lie inside it.

    Raises:
        RawDataCorrupt: the file is not JSON or not COCO's, an id occurs twice, joints are in another order, or an
            annotation is damaged and ``stop`` is set.
    """
    content = _load(path)
    entries, annotations = content["images"], content["annotations"]
    category = _category(content, manifest, path)
    people = _People(manifest, manifest.split(split).pictures, rule, _images(entries, path), category, root)
    _refuse_duplicates((_id(entry) for entry in annotations), "annotation", path)
    outcomes = (people.outcome(entry, position) for position, entry in enumerate(annotations))
    records, counts, damaged = sort_out(outcomes, path.name, stop)
    whole = manifest.split(split).whole
    listed = (len(entries), len(annotations))
    return Selection(
        records,
        counts,
        damaged,
        licences=_photograph_licences(content, people, records),
        whole=whole is not None and listed == (whole.images, whole.annotations),
        listed=listed,
    )


@dataclass(frozen=True)
class _People:
    """Turns annotation entries into records.

    Args:
        manifest: conventions.
        folder: of the split's pictures, below the root.
        rule: whom to keep.
        images: entries by id, None for a malformed one.
        category: the id of persons, where the file names it.
        root: the data set's folder.
        licence_of: filled on the way: image name → licence id of the photograph.
    """

    manifest: Manifest
    folder: str
    rule: SelectionRule
    images: dict[int, _Image | None]
    category: int | None
    root: Path | None = None
    licence_of: dict[str, int | None] = field(default_factory=dict)

    def outcome(self, entry: Any, position: int) -> PersonRecord | Dropped:
        """The record of an annotation, or why there is none."""
        key = _id(entry)
        name = f"annotation at position {position}" if key is None else f"annotation {key}"
        try:
            annotation = _Annotation.model_validate(entry)
        except ValidationError as error:
            return _damage(name, error)
        if self.category is not None and annotation.category_id not in (None, self.category):
            return Dropped("other_category", name)
        if annotation.image_id not in self.images:
            return Dropped("unknown_image", name, f"image id {annotation.image_id} is not listed")
        image = self.images[annotation.image_id]
        if image is None:
            return Dropped("malformed_image", name, f"the entry of image {annotation.image_id} is malformed")
        return self._record(name, annotation, image)

    def _record(self, name: str, annotation: _Annotation, image: _Image) -> PersonRecord | Dropped:
        keypoints = self._keypoints(annotation.keypoints)
        if isinstance(keypoints, str):
            return Dropped("malformed", name, keypoints)
        reason = refusal(keypoints, bool(annotation.iscrowd), self.rule)
        if reason:
            return Dropped(reason, name)
        x, y, width, height = annotation.bbox
        if width <= 0 or height <= 0:
            return Dropped("bad_box", name, f"its box is {width:g} × {height:g} px")
        shift = 0.5 if self.manifest.box.origin == "index" else 0.0
        try:
            record = PersonRecord(
                image_name=image_name(self.folder, image.file_name, self.root),
                annotation_id=annotation.id,
                image_size=(image.width, image.height),
                box=tuple(box_from_xywh((x + shift, y + shift, width, height), self.manifest.box.factor).tolist()),
                keypoints=keypoints,
            )
        except ValidationError as error:
            return _damage(name, error)
        self.licence_of[record.image_name] = image.license
        return record

    def _keypoints(self, values: list[float]) -> dict[str, tuple[float, float, int]] | str:
        """Labelled joints by name, or what is wrong with the list."""
        joints = self.manifest.keypoints.joints()
        if len(values) != 3 * len(joints):
            return f"{len(values)} numbers in keypoints, not {3 * len(joints)}"
        if any(seen not in (0, 1, 2) for seen in values[2::3]):
            return "a keypoint's visibility is not 0, 1 or 2"
        shift = self.manifest.keypoints.offset
        triples = zip(joints, values[0::3], values[1::3], values[2::3], strict=True)
        return {joint: (x + shift, y + shift, int(seen)) for joint, x, y, seen in triples if seen > 0}


def _load(path: Path) -> dict[str, Any]:
    """Parse the file and check that it has COCO's lists."""
    try:
        content = json.loads(path.read_bytes(), object_hook=_without_outlines)
    except OSError as error:
        raise RawDataCorrupt(
            f"cannot read {path}: {error.strerror}", action="check the file and its permissions."
        ) from None
    except (ValueError, RecursionError) as error:
        raise RawDataCorrupt(f"{path} is not JSON: {error}", action=_AGAIN) from None
    for key in ("images", "annotations"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise RawDataCorrupt(
                f"{path} is JSON but has no list {key!r}", expected="COCO person keypoints", action=_AGAIN
            )
    checked: dict[str, Any] = content
    return checked


def _without_outlines(entry: dict[str, Any]) -> dict[str, Any]:
    # Outlines are nine tenths of the file and of no use here: dropped while parsing, they never pile up in memory.
    entry.pop("segmentation", None)
    return entry


def _images(entries: list[Any], path: Path) -> dict[int, _Image | None]:
    """Picture entries by id; None for a malformed one, whose persons are then counted as such."""
    _refuse_duplicates((_id(entry) for entry in entries), "image", path)
    images: dict[int, _Image | None] = {}
    for entry in entries:
        key = _id(entry)
        if key is None:
            continue  # nothing can refer to it; what tries is counted as on an unknown image
        try:
            images[key] = _Image.model_validate(entry)
        except ValidationError:
            images[key] = None
    return images


def _category(content: dict[str, Any], manifest: Manifest, path: Path) -> int | None:
    """The id of the category ``person``, whose joint names, where given, must be in the manifest's order."""
    for entry in content["categories"] if isinstance(content.get("categories"), list) else []:
        if isinstance(entry, dict) and entry.get("name") == "person":
            names = entry.get("keypoints")
            if names is not None and names != list(manifest.keypoints.joints()):
                raise RawDataCorrupt(
                    f"{path} has the joints {names}",
                    expected=f"{manifest.keypoints.convention}: {', '.join(manifest.keypoints.joints())}",
                    action="name the right convention in a manifest of your own.",
                )
            return _id(entry)
    return None


def _photograph_licences(
    content: dict[str, Any], people: _People, records: tuple[PersonRecord, ...]
) -> tuple[Licence, ...]:
    """Each licence under which a kept person's photograph stands, with its counts; none where the file lists none."""
    listed = content.get("licenses")
    if not isinstance(listed, list) or not listed:
        return ()
    known: dict[int, _License] = {}
    for entry in listed:
        try:
            licence = _License.model_validate(entry)
        except ValidationError:
            continue  # its photographs are counted below as under a licence that is not stated
        known[licence.id] = licence
    persons = Counter(people.licence_of[record.image_name] for record in records)
    photographs = Counter(people.licence_of[name] for name in {record.image_name for record in records})
    unstated = _License(id=-1, name="not stated in the annotation file")
    merged: dict[tuple[str, str], list[int]] = {}
    for key in sorted(persons, key=lambda key: -1 if key is None else key):
        licence = known.get(key, unstated) if key is not None else unstated
        entry = merged.setdefault((licence.name, licence.url), [0, 0])
        entry[0] += photographs[key]
        entry[1] += persons[key]
    return tuple(
        Licence(covers="photographs", name=name, url=url, photographs=pictures, persons=people_on)
        for (name, url), (pictures, people_on) in merged.items()
    )


def _id(entry: Any) -> int | None:
    """The id of an entry, None where it has no proper one."""
    value = entry.get("id") if isinstance(entry, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def _refuse_duplicates(ids: Iterator[int | None], what: str, path: Path) -> None:
    twice = [key for key, count in Counter(ids).items() if key is not None and count > 1]
    if twice:
        raise RawDataCorrupt(
            f"{path} has {len(twice)} {what} ids more than once, the first of them {twice[0]}",
            expected="ids that name one thing each, since fits are joined by them",
            action=_AGAIN,
        )


def _damage(name: str, error: ValidationError) -> Dropped:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    reason = "not_finite" if first["type"] == "finite_number" else "malformed"
    return Dropped(reason, name, f"{where or 'entry'}: {first['msg']} (found {str(first.get('input'))[:40]})")
