"""The licensed SMPL bodies, read from the files that SPIN's and PyMAF's users have.

``SMPL_*.pkl`` comes from :mod:`~pymaf_data.untrusted` (no chumpy, no foreign code); its companions carry no
mark of their mesh, so shape and row sums are what can be proved of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from scipy import sparse

from pymaf_data.body.arrays import NUM_BETAS, NUM_DOWNSAMPLED, BodyArrays, Regressor, topology_fingerprint
from pymaf_data.body.lookup import find_asset
from pymaf_data.untrusted import load_pickled_npz, load_trusted_pickle
from pymaf_data.errors import AssetMismatch

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
    model = _read_model(path)
    V = len(model["v_template"])
    mesh = topology_fingerprint(model["faces"], V)
    pose6d, betas, camera = _read_mean(mean)
    return BodyArrays(
        v_template=model["v_template"],
        faces=model["faces"],
        parents=model["parents"],
        shapedirs=model["shapedirs"],
        posedirs=model["posedirs"],
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


def _read_model(path: Path) -> dict[str, np.ndarray]:
    content = load_trusted_pickle(path)
    keys = ("v_template", "f", "kintree_table", "shapedirs", "posedirs", "weights", "J_regressor")
    absent = [key for key in keys if key not in content] if isinstance(content, dict) else list(keys)
    if absent:
        raise _mismatch(path, f"lacks {', '.join(absent)}", "the keys of an SMPL model file")
    values = {key: _dense(content[key]) for key in keys}
    V = len(values["v_template"])
    if V != _SMPL_VERTICES:
        raise _mismatch(path, f"has {V} vertices", f"SMPL's {_SMPL_VERTICES} (SMPL-H and SMPL-X are other bodies)")
    parents = values["kintree_table"][0].astype(np.int64)
    parents[0] = -1  # stored as the largest uint32
    posedirs = values["posedirs"].astype(np.float64)
    return {
        "v_template": values["v_template"].astype(np.float64),
        "faces": values["f"].astype(np.int64),
        "parents": parents,
        "shapedirs": values["shapedirs"][:, :, :NUM_BETAS].astype(np.float64),
        "posedirs": np.ascontiguousarray(posedirs.reshape(3 * V, -1).T),
        "weights": values["weights"].astype(np.float64),
        "J_regressor": values["J_regressor"].astype(np.float64),
    }


def _dense(value: Any) -> np.ndarray:
    return value.toarray() if sparse.issparse(value) else np.asarray(value)


def _read_regressor(path: Path, mesh: str) -> Regressor:
    try:
        matrix = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _mismatch(path, f"is no plain NumPy array ({error})", "a float matrix (joints, vertices)") from None
    return Regressor(path.name, matrix.astype(np.float64), mesh)


def read_downsampling(path: Path, num_vertices: int) -> np.ndarray:
    """The vertices (431,) that the product of GraphCMR's two matrices ``D`` keeps: a pure selection.

    Raises:
        AssetMismatch: the product is no selection of 431 of the body's vertices.
    """
    first, second = load_pickled_npz(path, ("D",))["D"]
    product = sparse.csr_matrix(second @ first)
    product.eliminate_zeros()
    expected = (NUM_DOWNSAMPLED, num_vertices)
    if product.shape != expected or (np.diff(product.indptr) != 1).any() or (product.data != 1.0).any():
        raise _mismatch(path, f"D selects {product.shape[0]} of {product.shape[1]} vertices", f"{expected}, one each")
    return product.indices.astype(np.int64)


def _read_mean(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            pose, shape, cam = (archive[key].astype(np.float64).ravel() for key in ("pose", "shape", "cam"))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise _mismatch(path, f"cannot be read ({error})", "arrays pose, shape and cam") from None
    return pose, shape, cam


def _mismatch(path: Path, found: str, expected: str) -> AssetMismatch:
    return AssetMismatch(f"{path} {found}.", expected=f"{expected}.", action="fetch the file again from its source.")
