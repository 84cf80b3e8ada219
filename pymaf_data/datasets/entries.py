"""Entries of a COCO annotation file: what is needed of each, read as loosely as tools write it and no more.

Whole floats are integers, an id may be text ("7", as VIA writes it), truth values are 0 and 1, and what is not needed
is not looked at. Nothing else that decides over a person is guessed: "640" is no width.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from pymaf_data.datasets.images import LARGEST_SIDE
from pymaf_data.datasets.outlines import packed
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.plain import clean
from pymaf_data.untrusted.json_text import parse_json

_AGAIN = "fetch the annotation file again (it may have been cut off), or give the right one by a manifest of your own."
_CROWD = {None: False, "": False, 0: False, 1: True, "0": False, "1": True, "false": False, "true": True}


def _whole(value: Any) -> Any:
    # Some tools write every number as a float; beyond 2⁵³ a float is no longer one integer.
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def _id(value: Any) -> Any:
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value) else _whole(value)


def _given(value: Any) -> Any:
    return None if value == [] else value


Id = Annotated[int, BeforeValidator(_id), Field(ge=0, lt=2**63)]
Pixels = Annotated[int, BeforeValidator(_whole), Field(gt=0, le=LARGEST_SIDE)]
Box = Annotated[list[float], Field(min_length=4, max_length=4)]


class _Raw(BaseModel):
    """Entries carry more keys than are needed here; types are taken at their word ("640" is no width)."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, allow_inf_nan=False)


class Image(_Raw):
    """What is needed of an image's entry; where it does not say a size (PoseTrack), the image's own is taken."""

    file_name: str = Field(min_length=1)
    width: Pixels = 0
    height: Pixels = 0
    license: Any = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.width == 0) != (self.height == 0):
            raise ValueError("width without height, or the other way round")
        return self

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height, without end where the entry does not say them."""
        return self.width or math.inf, self.height or math.inf


class Annotation(_Raw):
    """What is needed of a person's entry; a box may be absent."""

    id: Id
    image_id: Id
    keypoints: list[Any]
    bbox: Annotated[Box | None, BeforeValidator(_given)] = None
    area: Any = None
    segmentation: Any = None


def load(path: Path, outlines: bool = False) -> dict[str, Any]:
    """Parse the file and check that it has COCO's lists; outlines are dropped, or kept as :func:`packed` has them."""
    try:
        content = parse_json(path.read_bytes(), packed if outlines else _without_outlines)
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


def image_entries(entries: list[Any], path: Path) -> dict[int, Image | str]:
    """Image entries by id; for a malformed one what is wrong with it, as its persons are then counted."""
    refuse_duplicates(map(entry_id, entries), "image", path)
    images: dict[int, Image | str] = {}
    for entry in entries:
        key = entry_id(entry)
        if key is None:
            continue  # nothing can refer to it; what tries is counted as on an unknown image
        try:
            images[key] = Image.model_validate(entry)
        except ValidationError as error:
            images[key] = what_is_wrong(error)
    return images


def has_keypoints(entry: Any) -> bool:
    """Whether an annotation has keypoints at all: a list that is more than zeros, or something to complain of."""
    keypoints = entry.get("keypoints") if isinstance(entry, dict) else None
    return any(keypoints) if isinstance(keypoints, list) else bool(keypoints)


def is_crowd(entry: dict[str, Any]) -> bool | None:
    """Whether an annotation is of a crowd; None where that cannot be told."""
    value = entry.get("iscrowd")
    known = value.strip().casefold() if isinstance(value, str) else value
    return None if isinstance(known, list | dict) else _CROWD.get(known)


def entry_id(entry: Any) -> int | None:
    """The id of an entry, None where it has no proper one."""
    value = _id(entry.get("id")) if isinstance(entry, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def refuse_duplicates(ids: Iterable[int | None], what: str, path: Path) -> None:
    """Refuse a file in which one id names two things.

    Raises:
        RawDataCorrupt: it does.
    """
    twice = [key for key, count in Counter(ids).items() if key is not None and count > 1]
    if twice:
        raise RawDataCorrupt(
            f"{path} has {len(twice)} {what} ids more than once, the first of them {twice[0]}",
            expected="ids that name one thing each, since fits are joined by them",
            action=_AGAIN,
        )


def what_is_wrong(error: ValidationError) -> str:
    """The first thing that is wrong, with its field."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return clean(f"{where or 'entry'}: {first['msg']} (found {str(first.get('input'))[:40]})")
