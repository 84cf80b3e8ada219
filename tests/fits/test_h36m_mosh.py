"""Fits of Human3.6M by MoSh: they prove on the joints of their own frames, and what is turned otherwise is refused."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pymaf_data.body import BodyModel
from pymaf_data.body.free import load_free_arrays
from pymaf_data.errors import FitError, RawDataCorrupt
from pymaf_data.fits.readers import find_reader
from pymaf_data.fits.table import CAMERA, REASONS
from pymaf_data.geometry.joints import J49
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import Store, open_store

A, D = "54138969", "60457274"
# Joints of the release's 32 that J24 has, by the index under which SPIN finds them.
JOINTS = {
    "pelvis_mpii": 11, "left_hip": 6, "left_knee": 7, "left_ankle": 8, "right_hip": 1, "right_knee": 2,
    "right_ankle": 3, "spine_h36m": 12, "neck_lsp": 24, "jaw_h36m": 14, "head_h36m": 15, "left_shoulder": 17,
    "left_elbow": 18, "left_wrist": 19, "right_shoulder": 25, "right_elbow": 26, "right_wrist": 27,
}  # fmt: skip
POSES = 6  # at 10 Hz: frames 0, 5, … 25


@pytest.fixture(scope="module")
def neutral() -> BodyModel:
    """The free body under SMPL's name."""
    return BodyModel("smpl-neutral", load_free_arrays(), torch.float64)


@pytest.fixture(autouse=True)
def _here(neutral: BodyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymaf_data.stages.attach_source.load_body", lambda name, *_: neutral)


def mosh(path: Path, pose: np.ndarray, betas: np.ndarray, half_turn: bool = True) -> Path:
    """A file of fits whose roots (N, 72) are seen by the camera: R_root · Rx(π) of what is written is that."""
    written = pose.copy()
    turn = Rotation.from_rotvec([np.pi, 0, 0]) if half_turn else Rotation.identity()
    written[:, :3] = (Rotation.from_rotvec(pose[:, :3]) * turn.inv()).as_rotvec()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps({"new_poses": written, "betas": betas, "old": None}, 2))
    return path


def before_camera(known: Any, body: BodyModel, rows: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pose (n, 72) of known persons, betas (10,) of the first, and their joints (n, 17, 3) in camera space."""
    pose, native, betas = known.truth.pose[rows], known.truth.native[rows], known.truth.betas[rows][0]
    turns = Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
    joints = body.keypoints(torch.from_numpy(turns), torch.from_numpy(np.tile(betas, (len(pose), 1))))[1].numpy()
    place = np.linalg.solve(native[:, :, :3], native[:, :, 3:])[..., 0]
    return pose, betas, (joints + place[:, None])[:, [J49.index(joint) for joint in JOINTS]]


@pytest.fixture(scope="module")
def written(h36m: ModuleType, known: Any, neutral: BodyModel, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """S9 in two sequences of 28 frames: in every fifth, the joints are those of a body."""
    world = h36m.start(tmp_path_factory.mktemp("mosh") / "raw")
    random, truths = np.random.default_rng(0), {}
    for k, (name, camera) in enumerate((("Greeting", A), ("Greeting 1", D))):
        pose, betas, joints = before_camera(known, neutral, slice(k * POSES, (k + 1) * POSES))
        solid = 100 * random.normal(size=(5 * POSES - 2, 32, 3)) + [0, 0, 9000]
        solid[::5, list(JOINTS.values())] = 1000 * joints
        folder, flat = world.root / "S9" / "MyPoseFeatures", h36m.distorted(solid, h36m.LENSES[camera])
        h36m.save_cdf(folder / "D3_Positions_mono" / f"{name}.{camera}.cdf", solid.reshape(len(solid), -1))
        h36m.save_cdf(folder / "D2_Positions" / f"{name}.{camera}.cdf", flat.reshape(len(flat), -1))
        h36m.save_video(world, 9, name, camera, len(solid) + 1)
        truths[name] = pose, betas
    options = IngestOptions(
        dataset="h36m", split="p1", root=world.root, option=("boxes=joints",), out=world.root / "s.zarr", crop_size=32
    )
    ingest(options)
    return world.root, truths


@pytest.fixture
def store(written: Any, tmp_path: Path) -> Store:
    """A store of its own, in which nothing is attached."""
    return open_store(shutil.copytree(written[0] / "s.zarr", tmp_path / "s.zarr"))


def attach(store: Store, path: Path) -> Any:
    return attach_fits(AttachOptions(store=store.path, fits=(f"h36m-mosh:{path}",))).sources[0]


def test_they_prove_and_a_sequence_without_them_is_counted(written: Any, store: Store, tmp_path: Path) -> None:
    pose, betas = written[1]["Greeting"]
    path = mosh(tmp_path / "fits" / "S9" / "Greeting_cam0_aligned.pkl", pose, np.pad(betas, (0, 290)))
    source = attach(store, tmp_path / "fits")
    assert (source.valid, source.without, source.body) == (POSES, {"no fit in the source": POSES}, "smpl-neutral")
    assert source.reprojection.maximum < 12
    store = open_store(store.path)
    rows = [row for row, (name, _) in enumerate(store.rows) if f"Greeting.{A}" in name]
    assert store.array("frame")[:][rows].tolist() == [0, 5, 10, 15, 20, 25]
    found = {key: store.array(f"fits/h36m-mosh/{key}")[:] for key in ("pose", "betas", "frame", "reason")}
    turned = Rotation.from_rotvec(found["pose"][rows, :3]).inv() * Rotation.from_rotvec(pose[:, :3])
    assert turned.magnitude().max() < 1e-5 and np.allclose(found["pose"][rows, 3:], pose[:, 3:], atol=1e-6)
    assert np.allclose(found["betas"][rows], betas, atol=1e-6) and (found["frame"][rows] == CAMERA).all()
    assert {REASONS[code] for code in np.delete(found["reason"], rows)} == {"no fit in the source"}
    again = attach(store, path)  # the file by itself is the same content
    assert again.valid == POSES and len([info for info in open_store(store.path).stages() if "mosh" in info.stage]) == 1


def test_every_sequence_has_its_own(written: Any, store: Store, tmp_path: Path) -> None:
    for name, camera in (("Greeting", 0), ("Greeting 1", 3)):
        mosh(tmp_path / "S9" / f"{name}_cam{camera}_aligned.pkl", *written[1][name])
    assert attach(store, tmp_path / "S9").valid == 2 * POSES


@pytest.mark.parametrize("wrong", ["turn", "camera", "sequence", "frames"])
def test_what_is_turned_or_called_otherwise_is_refused(wrong: str, written: Any, store: Store, tmp_path: Path) -> None:
    pose, betas = written[1]["Greeting 1" if wrong == "sequence" else "Greeting"]
    if wrong == "camera":  # seen by the opposite one
        pose = pose.copy()
        pose[:, :3] = (Rotation.from_rotvec([0, np.pi, 0]) * Rotation.from_rotvec(pose[:, :3])).as_rotvec()
    pose = np.roll(pose, 1, 0) if wrong == "frames" else pose
    mosh(tmp_path / "S9" / "Greeting_cam0_aligned.pkl", pose, betas, half_turn=wrong != "turn")
    with pytest.raises(FitError, match=r"do not reproject|no fits of the body"):
        attach(store, tmp_path)


@pytest.mark.parametrize(
    ("where", "content", "message"),
    [
        ("S9/Greeting_cam0_aligned.pkl", {"betas": np.zeros(10)}, "new_poses"),
        ("S9/Greeting_cam0_aligned.pkl", {"new_poses": np.zeros((3, 71)), "betas": np.zeros(10)}, "71"),
        ("S9/Greeting_cam0_aligned.pkl", {"new_poses": np.zeros((3, 72)), "betas": np.zeros(9)}, "9,"),
        ("S9/Greeting_cam0_aligned.pkl", {"new_poses": np.zeros((3, 72), "U1"), "betas": np.zeros(10)}, "<U1"),
        ("S9/Greeting_cam0_aligned.pkl", [1], "holds no bodies"),
        ("mine/Greeting_cam0_aligned.pkl", {"new_poses": np.zeros((3, 72)), "betas": np.zeros(10)}, "no subject"),
    ],
)
def test_what_is_no_file_of_theirs_is_named(where: str, content: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / where
    path.parent.mkdir()
    path.write_bytes(pickle.dumps(content, 2))
    with pytest.raises(RawDataCorrupt, match=message):
        find_reader("h36m-mosh").read(path, None)
    with pytest.raises(RawDataCorrupt, match="has no fits"):
        find_reader("h36m-mosh").read(tmp_path / "none", None)
