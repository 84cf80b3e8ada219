"""EFT's fits (Joo et al., 3DV 2021): ``{"ver", "data": [entry, …]}``, for each person

    parm_pose 24 × 3 × 3 matrices · parm_shape 10 · parm_cam s, tx, ty · bbox_center px · bbox_scale side / 200
    imageName · annotId (COCO alone: the annotation's, not the image's) · smpltype

The camera is orthographic in EFT's crop of 224 px: 112·(s·X + t + 1), where SPIN's adds t before it scales. The crop's
corners are whole pixels (``conv_bboxinfo_center2topleft``). The network saw the crop alone: roots are seen along its
ray. Bad fits were dropped from the files, so rows follow no annotation file.
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
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.reader import ByAnnotation, ByImage, FitReader, FitTable, add_rows
from pymaf_data.fits.table import VIEW
from pymaf_data.geometry.affines import invert, view_affine
from pymaf_data.geometry.cameras import orthographic_view
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


def _content(path: Path) -> tuple[Any, np.ndarray]:
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
    plain = all(map(_is_id, ids)) or not named
    if not plain or rows != (*range(len(numbers)),) or max(map(len, images + bodies)) > _LONGEST:
        raise ValueError("it holds more than fits of annotations")
    return (numbers, np.array(images), np.array(ids if named else []), np.array(bodies)), size


def _is_id(number: Any) -> bool:
    return type(number) is int and 0 <= number < 2**63


def _read(path: Path, companion: Path | None = None) -> FitTable:
    content, numbers = _content(path)
    entries = content.get("data") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, tuple) for entry in entries):
        raise RawDataCorrupt("it has no list `data` of fits")
    rows, images, ids, bodies = zip(*entries, strict=True)
    numbers = numbers if len(numbers) == len(rows) else numbers[list(rows)]
    pose, betas, camera, centre, scale = np.split(numbers, [72, 82, 85, 87], axis=1)
    low, high = np.trunc(centre - 100 * scale), np.trunc(centre + 100 * scale)
    side = high[:, 1:] - low[:, 1:]
    seen = (side > 0) & (camera[:, :1] > 0)
    box = np.where(seen, np.concatenate([low + side / 2, side], 1), 1.0)
    pi = np.where(seen, np.concatenate([camera[:, :1], camera[:, 1:] / np.where(seen, camera[:, :1], 1.0)], 1), np.nan)
    by_id = all(map(_is_id, ids))
    return FitTable(
        keys=ByAnnotation(np.array(ids)) if by_id else ByImage(np.array(images), centre),
        pose=pose,
        betas=betas,
        camera=orthographic_view(torch.from_numpy(pi)).warped(invert(view_affine(box))).matrix.numpy(),
        frame=np.full(len(entries), VIEW, np.uint8),
        body=np.array(bodies),
        licences={"EFT fits": "CC BY-NC 4.0"},
        # EFT itself kept what lay within about 9 px of the crop (root mean square); its hips follow no keypoints.
        tolerance=Tolerance(view=15.0, image=1.5, share=0.05),
        orthographic=True,
    )


READER = FitReader(
    _read,
    "a .json of EFT's release",
    "CC BY-NC 4.0",
    "https://github.com/facebookresearch/eft has links",
    signs=(('"parm_pose"', '"parm_cam"'),),
)
