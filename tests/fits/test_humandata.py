"""HumanData: whoever converted it, fits come back with the camera, the frame and the maker that are theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pymaf_data.body import BodyModel
from pymaf_data.errors import PymafDataError
from pymaf_data.fits.join import join
from pymaf_data.fits.readers.humandata import READER
from pymaf_data.fits.readers.reader import FitTable
from pymaf_data.fits.sniffing import sniff
from pymaf_data.fits.table import CAMERA, VIEW


@pytest.fixture
def read(humandata: ModuleType, people: Any, tmp_path: Path) -> Callable[..., FitTable]:
    """Joints are those of CLIFF's files unless OpenPose's are asked for; ``smpl`` adds to the bodies."""

    def made(detected: bool = False, smpl: Any = None, compressed: bool = True, **more: Any) -> FitTable:
        first, places = (0, humandata.OPENPOSE + humandata.SPIN24[:19]) if detected else (25, humandata.SPIN24[:19])
        points = np.dstack([people.joints[:, first:], np.ones((24, 44 - first))]), places
        bodies = humandata.bodies(people.pose, people.betas) | (smpl or {}) if "smplx" not in more else None
        names, box = more.pop("names", people.names), humandata.xywh(people.box)
        return READER.read(humandata.dump(tmp_path / "h.npz", names, box, bodies, points, compressed, **more), None)

    return made


KNOWN = ("eft", "coco", "mpi_inf_3dhp", "hr-lspet", "mscoco_neural_annot_train")  # of neutral bodies


@pytest.mark.parametrize(
    ("config", "detected", "licence", "frame"),
    [
        ("eft", True, {"EFT fits": "CC BY-NC 4.0"}, VIEW),
        ("coco", True, {"SPIN fits": "BSD-3-Clause (code)"}, VIEW),
        ("coco", False, {"CLIFF fits": "MIT"}, CAMERA),
        ("mpi_inf_3dhp", True, {"SPIN fits": "BSD-3-Clause (code)"}, CAMERA),
        ("hr-lspet", True, {"SPIN fits": "BSD-3-Clause (code)"}, VIEW),
        ("mscoco_neural_annot_train", False, {"NeuralAnnot fits": "not stated"}, CAMERA),
        ("coco_hybrik", True, {"fits of a HumanData file": "as its publisher says; not stated in the file"}, CAMERA),
        (None, False, {"fits of a HumanData file": "as its publisher says; not stated in the file"}, CAMERA),
    ],
)
def test_whose_fits_they_are(
    config: str, detected: bool, licence: dict[str, str], frame: int, read: Any, people: Any, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    table = read(detected, config=config, meta={"gender": ["m"] * 24})
    assert ("bodies are taken for neutral ones" in caplog.text) == (config not in KNOWN)
    assert dict(table.licences) == licence and {*table.frame.tolist()} == {frame}
    assert {*table.body.tolist()} == {"smpl-neutral"}, "a person's gender is not the body's"
    assert table.camera is None and table.points is None
    assert np.allclose(table.pose, people.pose) and np.allclose(table.betas, people.betas)
    assert np.allclose(table.keys.centres, people.box[:, :2]) and table.rows.tolist() == [*range(24)]
    assert sniff(tmp_path / "h.npz") == ["humandata"]


def test_a_translation_is_not_solved_again(read: Any, people: Any) -> None:
    meta = {"focal_length": people.K[:, 0, 0], "principal_point": people.K[:, :2, 2]}
    table = read(smpl={"transl": people.trans[:, None]}, meta=meta)
    assert table.points is None and table.origin == "corner"
    assert np.allclose(table.camera, np.concatenate([people.K, people.K @ people.trans[:, :, None]], 2))


def test_bodies_of_gendered_sets(read: Any) -> None:
    genders = ["m", "female", "neutral", "", *["Male"] * 20]
    bodies = [f"smpl-{gender}" for gender in ("male", "female", "neutral", "neutral", *["male"] * 20)]
    assert read(config="pw3d", meta={"gender": genders}).body.tolist() == bodies
    assert {*read(config="pw3d", meta={"gender": ["m"]}).body.tolist()} == {"smpl-neutral"}, "of one, not of each"


@pytest.mark.parametrize("form", ["compressed", "whole", "pixels from the centre"])
def test_without_translation_bodies_stand_by_their_joints(
    form: str, read: Any, known: Any, people: Any, body: BodyModel, humandata: ModuleType
) -> None:
    """Wrong joints of a set that are not the bodies' own are not looked at where those are."""
    K, points = people.K, np.dstack([people.joints[:, 25:], np.ones((24, 19))])
    own, mask = humandata.spread(points, humandata.SPIN24[:19])
    more: dict[str, Any] = {
        "meta": {"focal_length": K[:, 0, 0].tolist(), "principal_point": K[:, :2, 2].tolist()},
        "keypoints2d_smpl": own[:, mask > 0] if form == "compressed" else own,
        "keypoints2d_smpl_mask": mask,
    }
    if form == "pixels from the centre":
        more |= {"meta": None, "misc": {"focal_length": float(K[0, 0, 0])}}
    table = read(detected=True, compressed=form == "compressed", keypoints2d=np.zeros((24, 190, 3)), **more)
    assert table.points.shape == (24, 49, 3) and not table.points[:, :25].any()
    native = join(table, known.persons, "file", None, body).native
    apart = np.linalg.solve(K, native[:, :, 3:] - known.truth.native[:, :, 3:])
    assert np.abs(apart).max() < 1e-3


def test_who_has_no_fit(read: Any, people: Any) -> None:
    flag, betas, pose = np.ones(24), np.pad(people.betas, ((0, 0), (0, 1))), people.pose.copy()
    flag[3] = betas[5, 10] = 0.5
    flag[2] = pose[7] = betas[7] = 0
    annotated, labelled = [*np.ones(23, bool), False], np.array([0, *np.ones(23)])
    smpl = {"betas": betas, "body_pose": pose[:, 3:], "global_orient": pose[:, None, :3]}
    table = read(smpl=smpl, has_smpl=flag[:, None], meta={"annot_valid": annotated, "valid_label": labelled})
    assert table.rows.tolist() == [i for i in range(24) if i not in (0, 2, 5, 7, 23)]


def test_bodies_of_smplx(read: Any, people: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Any] = []
    monkeypatch.setattr(
        "pymaf_data.fits.readers.humandata.SmplxBodies", lambda *args, **more: said.append((args, more))
    )
    rng, pose = np.random.default_rng(0), people.pose
    kid, betas, hand, face = np.zeros(24), rng.normal(size=(24, 11)), rng.normal(size=(24, 15, 3)), np.ones((24, 10))
    kid[5], face[3], hand[4] = 0.5, np.nan, np.nan
    smplx = {
        "global_orient": pose[:, :3], "body_pose": pose[:, 3:66].reshape(24, 21, 3), "betas": betas,
        "left_hand_pose": hand, "right_hand_pose": np.ones((24, 12)), "expression": face, "betas_extra": kid,
        "jaw_pose": np.full((24, 3), 0.1),
    }  # fmt: skip
    has = np.arange(24) != 7
    table = read(smplx=smplx, has_smpl=has, config="agora_train_3840", misc={"flat_hand_mean": True})
    (posed, shape, expression, gender), more = said[0]
    expected = [pose[:, :66], np.full((24, 3), 0.1), np.zeros((24, 6)), np.nan_to_num(hand).reshape(24, 45)]
    assert np.allclose(posed, np.hstack([*expected, np.zeros((24, 45))])[has]), "hands of components are at rest"
    assert np.allclose(shape, betas[has]) and {*gender.tolist()} == {"neutral"}
    assert np.allclose(expression, np.nan_to_num(face)[has]) and expression[3].sum() == 0
    assert more["flat_hand"] is True and np.allclose(more["kid"], kid[has])
    assert np.allclose(table.pose[:, :66], pose[has, :66]) and {*table.body.tolist()} == {"smpl-neutral"}
    smplx |= {"betas_extra": np.zeros(24), "flat_hand_mean": [False] * 24}
    read(smplx=smplx, meta={"gender": ["m", "f"] * 12}, misc={"flat_hand_mean": True}, config="pw3d")
    args, more = said[1]
    assert more["flat_hand"] is False and more["kid"] is None and args[3].tolist() == ["male", "female"] * 12


def test_frames_that_mmhuman3d_renames_have_their_names(read: Any) -> None:
    names = ["S1/Seq2/video_0/000001.jpg", "/S1/Seq2/video_10/000011.jpg", *[f"train2014/{i}.jpg" for i in range(22)]]
    found = read(names=names).keys.names.tolist()
    assert found[:2] == [
        "S1/Seq2/imageFrames/video_0/frame_000001.jpg",
        "/S1/Seq2/imageFrames/video_10/frame_000011.jpg",
    ]
    assert found[2:] == names[2:]


@pytest.mark.parametrize(
    "changes",
    [
        {"smpl": {"body_pose": np.zeros((24, 21, 3))}},
        {"smpl": {"global_orient": [["a"]] * 24}},
        {"smpl": {"transl": np.zeros((23, 3))}, "meta": {"focal_length": [1.0] * 24}},
        {"bbox_xywh": np.zeros((24, 3))},
        {"bbox_xywh": None},
        {"has_smpl": np.ones(23)},
        {"meta": {"focal_length": [1.0] * 23}},
        {"meta": np.zeros(3)},
        {"meta": {"focal_length": [1.0] * 24}, "keypoints2d_mask": np.ones(12)},
        {"meta": {"focal_length": [1.0] * 24}, "keypoints2d_mask": np.ones(190)},
        {"keypoints2d_mask": np.ones(189)},
        {"names": []},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_files_that_are_no_such_fits(changes: dict[str, Any], read: Any) -> None:
    with pytest.raises(PymafDataError, match=r"h\.npz"):
        read(**changes)


def test_numbers_may_be_lists_of_lists(read: Any, people: Any) -> None:
    lists = {"body_pose": people.pose[:, None, 3:].reshape(24, 1, 23, 3).tolist()}
    assert np.array_equal(read(smpl=lists).pose, read().pose)


def test_lists_that_share_one_another_are_not_unfolded(read: Any) -> None:
    lists: list[Any] = [0.0]
    for _ in range(60):
        lists = [lists, lists]
    with pytest.raises(PymafDataError, match="more than"):
        read(smpl={"betas": lists})


def test_bodies_that_are_none(humandata: ModuleType, people: Any, tmp_path: Path) -> None:
    points = np.dstack([people.joints[:, 25:], np.ones((24, 19))]), humandata.SPIN24[:19]
    for smpl in (None, np.zeros(5), {"body_pose": people.pose[:, 3:]}):
        path = humandata.dump(tmp_path / "h.npz", people.names, humandata.xywh(people.box), smpl, points)
        said = ".*: it has no smpl and no smplx" if smpl is None else ""
        with pytest.raises(PymafDataError, match=rf"h\.npz is no HumanData{said}"):
            READER.read(path, None)
