"""Human3.6M from CDFs, Matlab 7.3 boxes, metadata.xml and videos: every pose on its own frame."""

from __future__ import annotations

import copy
import json
import os
import pickle
import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from pymaf_data.datasets import Raw, Selection, find_reader, h36m_boxes, load_manifest, one_image, select
from pymaf_data.datasets.h36m_boxes import extent
from pymaf_data.datasets.h36m_cameras import project, read_metadata
from pymaf_data.datasets.images import MissingImage
from pymaf_data.datasets.thin import Thin
from pymaf_data.errors import ConfigError, RawDataCorrupt, RawDataMissing, StoreChanged, WorkerError
from pymaf_data.stages.against import compare
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import open_store
from pymaf_data.untrusted.cdf import read_cdf
from pymaf_data.untrusted.mat73 import map_cells
from pymaf_data.untrusted.unpickle import load_trusted_pickle
from pymaf_data.untrusted.xml_text import read_xml

A, B, C, D = "54138969", "55011271", "58860488", "60457274"
N = 12
# Joints of the release's 32, by the index under which SPIN finds each of J24's.
JOINTS = {
    "pelvis_mpii": 11, "left_hip": 6, "left_knee": 7, "left_ankle": 8, "right_hip": 1, "right_knee": 2,
    "right_ankle": 3, "spine_h36m": 12, "neck_lsp": 24, "jaw_h36m": 14, "head_h36m": 15, "left_shoulder": 17,
    "left_elbow": 18, "left_wrist": 19, "right_shoulder": 25, "right_elbow": 26, "right_wrist": 27,
}  # fmt: skip
#: Where SPIN puts them among its 24.
SPIN = [14, 3, 4, 5, 2, 1, 0, 16, 12, 17, 18, 9, 10, 11, 8, 7, 6]
VIEWS = [
    *((9, name, camera) for name in ("Greeting", "Greeting 1", "Walking") for camera in (A, D)),
    *((11, "Directions", A), (11, "Greeting 2", D), (1, "TakingPhoto 1", A), (1, "TakingPhoto 1", B)),
]


@pytest.fixture(scope="module")
def written(h36m: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Three subjects. Of Directions no video and no boxes; Walking's are garbage, and too short."""
    world = h36m.start(tmp_path_factory.mktemp("h36m") / "raw")
    for k, (subject, name, camera) in enumerate(VIEWS):
        h36m.add(world, subject, name, camera, N, column=k % 2 == 1)
        if name != "Directions":
            h36m.save_video(world, subject, name, camera, 8 if (name, camera) == ("Walking", D) else N + 2)
            height = h36m.HEIGHTS[camera]
            masks = [h36m.rectangle(300 + i, 200, 520, 801 + i, height) for i in range(N)]
            if (name, camera) == ("Greeting", D):
                masks[5] = h36m.rectangle(0, 0, 0, 0)  # nobody
                masks[10] = h36m.rectangle(300, 200, 301, 800)  # a line
            h36m.save_boxes(world, subject, name, camera, masks)
    (world.root / "S9" / "Videos" / f"Walking.{A}.mp4").write_bytes(b"no video" * 100)
    h36m.add(world, 9, "_ALL", A, N)
    h36m.add(world, 9, "Discussion 7", A, N)  # no name of this subject's
    return world


@pytest.fixture
def world(written: Any, tmp_path: Path) -> Any:
    """The same, to be changed."""
    shutil.copytree(written.root, tmp_path / "raw", copy_function=lambda a, b: Path(b).hardlink_to(a))
    changed = copy.copy(written)
    changed.root = tmp_path / "raw"
    return changed


def raw_of(root: Path, split: str = "p1", *options: str, **more: Any) -> Raw:
    return Raw(root, load_manifest("h36m").with_options(split, options), split, **more)


def read(root: Path, split: str = "p1", *options: str, **more: Any) -> Selection:
    return select(raw_of(root, split, *options, **more))


def parsed(name: str) -> tuple[int, str, str, int]:
    """Subject, sequence, camera and frame of an image's name, as SPIN's script spells it."""
    match = re.fullmatch(r"images/S(\d+)_(.+)\.(\d+)_(\d{6})\.jpg", name)
    assert match
    return int(match[1]), match[2].replace("_", " "), match[3], int(match[4]) - 1


def test_values_are_those_that_were_written(written: Any, h36m: ModuleType) -> None:
    for split in ("p1", "train"):
        for record in read(written.root, split).records:
            subject, name, camera, i = parsed(record.image_name)
            view = written.views[subject, name, camera]
            assert record.keypoints.keys() == record.joints3d.keys() == JOINTS.keys()
            for joint, place in JOINTS.items():
                assert record.keypoints[joint] == pytest.approx((*view["flat"][i, place], 2), abs=1e-3)
                assert record.joints3d[joint] == pytest.approx(view["solid"][i, place] / 1000, abs=1e-6)
            assert (record.subject, record.frame, record.camera) == (subject, i, int(camera))
            fx, fy, cx, cy = h36m.LENSES[camera][:4]
            assert record.intrinsics == ((fx, 0, cx), (0, fy, cy), (0, 0, 1))
            assert record.image_size == (1000, 1002 if camera in (A, D) else 1000)


def test_who_is_kept_and_why_the_others_are_not(written: Any) -> None:
    selection = read(written.root)
    assert selection.account() == {"total": 97, "kept": 24, "dropped": 73, "thinned": 72, "malformed": 1}
    assert selection.listed == (96, 96) and "Discussion 7" in str(selection.damaged[0])
    assert selection.adjusted == {"box_from_keypoints": 5}
    frames = [parsed(name) for name, _ in selection.records.row_keys()]
    assert {frame for *_, frame in frames} == {0, 5, 10}
    assert [view for view in VIEWS if view[0] != 1] == sorted(
        dict.fromkeys(frame[:3] for frame in frames), key=VIEWS.index
    )
    assert selection.records.row_keys() == sorted(selection.records.row_keys())
    only = read(written.root, "p2")
    assert only.kept == 12 and {record.camera for record in only.records} == {int(D)}
    assert {record.annotation_id for record in only.records} <= {record.annotation_id for record in selection.records}
    assert read(written.root, "train").kept == 6 and read(written.root, "train", "every=1").kept == 24


def test_actions_go_by_the_mapping_and_views_of_one_instant_are_linked(written: Any) -> None:
    numbers = {parsed(record.image_name)[:2]: record.sequence for record in read(written.root).records}
    assert numbers == {
        **{(9, "Greeting"): 9052, (9, "Greeting 1"): 9051, (9, "Walking"): 9142},
        **{(11, "Directions"): 11022, (11, "Greeting 2"): 11051},
    }
    instants: dict[tuple[int, int], list[Any]] = {}
    for record in read(written.root, "train").records:
        instants.setdefault((record.sequence, record.frame), []).append(record)
    assert sorted(instants) == [(1121, 0), (1121, 5), (1121, 10)]
    cameras = read_metadata(written.root / "metadata.xml").cameras
    for views in instants.values():
        assert [record.camera for record in views] == [int(A), int(B)]
        world = [
            np.array(record.joints3d["head_h36m"]) @ cameras[1, record.camera].R + cameras[1, record.camera].centre
            for record in views
        ]
        assert world[0] == pytest.approx(world[1], abs=1e-6)


def test_every_row_has_the_frame_of_its_number(written: Any, h36m: ModuleType) -> None:
    raw, found, missing = raw_of(written.root), [], {}
    with find_reader("h36m").images(raw) as images:
        for record in select(raw).records:
            view, frame = parsed(record.image_name)[:3], record.frame
            image = one_image(images, record.image_name, record.image_size)
            if isinstance(image, MissingImage):
                missing[(*view, frame)] = image.reason
            else:
                found.append(h36m.number_on(image) == frame)
    assert all(found) and len(found) == 17
    assert missing == {
        **dict.fromkeys([(11, "Directions", A, i) for i in (0, 5, 10)], "missing_picture"),
        **dict.fromkeys([(9, "Walking", A, i) for i in (0, 5, 10)], "unreadable_video"),
        (9, "Walking", D, 10): "missing_frame",
    }


def test_a_store_keeps_the_rows_of_videos_that_are_missing(
    world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And masks are read once: the next run knows them, but for a file that is another."""
    options = IngestOptions(dataset="h36m", root=world.root, split="p1", out=tmp_path / "s.zarr", crop_size=32)
    read = []
    monkeypatch.setattr(h36m_boxes, "map_cells", lambda path, *more: read.append(path) or map_cells(path, *more))
    report = ingest(options)
    assert report.holes.counts == {"missing_picture": 3, "missing_frame": 1, "unreadable_video": 3}
    assert (report.counts["kept"], report.expected) == (24, 110232)
    store = open_store(report.store)
    assert store.array("present")[:].sum() == 17 and store.array("has_intrinsics")[:].all()
    assert (store.array("joints3d")[:][..., 3].sum(1) == 17).all()
    assert len(read) == 7 and ingest(options).shards_written == 0 and len(read) == 7
    os.utime(read[0])
    next((tmp_path / ".s.zarr.kept").glob("[0-9a-f]*")).write_bytes(b"cut off")
    assert ingest(options).shards_written == 0 and read[7:8] == read[:1]
    with pytest.raises(StoreChanged, match="--option"):
        ingest(options.model_copy(update={"option": ("every=10",)}))
    assert ingest(options.model_copy(update={"overwrite": True})).shards_written == 1 and len(read) <= 16
    np.testing.assert_array_equal(open_store(report.store).array("box")[:], store.array("box")[:])


def test_as_spin_evaluates_frames_are_one_late(written: Any, h36m: ModuleType) -> None:
    raw = raw_of(written.root, "p2", "frames=spin")
    with pickle.loads(pickle.dumps(find_reader("h36m").images(raw))) as images:  # as a worker has it
        for record in select(raw).records:
            if "Greeting" in record.image_name:
                image = one_image(images, record.image_name, record.image_size)
                assert h36m.number_on(image) == record.frame + 1


def test_images_that_were_made_of_the_videos_are_taken(world: Any, h36m: ModuleType) -> None:
    name = f"images/S11_Directions.{A}_000006.jpg"
    (world.root / "images").mkdir()
    cv2.imwrite(str(world.root / name), h36m.numbered(77, (1000, 1002)))
    with find_reader("h36m").images(raw_of(world.root)) as images:
        assert h36m.number_on(one_image(images, name, (1000, 1002))) == 77
        assert isinstance(one_image(images, name.replace("06.jpg", "11.jpg"), (1000, 1002)), MissingImage)


def test_boxes_of_rectangles_silhouettes_and_joints(written: Any, world: Any, h36m: ModuleType) -> None:
    first, gone = f"images/S9_Greeting.{A}_000006.jpg", f"images/S9_Greeting.{D}_000006.jpg"
    boxes = {record.image_name: (record.box, record.box_source) for record in read(world.root).records}
    assert boxes[first] == (pytest.approx(((305 + 520) / 2, (200 + 806) / 2, 0.9 * 606)), "annotated")
    points = written.views[9, "Greeting", D]["flat"][5, list(JOINTS.values())]
    low, high = points.min(0), points.max(0)
    of_joints = pytest.approx((*(low + high) / 2, 1.2 * (high - low).max()), abs=1e-3)
    assert boxes[gone] == (of_joints, "keypoints")
    found = {record.image_name: record for record in read(world.root, "p1", "boxes=joints").records}
    assert found[gone].box == of_joints and {record.box_source for record in found.values()} == {"keypoints"}
    assert found[first].box != boxes[first][0]
    blob = h36m.rectangle(400, 300, 500, 700)
    blob[250:300, 440:460] = True
    h36m.save_boxes(world, 9, "Greeting", A, [blob] * N, "bs")
    record = next(record for record in read(world.root, "p1", "boxes=bs").records if record.image_name == first)
    assert (record.box, record.box_source) == (pytest.approx((450, 475, 0.9 * 450)), "silhouette")


def test_without_boxes_persons_may_be_left_out(world: Any, caplog: pytest.LogCaptureFixture) -> None:
    manifest = load_manifest("h36m")
    strict = manifest.model_copy(update={"box": manifest.box.model_copy(update={"missing": "drop"})})
    assert select(Raw(world.root, strict, "p1")).counts["no_box"] == 5
    path = world.root / "S9" / "MySegmentsMat" / "ground_truth_bb" / f"Greeting.{A}.mat"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[: len(data) // 2])
    assert read(world.root).adjusted == {"box_from_keypoints": 8}
    assert f"Greeting.{A}.mat" in caplog.text
    shutil.rmtree(world.root / "S9" / "MySegmentsMat")
    assert read(world.root).adjusted == {"box_from_keypoints": 21}


def test_a_box_reaches_to_the_outer_edges_of_its_mask(h36m: ModuleType) -> None:
    mask = h36m.rectangle(3, 5, 9, 7, 10, 12)
    assert extent(mask) == extent(mask.astype(np.uint8)) == (3, 5, 9, 7)
    mask[8, 1] = True
    assert extent(mask) == (1, 5, 9, 9)


@pytest.mark.parametrize("mask", [np.zeros((4, 5)), np.eye(1, 5), np.full((4, 5), 255), np.ones(4)])
def test_what_is_no_mask_of_somebody_is_no_box(mask: np.ndarray) -> None:
    with pytest.raises(ValueError, match="mask"):
        extent(mask)


def test_the_layout_of_h36m_fetch_is_the_same_data(written: Any, h36m: ModuleType, tmp_path: Path) -> None:
    world = h36m.start(tmp_path)
    for name, camera in (("Greeting", A), ("Greeting 1", D)):
        h36m.add(world, 9, name, camera, N, fetched=True, flat=name == "Greeting")
    fetched, released = (read(root, "p1", "boxes=joints") for root in (tmp_path, written.root))
    assert fetched.adjusted == {"keypoints_projected": 3}  # of the sequence without D2_Positions
    theirs = {record.image_name: record for record in released.records}
    for record in fetched.records:
        for joint, (x, y, _) in record.keypoints.items():
            assert theirs[record.image_name].keypoints[joint][:2] == pytest.approx((x, y), abs=1e-3)


def test_against_what_spins_script_writes_nothing_differs(written: Any, npz: ModuleType, tmp_path: Path) -> None:
    """In its own order: subjects by number, files by name. Of a video that it cannot read it writes no rows."""
    rows = []
    for subject, name, camera in sorted(VIEWS, key=lambda view: (view[0], f"{view[1]}.{view[2]}")):
        for i in () if subject == 1 or name == "Directions" else range(0, N, 5):
            if (name, camera, i) in {("Greeting", D, 5), ("Greeting", D, 10)}:
                continue  # without a mask of anybody it ends
            left, top, right, bottom = 300 + i, 200, 520, 801 + i
            part = npz.spread(written.views[subject, name, camera]["flat"][i, list(JOINTS.values())], SPIN)
            centre, scale = [(right + left) / 2, (bottom + top) / 2], 0.9 * max(right - left, bottom - top) / 200
            image = f"images/S{subject}_{name.replace(' ', '_')}.{camera}_{i + 1:06d}.jpg"
            solid = np.zeros((24, 4))
            solid[SPIN, :3] = written.views[subject, name, camera]["solid"][i, list(JOINTS.values())] / 1000
            solid[SPIN, :3], solid[SPIN, 3] = solid[SPIN, :3] - solid[SPIN[0], :3], 1
            rows.append(npz.person(image, centre, scale, part, S=solid))
    raw = raw_of(written.root)
    rows[3]["S"][SPIN[5], 2] += 0.01
    moved = compare(npz.save(tmp_path / "moved.npz", rows), select(raw).records, raw)
    assert [one.first for one in moved.departures if one.kind == "joint3d"] == [
        (f"row 3 ({rows[3]['imgname']}): {list(JOINTS)[5]} by 10.0 mm",)
    ]
    rows[3]["S"][SPIN[5], 2] -= 0.01
    found = compare(npz.save(tmp_path / "h36m_valid_protocol1.npz", rows), select(raw).records, raw)
    assert (found.rows, found.both, found.same) == (19, 19, 19)
    assert {departure.kind: departure.persons for departure in found.departures} == {"missing_there": 5, "order": 19}
    assert all(departure.why for departure in found.departures)


def test_known_bad_sequences_are_kept_left_out_or_corrected(world: Any, h36m: ModuleType) -> None:
    """Written 200 mm beside, as the release has it: corrected, the person is where it was."""
    true = dict(world.views)
    for camera in (A, D):
        shifted = world.bodies[9, "Greeting"] + [200, 0, 0]
        solid = (shifted - world.centres[9, camera]) @ world.rotation(9, camera).T
        for kind, values in (
            ("D3_Positions_mono", solid),
            ("D2_Positions", h36m.distorted(solid, h36m.LENSES[camera])),
        ):
            path = world.root / "S9" / "MyPoseFeatures" / kind / f"Greeting.{camera}.cdf"
            path.unlink()
            h36m.save_cdf(path, values.reshape(N, -1))
    kept, dropped = read(world.root), read(world.root, "p1", "known_bad=drop")
    assert kept.kept == 24 and dropped.kept == 15 and dropped.counts["known_bad"] == 9
    corrected = {record.image_name: record for record in read(world.root, "p1", "known_bad=correct").records}
    assert len(corrected) == 21  # without Directions, whose video nobody can read
    for record in kept.records:
        better, (subject, name, camera, i) = corrected.get(record.image_name), parsed(record.image_name)
        if name != "Greeting":
            assert better is None or better == record
            continue
        assert better is not None
        view = true[subject, name, camera]
        moved = np.mean([view["flat"][i, place] - record.keypoints[joint][:2] for joint, place in JOINTS.items()], 0)
        assert np.linalg.norm(moved) > 5
        for joint, place in JOINTS.items():
            assert better.keypoints[joint][:2] == pytest.approx(view["flat"][i, place], abs=1e-3)
            assert better.joints3d[joint] == pytest.approx(view["solid"][i, place] / 1000, abs=1e-6)
            assert record.joints3d[joint] != pytest.approx(view["solid"][i, place] / 1000, abs=0.1)
        if better.box_source == "annotated":
            assert np.subtract(better.box, record.box) == pytest.approx((*moved, 0), abs=1e-3)


def test_frames_may_be_thinned_by_how_far_joints_move(world: Any, h36m: ModuleType) -> None:
    path = world.root / "S9" / "MyPoseFeatures" / "D3_Positions_mono" / f"Greeting.{A}.cdf"
    pose = world.views[9, "Greeting", A]["solid"].copy()
    pose[:] = pose[0]
    pose[4:, 15, 0] += 60
    pose[9:, 3, 2] -= 150
    path.unlink()
    h36m.save_cdf(path, pose.reshape(N, -1))
    selection = read(world.root, thin=Thin.parse("motion:50mm"))
    frames = [parsed(name)[3] for name, _ in selection.records.row_keys() if f"Greeting.{A}" in name]
    assert frames == [0, 4, 9] and selection.counts["thinned"] + selection.kept == 96
    assert read(world.root, thin=Thin.parse("every:4")).kept == 24


def test_the_toolbox_distorts_otherwise_than_opencv(written: Any, h36m: ModuleType) -> None:
    for (_, _, camera), view in written.views.items():
        solid, lens = view["solid"].reshape(-1, 3) / 1000, h36m.LENSES[camera]
        assert np.abs(project(solid, lens) - view["flat"].reshape(-1, 2)).max() <= 0.01
        fx, fy, cx, cy, k1, k2, k3, p1, p2 = lens
        K, coefficients = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), np.array([k1, k2, p1, p2, k3])
        opencv, _ = cv2.projectPoints(solid, np.zeros(3), np.zeros(3), K, coefficients)
        assert np.abs(opencv[:, 0] - view["flat"].reshape(-1, 2)).max() > 0.01


def test_real_frames_project_onto_their_own_joints(shared: Path) -> None:
    """Four frames of the release, from another project's tests."""
    folder = shared / "data" / "raw-fixtures" / "h36m"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    rows, cameras = np.load(folder / "test_h36m_body3d.npz"), load_trusted_pickle(folder / "cameras.pkl")
    theirs = json.loads((folder / "camera-parameters.json").read_text())
    for name, solid, flat in zip(rows["imgname"].tolist(), rows["S"], rows["part"], strict=True):
        match = re.match(r"(S\d+)/.*\.(\d+)/", name)
        assert match
        camera, K = cameras[match.groups()], np.array(theirs["intrinsics"][match[2]]["calibration_matrix"])
        lens = np.concatenate([camera[key].ravel() for key in "fckp"])
        assert lens[:4] == pytest.approx([K[0, 0], K[1, 1], K[0, 2], K[1, 2]])
        assert np.abs(project(solid[:, :3], lens) - flat[:, :2]).max() <= 1e-3


def test_cameras_of_the_real_release_are_read_from_its_numbers(shared: Path, h36m: ModuleType, tmp_path: Path) -> None:
    """The matrices that others publish, written as angles and centres, are read as these matrices."""
    from scipy.spatial.transform import Rotation

    path = shared / "data" / "raw-fixtures" / "h36m" / "camera-parameters.json"
    if not path.is_file():
        pytest.skip(f"no {path}")
    published, world = json.loads(path.read_text())["extrinsics"], h36m.start(tmp_path)
    for subject, cameras in published.items():
        for camera, pose in cameras.items():
            R, t = np.array(pose["R"]), np.array(pose["t"])[:, 0]
            key = int(subject[1:]), camera
            world.angles[key], world.centres[key] = Rotation.from_matrix(R).as_euler("XYZ"), -R.T @ t
    (tmp_path / "metadata.xml").write_text(h36m.metadata(world))
    read = read_metadata(tmp_path / "metadata.xml").cameras
    assert len(read) == 44
    for subject, cameras in published.items():
        for camera, pose in cameras.items():
            found = read[int(subject[1:]), int(camera)]
            assert np.allclose(found.R, pose["R"], atol=1e-9)
            assert np.allclose(-found.R @ found.centre * 1000, np.array(pose["t"])[:, 0], atol=1e-6)


def test_a_damaged_pose_is_one_person_and_a_damaged_file_is_named(world: Any, h36m: ModuleType) -> None:
    path = world.root / "S9" / "MyPoseFeatures" / "D3_Positions_mono" / f"Greeting.{A}.cdf"
    pose = world.views[9, "Greeting", A]["solid"].copy()
    pose[5, 3, 1] = np.nan
    pose[10] = 1e30
    path.unlink()
    h36m.save_cdf(path, pose.reshape(N, -1))
    selection = read(world.root)
    assert selection.counts["not_finite"] == 2 and selection.kept == 22
    assert f"frame 5 of S9 Greeting.{A}" in str(selection.damaged[1])
    for damaged in (pose[:8].reshape(8, -1), pose[:, :17].reshape(N, -1), np.zeros((2, N, 96))):
        path.unlink()
        h36m.save_cdf(path, damaged)
        with pytest.raises(RawDataCorrupt, match=r"Greeting\.54138969\.cdf"):
            read(world.root)
    path.write_bytes(b"no CDF")
    with pytest.raises(RawDataCorrupt, match="cannot be read as a CDF"):
        read(world.root)


@pytest.mark.parametrize("packed", [0, 6])
@pytest.mark.parametrize("column", [False, True])
def test_cdfs_of_both_orders_packed_and_not(packed: int, column: bool, h36m: ModuleType, tmp_path: Path) -> None:
    pose = np.random.default_rng(0).normal(size=(7, 96)).astype(np.float32)
    for double in (False, True):
        path = h36m.save_cdf(tmp_path / f"{double}.cdf", pose, column=column, packed=packed, double=double)
        np.testing.assert_array_equal(read_cdf(path, "Pose"), pose[None])


def test_without_the_package_that_reads_cdfs_it_is_named(written: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymaf_data.untrusted.cdf.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pymaf-data\[raw\]"):
        read(written.root)


def test_nothing_in_xml_is_expanded(tmp_path: Path) -> None:
    lines = "".join(f"<!ENTITY l{k} '{f'&l{k - 1};' * 10}'>" for k in range(1, 10))
    hostile = {
        "laughs": f"<!DOCTYPE x [<!ENTITY l0 'ha'>{lines}]><x>&l9;</x>",
        "outside": "<!DOCTYPE x [<!ENTITY f SYSTEM 'file:///etc/passwd'>]><x>&f;</x>",
        "deep": "<x>" * 100_000,
        "none": "no XML",
        "cut": "<x><y>",
    }
    for name, text in hostile.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(RawDataCorrupt, match="cannot be read as XML"):
            read_xml(tmp_path / name)
    (tmp_path / "sound").write_text("<x a='1'>b&amp;c<y/></x>")
    assert (read_xml(tmp_path / "sound").text, len(read_xml(tmp_path / "sound"))) == ("b&c", 1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mapping>", "map>"),
        ("<td>S1</td>", "<td>one</td>"),
        ("<td>2</td><td>1</td>", "<td>two</td><td>1</td>"),
        ("<td>2</td><td>1</td>", "<td>2</td><td>99999999999</td>"),
        ("w0>", "w1>"),
        ("<w0>[", "<w0>[1 "),
        ("<w0>[", "<w0>[nan"),
        ("index2id>", "index>"),
        ("1145.0", "-1145.0"),
    ],
)
def test_metadata_that_is_not_of_the_release_is_refused(old: str, new: str, world: Any) -> None:
    path = world.root / "metadata.xml"
    text = path.read_text()
    assert old in text
    path.unlink()
    path.write_text(text.replace(old, new))
    with pytest.raises(RawDataCorrupt, match=r"metadata\.xml is XML but not Human3\.6M's"):
        read(world.root)


def test_what_is_missing_is_said_with_what_helps(world: Any) -> None:
    (world.root / "metadata.xml").unlink()
    with pytest.raises(RawDataMissing, match=r"metadata\.xml"):
        read(world.root)


def test_names_that_lead_elsewhere_stay_below_the_root(world: Any) -> None:
    with find_reader("h36m").images(raw_of(world.root)) as images:
        for name in (f"images/S9_../../out.{A}_000001.jpg", f"../images/S9_Greeting.{A}_000001.jpg"):
            assert isinstance(one_image(images, name, (0, 0)), MissingImage)


def test_boxes_that_could_not_be_read_in_time_are_not_taken_otherwise(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged box file costs its boxes, and is told; a machine that stands still must leave no other store."""
    from pymaf_data.untrusted import isolated

    def stopped(order: bytes, seconds: float) -> bytes:
        raise isolated._Stopped("it takes over 13 s to read")

    asked = isolated._asked
    monkeypatch.setattr(
        isolated, "_asked", lambda order, seconds: (stopped if b"Masks" in order else asked)(order, seconds)
    )
    with pytest.raises(WorkerError, match="stopped twice"):
        read(world.root)
