from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from pymaf_data.body import Regressor, load_body
from pymaf_data.body.smpl import load_smpl_arrays
from pymaf_data.errors import AssetMismatch, AssetMissing, RawDataCorrupt, UntrustedData


@pytest.fixture
def assets(smpl_folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    copy = tmp_path / "assets"
    shutil.copytree(smpl_folder, copy, ignore=shutil.ignore_patterns("UV_data", "*.pkl"))
    (copy / "smpl/SMPL_NEUTRAL.pkl").symlink_to(smpl_folder / "smpl/SMPL_NEUTRAL.pkl")  # 40 MB: tests unlink it first
    return copy


def test_missing_files_say_where_and_whence(tmp_path):
    with pytest.raises(AssetMissing) as caught:
        load_body("smpl-neutral", tmp_path)
    message = str(caught.value)
    assert str(tmp_path / "smpl/SMPL_NEUTRAL.pkl") in message and "https://smplify.is.tue.mpg.de" in message


def test_default_folder_is_below_the_data_root(tmp_path, monkeypatch):
    monkeypatch.setenv("PYMAF_DATA_ROOT", str(tmp_path))
    with pytest.raises(AssetMissing, match="assets/smpl/SMPL_MALE"):
        load_body("smpl-male")


@pytest.mark.parametrize("name", ["J_regressor_extra.npy", "mesh_downsampling.npz", "smpl_mean_params.npz"])
def test_missing_companion(assets, name):
    (assets / name).unlink()
    with pytest.raises(AssetMissing, match=name):
        load_body("smpl-neutral", assets)


def test_truncated_mean_parameters(assets):
    path = assets / "smpl_mean_params.npz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(AssetMismatch, match="smpl_mean_params"):
        load_body("smpl-neutral", assets)


def test_graphcmr_regressor_is_refused(assets, shared):
    shutil.copy(shared / "data/smpl-extras/J_regressor_extra.npy", assets / "J_regressor_extra.npy")
    with pytest.raises(AssetMismatch, match="14 rows are GraphCMR's"):
        load_body("smpl-neutral", assets)


def test_regressor_of_another_mesh_is_refused(assets):
    np.save(assets / "J_regressor_h36m.npy", np.full((17, 10475), 1 / 10475))
    with pytest.raises(AssetMismatch, match="10475"):
        load_body("smpl-neutral", assets)


def test_unnormalised_regressor_is_refused(assets):
    np.save(assets / "J_regressor_h36m.npy", np.ones((17, 6890)))
    with pytest.raises(AssetMismatch, match="row sums"):
        load_body("smpl-neutral", assets)


def test_pickled_regressor_is_refused(assets):
    np.save(assets / "J_regressor_h36m.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(AssetMismatch, match="plain NumPy"):
        load_body("smpl-neutral", assets)


def test_fingerprints_must_agree():
    regressor = Regressor("r", np.full((9, 4), 0.25), "a" * 64)
    regressor.require(9, "a" * 64, 4)
    with pytest.raises(AssetMismatch, match="belongs to the mesh aaaa"):
        regressor.require(9, "b" * 64, 4)


def test_bodies_have_their_own_fingerprint_and_digest(assets):
    free, smpl = load_body("free"), load_body("smpl-neutral", assets)
    assert free.fingerprint != smpl.fingerprint
    assert free.digest == load_body("free").digest != smpl.digest


def test_downsampling_is_the_real_selection(assets, free64):
    from pymaf_data.untrusted.unpickle import load_pickled_npz

    first, second = load_pickled_npz(assets / "mesh_downsampling.npz", ("D",))["D"]
    ids = load_smpl_arrays("neutral", assets).downsample
    vertices = np.random.default_rng(0).normal(size=(6890, 3))
    np.testing.assert_array_equal(second @ (first @ vertices), vertices[ids])


def test_downsampling_that_averages_is_refused(assets):
    D = np.empty(2, object)
    means = sparse.kron(sparse.eye(1723), np.full((1, 2), 1 / 2), "coo")  # of two vertices each
    D[:] = [sparse.csc_matrix((means.data, (means.row, means.col)), (1723, 6890)), sparse.eye(431, 1723, format="csc")]
    np.savez(assets / "mesh_downsampling.npz", D=D)
    with pytest.raises(AssetMismatch, match="selects"):
        load_body("smpl-neutral", assets)


def rewrite(assets: Path, change) -> None:
    path = assets / "smpl/SMPL_NEUTRAL.pkl"
    content = pickle.loads(path.read_bytes())
    path.unlink()
    change(content)
    path.write_bytes(pickle.dumps(content, 2))


def test_model_without_a_key(assets):
    rewrite(assets, lambda content: content.pop("posedirs"))
    with pytest.raises(AssetMismatch, match="posedirs"):
        load_body("smpl-neutral", assets)


def test_model_of_another_body(assets):
    rewrite(assets, lambda content: content.update(v_template=np.zeros((10475, 3))))
    with pytest.raises(AssetMismatch, match="10475 vertices"):
        load_body("smpl-neutral", assets)


def test_model_with_more_betas_uses_the_first_ten(assets):
    before = load_body("smpl-neutral", assets).digest
    rewrite(assets, lambda c: c.update(shapedirs=np.concatenate([c["shapedirs"], np.ones((6890, 3, 290))], axis=-1)))
    assert load_body("smpl-neutral", assets).digest == before


def test_nan_in_the_model(assets):
    rewrite(assets, lambda content: content["v_template"].__setitem__((0, 0), np.nan))
    with pytest.raises(AssetMismatch, match="not finite"):
        load_body("smpl-neutral", assets)


def laughs() -> list:
    """Lists of lists: thirty here, a billion for whoever makes an array of them."""
    value: list = [0.0]
    for _ in range(30):
        value = [value, value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        laughs(),
        np.zeros(()),
        np.zeros((6890, 4)),
        np.full((6890, 24), "x"),
        np.full((6890, 24), None),
        sparse.csc_matrix((6890, 16000)),
        None,
        "text",
    ],
)
@pytest.mark.parametrize("key", ["v_template", "kintree_table", "weights", "J_regressor"])
def test_model_with_something_else_under_a_key(assets, key, value):
    """Compared by its shape before anything is made of it."""
    path = assets / "smpl/SMPL_NEUTRAL.pkl"
    path.unlink()
    V = 6890
    small = {
        "v_template": np.zeros((V, 3), "f2"), "f": np.zeros((1, 3), "i4"), "kintree_table": np.zeros((2, 24), "i4"),
        "shapedirs": np.zeros((V, 3, 10), "i1"), "posedirs": np.zeros((V, 3, 207), "i1"),
        "weights": np.zeros((V, 24), "i1"), "J_regressor": np.zeros((24, V), "i1"),
    }  # fmt: skip
    path.write_bytes(pickle.dumps(small | {key: value}, 2))
    with pytest.raises(AssetMismatch, match=r"SMPL_NEUTRAL\.pkl"):
        load_smpl_arrays("neutral", assets)


class Code:
    def __reduce__(self):
        return print, ("ran",)


def test_model_that_would_run_code(assets, capsys):
    rewrite(assets, lambda content: content.update(bs_type=Code()))
    with pytest.raises(UntrustedData, match="print"):
        load_body("smpl-neutral", assets)
    assert capsys.readouterr().out == ""


def test_truncated_model(assets):
    path = assets / "smpl/SMPL_NEUTRAL.pkl"
    cut = path.read_bytes()[:-1000]
    path.unlink()
    path.write_bytes(cut)
    with pytest.raises(RawDataCorrupt, match="SMPL_NEUTRAL"):
        load_body("smpl-neutral", assets)
