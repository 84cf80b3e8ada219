"""Digests: one way to name data by its content (SHA-256, hexadecimal)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

_BLOCK = 1 << 20


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text on every machine."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest_json(value: Any) -> str:
    """SHA-256 of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value).encode("ascii")).hexdigest()


def digest_arrays(*arrays: np.ndarray) -> str:
    """SHA-256 over dtype, shape and C-order bytes of each array, in the order given."""
    state = hashlib.sha256()
    for array in arrays:
        data = np.ascontiguousarray(array)
        state.update(f"{data.dtype.str}{data.shape}".encode("ascii"))
        state.update(data.reshape(-1).view(np.uint8).data if data.nbytes else b"")  # of its own memory, not of a copy
    return state.hexdigest()


def digest_path(path: Path) -> str:
    """Of a file its content; of a folder the names and sizes of all files in it, which may be tens of thousands."""
    if not path.is_dir():
        return digest_file(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return digest_json([[file.relative_to(path).as_posix(), file.stat().st_size] for file in files])


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks."""
    state = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(_BLOCK):
            state.update(block)
    return state.hexdigest()
