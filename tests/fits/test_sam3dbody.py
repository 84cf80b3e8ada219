"""SAM 3D Body's outputs: whoever saved them how, the vertices, cameras and images of persons come back."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pymaf_data.body import BodyModel
from pymaf_data.errors import FitError, UntrustedData
from pymaf_data.fits.join import match
from pymaf_data.fits.joined import read_fits
from pymaf_data.fits.readers import sam3dbody as reader
from pymaf_data.fits.request import FitRequest
from pymaf_data.fits.table import CAMERA
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.storage import open_store

FORMS = ("by_image", "by_person", "stacked", "one_pickle", "one_npy")


class Meshes:
    """In the place of MHR's bodies: the vertices that the reader gives."""

    model = "mhr"

    def __init__(self, vertices: Callable[[np.ndarray], np.ndarray]) -> None:
        self.of = vertices

    def vertices(self, rows: np.ndarray, assets: Path | None) -> np.ndarray:
        return self.of(rows)


@pytest.fixture
def _meshes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MhrBodies", Meshes)
    monkeypatch.setattr("pymaf_data.fits.mhr_rig.MhrBodies", Meshes)


@pytest.fixture(scope="module")
def meshes(sam3dbody: ModuleType) -> np.ndarray:
    """Of three persons, 1.7 units tall and as far from their origin as MHR's are."""
    random = np.random.default_rng(0)
    mesh = random.uniform(-0.5, 0.5, (3, sam3dbody.VERTICES, 3)) * [0.6, 1.7, 0.4] + [0.05, -1.3, -0.1]
    return mesh.astype(np.float32).astype(np.float64)


@pytest.fixture
def images(sam3dbody: ModuleType, people: Any, meshes: np.ndarray) -> Callable[..., dict[str, Any]]:
    """Persons 0 and 1 on one image, 2 on another; ``changes`` of each are by key, or of its mesh."""

    def made(meshes: np.ndarray = meshes, **changes: Any) -> dict[str, Any]:
        said = [
            sam3dbody.person(people.box[i], meshes[i], people.trans[i], people.K[i],
                             **{key: value[i] for key, value in changes.items()}) for i in range(3)
        ]  # fmt: skip
        return {"train2014/a.jpg": said[:2], "train2014/b.jpg": said[2:]}

    return made


needs_no_rig = pytest.mark.usefixtures("_meshes")


def read(path: Path) -> Any:
    return read_fits(FitRequest.of(f"sam3dbody:{path}"))[0]


@needs_no_rig
@pytest.mark.parametrize("form", FORMS)
def test_what_was_saved_in_any_way_comes_back(
    form: str, images: Callable[..., Any], sam3dbody: ModuleType, people: Any, meshes: np.ndarray, tmp_path: Path
) -> None:
    path = getattr(sam3dbody, form)(tmp_path, images())
    table = read(path)
    assert [name.removesuffix(".jpg")[-11:] for name in table.keys.names] == [f"train2014/{x}" for x in "aab"]
    assert np.abs(table.keys.centres - people.box[:3, :2]).max() < 1e-3
    assert (table.origin, {*table.frame.tolist()}, table.other.model) == ("corner", {CAMERA}, "mhr")
    assert np.allclose(table.other.of(np.array([2, 0])), meshes[[2, 0]], atol=1e-6)
    points = np.concatenate([meshes[:, ::1000], np.ones((3, 19, 1))], 2)
    theirs = points @ table.camera.transpose(0, 2, 1)
    ours = (points[..., :3] + people.trans[:3, None]) @ people.K[:3].transpose(0, 2, 1)
    assert np.abs(theirs[..., :2] / theirs[..., 2:] - ours[..., :2] / ours[..., 2:]).max() < 0.01
    if form != "by_image":  # what a pickle within an archive holds is not looked into
        assert FitRequest.of(str(path)).format == "sam3dbody"


@needs_no_rig
def test_files_called_after_images_are_joined_whatever_the_ending(
    images: Callable[..., Any], sam3dbody: ModuleType, people: Any, known: Any, tmp_path: Path
) -> None:
    table, persons = read(sam3dbody.by_person(tmp_path, images())), known.persons[:3]
    for ending in ("png", "JPEG"):
        names = [f"coco/train2014/{x}.{ending}" for x in "aab"]
        assert match(table, _called(persons, names), "file").tolist() == [0, 1, 2]
    twice = _called(persons, ["train2014/a.jpg", "train2014/a.png", "train2014/b.png"])
    assert match(table, twice, "file").tolist() == [-1, -1, 2], "it may be either"


def _called(persons: Any, names: list[str]) -> Any:
    from dataclasses import replace

    return replace(persons, names=np.array(names))


@needs_no_rig
@pytest.mark.parametrize("unit", [100, 1000])
def test_vertices_in_other_units_or_placed_already_become_what_they_should_be(
    unit: int, images: Callable[..., Any], sam3dbody: ModuleType, people: Any, meshes: np.ndarray, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    placed = meshes + people.trans[:3, None] if unit == 100 else meshes
    table = read(sam3dbody.one_pickle(tmp_path, images(pred_vertices=(unit * placed).astype(np.float32))))
    assert np.allclose(table.other.of(np.arange(3)), meshes, atol=1e-5)
    assert f"taken for {'cm' if unit == 100 else 'mm'}" in caplog.text
    assert ("it is taken off" in caplog.text) == (unit == 100)
    with pytest.raises(FitError, match="bodies are 17 units tall"):
        read(sam3dbody.one_pickle(tmp_path, images(pred_vertices=10 * meshes)))


@needs_no_rig
def test_without_keypoints_the_focal_length_is_taken_and_the_images_centre(
    images: Callable[..., Any], sam3dbody: ModuleType, people: Any, tmp_path: Path
) -> None:
    none = {"pred_keypoints_2d": [None] * 3}
    table = read(sam3dbody.one_npy(tmp_path, images(**none, focal_length=[700.0, np.array([800]), -1])))
    assert table.origin == "centre"
    assert np.isfinite(table.camera).all((1, 2)).tolist() == [True, True, False]
    assert np.allclose(table.camera[:2, [0, 1, 0], [0, 1, 2]], [[700, 700, 0], [800, 800, 0]])
    moved = np.array([image["pred_keypoints_2d"] for persons in images().values() for image in persons])
    moved[1, ::2] += 9.0  # of another camera than the rest
    assert read(sam3dbody.one_npy(tmp_path, images(pred_keypoints_2d=moved))).origin == "centre"


@needs_no_rig
def test_who_is_damaged_is_one_without(
    images: Callable[..., Any], sam3dbody: ModuleType, meshes: np.ndarray, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    nested: list[Any] = []
    nested.append(nested)
    first = next(iter(images().values()))[0]
    odd = images(
        pred_cam_t=[first["pred_cam_t"], "far", [[0.0], 1, 2]], bbox=[[1, 2, 3, 4], nested, np.full(4, np.nan)]
    )
    table = read(sam3dbody.one_pickle(tmp_path, odd | {"c.jpg": 7, "d.jpg": [None, {}, nested]}))
    assert np.isfinite(table.camera).all((1, 2)).tolist() == [True, False, False]
    folder = sam3dbody.by_person(tmp_path / "f", images(pred_vertices=[meshes[0], meshes[1, 1:], meshes[2]]))
    np.savez(folder / "faces.npz", faces=np.zeros((2, 3), int))
    (folder / "cut.npz").write_bytes((folder / "faces.npz").read_bytes()[:90])
    with caplog.at_level(logging.WARNING):
        table = read(folder)
    assert np.isfinite(table.other.of(np.arange(3))).all((1, 2)).tolist() == [True, False, True]
    assert "no persons: cannot read" in caplog.text and "cut.npz" in caplog.text


@needs_no_rig
def test_what_is_none_of_it_or_hostile_is_refused(
    images: Callable[..., Any], sam3dbody: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", sam3dbody.one_pickle(tmp_path, {"a.jpg": [{"smpl": 1}]})):
        with pytest.raises(FitError, match="no person of SAM 3D Body"):
            read(path)
    np.savez(tmp_path / "other.npz", pred_vertices=np.zeros((99999, 1, 3)), pred_cam_t=np.zeros(3))
    with pytest.raises(FitError, match="bodies are nan units tall"):  # one that is damaged, not so many stacked
        read(tmp_path / "other.npz")
    (tmp_path / "bad.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(UntrustedData, match=r"os\.system"):
        read(tmp_path / "bad.pkl")
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(images())[:-9])
    with pytest.raises(FitError, match="cannot be read"):
        read(tmp_path / "bad.pkl")


@pytest.fixture
def rows(sam3dbody: ModuleType, people: Any) -> Callable[..., list[dict[str, Any]]]:
    """Of the data set, persons 0 to 2; ``changes`` by key."""

    def made(**changes: Any) -> list[dict[str, Any]]:
        parameters = np.eye(201)[3] * np.arange(3)[:, None]
        return [
            sam3dbody.row(f"{x}.jpg", people.box[i], people.trans[i], people.K[i], parameters[i],
                          **{key: value[i] for key, value in changes.items()}) for i, x in enumerate("aab")
        ]  # fmt: skip

    return made


@needs_no_rig
def test_rows_of_the_data_set_are_posed_by_the_rig(
    rows: Callable[..., Any], sam3dbody: ModuleType, people: Any, meshes: np.ndarray, tmp_path: Path
) -> None:  # fmt: skip
    pytest.importorskip("pyarrow")
    half = people.box[:3, 2:] / 2
    xywh = np.hstack([people.box[:3, :2] - half, 2 * half, half])[:, [0, 1, 2, 2]].tolist()
    said = rows(
        mhr_valid=[True, False, True], bbox=[rows()[0]["bbox"], xywh[1], xywh[2]], bbox_format=["xyxy"] + 2 * ["xywh"]
    )
    sam3dbody.parquet(tmp_path / "coco_train" / "000000.parquet", said[:2])
    sam3dbody.parquet(tmp_path / "coco_train" / "000001.parquet", said[2:])
    table = read_fits(FitRequest.of(f"sam3dbody-data:{tmp_path}"))[0]
    assert table.keys.names.tolist() == ["a.jpg", "b.jpg"] and np.allclose(table.keys.centres, people.box[[0, 2], :2])
    assert np.allclose(table.camera[:, :, :3], people.K[[0, 2]])
    assert np.abs(table.camera - np.concatenate([people.K, people.K @ people.trans[..., None]], 2)[[0, 2]]).max() < 1e-3
    assert FitRequest.of(str(tmp_path / "coco_train")).format == "sam3dbody-data"
    sam3dbody.rig(tmp_path / "assets" / "mhr" / "mhr_model.pt", meshes)
    assert np.allclose(table.other.vertices(np.array([1, 0]), tmp_path / "assets"), meshes[[2, 0]], atol=1e-5)


@needs_no_rig
def test_rows_of_the_data_set_that_are_damaged(rows: Callable[..., Any], sam3dbody: ModuleType, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    said = rows(
        model_params=[[0.0] * 203, rows()[1]["model_params"], [np.nan] * 204],
        cam_int=[np.eye(3).tolist(), rows()[1]["cam_int"], None],
    )
    path = sam3dbody.parquet(tmp_path / "a.parquet", said)
    whole = np.isfinite(read_fits(FitRequest.of(f"sam3dbody-data:{path}"))[0].camera).all((1, 2))
    assert whole.tolist() == [False, True, False]
    for damaged in (path.read_bytes()[:-300], b"PAR1", b""):
        (tmp_path / "cut.parquet").write_bytes(damaged)
        with pytest.raises(FitError, match="as a Parquet file"):
            read_fits(FitRequest.of(f"sam3dbody-data:{tmp_path / 'cut.parquet'}"))
    none = sam3dbody.parquet(tmp_path / "b.parquet", rows(mhr_valid=[False] * 3))
    with pytest.raises(FitError, match="no person whose mhr_valid is set"):
        read_fits(FitRequest.of(f"sam3dbody-data:{none}"))
    with pytest.raises(FitError, match="no column mhr_valid, model_params"):
        lacking = [{key: row[key] for key in row if key not in ("mhr_valid", "model_params")} for row in rows()]
        read_fits(FitRequest.of(f"sam3dbody-data:{sam3dbody.parquet(tmp_path / 'c.parquet', lacking)}"))


@pytest.mark.usefixtures("free_as_neutral")
def test_persons_are_attached_as_smpl(
    mhr: Any, body: BodyModel, factory: ModuleType, sam3dbody: ModuleType, known: Any, people: Any, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    pytest.importorskip("pyarrow")
    (assets, up), N = mhr, 6
    store = factory.make_store(tmp_path / "s.zarr", known.persons[:N], N)
    rotations = axis_angle_to_matrix(torch.from_numpy(people.pose[:N]).reshape(N, 24, 3))
    posed = body.mesh(rotations, torch.from_numpy(people.betas[:N])).numpy()
    meshes = np.stack([up @ each for each in posed])
    said = {
        name: [sam3dbody.person(people.box[i], meshes[i], people.trans[i], people.K[i])]
        for i, name in enumerate(people.names[:N].tolist())
    }
    parameters = np.eye(201)[3] * np.arange(N)[:, None]
    shard = [
        sam3dbody.row(people.names[i], people.box[i], people.trans[i], people.K[i], parameters[i]) for i in range(N)
    ]
    sources = (
        f"sam3dbody:{sam3dbody.by_person(tmp_path / 'out', said)}",
        f"sam3dbody-data:{sam3dbody.parquet(tmp_path / '000000.parquet', shard)}",
    )
    report = attach_fits(AttachOptions(store=store.path, fits=sources, assets=assets, allow_unproved=True))
    assert [(source.proved, source.valid) for source in report.sources] == [(True, N), (False, 0)]
    assert report.sources[1].without == {"body not converted": N}
    assert "mhr/mhr_model.pt is not there" in caplog.text and "mhr-download-assets" in caplog.text
    sam3dbody.rig(assets / "mhr" / "mhr_model.pt", meshes)
    report = attach_fits(AttachOptions(store=store.path, fits=sources, assets=assets))
    for source in report.sources:
        assert (source.proved, source.valid) == (True, N) and source.reprojection.maximum < 1
        assert source.conversion.p95[0] < 1 and source.conversion.p95[1] < 1
        pose = open_store(store.path).array(f"fits/{source.name}/pose")[:]
        turns = [Rotation.from_rotvec(each[:N].reshape(-1, 3)) for each in (pose, people.pose)]
        assert np.degrees((turns[0].inv() * turns[1]).magnitude()).max() < 2
