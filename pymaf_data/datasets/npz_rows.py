"""The rows of a file of SPIN's or PyMAF's ``dataset_extras``: its arrays as they stand, in their proper shapes.

    imgname below the images' root · center (2) px · scale side / 200 · gender 'm', 'f' · maskname, partname
    part (24, 3) of J24, openpose (25, 3): px, confidence, 0 where not labelled · S (24, 4) m from the pelvis, flag
    pose (72), shape (10), has_smpl: fits

Only the first three must be there. Names may be bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.npz import npz_keys, read_npz, require_numbers
from pymaf_data.untrusted.unpickle import load_pickled_npz

_NUMBERS: dict[str, tuple[int, ...]] = {"center": (2,), "scale": (), "part": (24, 3), "openpose": (25, 3), "S": (24, 4)}
_TEXTS = ("imgname", "gender", "maskname", "partname")
_FITS = ("pose", "shape", "has_smpl")
_NEEDED = ("imgname", "center", "scale")
_GENDERS = {"m": "male", "male": "male", "f": "female", "female": "female", "n": "neutral", "neutral": "neutral"}
_LARGEST = 100.0  # scale of a box of 20,000 px: where most are larger, they are px


@dataclass(frozen=True)
class NpzRows:
    """N persons in the file's order; numbers may be anything, NaN too.

    Attributes:
        numbers: key → (N, …) float32, of center and scale float64; an absent key is not there.
        texts: key → N texts, None for what is none.
        other: further keys of the file.
    """

    numbers: dict[str, NDArray[Any]]
    texts: dict[str, list[str | None]]
    other: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts["imgname"])

    def let_go(self, size: int) -> Iterator[NpzRows]:
        """So many rows at a time, which are not kept: of Human3.6M's, 300 MB would wait for the last row."""
        count = len(self)
        cuts = range(size, count, size)
        pieces = {key: [*map(np.copy, np.split(self.numbers.pop(key), cuts))][::-1] for key in [*self.numbers]}
        for first in range(0, count, size):
            texts = {key: texts[first : first + size] for key, texts in self.texts.items()}
            yield NpzRows({key: parts.pop() for key, parts in pieces.items()}, texts, self.other)

    @classmethod
    def of(cls, path: Path, wanted: tuple[str, ...] = (*_NUMBERS, *_TEXTS)) -> NpzRows:
        """Read a file's names, boxes and what else is wanted, an array at a time: Human3.6M's have 600 MB.

        Raises:
            RawDataCorrupt, UntrustedData: it cannot be read, names no persons, or an array has another shape.
        """
        keys = npz_keys(path)
        if absent := [key for key in _NEEDED if key not in keys]:
            fits = ", so it holds fits whose rows follow another file" * bool({"pose", "betas"} & {*keys})
            raise RawDataCorrupt(
                f"{path} has no {', '.join(absent)}{fits}; it has {', '.join(keys)[:200] or 'nothing'}",
                expected="a file of dataset_extras: imgname, center, scale, and what else is known of each person",
                action="give the file of the persons.",
            )
        read = [key for key in keys if key in wanted or key in _NEEDED]
        names = read_texts(path, "imgname")
        texts = {"imgname": names, **{key: read_texts(path, key, len(names)) for key in read if key in _TEXTS[1:]}}
        # The largest first: it is there twice while it is cast, and the others are not there yet.
        largest = sorted(_NUMBERS.keys() & {*read}, key=lambda key: (math.prod(_NUMBERS[key]), key), reverse=True)
        numbers = {key: _numbers(path, key, len(names)) for key in largest}
        if names and np.median(numbers["scale"]) > _LARGEST:
            raise RawDataCorrupt(f"{path}: half of the scales are above {_LARGEST:g}", expected="sides in px / 200")
        return cls(numbers, texts, tuple(key for key in keys if key not in (*_NUMBERS, *_TEXTS, *_FITS)))

    def gender(self, row: int) -> str:
        """Of a row, as records have it."""
        said = self.texts["gender"][row] if "gender" in self.texts else None
        return gender_of(said)


def gender_of(said: str | None) -> str:
    """What records call a gender that a file names in any of the field's ways."""
    return _GENDERS.get((said or "").strip().lower(), "unknown")


def _numbers(path: Path, key: str, rows: int) -> NDArray[Any]:
    array = read_npz(path, [key])[key]
    array = array.reshape(-1) if key == "scale" and array.shape[1:] == (1,) else array
    require_numbers({f"{path}: {key}": array}, {f"{path}: {key}": _NUMBERS[key]}, rows)
    with np.errstate(over="ignore"):  # what is too large for float32 is infinite, and so damaged
        return array.astype(np.float64 if key in _NEEDED else np.float32)


def read_texts(path: Path, key: str, rows: int | None = None) -> list[str | None]:
    """The texts of an array, None for what is none; they may be bytes or objects.

    Raises:
        RawDataCorrupt, UntrustedData: it cannot be read, or is not one text for each of ``rows``.
    """
    array = load_pickled_npz(path, [key])[key]
    if array.ndim != 1 or array.dtype.kind not in "SUO" or rows not in (None, len(array)):
        raise RawDataCorrupt(f"{path}: {key} of {array.dtype} {array.shape}", expected="a text for each person")
    return [_text(value) for value in array.tolist()]


def _text(value: Any) -> str | None:
    try:
        text = value.decode() if isinstance(value, bytes) else value
        return str(text) if isinstance(text, str) and text.encode() else None
    except UnicodeError:
        return None
