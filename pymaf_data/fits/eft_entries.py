"""Persons of EFT's JSON, packed while it is parsed: their numbers, and what says whose they are.

A large file is parsed by two processes, from its beginning and from its middle on; whatever is doubtful is parsed by
one, so that what is read, and what is said of a damaged file, is the same.
"""

from __future__ import annotations

import struct
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.readers.reader import add_rows
from pymaf_data.geometry.rotations import matrix_to_axis_angle
from pymaf_data.untrusted.json_halves import end_of
from pymaf_data.untrusted.json_text import read_json, read_members

_SIZES = {"parm_pose": 216, "parm_shape": 10, "parm_cam": 3, "bbox_center": 2, "bbox_scale": 1}
_PACKED = struct.Struct(f"{sum(_SIZES.values())}d")
_LENGTHS = [*_SIZES.values()][1:4]
_AMISS = _PACKED.pack(*[np.nan] * sum(_SIZES.values()))
_BODIES = {"smpl": "smpl-neutral"}
_BLOCK = 1024
_LONGEST = 512


class _Entries:
    """Takes persons' numbers while they are parsed; a thread beside makes a third of them, axis-angle of matrices."""

    def __init__(self, beside: Executor) -> None:
        self._beside, self._turned, self._count = beside, list[Future[np.ndarray]](), 0
        self.numbers, self._waiting = np.empty((0, 88)), list[bytes]()

    def packed(self, entry: dict[str, Any]) -> Any:
        """(row, image, annotation, body) of a person; the row's numbers are NaN where one is amiss."""
        if "parm_pose" not in entry:
            return entry
        self._waiting.append(_numbers(*map(entry.get, _SIZES)))
        if len(self._waiting) == _BLOCK:
            self.turn()
        self._count, kind = self._count + 1, str(entry.get("smpltype", "smpl"))
        return self._count - 1, str(entry.get("imageName")), entry.get("annotId"), _BODIES.get(kind, kind)

    def turn(self) -> None:
        """Add what was turned to the numbers (N, 88), pose 72 and the rest in _SIZES' order; have the others turned."""
        for rows in [future.result() for future in self._turned]:
            add_rows(self.numbers, rows)
        self._turned, self._waiting = [self._beside.submit(_axis_angles, self._waiting)], []

    def turned(self) -> np.ndarray:
        """The numbers, all turned."""
        self.turn()
        self.turn()
        return self.numbers

    def add(self, found: tuple[np.ndarray, ...]) -> list[Any]:
        """Take over persons whom :func:`_parse_end` has packed."""
        numbers, images, ids, bodies = found
        self.turn()
        self._turned.append(self._beside.submit(lambda: numbers))
        rows = range(self._count, self._count + len(numbers))
        self._count = rows.stop
        return [*zip(rows, images.tolist(), ids.tolist() or [None] * len(rows), bodies.tolist(), strict=True)]


def _axis_angles(waiting: list[bytes]) -> np.ndarray:
    numbers = np.frombuffer(bytearray().join(waiting)).reshape(-1, sum(_SIZES.values()))
    numbers[~(np.abs(numbers) < 1e9).all(1)] = np.nan
    pose = matrix_to_axis_angle(torch.from_numpy(numbers[:, :216]).reshape(-1, 24, 3, 3)).flatten(1).numpy()
    return np.concatenate([pose, numbers[:, 216:]], 1)


def _numbers(pose: Any, *others: Any) -> bytes:
    """Those (232,) of a person, float64, NaN where one is amiss. Of lists NumPy would ask each member for its shape."""
    try:
        shape, camera, centre, scale = others
        rows = [*chain.from_iterable(pose)]
        if {*map(len, pose)} == {*map(len, rows)} == {3} and [*map(len, others[:3])] == _LENGTHS:
            return _PACKED.pack(*chain.from_iterable(rows), *shape, *camera, *centre, scale)
    except (TypeError, OverflowError, struct.error):  # numbers in other lists, or as text
        pass
    try:
        parts = [np.asarray(part, np.float64).ravel() for part in (pose, *others)]
    except (TypeError, ValueError, OverflowError):
        parts = []
    sound = [part.size for part in parts] == [*_SIZES.values()]
    return np.concatenate(parts).tobytes() if sound else _AMISS


def packed_entries(path: Path) -> tuple[Any, np.ndarray]:
    """The file's value, persons packed, and their numbers (N, 88). A large file is parsed by two processes."""
    with ThreadPoolExecutor(1) as beside:
        taken = _Entries(beside)
        with end_of(path, _parse_end, taken.add) as rest:
            try:
                return read_json(path, taken.packed, rest), taken.turned()
            except RawDataCorrupt:
                if rest is None:
                    raise
        taken = _Entries(beside)  # by one process, which says the same wherever it might have been cut
        return read_json(path, taken.packed), taken.turned()


def _parse_end(path: str, first: int) -> Any:
    """What :meth:`_Entries.add` adds, of the persons from a byte on: run in another process."""
    torch.set_num_threads(1)
    with ThreadPoolExecutor(1) as beside:
        taken = _Entries(beside)
        persons, size = read_members(Path(path), first, taken.packed)
        numbers = taken.turned()
    rows, images, ids, bodies = zip(*persons, strict=True)
    named = any(number is not None for number in ids)
    plain = all(map(is_id, ids)) or not named
    if not plain or rows != (*range(len(numbers)),) or max(map(len, images + bodies)) > _LONGEST:
        raise ValueError("it holds more than fits of annotations")
    return (numbers, np.array(images), np.array(ids if named else []), np.array(bodies)), size


def is_id(number: Any) -> bool:
    """Whether it can be an annotation's."""
    return type(number) is int and 0 <= number < 2**63
