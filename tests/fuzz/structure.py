"""Mutations of what a file says: values of JSON, arrays of npz, members of zip, written anew with right checksums.

Bytes that are changed at random are refused by a parser or a checksum, nearly all of them; these are not.
"""

from __future__ import annotations

import copy
import io
import json
import random
import warnings
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Bytes = Callable[[bytes, random.Random], bytes]
_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 0.5, 3, 1e9, 1e308, float("inf"), float("nan"), 1 << 31, 1 << 63, 10**400, "", "a", "7", "\0",
    "../../etc/passwd", "/", "\ud800", "x" * 2000, [], {}, [[]], [1], [None] * 60, {"a": 1}, {"counts": [1]},
)  # fmt: skip
_NUMBERS = (0.0, -1.0, 0.5, 1e9, 1e300, 1e-300, np.inf, -np.inf, np.nan)
_TEXTS: tuple[Any, ...] = (
    "", "\0", "a\0b", "../../x", "/", ".", "x" * 2000, "\ud800", "é", b"\xff\xfe", b"", None, 7, 1.5, ["a"], {"a": 1},
    ("a",), np.zeros(3),
)  # fmt: skip
_DTYPES = ("i1", "u1", "i8", "f2", "f4", ">f8", "c16", "?", "S3", "U3", "O")


def restructure(sound: bytes, rng: random.Random, of_bytes: Bytes) -> bytes | None:
    """The file with one to three things said otherwise; None where it is of no format that is known here.

    Args:
        sound: the file.
        rng: decides.
        of_bytes: mutates the bytes of a member.
    """
    if sound[:2] == b"PK":
        return _zip(sound, rng, of_bytes)
    try:
        return _json(json.loads(sound), rng) if sound[:1] in (b"{", b"[") else None
    except ValueError:
        return None


def _json(value: Any, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = [*_places(value)]
        if not places:
            break
        holder, key = rng.choice(places)
        rng.choice((_set, _set, _set, _drop, _twice, _move))(holder, key, places, rng)
    text = json.dumps(value)
    if rng.random() < 0.1:  # a key that is there twice
        at = rng.choice([place for place, letter in enumerate(text) if letter == "{"] or [len(text)])
        text = text[: at + 1] + f'"{rng.choice(("id", "image_id", "keypoints", "bbox"))}": 1, ' + text[at + 1 :]
    return text.encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every list with a place in it, and object with a key; of rows of numbers not all."""
    keys = [*value] if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        if not isinstance(value, list) or key < 8:
            yield from _places(value[key])


def _set(holder: Any, key: Any, _: Any, rng: random.Random) -> None:
    holder[key] = copy.deepcopy(rng.choice(_VALUES))


def _drop(holder: Any, key: Any, _: Any, rng: random.Random) -> None:
    holder.pop(key)


def _twice(holder: Any, key: Any, _: Any, rng: random.Random) -> None:
    if isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    else:
        holder[rng.choice(("7", "", "human1", "00001", "id"))] = copy.deepcopy(holder[key])


def _move(holder: Any, key: Any, places: Any, rng: random.Random) -> None:
    other, place = rng.choice(places)
    value = copy.deepcopy(other[place]) if place in (other if isinstance(other, dict) else range(len(other))) else None
    holder[key] = value


def _zip(sound: bytes, rng: random.Random, of_bytes: Bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(sound)) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
        members = [(info.filename, info.compress_type, archive.read(info)) for info in archive.infolist()]
    for which in rng.sample(range(len(members)), min(rng.choice((1, 1, 2, 3)), len(members))):
        name, method, data = members[which]
        if rng.random() < 0.1:
            name = rng.choice(("../x.npy", "a\\b.npy", "\0", "x" * 300, rng.choice(members)[0]))
        elif name.endswith(".npy") and rng.random() < 0.8:
            data = _npy(data, rng)
        else:
            data = of_bytes(data, rng)
        members[which] = name, method, data
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w") as archive:
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, method, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()


def _npy(data: bytes, rng: random.Random) -> bytes:
    array = np.load(io.BytesIO(data), allow_pickle=True)
    try:
        array = rng.choice((_cell, _cell, _cell, _rows, _shape, _dtype, _objects))(array, rng)
    except (ValueError, TypeError, OverflowError, UnicodeError):
        return data
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def _cell(array: Any, rng: random.Random) -> Any:
    array = array.copy()
    if array.size and array.dtype.kind in "fiu":
        with np.errstate(all="ignore"):
            array[np.unravel_index(rng.randrange(array.size), array.shape)] = rng.choice(_NUMBERS)
    elif array.size:
        array = array.astype("U40") if array.dtype.kind in "U" else array
        array[np.unravel_index(rng.randrange(array.size), array.shape)] = rng.choice(_TEXTS[:10])
    return array


def _rows(array: Any, rng: random.Random) -> Any:
    if not array.ndim:
        return array
    return rng.choice((array[:-1], np.concatenate([array, array[-1:]]), array[:0], array[:1], array[::-1]))


def _shape(array: Any, rng: random.Random) -> Any:
    forms = (array.T, array[None], array[..., None], array.reshape(-1), array.reshape((*array.shape[:1], -1)))
    return rng.choice((*forms, array[..., :-1] if array.ndim else array, np.asfortranarray(array), array.mean()))


def _dtype(array: Any, rng: random.Random) -> Any:
    with np.errstate(all="ignore"):
        return array.astype(rng.choice(_DTYPES))


def _objects(array: Any, rng: random.Random) -> Any:
    array = array.astype(object)
    if array.size:
        array[np.unravel_index(rng.randrange(array.size), array.shape)] = rng.choice(_TEXTS)
    return array
