"""Fits that data sets bring themselves: turned from the world, of two genders in one store, each with its own body."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pymaf_data.body import BodyModel
from pymaf_data.body.free import load_free_arrays
from pymaf_data.errors import AssetMissing, FitError
from pymaf_data.fits.readers import find_reader
from pymaf_data.fits.table import CAMERA, REASONS
from pymaf_data.geometry.cameras import full_frame
from pymaf_data.geometry.frames import intrinsics_of
from pymaf_data.geometry.joints import COCO17, J24, J49
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.stages.told import attach_lines
from pymaf_data.storage import Store, open_store

FRAMES = 5
OPENPOSE = (
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
    "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear"
)


@pytest.fixture(scope="session")
def bodies() -> dict[str, BodyModel]:
    """The free body in three sizes, under the names of SMPL's."""
    arrays, sizes = load_free_arrays(), {"smpl-male": 1.03, "smpl-female": 0.96, "smpl-neutral": 1.0}
    return {
        name: BodyModel(name, replace(arrays, v_template=size * arrays.v_template), torch.float64)
        for name, size in sizes.items()
    }


@pytest.fixture
def here(bodies: dict[str, BodyModel], monkeypatch: pytest.MonkeyPatch) -> dict[str, BodyModel]:
    """The bodies that this machine has; tests take some away."""
    found = dict(bodies)

    def load(name: str, *_: Any) -> BodyModel:
        if name not in found:
            raise AssetMissing(f"no {name}")
        return found[name]

    monkeypatch.setattr("pymaf_data.stages.attach_source.load_body", load)
    return found


@dataclass(frozen=True)
class Seen:
    """N frames of one body before a camera: what its fits must be, and where its joints are.

    Attributes:
        K: (3, 3). native: (N, 3, 4). pose: (N, 72) seen by the camera. betas: (N, 10).
        root: (N, 3) the root in the world. rest: (N, 3) the root joint without translation.
        joints, skeleton: (N, 49, 3), (N, 24, 3) of the body in the world, without translation.
    """

    K: np.ndarray
    native: np.ndarray
    pose: np.ndarray
    betas: np.ndarray
    root: np.ndarray
    rest: np.ndarray
    joints: np.ndarray
    skeleton: np.ndarray


def seen(known: Any, body: BodyModel, rows: slice, R: np.ndarray) -> Seen:
    """Known persons as ``body``, all with the betas of the first; R (N, 3, 3) leads from the world into the camera."""
    pose, native = known.truth.pose[rows], known.truth.native[rows]
    betas = np.tile(known.truth.betas[rows][:1], (len(pose), 1))
    world = pose.copy()
    world[:, :3] = (Rotation.from_matrix(R.transpose(0, 2, 1)) * Rotation.from_rotvec(pose[:, :3])).as_rotvec()
    matrices = torch.from_numpy(Rotation.from_rotvec(world.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3))
    skeleton, joints = body.keypoints(matrices, torch.from_numpy(betas))
    rest = body.rest_joints(torch.from_numpy(betas))[:, 0].numpy()
    return Seen(native[0, :, :3], native, pose, betas, world[:, :3], rest, joints.numpy(), skeleton.numpy())


def place(native: np.ndarray) -> np.ndarray:
    """(N, 3) translation of cameras K·[I | t]."""
    return np.linalg.solve(native[:, :, :3], native[:, :, 3:])[..., 0]


def pixels(K: np.ndarray, points: np.ndarray) -> np.ndarray:
    homogeneous = points @ K.T
    return homogeneous[..., :2] / homogeneous[..., 2:]


def sequence(threedpw: ModuleType, known: Any, bodies: dict[str, BodyModel]) -> tuple[dict[str, Any], list[Seen]]:
    """A man and a woman before one moving camera."""
    content = threedpw.sequence("downtown_walking_00", FRAMES, "mf", betas=300)
    R, T = content["cam_poses"][:, :3, :3], content["cam_poses"][:, :3, 3]
    actors = []
    for k, name in enumerate(("smpl-male", "smpl-female")):
        one = seen(known, bodies[name], slice(k * FRAMES, (k + 1) * FRAMES), R)
        # R·(rest + trans) + T − rest is where the camera sees the body.
        trans = np.einsum("nji,nj->ni", R, place(one.native) + one.rest - T) - one.rest
        camera = np.einsum("nij,nkj->nki", R, one.joints + trans[:, None]) + T[:, None]
        points = pixels(one.K, camera)[:, [J49.index(f"openpose:{joint}") for joint in OPENPOSE.split()]]
        content["poses"][k] = np.concatenate([one.root, one.pose[:, 3:]], 1)
        content["betas"][k][:10], content["betas"][k][10:] = one.betas[0], 0
        content["trans"][k] = trans
        content["jointPositions"][k] = (one.skeleton + trans[:, None]).reshape(FRAMES, 72)
        content["poses2d"][k] = np.concatenate([points, np.full((FRAMES, 18, 1), 0.9)], 2).transpose(0, 2, 1)
        content["cam_intrinsics"] = one.K
        actors.append(one)
    content["campose_valid"][1][2] = 0
    return content, actors


def made(root: Path, dataset: str, split: str = "test") -> Store:
    options = IngestOptions(dataset=dataset, root=root, split=split, out=root / "s.zarr", crop_size=32)
    return open_store(ingest(options).store)


def attach(store: Store, *fits: str, **options: Any) -> Any:
    return attach_fits(AttachOptions(store=store.path, fits=fits, **options))


@pytest.fixture
def pair(threedpw: ModuleType, known: Any, bodies: dict[str, BodyModel], tmp_path: Path) -> tuple[Any, list[Seen]]:
    content, actors = sequence(threedpw, known, bodies)
    threedpw.save(tmp_path, "test", content, (640, 480))
    return content, actors


def test_two_genders_in_one_store_reproject_with_their_own_bodies(
    pair: Any, here: dict[str, BodyModel], tmp_path: Path
) -> None:
    store = made(tmp_path, "3dpw")
    report = attach(store, f"3dpw:{tmp_path}")
    assert [source.name for source in report.sources] == ["3dpw.smpl-female", "3dpw.smpl-male"]
    assert [source.valid for source in report.sources] == [4, 5] and not report.failed
    assert all(source.reprojection.maximum <= 0.1 for source in report.sources)
    assert report.choice.persons == {"3dpw.smpl-female": 4, "3dpw.smpl-male": 5} and report.choice.none == 0
    store = open_store(store.path)
    frame, subject = store.array("frame")[:], store.array("subject")[:]
    for k, name in enumerate(("smpl-male", "smpl-female")):
        rows, one = np.flatnonzero(subject == k), pair[1][k]
        values = {key: store.array(f"fits/3dpw.{name}/{key}")[:][rows] for key in ("pose", "betas", "native", "frame")}
        assert np.allclose(values["betas"], one.betas[frame[rows]], atol=1e-6)
        assert np.allclose(values["native"], one.native[frame[rows]], atol=1e-6)
        assert np.isfinite(intrinsics_of(values["native"])).all() and (values["frame"] == CAMERA).all()
        found, truth = (Rotation.from_rotvec(p[:, :3]) for p in (values["pose"].astype(float), one.pose[frame[rows]]))
        assert (found.inv() * truth).magnitude().max() < 1e-5
        assert np.allclose(values["pose"][:, 3:], one.pose[frame[rows], 3:], atol=1e-6)
        others = store.array(f"fits/3dpw.{name}/reason")[:][subject != k]
        assert {REASONS[code] for code in others.tolist()} == {"no fit in the source"}


@pytest.mark.parametrize("wrong", ["files", "genders", "neutral"])
def test_with_the_wrong_body_they_are_refused(
    wrong: str, pair: Any, here: dict[str, BodyModel], threedpw: ModuleType, tmp_path: Path
) -> None:
    if wrong == "genders":
        threedpw.save(tmp_path, "test", pair[0] | {"genders": ["f", "m"]})
    store = made(tmp_path, "3dpw")
    if wrong == "files":
        here["smpl-male"], here["smpl-female"] = here["smpl-female"], here["smpl-male"]
    elif wrong == "neutral":
        here["smpl-female"] = here["smpl-neutral"]
    with pytest.raises(FitError, match="no fits of the body smpl-female as it is here"):
        attach(store, f"3dpw:{tmp_path}")
    assert not any(info.stage.startswith("fits/") for info in open_store(store.path).stages())


def test_without_a_body_nobody_knows_where_it_stands(pair: Any, here: dict[str, BodyModel], tmp_path: Path) -> None:
    store = made(tmp_path, "3dpw")
    kept = here.pop("smpl-male")
    report = attach(store, f"3dpw:{tmp_path}")
    assert report.failed and [source.proved for source in report.sources] == [True, False]
    assert report.sources[1].without == {"no fit in the source": 4, "camera not solvable": 5}
    assert any("camera not solvable: the source brings none" in line for line in attach_lines(report))
    here["smpl-male"] = kept
    assert [source.valid for source in attach(store, f"3dpw:{tmp_path}").sources] == [4, 5]


def test_a_detection_of_somebody_else_takes_no_measured_fit_away(
    pair: Any, here: dict[str, BodyModel], threedpw: ModuleType, tmp_path: Path
) -> None:
    content = pair[0]
    content["poses2d"][0][1, :2] += 300
    threedpw.save(tmp_path, "test", content)
    report = attach(made(tmp_path, "3dpw"), f"3dpw:{tmp_path}")
    assert report.sources[1].valid == 5 and report.sources[1].reprojection.maximum > 100
    for i in (0, 3):
        content["poses2d"][0][i, :2] += 300
    threedpw.save(tmp_path / "b", "test", content, (640, 480))
    with pytest.raises(FitError, match="3 of 5 fits do not reproject"):
        attach(made(tmp_path / "b", "3dpw"), f"3dpw:{tmp_path / 'b'}")


def test_files_are_named_one_by_one_or_by_their_folder(
    pair: Any, here: dict[str, BodyModel], threedpw: ModuleType, tmp_path: Path
) -> None:
    threedpw.save(tmp_path, "train", threedpw.sequence("other", 2, "f"))
    store, file = made(tmp_path, "3dpw"), tmp_path / "sequenceFiles" / "test" / "downtown_walking_00.pkl"
    for path in (file, file.parent, file.parents[1], tmp_path):
        assert sum(source.valid for source in attach(store, f"3dpw:{path}").sources) == 9
    before = {info.generation for info in open_store(store.path).stages() if info.stage == "fits/3dpw.smpl-male"}
    content = pair[0]
    content["poses"][0][0, 30] += 0.001  # a file of the same name and size
    threedpw.save(tmp_path, "test", content)
    attach(store, f"3dpw:{tmp_path}")
    after = {info.generation for info in open_store(store.path).stages() if info.stage == "fits/3dpw.smpl-male"}
    assert len(before) == 2 and len(after) == 3, "one file and its folder are the same content"
    (tmp_path / "empty").mkdir()
    with pytest.raises(FitError, match="has no sequences"):
        attach(store, f"3dpw:{tmp_path / 'empty'}")


def test_3doh50k_with_its_scale(
    threedoh50k: ModuleType,
    known: Any,
    here: dict[str, BodyModel],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYMAF_DATA_ROOT", str(tmp_path / "data"))
    tmp_path /= "data/raw/3doh50k"
    random = np.random.default_rng(3)
    entries: dict[str, Any] = {f"{number:05d}": threedoh50k.entry(number, random) for number in range(6)}
    R = np.array([entry["extri"] for entry in entries.values()])[:, :3, :3]
    one = seen(known, here["smpl-neutral"], slice(0, 6), R)
    for i, entry in enumerate(entries.values()):
        (scale,), T = entry["scale"], np.array(entry["extri"])[:3, 3]
        trans = R[i].T @ (scale * (place(one.native)[i] + one.rest[i] - R[i] @ one.rest[i]) - T)
        solid = (scale * one.joints[i] + trans) @ R[i].T + T
        points = pixels(one.K, solid)
        joints = [J49.index(name) for name in J24.joints[:14]]
        entry |= {"pose": [[*one.root[i], *one.pose[i, 3:]]], "betas": one.betas[i : i + 1].tolist()}
        entry |= {"trans": [trans.tolist()], "intri": one.K.tolist(), "lsp_joints_3d": solid[joints].tolist()}
        entry |= {"lsp_joints_2d": points[joints].tolist(), "bbox": [points.min(0).tolist(), points.max(0).tolist()]}
    threedoh50k.save(tmp_path, "test", entries)
    others = {key: threedoh50k.entry(int(key), random, bbox=entry["bbox"]) for key, entry in entries.items()}
    threedoh50k.save(tmp_path, "train", others)  # of the same names, below another folder
    store = made(tmp_path, "3doh50k")
    (source,) = attach(store, "3doh50k").sources
    assert source.valid == 6 and source.body == "smpl-neutral" and source.reprojection.maximum <= 0.1
    assert np.allclose(open_store(store.path).array("fits/3doh50k/native")[:], one.native, atol=1e-6)
    measured = store.array("joints3d")[:][:, :14, :3]
    camera = np.einsum("nij,nkj->nki", R, one.joints - one.rest[:, None]) + (one.rest + place(one.native))[:, None]
    assert np.allclose(measured, camera[:, [J49.index(name) for name in J24.joints[:14]]], atol=1e-5)
    entries["00002"]["scale"] = None
    del entries["00003"]["extri"]
    threedoh50k.save(tmp_path, "test", entries)
    with pytest.raises(FitError, match="do not reproject"):
        attach(store, f"3doh50k:{tmp_path / 'trainset'}")
    (source,) = attach(store, f"3doh50k:{tmp_path / 'testset'}").sources
    assert (source.valid, source.without) == (4, {"no fit in the source": 1, "coordinates not finite": 1})
    moved = (tmp_path / "testset" / "annots.json").rename(tmp_path / "mine.json")
    assert attach(store, f"3doh50k:{moved}").sources[0].valid == 4


def test_ssp3d_of_two_genders(ssp3d: ModuleType, known: Any, here: dict[str, BodyModel], tmp_path: Path) -> None:
    written = ssp3d.labels(6)
    K = np.array([[5000.0, 0, 256], [0, 5000, 256], [0, 0, 1]])
    for k, name in enumerate(("smpl-male", "smpl-female")):
        one, mine = seen(known, here[name], slice(0, 3), np.tile(np.eye(3), (3, 1, 1))), np.arange(k, 6, 2)
        written["poses"][mine], written["shapes"][mine] = one.pose, one.betas
        points = pixels(K, one.joints + written["cam_trans"][mine][:, None])
        written["joints2D"][mine, :, :2] = points[:, [J49.index(joint) for joint in COCO17.joints]]
    ssp3d.save(tmp_path, written)
    store = made(tmp_path, "ssp-3d")
    report = attach(store, f"ssp-3d:{tmp_path}")
    assert {source.name: source.valid for source in report.sources} == {"ssp-3d.smpl-female": 3, "ssp-3d.smpl-male": 3}
    assert all(source.reprojection.maximum <= 0.1 for source in report.sources)
    assert report.choice.none == 0
    native = open_store(store.path).array("fits/ssp-3d.smpl-male/native")[0]
    assert np.allclose(
        native, full_frame(torch.from_numpy(K)[None], torch.from_numpy(written["cam_trans"][:1])).matrix[0]
    )
    written["genders"][1] = "x"
    ssp3d.save(tmp_path, written)
    assert len(find_reader("ssp-3d").read(tmp_path / "labels.npz", None)) == 5
