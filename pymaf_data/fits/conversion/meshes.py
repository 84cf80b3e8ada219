"""From the meshes of other models to SMPL's, by what was published of how they correspond."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from pymaf_data.asset_files import find_asset
from pymaf_data.errors import AssetMismatch, AssetMissing
from pymaf_data.untrusted.npz import read_npz
from pymaf_data.untrusted.ply import read_ply_faces
from pymaf_data.untrusted.unpickle import load_trusted_pickle

SMPL_VERTICES, SMPLX_VERTICES, MHR_VERTICES = 6890, 10475, 18439
_SUM = 0.01
"""What the weights of one vertex may differ from 1 by."""

Files = tuple[Path, ...]


def mhr_files(assets: Path | None) -> Files:
    """What leads from MHR to SMPL: barycentric coordinates, and MHR's triangles.

    Raises:
        AssetMissing: one is not there.
    """
    return find_asset("mhr/mhr2smpl_mapping.npz", assets), find_asset("mhr/mhr_face_mask.ply", assets)


def smplx_files(assets: Path | None) -> Files:
    """What leads from SMPL-X to SMPL: the published deformation transfer, else the way through MHR.

    Raises:
        AssetMissing: neither is there.
    """
    try:
        return (find_asset("smplx/smplx2smpl.pkl", assets),)
    except AssetMissing as missing:
        try:
            return find_asset("mhr/smplx2mhr_mapping.npz", assets), *mhr_files(assets)
        except AssetMissing:
            raise missing from None


def mhr_to_smpl(files: Files) -> sparse.csr_matrix:
    """(6890, 18439) of :func:`mhr_files`.

    Raises:
        AssetMismatch: a file is of another mesh.
        RawDataCorrupt: a file is cut short.
    """
    mapping, mesh = files
    faces, count = read_ply_faces(mesh)
    if count != MHR_VERTICES:
        raise _mismatch(mesh, f"has {count} vertices", f"MHR's {MHR_VERTICES} (level of detail 1)")
    return _barycentric(mapping, faces, (SMPL_VERTICES, MHR_VERTICES))


def smplx_to_smpl(files: Files, faces: np.ndarray) -> sparse.csr_matrix:
    """(6890, 10475) of :func:`smplx_files`; ``faces`` are SMPL-X's.

    Raises:
        AssetMismatch: a file is of another mesh.
        UntrustedData: a pickle asks for more than arrays.
        RawDataCorrupt: a file is cut short.
    """
    if len(files) == 1:
        return _transfer(files[0])
    through = _barycentric(files[0], faces, (MHR_VERTICES, SMPLX_VERTICES))
    return sparse.csr_matrix(mhr_to_smpl(files[1:]) @ through)


def mapped(matrix: sparse.csr_matrix, vertices: np.ndarray) -> np.ndarray:
    """(K, V', 3) float64 of vertices (K, V, 3); NaN where they are none of numbers."""
    flat = vertices.astype(np.float64).transpose(1, 0, 2).reshape(matrix.shape[1], -1)
    found: np.ndarray = (matrix @ flat).reshape(matrix.shape[0], -1, 3)
    return found.transpose(1, 0, 2)


def _barycentric(path: Path, faces: np.ndarray, shape: tuple[int, int]) -> sparse.csr_matrix:
    arrays = read_npz(path, ("triangle_ids", "baryc_coords"))
    triangles, weights = arrays["triangle_ids"], arrays["baryc_coords"]
    found = f"has {triangles.dtype} {triangles.shape} triangles with {weights.dtype} {weights.shape}"
    if triangles.shape != shape[:1] or triangles.dtype.kind not in "iu" or weights.shape != (shape[0], 3):
        raise _mismatch(path, found, f"three weights in a triangle for each of {shape[0]} vertices")
    if weights.dtype.kind != "f" or not 0 <= triangles.min() <= triangles.max() < len(faces):
        raise _mismatch(path, found, f"numbers of {len(faces)} triangles")
    rows = np.arange(shape[0]).repeat(3)
    columns = faces[triangles].ravel()
    return _checked(path, sparse.coo_matrix((weights.astype(np.float64).ravel(), (rows, columns)), shape))


def _transfer(path: Path) -> sparse.csr_matrix:
    """Of deformation transfer: ``matrix``, or ``mtx``, whose second half is for normals."""
    content = load_trusted_pickle(path) if path.suffix == ".pkl" else read_npz(path, (), ("matrix", "mtx"))
    matrix: Any = content.get("matrix", content.get("mtx")) if isinstance(content, dict) else None
    shape, kind = getattr(matrix, "shape", ()), getattr(getattr(matrix, "dtype", None), "kind", "")
    if kind != "f" or shape not in [(SMPL_VERTICES, times * SMPLX_VERTICES) for times in (1, 2)]:
        raise _mismatch(path, f"has a matrix {shape}", f"({SMPL_VERTICES}, {SMPLX_VERTICES}), or twice as wide")
    with np.errstate(all="ignore"):
        return _checked(path, sparse.csr_matrix(matrix.astype(np.float32))[:, :SMPLX_VERTICES])


def _checked(path: Path, matrix: sparse.spmatrix) -> sparse.csr_matrix:
    with np.errstate(all="ignore"):  # a file's numbers may be anything
        single = sparse.csr_matrix(matrix, dtype=np.float32)
        apart = np.abs(np.asarray(single.sum(1)) - 1).max()
    if not apart <= _SUM:  # NaN is not
        raise _mismatch(path, "has vertices whose weights do not sum to 1", "points of the mesh")
    return single


def _mismatch(path: Path, found: str, expected: str) -> AssetMismatch:
    return AssetMismatch(f"{path} {found}.", expected=f"{expected}.", action="fetch the file again from its source.")
