"""Write Matlab's v7.3 files: HDF5 behind 512 bytes, axes reversed, cells as references into #refs#."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

CLASSES = {
    "f8": "double", "f4": "single", "i1": "int8", "u1": "uint8", "i2": "int16", "u2": "uint16", "i4": "int32",
    "u4": "uint32", "i8": "int64", "u8": "uint64",
}  # fmt: skip


def save(path: Path, variables: Mapping[str, Any], packed: bool = True) -> Path:
    """Arrays in Matlab's axes, text, and lists: (n, 1) cells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        kept = file.create_group("#refs#") if any(isinstance(value, list) for value in variables.values()) else None
        for name, value in variables.items():
            put(file, name, value, kept, packed)
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 00:00:00 2018 HDF5 schema 1.00 ."
    with path.open("r+b") as stream:
        stream.write(head.ljust(116) + bytes(8) + b"\x00\x02IM")
    return path


def put(group: Any, name: str, value: Any, kept: Any, packed: bool = True) -> Any:
    """One variable or cell."""
    if isinstance(value, list):
        references = np.empty((1, len(value)), h5py.ref_dtype)
        for i, cell in enumerate(value):
            references[0, i] = put(kept, f"{name}{i}", cell, kept, packed).ref
        return _with(group.create_dataset(name, data=references, dtype=h5py.ref_dtype), "cell")
    if isinstance(value, str):
        codes = np.frombuffer(value.encode("utf-16-le"), "<u2")
        made = _with(group.create_dataset(name, data=codes[:, None]), "char")
        made.attrs["MATLAB_int_decode"] = np.int32(2)
        return made
    values = np.asarray(value)
    if values.size == 0:
        made = _with(group.create_dataset(name, data=np.array(values.shape, np.uint64)), "double")
        made.attrs["MATLAB_empty"] = np.uint8(1)
        return made
    logical = values.dtype == bool
    stored = values.astype(np.uint8) if logical else values
    filters: dict[str, Any] = {"compression": "gzip", "compression_opts": 3} if packed and values.size > 1 else {}
    made = group.create_dataset(name, data=stored.T, **filters)
    if logical:
        made.attrs["MATLAB_int_decode"] = np.int32(1)
    return _with(made, "logical" if logical else CLASSES[stored.dtype.str[1:]])


def _with(made: Any, kind: str) -> Any:
    made.attrs["MATLAB_class"] = np.bytes_(kind)
    return made
