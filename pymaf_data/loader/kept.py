"""Labels of a store, kept beside it from one opening to the next: of 300,000 persons they take 20 s to make.

    .STORE.kept/labels-<what is asked for>      header · CRC-32C · every column of Labels, one after the other

The header is a digest of all that labels are made from: the commits of the store (whose sums name every byte), body,
atlas and the code that makes them. A file of another digest is made anew, and so is one that a disk damaged.
What is found is mapped, not read: processes share it, and memory can be had back. The folder may be removed any time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from pymaf_data import __version__
from pymaf_data.digest import digest_json
from pymaf_data.errors import DiskFull, NotWritable, StoreDamaged
from pymaf_data.fits import cameras as native
from pymaf_data.fits import chosen
from pymaf_data.geometry import cameras, frames
from pymaf_data.loader import columns, frame, labels
from pymaf_data.loader.columns import Columns, Table, widths
from pymaf_data.loader.labels import Labels
from pymaf_data.storage import Store
from pymaf_data.storage.files import LocalFiles

logger = logging.getLogger(__name__)

FROM = 5_000
"""Persons from which on it pays."""

_TEMPORARY = "tmp"
_HEADER, _ALIGNED = 64, 64
_CODE = (labels, columns, frame, chosen, native, cameras, frames)
_MADE_BY = [__version__, *(sha256(Path(str(module.__file__)).read_bytes()).hexdigest() for module in _CODE)]

_TABLES: dict[str, tuple[tuple[int, ...], str]] = {
    "box": ((3,), "<f8"),
    "keypoints": ((49, 3), "<f4"),
    "joints3d": ((24, 4), "<f4"),
    "image_ray": ((3,), "<f8"),
    "pose": ((24, 3), "<f4"),
    "betas": ((10,), "<f4"),
    "fit_ray": ((3,), "<f8"),
    "fit_camera": ((3, 4), "<f8"),
}
_FLAGS = ("present", "measured", "fit_orthographic", "has_fit", "has_iuv")


def kept_labels(store: Store, what: Sequence[object], make: Callable[[], Labels]) -> Labels:
    """What ``make`` gives for a store; of a store that is the same as at an earlier opening, what it gave then.

    Args:
        store: of which small ones, and those that lack shards, are read anew.
        what: what else the labels depend on.
        make: reads them.
    """
    if len(store) < FROM or not all(info.complete for info in store.stages()):
        return make()
    files, name = LocalFiles(store.path.parent / f".{store.path.name}.kept"), f"labels-{digest_json(list(what))[:16]}"
    digest = bytes.fromhex(digest_json([_MADE_BY, list(what), _content(store)]))
    found = _find(files, name, digest, len(store))
    if found is not None:
        logger.info("%s: labels as they were kept in %s", store.path.name, files.root)
        return found
    made = make()
    try:
        files.write({name: _pack(made, digest)}, _TEMPORARY)
    except (NotWritable, DiskFull) as error:
        logger.info("%s: labels are not kept, the next start reads them again: %s", store.path.name, error.found)
    # Mapped, like the next start's: the memory of those that were made can be given back.
    return _find(files, name, digest, len(store)) or made


def _find(files: LocalFiles, name: str, digest: bytes, N: int) -> Labels | None:
    """The labels that are kept; None where there are none of this digest, or a disk damaged them."""
    try:
        return _unpack(files.view(name), digest, N)
    except (FileNotFoundError, StoreDamaged):
        return None


def _content(store: Store) -> list[object]:
    """What names every byte of a store that labels may be made from."""
    return [
        [
            [info.stage, info.generation, info.current, info.attributes],
            [[path, file.sha256] for _, commit in sorted(info.commits.items()) for path, file in commit.files.items()],
        ]
        for info in store.stages()
    ]


def _pack(made: Labels, digest: bytes) -> list[bytes]:
    """The parts of a file: of each table its widths, shared numbers and columns, then the flags."""
    arrays: list[np.ndarray] = []
    for name in _TABLES:
        (part,) = getattr(made, name).parts
        arrays += [part.width, part.shared, *part.held]
    arrays += [getattr(made, name) for name in _FLAGS]
    padded = [np.ascontiguousarray(values).tobytes() + bytes(-values.nbytes % _ALIGNED) for values in arrays]
    crc = 0
    for column in padded:
        crc = google_crc32c.extend(crc, column)
    return [(digest + crc.to_bytes(4, "little")).ljust(_HEADER, b"\0"), *padded]


def _unpack(data: np.ndarray, digest: bytes, N: int) -> Labels | None:
    """The labels in a file, mapped; None where it is of something else, or damaged."""
    if data[:32].tobytes() != digest:
        return None
    if google_crc32c.value(data[_HEADER:]).to_bytes(4, "little") != data[32:36].tobytes():
        return None
    at = _HEADER

    def take(shape: tuple[int, ...], dtype: str) -> np.ndarray:
        nonlocal at
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        values = data[at : at + size].view(dtype).reshape(shape)
        at += -(-size // _ALIGNED) * _ALIGNED
        return values

    columns: dict[str, Any] = {}
    for name, (shape, dtype) in _TABLES.items():
        K = int(np.prod(shape))
        width, shared = take((K,), "u1"), take((K,), dtype)
        held = tuple(take((N, int((width == size).sum())), f"<f{size}") for size in widths(width))
        columns[name] = Table(shape, [Columns(width, shared, held)], [N])
    columns |= {name: take((N,), "?") for name in _FLAGS}
    return Labels(**columns)
