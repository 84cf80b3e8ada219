"""The asset's file: an .npz whose bytes depend on nothing but its arrays."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

_EPOCH = (1980, 1, 1, 0, 0, 0)
LIMIT = 2_000_000
"""Bytes."""


def sparse_members(name: str, matrix: csr_matrix | np.ndarray, dtype: type) -> dict[str, np.ndarray]:
    """A matrix as the three arrays of compressed rows, without stored zeros."""
    rows = csr_matrix(matrix)
    rows.eliminate_zeros()
    rows.sort_indices()
    return {
        f"{name}_data": rows.data.astype(dtype),
        f"{name}_indices": rows.indices.astype(np.uint16),
        f"{name}_indptr": rows.indptr.astype(np.uint32),
    }


def quantised_shapes(directions: np.ndarray) -> dict[str, np.ndarray]:
    """(V, 3, 10) metres per standard deviation → int16 and a float32 scale per component."""
    scale = (np.abs(directions).max((0, 1)) / 32767).astype(np.float32)
    whole = np.rint(directions / scale.astype(np.float64)).astype(np.int16)
    return {"shapedirs": whole, "shapedirs_scale": scale}


def write_asset(path: Path, members: dict[str, np.ndarray]) -> int:
    """Write ``members``, compressed, without a time or a host in them; the size in bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in members.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asarray(array, order="C"), version=(1, 0), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content.getvalue(), compresslevel=9)
    data = buffer.getvalue()
    if len(data) > LIMIT:
        raise RuntimeError(f"the asset has {len(data)} bytes, more than {LIMIT}")
    path.write_bytes(data)
    return len(data)
