"""MPI-INF-3DHP's training set from its own files: which frames, whose values, which image."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from pymaf_data.datasets import Raw, find_reader, load_manifest, one_image, select
from pymaf_data.datasets.images import MissingImage
from pymaf_data.datasets.mpi_inf_3dhp_cameras import read_cameras
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.geometry.joints import J24
from pymaf_data.stages.against import compare
from tests.datasets.read_3dhp import IN_J24, raw_of, read

SIDE, ANNOTATED = 128, 47
#: Places among 28 joints, as SPIN's preprocessing has them.
OF_28 = [4, 18, 19, 20, 23, 24, 25, 3, 5, 6, 7, 9, 10, 11, 14, 15, 16]
SIDES = ("left", "right")
SPIN_CAMERAS = [0, 1, 2, 4, 5, 6, 7, 8]
#: Sequence → camera → frames of its video; annotations go on.
VIDEOS: dict[str, dict[int, int]] = {"S1/Seq1": {0: 40, 2: 40, 3: 40, 5: 40}, "S2/Seq2": {0: 40, 2: 23, 5: 40}}


@pytest.fixture(scope="module")
def training(tdhp: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    root = tmp_path_factory.mktemp("training")
    made = {name: tdhp.sequence(root, name, ANNOTATED, VIDEOS[name], SIDE, seed) for seed, name in enumerate(VIDEOS)}
    return root, made


def inside(points: Any) -> Any:
    return ((points >= 0) & (points < SIDE)).all(-1)


def spins(made: dict[str, Any], lengths: dict[str, dict[int, int]], every: int = 10) -> Iterator[tuple[str, int, int]]:
    """SPIN's loop: sequence, camera, frame."""
    counter = 0
    for name, cameras in lengths.items():
        for camera in SPIN_CAMERAS:
            for i in range(cameras.get(camera, 0)):
                if inside(made[name][0][camera][i, OF_28]).all():
                    counter += 1
                    if counter % every == 1:
                        yield name, camera, i


def test_frames_and_values_are_those_that_spin_takes(training: Any, tdhp: ModuleType) -> None:
    root, made = training
    found, expected = read(root), list(spins(made, VIDEOS))
    assert len(expected) > 10
    assert len({i % 10 for _, _, i in expected}) > 3, "joints leave the images, so that the count shifts"
    assert [record.image_name for record in found.records] == [
        f"{name}/imageFrames/video_{camera}/frame_{i + 1:06d}.jpg" for name, camera, i in expected
    ]
    for record, (name, camera, i) in zip(found.records, expected, strict=True):
        points, solid = (values[camera][i, OF_28] for values in made[name])
        for place, joint in enumerate(np.array(J24.joints)[IN_J24]):
            assert record.keypoints[joint] == pytest.approx((*points[place], 2), abs=1e-4)
            assert record.joints3d[joint] == pytest.approx(solid[place] / 1000, abs=1e-6)
        assert len(record.keypoints) == len(record.joints3d) == 17
        low, high = points.min(0), points.max(0)
        assert record.box == pytest.approx([*(low + high) / 2, 1.2 * (high - low).max()], abs=1e-6)
        assert np.array(record.intrinsics) == pytest.approx(tdhp.matrix(SIDE, camera), abs=1e-6)
        subject, sequence = int(name[1]), int(name[-1])
        assert (record.subject, record.sequence, record.frame, record.camera) == (
            subject, 10 * subject + sequence, i, camera,
        )  # fmt: skip
        assert (record.image_size, record.box_source) == ((SIDE, SIDE), "keypoints")
    assert found.adjusted == {}
    total = 2 * len(SPIN_CAMERAS) * ANNOTATED
    assert found.total == total
    assert found.listed == (total, total)
    usable = sum(VIDEOS[name].get(camera, 0) for name in VIDEOS for camera in SPIN_CAMERAS)
    assert found.counts["no_frame"] == total - usable
    kept = [inside(made[n][0][c][i, OF_28]) for n in VIDEOS for c in SPIN_CAMERAS for i in range(VIDEOS[n].get(c, 0))]
    whole, some = np.array(kept).all(1).sum(), np.array(kept).any(1).sum()
    assert found.counts["incomplete"] == some - whole > 0
    assert found.counts["thinned"] == whole - len(expected)


def test_every_row_shows_its_own_frame(training: Any, tdhp: ModuleType) -> None:
    raw = raw_of(training[0])
    found = select(raw)
    with find_reader("mpi-inf-3dhp").images(raw) as source:
        for record in found.records:
            shown = one_image(source, record.image_name, record.image_size)
            assert not isinstance(shown, MissingImage), shown
            assert tdhp.number_of(shown) == record.frame


def test_extracted_frames_stand_for_the_video(training: Any, tdhp: ModuleType, tmp_path: Path) -> None:
    """SPIN's names or the authors'; where a jpg is not there, the video is."""
    root = shutil.copytree(training[0], tmp_path / "raw")
    before = read(root)
    for name, folder, start in (("S1/Seq1", "imageFrames/video_0", "frame_"), ("S2/Seq2", "imageSequence", "img_0_")):
        for i in range(40):
            path = root / name / folder / f"{start}{i + 1:06d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), tdhp.image(1000 + i, SIDE, SIDE))
    (root / "S1/Seq1/imageSequence/video_0.avi").unlink()
    (root / "S2/Seq2/imageSequence/img_0_000011.jpg").unlink()
    raw = raw_of(root)
    found = select(raw)
    assert found.records.row_keys() == before.records.row_keys()
    with find_reader("mpi-inf-3dhp").images(raw) as source:
        for record in found.records:
            shown = one_image(source, record.image_name, record.image_size)
            extracted = record.camera == 0 and (record.sequence, record.frame) != (22, 10)
            assert tdhp.number_of(shown) == record.frame + 1000 * extracted


def test_the_release_is_planned_without_decoding(training: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table says how many frames there are, if annotations are as long; else they are counted."""
    root, made = training
    counted: list[str] = []
    from pymaf_data.datasets.video import VideoFrames

    count = VideoFrames.count
    monkeypatch.setattr(VideoFrames, "count", lambda self, file: counted.append(file) or count(self, file))
    found = read(root, "train", "frames={S1/Seq1: 30, S1/Seq1/video_2: 11, S2/Seq2: 48}")
    assert {file[:7] for file in counted} == {"S2/Seq2"}
    every = dict.fromkeys(SPIN_CAMERAS, 30) | {2: 11}
    expected = list(spins(made, {"S1/Seq1": every, "S2/Seq2": VIDEOS["S2/Seq2"]}))
    keys = [(f"S{r.subject}/Seq{r.sequence % 10}", r.camera, r.frame) for r in found.records]
    assert keys == expected
    counted.clear()
    published = load_manifest("mpi-inf-3dhp").splits["train"].options["frames"]
    assert (published["S3/Seq1"], published["S6/Seq2/video_2"], len(published)) == (12488, 3911, 17)


def test_lost_videos_are_told_image_by_image(training: Any, tmp_path: Path) -> None:
    root = shutil.copytree(training[0], tmp_path / "raw")
    (root / "S1/Seq1/imageSequence/video_2.avi").write_bytes(b"RIFF0000AVI nothing")
    raw = raw_of(root, "train", "frames={S1/Seq1: 45}")
    found = select(raw)
    with find_reader("mpi-inf-3dhp").images(raw) as source:
        told = {
            (record.camera, record.frame): getattr(one_image(source, record.image_name, (SIDE, SIDE)), "reason", "")
            for record in found.records
            if record.sequence == 11
        }
    assert {reason for (camera, _), reason in told.items() if camera == 2} == {"unreadable_video"}
    assert {reason for (camera, _), reason in told.items() if camera == 1} == {"missing_picture"}
    assert {r for (camera, i), r in told.items() if camera in (0, 5) and i < 40} == {""}
    counted = read(root)  # as if it were no release: the video that cannot be decoded has all frames, to be told
    assert counted.counts["no_frame"] == read(training[0]).counts["no_frame"] - (ANNOTATED - 40)


def test_options_choose_cameras_frames_and_joints(training: Any) -> None:
    root = training[0]
    everything = read(root, "train", "cameras=[]", "every=1", chosen="any")
    cameras = {(record.sequence, record.camera) for record in everything.records}
    assert (11, 3) in cameras
    assert everything.listed[1] == 2 * 14 * ANNOTATED
    partly = [record for record in everything.records if len(record.keypoints) < 17]
    assert partly and everything.adjusted["joint_outside"] == sum(17 - len(record.keypoints) for record in partly)
    assert all(len(record.joints3d) == 17 for record in partly)
    keys = [record.annotation_id for record in everything.records]
    assert len(set(keys)) == len(keys)
    instants = [record.camera for record in everything.records if (record.sequence, record.frame) == (11, 3)]
    assert instants == [0, 2, 3, 5]
    universal = read(root, "train", "annotations=universal").records
    for one, other in zip(universal, read(root).records, strict=True):
        assert one.keypoints == other.keypoints
        assert one.joints3d["neck_lsp"] == pytest.approx(np.array(other.joints3d["neck_lsp"]) * 0.92, abs=1e-6)
    thin = read(root, thin="every:7")
    assert {record.frame % 7 for record in thin.records} == {0}
    moved = read(root, thin="motion:30cm").records
    for k in range(1, len(moved)):
        one, before = moved[k], moved[k - 1]
        if (one.sequence, one.camera) == (before.sequence, before.camera):
            steps = [np.linalg.norm(np.subtract(one.joints3d[j], before.joints3d[j])) for j in one.joints3d]
            assert max(steps) >= 0.3


def test_damaged_rows_are_dropped_one_by_one(training: Any, tdhp: ModuleType, tmp_path: Path) -> None:
    root = shutil.copytree(training[0], tmp_path / "raw")
    points, solid = training[1]["S1/Seq1"]
    points, solid = [one.copy() for one in points], [one.copy() for one in solid]
    points[4], solid[4] = points[4][:0], solid[4][:0]  # nothing is annotated for this camera
    points[0][3, 4, 0], solid[2][5, 18, 2], points[5][1, 0] = np.nan, np.inf, np.nan  # the last is no joint of ours
    tdhp.annotations(root / "S1/Seq1/annot.mat", points, solid, row=True)
    found = read(root, "train", "every=1")
    assert [str(one.annotation)[-34:] for one in found.damaged] == [
        "imageFrames/video_0/frame_000004.jpg"[-34:], "imageFrames/video_2/frame_000006.jpg"[-34:]
    ]  # fmt: skip
    assert found.counts["not_finite"] == 2
    points[0][7, 18, 0] = 1e9
    tdhp.annotations(root / "S1/Seq1/annot.mat", points, solid, row=True)
    far = [one for one in read(root, "train", "every=1", chosen="any").damaged if one.reason == "malformed"]
    assert [one.annotation[-16:] for one in far] == ["frame_000008.jpg"]


def test_masks_are_what_is_not_green_near_the_person(training: Any, tdhp: ModuleType, tmp_path: Path) -> None:
    root = shutil.copytree(training[0], tmp_path / "raw")
    frames = []
    for i in range(40):
        frame = np.zeros((SIDE, SIDE, 3), np.uint8)
        frame[40:80, 10 + i : 90, 0] = 255  # the person
        frame[..., 1:] = 255
        frames.append(frame)
    tdhp.video(root / "S1/Seq1/FGmasks/video_0.avi", frames)
    tdhp.video(root / "S2/Seq2/FGmasks/video_0.avi", [np.zeros((SIDE, SIDE, 3), np.uint8)] * 40)
    found = read(root, "train", "masks=true", "unmasked=[]")
    from pymaf_data.geometry.rle import decode_mask

    masked = [record for record in found.records if record.mask]
    assert masked and {(record.sequence, record.camera) for record in masked} == {(11, 0)}
    for record in masked:
        mask = decode_mask(record.mask, (SIDE, SIDE))
        true = np.zeros((SIDE, SIDE), bool)
        true[40:80, 10 + record.frame : 90] = True
        assert (mask != true).mean() < 0.03
    assert found.adjusted["mask_unusable"] == len(found.records) - len(masked)
    spared = read(root, "train", "masks=true", "unmasked=[S1/Seq1, S2/Seq2]")
    assert "mask_unusable" not in spared.adjusted and not any(record.mask for record in spared.records)


def test_spins_file_agrees(training: Any, npz: ModuleType, tmp_path: Path) -> None:
    root, made = training
    rows = []
    for name, camera, i in spins(made, VIDEOS):
        points, part = made[name][0][camera][i, OF_28], np.zeros((24, 3))
        part[IN_J24] = np.column_stack([points, np.ones(17)])
        low, high = points.min(0), points.max(0)
        image = f"{name}/imageFrames/video_{camera}/frame_{i + 1:06d}.jpg"
        rows.append(npz.person(image, (low + high) / 2, 1.2 * (high - low).max() / 200, part))
    raw = raw_of(root)
    found = compare(npz.save(tmp_path / "mpi_inf_3dhp_train.npz", rows), select(raw).records, raw)
    assert (found.rows, found.both, found.same, found.departures) == (len(rows), len(rows), len(rows), ())


def test_detections_are_found_for_the_frames_that_are_taken(
    training: Any, openpose: ModuleType, tmp_path: Path
) -> None:
    """Though everyone would be others: of all frames with a joint on the image, another tenth."""
    joints = [f"{side}_{part}" for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in SIDES]
    for record in read(training[0]).records:
        places = [value for joint in joints for value in record.keypoints[joint]]
        detected = openpose.detection([0.0] * 15 + places, (0.5, 0.0))
        openpose.write(tmp_path, record.image_name.removesuffix(".jpg"), [detected])
    raw = raw_of(training[0])
    raw = Raw(raw.root, raw.manifest.with_files("train", openpose=str(tmp_path)), "train")
    for record in select(raw).records:
        x, y, _ = record.keypoints["left_knee"]
        assert record.keypoints["openpose:left_knee"][:2] == pytest.approx((x + 1.0, y + 0.5), abs=1e-3)


@pytest.mark.parametrize(
    "lines",
    [
        "",
        "Skeletool Camera Calibration File V1.0\n",
        "name 0\nsize 128 128\nintrinsic 1 2 3",
        "size 128 128\nname 0",
        "name 0\n size 128 128\n intrinsic 9 0 5 0 0 nan 5 0 0 0 1 0 0 0 0 1",
        "name 0\n size -128 128\n intrinsic 9 0 5 0 0 9 5 0 0 0 1 0 0 0 0 1",
        "name 0\n size 128 128\n intrinsic 9 0 5 0 0 9 5 0 0 0 1 0 0 0 0 1\n" * 2,
        "name x\n size 128 128\n intrinsic 9 0 5 0 0 9 5 0 0 0 1 0 0 0 0 1",
    ],
)
def test_what_is_no_calibration_is_refused(tmp_path: Path, lines: str) -> None:
    (tmp_path / "camera.calibration").write_text(lines)
    with pytest.raises(RawDataCorrupt, match=r"camera\.calibration"):
        read_cameras(tmp_path / "camera.calibration")


def test_lines_of_a_calibration_go_by_their_words(tdhp: ModuleType, tmp_path: Path) -> None:
    path = tdhp.calibration(tmp_path / "a", {7: tdhp.matrix(2048, 7), 3: tdhp.matrix(2048, 3)}, 2048)
    text = path.read_text().replace("  animated", "  lens  17 mm\n  animated").replace("\n", "  \r\n")
    path.write_text(text)
    found = read_cameras(path)
    assert list(found) == [7, 3] and found[3].size == (2048, 2048)
    assert np.array(found[7].intrinsics) == pytest.approx(tdhp.matrix(2048, 7), abs=1e-5)


def cells(values: list[Any]) -> Any:
    found = np.empty((len(values), 1), object)
    found[:, 0] = values
    return found


@pytest.mark.parametrize(
    "more",
    [
        {"annot3": None},
        {"annot2": np.zeros((14, 56))},
        {"annot2": "none"},
        {"annot3": cells([np.zeros((ANNOTATED, 84))] * 3)},
        {"annot3": cells([np.zeros((9, 84))] * 14)},
        {"annot3": cells([np.zeros((ANNOTATED, 83))] * 14)},
        {"annot2": cells(["text"] * 14)},
    ],
    ids=["absent", "numbers", "text", "three", "short", "narrow", "texts"],
)
def test_what_is_no_annot_mat_is_refused(training: Any, tdhp: ModuleType, tmp_path: Path, more: Any) -> None:
    root = tmp_path / "raw"
    (root / "S1/Seq1").mkdir(parents=True)
    shutil.copy(training[0] / "S1/Seq1/camera.calibration", root / "S1/Seq1")
    tdhp.annotations(root / "S1/Seq1/annot.mat", *training[1]["S1/Seq1"], **more)
    with pytest.raises(RawDataCorrupt, match=r"annot\.mat"):
        read(root)


def test_folders_of_other_names_are_refused(training: Any, tmp_path: Path) -> None:
    root = shutil.copytree(training[0], tmp_path / "raw")
    (root / "S2").rename(root / "Some")
    with pytest.raises(RawDataCorrupt, match="a folder Some"):
        read(root)
