"""Fits of other bodies become those of the body trained on: from files as published to what a store holds."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.spatial.transform import Rotation

from pymaf_data.body import BodyModel
from pymaf_data.digest import digest_file, digest_json
from pymaf_data.errors import AssetMismatch, AssetMissing, FitError, RawDataCorrupt
from pymaf_data.fits import joined
from pymaf_data.fits import readers as registry
from pymaf_data.fits.bodies import GenderedSmpl, KidSmpl, MhrBodies, SmplhBodies, SmplxBodies
from pymaf_data.fits.conversion import meshes
from pymaf_data.fits.conversion.convert import convert
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.reader import ByAnnotation, FitReader, FitTable
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.stages.told import attach_lines
from pymaf_data.storage import Store, open_store
from pymaf_data.untrusted.ply import read_ply_faces


@pytest.fixture(scope="session")
def assets(tmp_path_factory: pytest.TempPathFactory, others: ModuleType, body: BodyModel, smplx_mesh: Any) -> Path:
    """SMPL-X and SMPL-H of the free body, and where SMPL's vertices lie on SMPL-X."""
    folder = tmp_path_factory.mktemp("assets")
    others.write_smplx(folder / "models_smplx_v1_1/models/smplx/SMPLX_NEUTRAL.npz", body, smplx_mesh)
    both = sparse.hstack([smplx_mesh.down, sparse.csr_matrix(smplx_mesh.down.shape)])  # the second half is for normals
    others.write_pickle(folder / "transfer_data/smplx2smpl_deftrafo_setup.pkl", {"mtx": both.tocsr()})
    return folder


def of_smplx(pose: np.ndarray, others: ModuleType) -> np.ndarray:
    """(N, 55, 3) of SMPL's poses (N, 72)."""
    out = np.zeros((len(pose), 55, 3))
    out[:, others.OF_SMPLX] = pose.reshape(-1, 24, 3)
    return out


@pytest.fixture
def attach(free_as_neutral: None, monkeypatch: pytest.MonkeyPatch, store: Store, known: Any, tmp_path: Path) -> Any:
    """Attaches the known persons with bodies of another model in place of theirs."""
    (tmp_path / "file").write_bytes(b"anything")

    def run(other: Any, assets: Path, **changes: Any) -> Any:
        def read(path: Path, companion: Path | None) -> FitTable:
            truth, N = known.truth, len(known.persons)
            values = {
                "keys": ByAnnotation(known.persons.annotation_id), "pose": np.zeros((N, 72)),
                "betas": np.zeros((N, 10)), "camera": truth.native, "frame": truth.frame, "licences": {},
                "body": np.full(N, "smpl-neutral"), "tolerance": Tolerance(3.0, 1.5, 0.0), "other": other,
            }  # fmt: skip
            return FitTable(**values | changes)

        module = ModuleType("somebodys_bodies")
        module.READER = FitReader(read, "fits", "none", "nowhere")  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        entry = EntryPoint("others", "somebodys_bodies:READER", registry.GROUP)
        monkeypatch.setattr(registry, "_others", lambda: EntryPoints([entry]))
        return attach_fits(AttachOptions(store=store.path, fits=(f"others:{tmp_path / 'file'}",), assets=assets))

    return run


@pytest.mark.long
def test_smplx_of_published_files_becomes_the_persons_own(
    free_as_neutral: None, store: Store, assets: Path, known: Any, people: Any, bedlam: ModuleType,
    humandata: ModuleType, others: ModuleType, tmp_path: Path,
) -> None:  # fmt: skip
    pose, rows = of_smplx(known.truth.pose, others).reshape(24, 165), np.random.default_rng(0).permutation(24)[:6]
    few = people.take(rows)
    scene = bedlam.scene(tmp_path / "scene.npz", few, pose_cam=pose[rows], shape=few.betas)
    smplx = {
        "global_orient": pose[rows, :3], "body_pose": pose[rows, 3:66], "betas": few.betas, "transl": few.trans,
        "left_hand_pose": pose[rows, 75:120], "right_hand_pose": pose[rows, 120:], "flat_hand_mean": [True] * 6,
    }  # fmt: skip
    file = humandata.placed(tmp_path / "human.npz", few, smpl=None, smplx=smplx)
    requests = f"bedlam:{scene}", f"humandata:{file}"
    report = attach_fits(AttachOptions(store=store.path, fits=requests, assets=assets))
    turned = Rotation.from_rotvec(few.pose.reshape(-1, 3)).inv()
    for source in report.sources:
        assert source.proved and source.valid == 6 and source.reprojection.maximum < 1
        found = Rotation.from_rotvec(open_store(store.path).array(f"fits/{source.name}/pose")[:][rows].reshape(-1, 3))
        assert np.median(np.degrees((turned * found).magnitude())) < 0.5


def test_smplx_bodies_become_the_persons_own_once_their_model_is_there(
    attach: Any,
    assets: Path,
    tmp_path: Path,
    store: Store,
    known: Any,
    others: ModuleType,
    body: BodyModel,
    caplog: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(joined, "_TOGETHER", 7)
    bodies, nothing = SmplxBodies(of_smplx(known.truth.pose, others), known.truth.betas), tmp_path / "nothing"
    report = attach(bodies, nothing)
    assert report.failed and report.choice is None and not report.sources[0].proved
    assert report.sources[0].without == {"body not converted": 24} and report.sources[0].conversion is None
    assert "SMPLX_NEUTRAL.npz is not there" in caplog.text and "https://smpl-x.is.tue.mpg.de" in caplog.text
    assert str(nothing / "smplx/SMPLX_NEUTRAL.npz") in caplog.text and "--allow-unproved" in caplog.text
    assert not open_store(store.path).current("fits/others").attributes["proved"]
    assert np.isnan(open_store(store.path).array("fits/others/conversion")[:]).all()
    assert attach(bodies, nothing).sources[0].shards_written == 0

    report = attach(bodies, assets)
    (source,) = report.sources
    assert report.choice.persons == {"others": 24}
    assert source.proved and source.valid == 24 and not report.failed and source.reprojection.maximum < 1
    opened = open_store(store.path)
    found = {key: opened.array(f"fits/others/{key}")[:] for key in ("pose", "betas", "native", "conversion", "valid")}
    turns = [Rotation.from_rotvec(pose.reshape(-1, 3)) for pose in (found["pose"], known.truth.pose)]
    degrees = np.degrees((turns[0].inv() * turns[1]).magnitude())
    assert np.median(degrees) < 0.5 and np.quantile(degrees, 0.95) < 1.5
    # The surface stands where the truth's does: pose, betas and the native camera together.
    pose, betas = axis_angle_to_matrix(torch.from_numpy(found["pose"]).double().view(-1, 24, 3)), found["betas"]
    theirs = body.mesh(axis_angle_to_matrix(torch.from_numpy(known.truth.pose).view(-1, 24, 3)), *_t(known.truth.betas))
    K = known.truth.native[:, :, :3]
    t = np.linalg.solve(K, found["native"][:, :, 3:] - known.truth.native[:, :, 3:])[:, None, :, 0]
    apart = np.linalg.norm(body.mesh(pose, *_t(betas)).numpy() + t - theirs.numpy(), axis=2).mean(1)
    assert np.quantile(apart, 0.95) < 0.002
    said = opened.current("fits/others").attributes["source"]["conversion"]
    files = [[path.name, digest_file(path)] for path in bodies.files(assets)]
    assert said == {"method": 1, "files": digest_json(files)} and len(files) == 2
    left = source.conversion
    assert left.model == opened.current("fits/others").attributes["converted_from"] == "smplx-neutral"
    assert left.median == pytest.approx(np.median(found["conversion"], 0).tolist()) and left.p95[0] < 1.2
    assert any("converted from smplx-neutral: median 0." in line for line in attach_lines(report))


def _t(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(array).double() for array in arrays]


class Posed:
    """Bodies whose vertices are known."""

    model = "posed"

    def __init__(self, vertices: np.ndarray) -> None:
        self.of = vertices
        self.asked: list[int] = []

    def files(self, assets: Path | None) -> list[Path]:
        return []

    def vertices(self, rows: np.ndarray, assets: Path | None) -> np.ndarray:
        self.asked += rows.tolist()
        return self.of[rows]


@pytest.fixture(scope="module")
def vertices(known: Any, body: BodyModel) -> np.ndarray:
    pose = axis_angle_to_matrix(torch.from_numpy(known.truth.pose).view(-1, 24, 3))
    return body.mesh(pose, *_t(known.truth.betas)).numpy()


def test_what_is_no_body_is_refused_alone(attach: Any, assets: Path, store: Store, vertices: np.ndarray) -> None:
    wrong = vertices.copy()
    wrong[3], wrong[5, 100], wrong[7], wrong[9] = 0, np.nan, 0.5 * vertices[7], 100 * vertices[9]
    bodies = Posed(wrong)
    report = attach(bodies, assets)
    assert report.sources[0].without == {"coordinates not finite": 1, "conversion residual too large": 3}
    opened = open_store(store.path)
    left, pose = (opened.array(f"fits/others/{key}")[:] for key in ("conversion", "pose"))
    assert np.isnan(left[5]).all() and np.isinf(left[9]).all() and (left[[3, 7], 0] > 15).all()
    assert not pose[[3, 5, 7, 9]].any()
    good = np.setdiff1d(np.arange(24), [3, 5, 7, 9])
    assert left[good].max() < 0.01 and sorted(bodies.asked) == list(range(24)), "each once, nobody else's"


def test_bodies_in_other_rows_are_refused_with_the_evidence(
    attach: Any, assets: Path, vertices: np.ndarray, known: Any
) -> None:
    # Every person's body lies in the row after theirs, which belongs to nobody here.
    ids, N = known.persons.annotation_id, 48
    bodies = Posed(np.stack([np.roll(vertices, 5, 0), vertices], 1).reshape(N, -1, 3))
    many = {"pose": np.zeros((N, 72)), "betas": np.zeros((N, 10)), "frame": np.zeros(N, np.uint8), "camera": None}
    keys = ByAnnotation(np.stack([ids, ids + 1000], 1).ravel())
    with pytest.raises(FitError, match="rows look shifted by 1"):
        attach(bodies, assets, keys=keys, body=np.full(N, "smpl-neutral"), **many)


def test_bodies_that_turn_in_the_world(vertices: np.ndarray, known: Any, body: BodyModel) -> None:
    rng, truth, N = np.random.default_rng(0), known.truth, 24
    world = Rotation.from_rotvec(rng.normal(size=(N, 3))).as_matrix()
    place = np.linalg.solve(truth.native[:, :, :3], truth.native[:, :, 3:])
    # In the world bodies lie turned back, and shifted by half a metre.
    turned = np.einsum("nji,nvj->nvi", world, vertices) + np.array([0.5, 0, 0])
    back = place - world @ np.array([[0.5], [0], [0]])
    K = np.concatenate([truth.native[:, :, :3], np.zeros((N, 3, 1))], 2)
    keys, none = ByAnnotation(known.persons.annotation_id), Tolerance(3.0, 1.5, 0.0)
    zeros = np.zeros((N, 72)), np.zeros((N, 10)), K, truth.frame, np.full(N, "free"), {}, none
    bodies = Posed(turned)
    table = FitTable(keys, *zeros, extrinsics=np.concatenate([world, back], 2), other=bodies)
    from pymaf_data.fits.joined import _seen

    converted, _ = convert(table, bodies, np.arange(N), body, None)
    seen = _seen(converted, body)
    pose = axis_angle_to_matrix(torch.from_numpy(seen.pose).view(-1, 24, 3))
    again = body.mesh(pose, *_t(seen.betas)).numpy()
    t = np.linalg.solve(K[:, :, :3], seen.camera[:, :, 3:])[:, None, :, 0]
    assert np.abs(again + t - vertices - place[:, None, :, 0]).max() < 1e-4


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    # Through MHR where the direct way is not on this machine.
    with pytest.raises(AssetMissing, match=r"smplx2smpl\.pkl"):
        meshes.smplx_files(tmp_path)
    (tmp_path / "mhr").mkdir()
    for name in ("smplx2mhr_mapping.npz", "mhr2smpl_mapping.npz", "mhr_face_mask.ply"):
        (tmp_path / "mhr" / name).write_bytes(b"")
    assert meshes.smplx_files(tmp_path)[0].name == "smplx2mhr_mapping.npz"
    (tmp_path / "smplx2smpl.npz").write_bytes(b"")
    assert [path.name for path in meshes.smplx_files(tmp_path)] == ["smplx2smpl.npz"]


def test_gendered_smpl_kids_and_smplh(tmp_path: Path, others: ModuleType, body: BodyModel, known: Any) -> None:
    pose, betas = known.truth.pose[:4], known.truth.betas[:4]
    arrays = others.skinned(body, 52, others.OF_SMPLH)
    hands = np.full(45, 0.1)
    others.write_pickle(tmp_path / "smplh/SMPLH_male.pkl", arrays | {"hands_meanl": hands, "hands_meanr": hands})
    many = np.zeros((4, 52, 3))
    many[:, others.OF_SMPLH] = pose.reshape(4, 24, 3)
    matrices = axis_angle_to_matrix(torch.from_numpy(pose).view(4, 24, 3))
    mesh = body.mesh(matrices, *_t(betas)).numpy()

    def posed(bodies: Any) -> np.ndarray:
        found: np.ndarray = bodies.vertices(np.array([2, 0]), tmp_path)
        return found

    many[:, 22:] -= 0.1  # the mean hand is left out
    relative = SmplhBodies(many.reshape(4, 156), betas, "male", flat_hand=False)
    assert np.abs(posed(relative) - mesh[[2, 0]]).max() < 1e-3  # half floats
    with pytest.raises(AssetMissing, match="SMPLH_FEMALE"):
        SmplhBodies(many, betas, "female").files(tmp_path)
    # SMPL: a body that is wider, and a kid on half the way to a small infant.
    plain = {key: array for key, array in arrays.items() if not key.startswith("hands")}
    plain |= {
        "kintree_table": np.stack([body.parents.numpy(), np.arange(24)]).astype(np.uint32),
        "weights": body.lbs_weights.numpy(), "J_regressor": sparse.csc_matrix(body.J_regressor.numpy()),
        "posedirs": body.posedirs.float().numpy().T.reshape(6890, 3, -1), "shapedirs": body.shapedirs.numpy(),
    }  # fmt: skip
    others.write_pickle(tmp_path / "smpl/SMPL_NEUTRAL.pkl", plain)
    others.write_pickle(tmp_path / "smpl/SMPL_FEMALE.pkl", plain | {"v_template": 1.1 * plain["v_template"]})
    mixed = GenderedSmpl(pose, betas, np.array(["female", "male", "neutral", "male"]))
    assert mixed.model == "smpl-female-male-neutral"
    found = posed(mixed)
    assert np.abs(found[0] - mesh[2]).max() < 1e-5 and np.abs(found[1] - mesh[0]).max() > 0.05
    infant = 0.4 * plain["v_template"]
    np.save(tmp_path / "smpl_kid_template.npy", infant + 5)  # its centre is moved to the origin
    kid = np.array([0.5, 0, 0, np.nan])
    kids = KidSmpl(np.zeros((4, 72)), np.zeros((4, 10)), kid, "female")
    assert [path.name for path in kids.files(tmp_path)] == [
        "SMPL_FEMALE.pkl", "SMPL_NEUTRAL.pkl", "smpl_kid_template.npy"
    ]  # fmt: skip
    stature = np.ptp(posed(kids)[:, :, 1], axis=1) / np.ptp(plain["v_template"][:, 1])
    assert stature == pytest.approx([1.1, 0.7], abs=1e-3), "a girl between the neutral body and the infant"
    assert np.allclose(posed(kids)[1].mean(0), plain["v_template"].mean(0) / 2, atol=1e-5), "its centre is the origin"
    assert np.isnan(kids.vertices(np.array([3]), tmp_path)).all()


def test_expressions_and_how_many_there_are(
    tmp_path: Path, others: ModuleType, body: BodyModel, smplx_mesh: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pymaf_data.fits.conversion import skinned

    monkeypatch.setitem(skinned.KINDS, "smplx", skinned.KINDS["smplx"]._replace(vertices=5, joints=55))
    arrays = others.skinned(body, 55, others.OF_SMPLX, smplx_mesh.up[:5], smplx_mesh.down[:, :5])
    for count, first in ((20, 10), (400, 300)):
        dirs = np.zeros((5, 3, count))
        dirs[:, 0, 1], dirs[:, 1, first] = 1.0, 1.0
        np.savez(tmp_path / f"{count}.npz", **arrays | {"shapedirs": dirs})
        files = [tmp_path / f"{count}.npz"]
        model = skinned.load_skinned("smplx", files, 2, 3)
        zero = torch.zeros(1, 55, 3).double()
        rest, moved = (model.vertices(zero, torch.tensor([[0, b, e, 0, 0, 0.0]])) for b, e in ((0, 0), (2, 4)))
        assert torch.allclose(moved - rest, torch.tensor([2.0, 4.0, 0.0]).expand(1, 5, 3), atol=1e-4)
        with pytest.raises(AssetMismatch, match=f"has {first} betas"):
            skinned.load_skinned("smplx", files, first + 1, 0)
        with pytest.raises(AssetMismatch, match=f"and {count - first} expressions"):
            skinned.load_skinned("smplx", files, 10, 101)


@pytest.mark.long
def test_bodies_of_mhr(
    attach: Any, tmp_path: Path, known: Any, others: ModuleType, body: BodyModel, vertices: np.ndarray
) -> None:
    mesh = others.other_mesh(body.v_template.numpy(), body.faces.numpy(), 18439)
    others.write_mapping(tmp_path / "mhr/mhr2smpl_mapping.npz", mesh)
    others.write_ply(tmp_path / "mhr/mhr_face_mask.ply", 18439, mesh.faces)
    up = np.stack([mesh.up @ each for each in vertices]).astype(np.float32)
    for bodies in (MhrBodies(up), MhrBodies(lambda rows: up[rows])):
        report = attach(bodies, tmp_path)
        assert report.sources[0].valid == 24 and report.sources[0].conversion.p95[0] < 1


def test_meshes_that_are_no_such_mesh(tmp_path: Path, others: ModuleType, smplx_mesh: Any) -> None:
    faces = np.array([[0, 1, 2], [2, 1, 3]])
    path = others.write_ply(tmp_path / "a.ply", 4, faces)
    found, count = read_ply_faces(path)
    assert count == 4 and np.array_equal(found, faces)
    data = path.read_bytes()
    edits = (b"binary_little", b"binary_big"), (b"face 2", b"face 3"), (b"float x", b"thing x")
    ends = b"", data[:-1], data + b"\0", data[:-4] + b"\4\0\0\0", data[:-13] + b"\4" + data[-12:], b"ply\n" * 99
    for bad in (*ends, *(data.replace(*edit) for edit in edits)):
        path.write_bytes(bad)
        with pytest.raises(RawDataCorrupt, match=r"as \.ply"):
            read_ply_faces(path)
    path.write_bytes(data)
    mapping = others.write_mapping(tmp_path / "mapping.npz", smplx_mesh)
    with pytest.raises(AssetMismatch, match="4 vertices"):
        meshes.mhr_to_smpl((mapping, path))
    ids, weights = smplx_mesh.triangle, smplx_mesh.weights
    matrix = meshes._barycentric(mapping, smplx_mesh.faces, (6890, 10475))
    assert np.abs(matrix - smplx_mesh.down).max() < 1e-6
    other_ids = ids + len(smplx_mesh.faces), ids - 99999, ids * 1.0
    other_weights = 2 * weights, weights * np.nan, weights[:, :2]
    pairs = *((ids, some) for some in other_weights), *((some, weights) for some in other_ids)
    for wrong in ((ids[1:], weights[1:]), *pairs):
        np.savez(mapping, triangle_ids=wrong[0], baryc_coords=wrong[1])
        with pytest.raises(AssetMismatch, match=r"mapping\.npz has"):
            meshes._barycentric(mapping, smplx_mesh.faces, (6890, 10475))
    for held in ({"mtx": smplx_mesh.down[:, :9]}, {"other": 1}, [1], {"matrix": 0.5 * smplx_mesh.down}):
        with pytest.raises(AssetMismatch, match=r"smplx2smpl\.pkl has"):
            meshes.smplx_to_smpl((others.write_pickle(tmp_path / "smplx2smpl.pkl", held),), smplx_mesh.faces)


def test_arrays_that_do_not_belong_together() -> None:
    few = np.zeros((3, 10))
    for wrong in ({"pose": np.zeros((4, 54, 3))}, {"betas": few}, {"gender": "m"}, {"kid": few[:, 0]},
                  {"expression": few}, {"gender": np.array(["male"] * 3)}):  # fmt: skip
        with pytest.raises(RawDataCorrupt):
            SmplxBodies(**{"pose": np.zeros((4, 165)), "betas": np.zeros((4, 10)), **wrong})
