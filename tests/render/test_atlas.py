"""Atlases: consistent, mirrored by a rule, tied to one mesh."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from pymaf_data.body import load_body
from pymaf_data.errors import AssetMismatch, AssetMissing
from pymaf_data.render import COARSE_OF_PART, Atlas, load_atlas


def test_the_free_atlas_charts_every_face_of_its_body(atlas: Atlas, body) -> None:
    assert np.array_equal(atlas.mesh_faces, body.faces.numpy())
    assert set(np.unique(atlas.face_part)) == set(range(1, 25))
    assert atlas.uv.min() >= 0 and atlas.uv.max() <= 1
    atlas.check_mesh(body.faces.numpy(), len(body.v_template))
    assert atlas.mesh_fingerprint == body.fingerprint
    assert len(atlas.digest) == 64


def test_mirror_rule_is_an_involution_on_parts_and_mesh(atlas: Atlas, body) -> None:
    assert np.array_equal(atlas.part_mirror[atlas.part_mirror], np.arange(25))
    assert np.flatnonzero(atlas.u_mirror).tolist() == [1, 2]
    mirrored = np.sort(body.mirror.numpy()[atlas.mesh_faces], axis=1)
    part_of = {tuple(face): part for face, part in zip(np.sort(atlas.mesh_faces, axis=1), atlas.face_part, strict=True)}
    partners = np.array([part_of[tuple(face)] for face in mirrored])
    assert np.array_equal(partners, atlas.part_mirror[atlas.face_part])


def test_coarse_parts_forget_front_and_back_but_not_sides(atlas: Atlas) -> None:
    assert COARSE_OF_PART.tolist() == [
        0,
        1,
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        6,
        7,
        8,
        9,
        8,
        9,
        10,
        11,
        10,
        11,
        12,
        13,
        12,
        13,
        14,
        14,
    ]
    limbs = np.arange(3, 23)
    assert (COARSE_OF_PART[limbs] != COARSE_OF_PART[atlas.part_mirror[limbs]]).all()


def test_another_mesh_is_refused(atlas: Atlas, body) -> None:
    faces = body.faces.numpy()
    with pytest.raises(AssetMismatch, match="does not chart a twin"):
        atlas.check_mesh(faces[::-1], 6890, "a twin")
    with pytest.raises(AssetMismatch):
        atlas.check_mesh(faces, 6891)


def test_densepose_files_load_and_chart_smpl_only(smpl_folder: Path, body) -> None:
    atlas = load_atlas(smpl_folder / "UV_data" / "UV_Processed.mat")
    smpl = load_body("smpl-neutral", assets=smpl_folder)
    assert len(atlas.faces) == 13774
    assert set(np.unique(atlas.face_part)) == set(range(1, 25))
    atlas.check_mesh(smpl.faces.numpy(), 6890, "SMPL")
    with pytest.raises(AssetMismatch, match="the free body"):
        atlas.check_mesh(body.faces.numpy(), 6890, "the free body")
    with pytest.raises(AssetMismatch):
        load_atlas("free").check_mesh(smpl.faces.numpy(), 6890)


def test_a_missing_file_says_where_it_belongs(tmp_path: Path) -> None:
    with pytest.raises(AssetMissing, match="UV_Processed"):
        load_atlas(tmp_path / "UV_Processed.mat")


def mat(**changes: np.ndarray) -> dict[str, np.ndarray]:
    whole = {
        "All_vertices": np.array([[1, 2, 3]]),
        "All_Faces": np.array([[1, 2, 3]]),
        "All_FaceIndices": np.array([[1]]),
        "All_U_norm": np.zeros((3, 1)),
        "All_V_norm": np.zeros((3, 1)),
    }
    return {**whole, **changes}


@pytest.mark.parametrize(
    "change",
    [
        {"All_FaceIndices": np.array([[25]])},
        {"All_FaceIndices": np.array([[1], [2]])},
        {"All_Faces": np.array([[1, 2, 4]])},
        {"All_Faces": np.array([[0, 1, 2]])},
        {"All_U_norm": np.full((3, 1), 1.5)},
        {"All_V_norm": np.full((3, 1), np.nan)},
        {"All_U_norm": np.zeros((2, 1)), "All_V_norm": np.zeros((2, 1))},
        {"All_vertices": np.array([[0, 1, 2]])},
    ],
)
def test_an_inconsistent_file_is_refused(tmp_path: Path, change: dict) -> None:
    path = tmp_path / "UV_Processed.mat"
    savemat(path, mat())
    assert len(load_atlas(path).faces) == 1
    savemat(path, mat(**change))
    with pytest.raises(AssetMismatch):
        load_atlas(path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "UV_Processed.mat"
    path.write_bytes(b"no matrix")
    with pytest.raises(AssetMismatch, match="cannot be read"):
        load_atlas(path)
    savemat(path, {"something": np.zeros(3)})
    with pytest.raises(AssetMismatch, match="cannot be read"):
        load_atlas(path)


def symmetry(value: float = 0.5, side: int = 4, parts: int = 24) -> dict[str, np.ndarray]:
    cells = np.empty((1, parts), object)
    for part in range(parts):
        cells[0, part] = np.full((side, side), value)
    return {"U_transforms": cells, "V_transforms": cells}


def test_tables_for_mirrored_images_are_read_from_beside_the_atlas(tmp_path: Path) -> None:
    path = tmp_path / "UV_Processed.mat"
    savemat(path, mat())
    without = load_atlas(path)
    assert without.uv_mirror is None
    random = np.random.default_rng(3)
    content = symmetry(side=256)
    for name in content:
        content[name] = content[name].copy()
        for part in range(24):
            content[name][0, part] = random.random((256, 256))
    savemat(tmp_path / "UV_symmetry_transforms.mat", content)
    found = load_atlas(path)
    assert found.uv_mirror is not None and found.uv_mirror.shape == (24, 2, 256, 256)
    assert found.uv_mirror[6, 0, 10, 20] == np.float32(content["U_transforms"][0, 6][10, 20])
    assert found.uv_mirror[6, 1, 10, 20] == np.float32(content["V_transforms"][0, 6][10, 20])
    assert found.digest == without.digest, "stored maps do not depend on how mirrored images are read"


@pytest.mark.parametrize(
    "content",
    [symmetry(1.5), symmetry(np.nan), symmetry(side=1), symmetry(parts=23), {"U_transforms": np.zeros((2, 2))}],
)
def test_other_tables_are_refused(tmp_path: Path, content: dict) -> None:
    savemat(tmp_path / "UV_Processed.mat", mat())
    savemat(tmp_path / "UV_symmetry_transforms.mat", content)
    with pytest.raises(AssetMismatch, match="UV_symmetry_transforms"):
        load_atlas(tmp_path / "UV_Processed.mat")


def test_tables_that_overshoot_by_less_than_a_step_are_clipped(tmp_path: Path) -> None:
    savemat(tmp_path / "UV_Processed.mat", mat())
    savemat(tmp_path / "UV_symmetry_transforms.mat", symmetry(1.002))
    found = load_atlas(tmp_path / "UV_Processed.mat").uv_mirror
    assert found is not None and (found == 1).all()
