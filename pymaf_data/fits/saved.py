"""Dicts of persons as people's scripts save a model's output: .npz, .npy, .pkl of one person, several, or by image."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.bounds import read_whole
from pymaf_data.untrusted.npz import member_array, npz_keys
from pymaf_data.untrusted.unpickle import load_pickled_npz, load_trusted_pickle, loads_trusted

logger = logging.getLogger(__name__)

Person = dict[str, Any]
Shape = tuple[int, ...]

_ENDINGS = (".npz", ".npy", ".pkl", ".pickle")
_NAMES = ("image", "image_path", "img_path", "imgname", "image_name", "img_name", "file_name", "filename")
# Keys of what holds persons that name no image, and what stands behind an image's name in a person's file.
_NO_IMAGE = re.compile(r"(arr_)?\d{1,3}|outputs?|results?|predictions?|data|persons?|people|(person|subj(ect)?)_?\d+")
_OF_FILE = re.compile(r"_(person|subj(ect)?)_?\d+$")


def files_of(path: Path) -> list[Path]:
    """The files to read of a path: itself, or all below it."""
    return [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.suffix.lower() in _ENDINGS)


def persons_of(root: Path, file: Path, shapes: Mapping[str, Shape]) -> list[tuple[str, Person]]:
    """Image and dict of each person of a file, in its order; what the last file held is kept.

    The image is what the person's dict names, else the key that its list stands under, else, from ``root`` on, what the
    file is called: without an ending then, and without what tells persons apart (``_subj00``).

    Args:
        root: of the files.
        file: one of :func:`files_of`.
        shapes: of a person's arrays by their keys. The first tells what is a person; where it has an axis before
            those of its shape, persons are stacked.

    Raises:
        RawDataCorrupt: the one file cannot be read; of several it is told and has none. UntrustedData: it is hostile.
    """
    try:
        found = _held(file, tuple(shapes.items()), file.stat().st_mtime_ns)
    except RawDataCorrupt as error:
        if file == root:
            raise
        logger.warning("no persons: %s", error.found)
        return []
    place = file.relative_to(root) if file != root else Path(file.name)
    name = _OF_FILE.sub("", place.with_suffix("").as_posix())
    return [(image or name, person) for image, person in found]


def numbers_of(person: Person, key: str, shape: Shape) -> np.ndarray:
    """Numbers of a person in their shape; NaN where they are not such numbers. Of lists, those of numbers alone."""
    value = person.get(key)
    flat = isinstance(value, (list, tuple)) and all(isinstance(one, (int, float, np.number)) for one in value)
    try:
        known = flat or isinstance(value, (np.ndarray, np.number, int, float))
        return np.asarray(value if known else None, np.float64).reshape(shape)
    except (TypeError, ValueError, OverflowError):
        return np.full(shape, np.nan)


@lru_cache(maxsize=1)
def _held(file: Path, shapes: tuple[tuple[str, Shape], ...], _changed: int) -> list[tuple[str, Person]]:
    content: Any
    keys = [key for key, _ in shapes]
    if file.suffix.lower() == ".npz":
        there = npz_keys(file)
        wanted = [key for key in there if key in (*keys, *_NAMES)] if keys[0] in there else there
        content = load_pickled_npz(file, wanted)
    elif file.suffix.lower() == ".npy":
        content = member_array(bytearray(read_whole(file)), str(file), loads_trusted)
    else:
        content = load_trusted_pickle(file)
    return list(_found(content, shapes[0], "", set()))


def _found(value: Any, mark: tuple[str, Shape], image: str, seen: set[int]) -> Iterator[tuple[str, Person]]:
    """Persons below a value, none of whose containers is looked into twice: they may hold each other."""
    if isinstance(value, np.ndarray) and value.dtype == object and id(value) not in seen:
        seen.add(id(value))
        value = value.ravel().tolist()
    if not isinstance(value, (dict, list, tuple)) or id(value) in seen:
        return
    seen.add(id(value))
    if not isinstance(value, dict):
        for item in value:
            yield from _found(item, mark, image, seen)
        return
    image = next((text for text in (_text(value[key]) for key in _NAMES if key in value) if text), image)
    if mark[0] in value:
        yield from ((image, person) for person in _unstacked(value, *mark))
        return
    for key, item in value.items():
        names_image = isinstance(key, str) and key not in _NAMES and not _NO_IMAGE.fullmatch(key)
        yield from _found(item, mark, str(key) if names_image else image, seen)


def _unstacked(person: Person, mark: str, shape: Shape) -> list[Person]:
    """The persons whose arrays have a first axis more in one dict; itself where they have not."""
    stacked = person[mark]
    if not isinstance(stacked, np.ndarray) or stacked.shape[1:] != shape:
        return [person]
    several = {
        key for key, value in person.items() if isinstance(value, np.ndarray) and len(stacked) in value.shape[:1]
    }
    return [
        {key: value[place] if key in several else value for key, value in person.items()}
        for place in range(len(stacked))
    ]


def _text(value: Any) -> str:
    value = value[()] if isinstance(value, np.ndarray) and value.shape == () else value
    return value if isinstance(value, str) else ""
