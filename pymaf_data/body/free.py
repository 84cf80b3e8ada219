"""The free body: decoding of the asset that ships with the package (made by ``tools/build_free_body.py``).

Coordinates and matrices are stored small: blend shapes as int16 with a scale, sparse matrices as CSR triples.
Decoding is exact in float64, so every machine gets the same body.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

import numpy as np
from scipy import sparse

from pymaf_data.body.arrays import (
    NUM_H36M,
    NUM_JOINTS,
    NUM_POSE_FEATURES,
    BodyArrays,
    Regressor,
    topology_fingerprint,
)
from pymaf_data.body.names import EXTRA
from pymaf_data.errors import AssetMismatch, AssetMissing, RawDataCorrupt
from pymaf_data.untrusted.npz import read_npz

ASSET_NAME = "free_body.npz"


def read_free_asset() -> dict[str, np.ndarray]:
    """All members of the shipped asset, as stored (the atlas included).

    Raises:
        AssetMissing: the installation lacks the file.
        AssetMismatch: it is damaged.
    """
    resource = files("pymaf_data.body.assets") / ASSET_NAME
    try:
        data = resource.read_bytes()
    except OSError:
        raise AssetMissing(
            f"the free body is not in this installation: {resource} is absent.",
            expected="a file that every wheel and checkout carries.",
            action="install pymaf-data again, or run tools/build_free_body.py in a checkout.",
        ) from None
    try:
        return read_npz(data, origin=ASSET_NAME)
    except RawDataCorrupt as error:
        raise _damaged(error.found) from None


def load_free_arrays() -> BodyArrays:
    """Decode the free body.

    Raises:
        AssetMissing: the installation lacks the file.
        AssetMismatch: the file is not a free body of this version.
    """
    try:
        return decode(read_free_asset())
    except (KeyError, ValueError) as error:
        raise _damaged(f"{ASSET_NAME} does not decode: {error}.") from None


def _damaged(found: str) -> AssetMismatch:
    return AssetMismatch(
        found,
        expected="the asset of this version.",
        action="install pymaf-data again, or run tools/build_free_body.py in a checkout.",
    )


def decode(asset: Mapping[str, np.ndarray]) -> BodyArrays:
    """Turn the stored members into arrays (float64, int64)."""
    v_template = asset["v_template"].astype(np.float64)
    faces = asset["faces"].astype(np.int64)
    V = len(v_template)
    mesh = topology_fingerprint(faces, V)

    def regressor(name: str, rows: int) -> Regressor:
        return Regressor(f"{ASSET_NAME}:{name}", _normalised(_dense(asset, name, (rows, V))), mesh)

    return BodyArrays(
        v_template=v_template,
        faces=faces,
        parents=asset["parents"].astype(np.int64),
        shapedirs=asset["shapedirs"] * asset["shapedirs_scale"].astype(np.float64),
        posedirs=_dense(asset, "posedirs", (NUM_POSE_FEATURES, 3 * V)) * float(asset["posedirs_scale"]),
        weights=_normalised(_dense(asset, "weights", (V, NUM_JOINTS))),
        joints=regressor("J_regressor", NUM_JOINTS),
        extra=regressor("extra_regressor", len(EXTRA)),
        h36m=regressor("h36m_regressor", NUM_H36M),
        landmarks=asset["landmark_ids"].astype(np.int64),
        downsample=asset["downsample_ids"].astype(np.int64),
        mean_pose6d=asset["mean_pose6d"].astype(np.float64),
        mean_betas=asset["mean_betas"].astype(np.float64),
        mean_camera=asset["mean_camera"].astype(np.float64),
        mirror=asset["mirror"].astype(np.int64),
    )


def _dense(asset: Mapping[str, np.ndarray], name: str, shape: tuple[int, int]) -> np.ndarray:
    triple = (
        asset[f"{name}_data"].astype(np.float64),
        asset[f"{name}_indices"].astype(np.int32),
        asset[f"{name}_indptr"].astype(np.int32),
    )
    matrix = sparse.csr_matrix(triple, shape=shape)
    matrix.check_format(full_check=True)
    return matrix.toarray()


def _normalised(matrix: np.ndarray) -> np.ndarray:
    """Rows that sum to one in float64, not only in the float32 of the file.

    A row's sum of a few float32 values is exact in float64 whatever their order, so mirrored rows stay exact mirrors.
    """
    return matrix / matrix.sum(1, keepdims=True)
