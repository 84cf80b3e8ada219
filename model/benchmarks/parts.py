"""The six parts of UPi-S1h on SMPL's mesh: two files of SPIN's data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pymaf_data.asset_files import find_asset
from pymaf_data.errors import AssetMismatch
from pymaf_data.untrusted.npz import read_npy

PARTS, IGNORED = 6, 255
"""How many there are, and the label of pixels that are not to be measured; 0 is the background."""


def parts_of_faces(assets: Path | None) -> NDArray[np.uint8]:
    """(F,) part 1 … 6 of each face of SMPL's mesh: its colour in vertex_texture.npy, looked up in cube_parts.npy.

    Raises:
        AssetMissing: one of them is not there.
        AssetMismatch: they are something else, or no pair.
    """
    texture, cube = (read_npy(find_asset(name, assets)) for name in ("vertex_texture.npy", "cube_parts.npy"))
    faces = texture.shape[1] if texture.ndim == 6 else 0
    if texture.shape != (1, faces, 2, 2, 2, 3) or cube.ndim != 3 or {texture.dtype.kind, cube.dtype.kind} != {"f"}:
        raise _no_pair(f"vertex_texture.npy of {texture.dtype} {texture.shape}, cube_parts.npy {cube.shape}")
    colour = texture.reshape(faces, 8, 3).astype(np.float32)
    place = np.floor(np.float32(100) * colour[:, 0]) if faces else colour[:, 0]
    if (colour != colour[:, :1]).any() or not ((place >= 0) & (place < cube.shape)).all():
        raise _no_pair("vertex_texture.npy with faces of several colours, or of such as cube_parts.npy has no part for")
    parts = cube[tuple(place.astype(np.int64).T)]
    if not np.isin(parts, range(1, PARTS + 1)).all():
        raise _no_pair("cube_parts.npy with parts other than 1 … 6")
    return parts.astype(np.uint8)


def _no_pair(found: str) -> AssetMismatch:
    return AssetMismatch(found, expected="the two files of SPIN's data", action="fetch both again.")
