"""Bodies and atlases."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from .reader import Reader, factory


def _write_pickle(folder: Path) -> Iterator[Path]:
    import torch

    leaf = b"cchumpy.ch\nCh\n)\x81" + pickle.dumps({"x": np.arange(6.0)}, 2)[2:-1] + b"b"
    rest: dict[str, Any] = {
        "f": np.arange(12, dtype=np.uint32).reshape(4, 3),
        "J_regressor": sparse.csc_matrix(np.eye(3, 4)),
        "kintree_table": np.array([[4294967295, 0], [0, 1]], np.uint32),
        "bs_style": "lbs",
        "nested": [(1, 2.5), {"a": None}, {1, 2}, np.float32(2), np.array([None, "x"], dtype=object)],
        np.str_("key"): torch.ones(2),
    }
    for protocol in (0, 2, 5):
        path = folder / f"{protocol}.pkl"
        body = pickle.dumps(rest, protocol)
        path.write_bytes(b"(" + leaf + body + b"0t." if protocol == 2 else body)
        yield path


def _read_pickle(folder: Path) -> Any:
    from pymaf_data.body import load_trusted_pickle

    return [load_trusted_pickle(path) for path in sorted(folder.glob("*.pkl"))]


def _write_model(folder: Path) -> Iterator[Path]:
    """A whole SMPL file: what is read from it is checked against its shapes."""
    V = 6890
    zeros: dict[str, Any] = {
        "v_template": np.zeros((V, 3), np.float16), "shapedirs": np.zeros((V, 3, 1), np.int8),
        "posedirs": np.zeros((V, 3, 207), np.int8), "f": np.zeros((1, 3), np.int32),
        "weights": np.zeros((V, 24), np.int8),
        "kintree_table": np.zeros((2, 24), np.int32), "J_regressor": sparse.csc_matrix((24, V)),
    }  # fmt: skip
    path = folder / "smpl.pkl"
    path.write_bytes(pickle.dumps(zeros, 2))
    yield path


def _read_model(folder: Path) -> Any:
    from pymaf_data.body.smpl import read_model

    return read_model(folder / "smpl.pkl")


def _write_other_model(folder: Path) -> Iterator[Path]:
    """A model of SMPL-X's joints on a mesh of five vertices, and how another mesh lies on it."""
    V, made = 5, factory("other_models")
    zeros = {
        "v_template": np.zeros((V, 3)), "shapedirs": np.zeros((V, 3, 20)), "posedirs": np.zeros((V, 3, 486), np.int8),
        "f": np.array([[0, 1, 2], [2, 1, 3]]), "weights": np.zeros((V, 55)), "J_regressor": np.zeros((55, V)),
        "kintree_table": np.zeros((2, 55), np.int32), "hands_meanl": np.zeros(45), "hands_meanr": np.zeros(45),
    }  # fmt: skip
    np.savez_compressed(folder / "model.npz", **zeros)
    yield folder / "model.npz"
    yield made.write_ply(folder / "mesh.ply", V, zeros["f"])
    np.savez(folder / "mapping.npz", triangle_ids=np.array([0, 1, 1]), baryc_coords=np.eye(3))
    yield folder / "mapping.npz"


def _read_other_model(folder: Path) -> Any:
    from pymaf_data.body.smpl import read_model
    from pymaf_data.fits.conversion.meshes import _barycentric
    from pymaf_data.untrusted.ply import read_ply_faces

    faces, count = read_ply_faces(folder / "mesh.ply")
    model = read_model(folder / "model.npz", 5, 55, {"hands_meanl": (45,), "hands_meanr": (45,)})
    return model, _barycentric(folder / "mapping.npz", faces, (3, max(count, 5)))


def _write_downsampling(folder: Path) -> Iterator[Path]:
    path = folder / "mesh_downsampling.npz"
    D = np.empty(2, object)
    D[:] = [sparse.csc_matrix(np.eye(1723, 6890)), sparse.csr_matrix(np.eye(431, 1723))]
    np.savez_compressed(path, D=D)
    yield path


def _read_downsampling(folder: Path) -> Any:
    from pymaf_data.body.smpl import read_downsampling

    return read_downsampling(folder / "mesh_downsampling.npz", 6890)


def _write_arrays(folder: Path) -> Iterator[Path]:
    path = folder / "smpl_mean_params.npz"
    np.savez(path, pose=np.zeros(144), shape=np.zeros(10), cam=np.zeros(3))
    yield path
    np.save(folder / "regressor.npy", np.eye(3, 5))
    yield folder / "regressor.npy"


def _read_arrays(folder: Path) -> Any:
    from pymaf_data.body.smpl import _read_mean, _read_regressor

    return _read_mean(folder / "smpl_mean_params.npz"), _read_regressor(folder / "regressor.npy", "")


def _write_atlas(folder: Path) -> Iterator[Path]:
    from scipy.io import savemat

    cells = np.empty((1, 24), object)
    for part in range(24):
        cells[0, part] = np.full((2, 2), 0.5)
    content = {
        "All_vertices": np.array([[1, 2, 3]]), "All_Faces": np.array([[1, 2, 3]]),
        "All_FaceIndices": np.array([[1]]), "All_U_norm": np.zeros((3, 1)), "All_V_norm": np.zeros((3, 1)),
    }  # fmt: skip
    savemat(folder / "UV_Processed.mat", content)
    yield folder / "UV_Processed.mat"
    savemat(folder / "UV_symmetry_transforms.mat", {"U_transforms": cells, "V_transforms": cells}, do_compression=True)
    yield folder / "UV_symmetry_transforms.mat"


def _read_atlas(folder: Path) -> Any:
    from pymaf_data.render import load_atlas

    return load_atlas(folder / "UV_Processed.mat")


def _write_mat(folder: Path) -> Iterator[Path]:
    from scipy.io import savemat

    inner = np.array([[(1.0, "left_ankle"), (2.0, "head")]], dtype=[("x", object), ("name", object)])
    content = {"v": {"points": inner, "sparse": sparse.eye(3).tocsc(), "flag": np.array([True]), "z": np.array([1j])}}
    for packed in (False, True):
        path = folder / f"{int(packed)}.mat"
        savemat(path, content, do_compression=packed)
        yield path


def _read_mat(folder: Path) -> Any:
    from pymaf_data.untrusted.mat import read_mat

    return [read_mat(path, ["v"]) for path in sorted(folder.glob("*.mat"))]


def _write_mat73(folder: Path) -> Iterator[Path]:
    content = {"v": [np.eye(3), "text", np.array([[True]])], "w": np.ones((4, 1, 17, 2))}
    for packed in (False, True):
        yield factory("mat73").save(folder / f"{int(packed)}.mat", content, packed)


def _read_mat73(folder: Path) -> Any:
    from pymaf_data.untrusted.mat73 import map_cells, read_mat73

    paths = sorted(folder.glob("*.mat"))
    return [(read_mat73(path, ["v", "w"]), map_cells(path, "v", np.max, 1)) for path in paths]


READERS = {
    "pickle": Reader(_write_pickle, _read_pickle),
    "SMPL model": Reader(_write_model, _read_model),
    "model and mesh of another body": Reader(_write_other_model, _read_other_model),
    "mesh_downsampling": Reader(_write_downsampling, _read_downsampling),
    "npy and npz": Reader(_write_arrays, _read_arrays),
    "atlas .mat": Reader(_write_atlas, _read_atlas),
    "mat": Reader(_write_mat, _read_mat),
    "mat 7.3": Reader(_write_mat73, _read_mat73),
}
