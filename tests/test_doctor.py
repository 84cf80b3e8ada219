"""``doctor`` looks into what it finds: a name is no proof."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
import zlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from pymaf_data.asset_files import NotWhole, describe, known_assets
from pymaf_data.body import load_body
from pymaf_data.doctor import Check, _assets, _data
from pymaf_data.paths import DataRoot

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 247186228\n"
PAGE = b"\n<!DOCTYPE html><html>Sign in</html>"


def element(form: int, content: bytes) -> bytes:
    return struct.pack("<II", form, len(content)) + content


def files() -> dict[str, bytes]:
    """A whole file of each kind, written here."""
    array, archive = io.BytesIO(), io.BytesIO()
    np.save(array, np.ones((9, 6890)))
    np.savez(archive, pose=np.ones(144), shape=np.ones(10))
    mat = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    mat += element(15, zlib.compress(b"x" * 99)) + element(14, bytes(48))
    return {
        "smpl/SMPL_NEUTRAL.pkl": pickle.dumps({"v_template": [1.0] * 100}, 2),
        "smpl/SMPL_MALE.pkl": pickle.dumps({"v_template": [1.0] * 100}, 0),
        "J_regressor_extra.npy": array.getvalue(),
        "smpl_mean_params.npz": archive.getvalue(),
        "UV_data/UV_Processed.mat": mat,
        "UV_data/UV_symmetry_transforms.mat": b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n" + bytes(50),
    }


def checked(folder: Path, name: str, content: bytes) -> Check:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return next(check for check in _assets(folder) if check.name == name)


@pytest.mark.parametrize("name", files())
def test_a_whole_file_is_present_and_half_of_it_is_not(name: str, tmp_path: Path) -> None:
    data = files()[name]
    assert checked(tmp_path, name, data).present
    for part in (data[:-1], data[: len(data) // 2], b"", LFS, PAGE, bytes(3000), b"\xff\xd8\xff\xe0 a photograph"):
        if name.endswith("transforms.mat") and part in (data[:-1],):
            continue  # HDF5 tells its end to its reader alone
        check = checked(tmp_path, name, part)
        assert not check.present and "unusable" in check.detail
        assert str(tmp_path / name) in check.advice


@pytest.mark.parametrize(
    ("content", "told"), [(b"", "empty"), (LFS, "git lfs pull"), (PAGE, "web page"), (b"PK\x03\x04", "zip")]
)
def test_what_stands_in_a_files_place_is_named(content: bytes, told: str, tmp_path: Path) -> None:
    assert told in checked(tmp_path, "smpl/SMPL_NEUTRAL.pkl", content).detail


def test_a_pickle_is_looked_at_and_never_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    program = b"\x80\x02cpathlib\nPath\nX" + struct.pack("<I", len(str(marker))) + str(marker).encode() + b"\x85Rb."
    checked(tmp_path, "smpl/SMPL_NEUTRAL.pkl", b"cos\nsystem\n(S'touch " + str(marker).encode() + b"'\ntR.")
    checked(tmp_path, "smpl/SMPL_NEUTRAL.pkl", program)
    assert not marker.exists()


def test_the_wrong_regressor_and_pickled_arrays_are_told(tmp_path: Path) -> None:
    for array, told in ((np.ones((14, 6890)), "14 × 6890, not of 9 × 6890"), (np.array([{}], object), "pickled")):
        stream = io.BytesIO()
        np.save(stream, array, allow_pickle=True)
        check = checked(tmp_path, "J_regressor_extra.npy", stream.getvalue())
        assert not check.present and told in check.detail


def test_a_member_that_fails_its_checksum_is_told(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("A.npy", b"abcdefgh" * 9)
    path = tmp_path / "x.npz"
    path.write_bytes(stream.getvalue().replace(b"abcdefgh", b"abcdefgX", 1))
    with pytest.raises(NotWhole):
        describe(path)


def test_links_folders_and_forbidden_files_do_not_stop_it(tmp_path: Path) -> None:
    (tmp_path / "smpl").mkdir()
    (tmp_path / "smpl" / "SMPL_NEUTRAL.pkl").symlink_to(tmp_path / "gone")
    (tmp_path / "smpl" / "SMPL_MALE.pkl").mkdir()
    found = {check.name: check.detail for check in _assets(tmp_path)}
    assert "gone, which is not there" in found["smpl/SMPL_NEUTRAL.pkl"]
    assert found["smpl/SMPL_MALE.pkl"] == "not a file"
    assert len(found) == len(known_assets())


def test_raw_data_and_stores_are_told(coco: ModuleType, tmp_path: Path) -> None:
    stores = _factory("stores")
    stores.invented_store(tmp_path / "stores" / "one-train.zarr", load_body("free"), 6, shard=4)
    (tmp_path / "stores" / "broken.zarr").mkdir()
    coco.small_set(tmp_path / "raw" / "coco", pictures=1, persons=1)
    found = {check.name: check for check in _data(DataRoot(tmp_path))}
    assert found["raw coco"].present and "train (annotations and images)" in found["raw coco"].detail
    assert not found["raw sample"].present
    assert "6 persons" in found["one-train.zarr"].detail
    assert not found["broken.zarr"].present
    json.dumps([check.model_dump() for check in found.values()])


def _factory(name: str) -> ModuleType:
    import importlib.util

    path = Path(__file__).resolve().parent / "factories" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
