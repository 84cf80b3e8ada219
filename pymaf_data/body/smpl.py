"""The licensed SMPL bodies, read from the files that SPIN's and PyMAF's users have.

``SMPL_*.pkl`` comes from :mod:`~pymaf_data.untrusted` (no chumpy, no foreign code); its companions carry no
mark of their mesh, so shape and row sums are what can be proved of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from pymaf_data.asset_files import find_asset
from pymaf_data.body.arrays import (
    NUM_BETAS,
    NUM_DOWNSAMPLED,
    NUM_JOINTS,
    BodyArrays,
    Regressor,
    topology_fingerprint,
)
from pymaf_data.errors import AssetMismatch, RawDataCorrupt
from pymaf_data.untrusted.npz import read_npy, read_npz
from pymaf_data.untrusted.unpickle import load_pickled_npz, load_trusted_pickle

# smplx's vertex ids of SMPL's own mesh, in the order of names.LANDMARKS (facts of that mesh, of no other).
_LANDMARK_IDS = (
    332, 6260, 2800, 4071, 583, 3216, 3226, 3387, 6617, 6624, 6787,
    2746, 2319, 2445, 2556, 2673, 6191, 5782, 5905, 6016, 6133,
)  # fmt: skip
_SMPL_VERTICES = 6890


def load_smpl_arrays(gender: str, assets: Path | None = None) -> BodyArrays:
    """Read one SMPL body and its companion files.

    Args:
        gender: "neutral", "male" or "female".
        assets: folder in PyMAF's layout; default: below the data root.

    Raises:
        AssetMissing: a file is not there.
        AssetMismatch: a file is of another mesh or joint set.
        UntrustedData: a pickle asks for more than arrays.
        RawDataCorrupt: a pickle is cut short.
    """
    path = find_asset(f"smpl/SMPL_{gender.upper()}.pkl", assets)
    # All companions are found before the first large file is read.
    names = ("J_regressor_extra.npy", "J_regressor_h36m.npy", "mesh_downsampling.npz", "smpl_mean_params.npz")
    extra, h36m, downsampling, mean = (find_asset(name, assets) for name in names)
    model = read_model(path)
    V = len(model["v_template"])
    mesh = topology_fingerprint(model["faces"], V)
    pose6d, betas, camera = _read_mean(mean)
    return BodyArrays(
        v_template=model["v_template"],
        faces=model["faces"],
        parents=model["parents"],
        shapedirs=model["shapedirs"][:, :, :NUM_BETAS].astype(np.float64),
        posedirs=np.ascontiguousarray(model["posedirs"].astype(np.float64).reshape(3 * V, -1).T),
        weights=model["weights"],
        joints=Regressor(f"{path.name}:J_regressor", model["J_regressor"], mesh),
        extra=_read_regressor(extra, mesh),
        h36m=_read_regressor(h36m, mesh),
        landmarks=np.asarray(_LANDMARK_IDS),
        downsample=read_downsampling(downsampling, V),
        mean_pose6d=pose6d,
        mean_betas=betas,
        mean_camera=camera,
    )


def read_model(
    path: Path,
    vertices: int = _SMPL_VERTICES,
    joints: int = NUM_JOINTS,
    also: Mapping[str, tuple[int, ...]] | None = None,
) -> dict[str, np.ndarray]:
    """The arrays of a model file of SMPL's family, a .pkl or an .npz, as their names are there.

    Args:
        path: of the file.
        vertices: V, how many it must have.
        joints: J, likewise.
        also: arrays to read besides, with their shapes; 0 is any length.

    Returns:
        float64 ``v_template``, ``weights``, ``J_regressor``; ``f`` as int64 ``faces``, ``parents`` (J,) with −1 at the
        root; ``shapedirs`` (V, 3, any), ``posedirs`` (V, 3, 9·(J − 1)) and what is read besides as they lie there.

    Raises:
        AssetMismatch: it is of another mesh.
        UntrustedData: a pickle asks for more than arrays.
        RawDataCorrupt: it is cut short.
    """
    shapes: dict[str, tuple[int, ...]] = {
        "v_template": (vertices, 3), "f": (0, 3), "kintree_table": (2, joints), "shapedirs": (vertices, 3, 0),
        "posedirs": (vertices, 3, 9 * (joints - 1)), "weights": (vertices, joints), "J_regressor": (joints, vertices),
        **(also or {}),
    }  # fmt: skip
    content = read_npz(path, (), shapes) if path.suffix == ".npz" else load_trusted_pickle(path)
    absent = [key for key in shapes if key not in content] if isinstance(content, dict) else list(shapes)
    if absent:
        raise _mismatch(path, f"lacks {', '.join(absent)}", "the keys of such a model file")
    found = (*getattr(content["v_template"], "shape", ()), 0)[0]
    if found != vertices:
        raise _mismatch(path, f"has {found} vertices", f"{vertices} (SMPL, SMPL-H and SMPL-X are different bodies)")
    values = {key: _numbers(path, key, content[key], shape) for key, shape in shapes.items()}
    parents = values["kintree_table"][0].astype(np.int64)
    parents[0] = -1  # stored as the largest uint32
    exact = {key: values[key].astype(np.float64) for key in ("v_template", "weights", "J_regressor")}
    return values | exact | {"faces": values["f"].astype(np.int64), "parents": parents}


def _numbers(path: Path, key: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A dense array of numbers; its shape is compared before a sparse matrix becomes dense. 0 is any length."""
    found: tuple[int, ...] = getattr(value, "shape", ())
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    fits = len(found) == len(shape) and all(want in (0, has) for want, has in zip(shape, found, strict=True))
    if not fits or kind not in tuple("biuf"):
        wanted = ", ".join(str(n) if n else "…" for n in shape)
        raise _mismatch(path, f"has {key} as {found or type(value).__name__}", f"numbers of shape ({wanted})")
    dense: np.ndarray = value.toarray() if sparse.issparse(value) else np.asarray(value)
    return dense


def _read_regressor(path: Path, mesh: str) -> Regressor:
    try:
        matrix = read_npy(path)
    except RawDataCorrupt as error:
        raise _mismatch(path, f"is no plain NumPy array ({error.found})", "a float matrix (joints, vertices)") from None
    return Regressor(path.name, _numbers(path, "a matrix", matrix, (0, 0)).astype(np.float64), mesh)


def read_downsampling(path: Path, num_vertices: int) -> np.ndarray:
    """The vertices (431,) that the product of GraphCMR's two matrices ``D`` keeps: a pure selection.

    Raises:
        AssetMismatch: the product is no selection of 431 of the body's vertices.
    """
    pair = load_pickled_npz(path, ("D",))["D"]
    expected = (NUM_DOWNSAMPLED, num_vertices)
    shapes = [matrix.shape for matrix in pair.ravel() if sparse.issparse(matrix) and matrix.dtype.kind in "biuf"]
    chained = (
        len(shapes) == pair.size == 2 and (shapes[1][0], shapes[0][1]) == expected and shapes[1][1] == shapes[0][0]
    )
    if not chained:
        raise _mismatch(path, f"D selects by {shapes}", f"two matrices whose product is {expected}")
    first, second = pair.ravel()
    product = sparse.csr_matrix(second @ first)
    product.eliminate_zeros()
    if (np.diff(product.indptr) != 1).any() or (product.data != 1.0).any():
        raise _mismatch(path, "D selects no single vertices", f"{expected}, one each")
    return product.indices.astype(np.int64)


def _read_mean(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    try:
        arrays = read_npz(path, ("pose", "shape", "cam"))
    except RawDataCorrupt as error:
        raise _mismatch(path, f"cannot be read ({error.found})", "arrays pose, shape and cam") from None
    if any(array.dtype.kind not in "biuf" for array in arrays.values()):
        raise _mismatch(path, "holds other things than numbers", "arrays pose, shape and cam")
    pose, shape, cam = (array.astype(np.float64).ravel() for array in arrays.values())
    return pose, shape, cam


def _mismatch(path: Path, found: str, expected: str) -> AssetMismatch:
    return AssetMismatch(f"{path} {found}.", expected=f"{expected}.", action="fetch the file again from its source.")
