"""3DPW from its Python 2 pickles: two actors, cameras that come and go, detections that are not there."""

from __future__ import annotations

import pickle
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pymaf_data.cli.app import run
from pymaf_data.datasets import Raw, Selection, find_reader, load_manifest, one_image, select
from pymaf_data.datasets.images import MissingImage
from pymaf_data.datasets.splits import Whole
from pymaf_data.datasets.thin import Thin
from pymaf_data.errors import RawDataCorrupt, UntrustedData
from pymaf_data.geometry.joints import SMPL24
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import open_store

# OpenPose's 18 joints, and the joints of SMPL that J24 has as well, as SPIN lists them.
OPENPOSE = [
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder",
    "left_elbow", "left_wrist", "right_hip", "right_knee", "right_ankle", "left_hip",
    "left_knee", "left_ankle", "right_eye", "left_eye", "right_ear", "left_ear",
]  # fmt: skip
SHARED = {
    "right_ankle": 8, "right_knee": 5, "left_knee": 4, "left_ankle": 7, "right_wrist": 21, "right_elbow": 19,
    "right_shoulder": 17, "left_shoulder": 16, "left_elbow": 18, "left_wrist": 20,
}  # fmt: skip


def read(root: Path, split: str = "test") -> Selection:
    return select(Raw(root, load_manifest("3dpw"), split))


@pytest.fixture
def world(threedpw: ModuleType, tmp_path: Path) -> dict[str, Any]:
    """Two actors in five frames and one in three; who has a camera when differs, and detections fail."""
    pair = threedpw.sequence("downtown_arguing_00", 5, "mf", betas=300, seed=1)
    pair["campose_valid"] = [np.array([1, 0, 1, 1, 1]), np.array([1, 1, 0, 1, 1])]
    pair["poses2d"][0][3] = 0  # fewer than six joints were found
    pair["poses2d"][1][4, :, 1:] = 0  # one was
    pair["poses2d"][1][1, 2, 0] = 1.04
    alone = threedpw.sequence("flat_guitar_01", 3, "f", seed=2, cam_intrinsics=np.diag([1900.0, 1900, 1]))
    alone["cam_poses"][2, :3, :3] = 0  # valid by its mark, and no camera
    for content, size in ((pair, (1920, 1080)), (alone, (1080, 1920))):
        threedpw.save(tmp_path, "test", content, size)
    return {"pair": pair, "alone": alone}


def test_what_python_2_wrote_needs_latin1(world: dict[str, Any], tmp_path: Path) -> None:
    """The writer's own proof: its files are those that Python 3 cannot read as they stand."""
    data = next(tmp_path.rglob("downtown*.pkl")).read_bytes()
    with pytest.raises(UnicodeDecodeError):
        pickle.loads(data)
    found = pickle.loads(data, encoding="latin1")
    np.testing.assert_array_equal(found["poses"][1], world["pair"]["poses"][1])


def test_who_is_kept_and_why_the_others_are_not(world: dict[str, Any], tmp_path: Path) -> None:
    selection = read(tmp_path)
    assert selection.account() == {
        **{"total": 13, "kept": 8, "dropped": 5},
        **{"no_keypoints": 1, "no_camera": 3, "bad_box": 1},
    }
    assert selection.listed == (8, 13)
    kept = [(record.image_name, record.subject, record.frame, record.gender) for record in selection.records]
    pair, alone = "imageFiles/downtown_arguing_00/image_0000{}.jpg", "imageFiles/flat_guitar_01/image_0000{}.jpg"
    assert kept == [
        *(
            (pair.format(i), k, i, "female" if k else "male")
            for i, k in [(0, 0), (0, 1), (1, 1), (2, 0), (3, 1), (4, 0)]
        ),
        *((alone.format(i), 0, i, "female") for i in (0, 1)),
    ]
    assert len({record.sequence for record in selection.records}) == 2


def test_rows_say_what_was_written(world: dict[str, Any], tmp_path: Path) -> None:
    for record in read(tmp_path).records:
        content = world["pair" if "downtown" in record.image_name else "alone"]
        i, k = record.frame, record.subject
        x, y, sure = content["poses2d"][k][i]
        seen = sure > 0
        assert [f"openpose:{name}" for name, there in zip(OPENPOSE, seen, strict=True) if there] == sorted(
            record.keypoints, key=lambda name: OPENPOSE.index(name.removeprefix("openpose:"))
        )
        for joint, name in enumerate(OPENPOSE):
            if seen[joint]:
                assert record.keypoints[f"openpose:{name}"] == pytest.approx((x[joint], y[joint], 2), abs=1e-3)
                found = record.confidence.get(f"openpose:{name}", 1.0)
                assert found == pytest.approx(min(sure[joint], 1), abs=1e-6)
        low, high = np.array([x[seen].min(), y[seen].min()]), np.array([x[seen].max(), y[seen].max()])
        assert record.box == pytest.approx([*(low + high) / 2, 1.2 * (high - low).max()])
        assert record.intrinsics == tuple(map(tuple, content["cam_intrinsics"].tolist()))
        R, T = content["cam_poses"][i][:3, :3], content["cam_poses"][i][:3, 3]
        joints = content["jointPositions"][k][i].reshape(24, 3)
        assert record.joints3d.keys() == SHARED.keys()
        for name, joint in SHARED.items():
            assert SMPL24.joints[joint] == name
            assert record.joints3d[name] == pytest.approx(R @ joints[joint] + T, abs=1e-6)
        assert (record.image_size, record.box_source) == ((0, 0), "keypoints")


def test_ids_do_not_depend_on_what_else_is_there(world: dict[str, Any], threedpw: ModuleType, tmp_path: Path) -> None:
    both = {record.image_name: record.annotation_id for record in read(tmp_path).records if record.subject == 0}
    (tmp_path / "sequenceFiles" / "test" / "downtown_arguing_00.pkl").unlink()
    threedpw.save(tmp_path, "test", threedpw.sequence("a_first", 2))
    some = {
        record.image_name: record.annotation_id for record in read(tmp_path).records if "guitar" in record.image_name
    }
    assert len(some) == 2 and some.items() <= both.items()
    every = [record.annotation_id for record in read(tmp_path).records]
    assert len(set(every)) == len(every)


def test_images_of_both_orientations_are_taken_as_they_are(world: dict[str, Any], tmp_path: Path) -> None:
    report = ingest(
        IngestOptions(dataset="3dpw", root=tmp_path, split="test", out=tmp_path / "s.zarr", crop_size=32, shard=4)
    )
    assert report.counts["kept"] == 8 and report.expected == 35515 and not report.holes.counts
    store = open_store(report.store)
    sizes = store.array("image_size")[:].tolist()
    assert sizes == [[1920, 1080]] * 6 + [[1080, 1920]] * 2
    assert store.array("gender")[:].tolist() == [2, 3, 3, 2, 3, 2, 3, 3]
    assert store.array("has_intrinsics")[:].all() and (store.array("joints3d")[:][..., 3].sum(1) == 10).all()


def test_thinned_by_the_command_and_of_a_smaller_release_it_is_said(
    threedpw: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sequences of 3DPW are thinned too; where nobody stands on their images, the message says so in a line."""
    for name, size in (("large", (1920, 1080)), ("small", (192, 108))):
        threedpw.save(tmp_path / name, "test", threedpw.sequence("downtown_arguing_00", 8), size)
        command = ["ingest", "3dpw", "--direct", "--root", tmp_path / name, "--split", "test", "--thin", "every:5"]
        with pytest.raises(SystemExit) as ended:
            run([str(word) for word in (*command, "--crop-size", 32, "--out", tmp_path / f"{name}.zarr")])
        assert (ended.value.code or 0) == (name == "small")
    said = capsys.readouterr()
    assert open_store(tmp_path / "large.zarr").array("frame")[:].tolist() == [0, 5] and "2 persons kept" in said.out
    assert "192 × 108 px, and who is annotated stands beside" in said.err and "[" not in said.err


def damaged(name: str, threedpw: ModuleType) -> dict[str, Any]:
    content = threedpw.sequence("one", 3, "mf")
    changes: dict[str, Any] = {
        "no dictionary": [1],
        "no actors": {"genders": []},
        "a third gender": {"genders": ["m", "x"]},
        "an actor too few": {"poses": content["poses"][:1]},
        "frames too few": {"poses": [array[:2] for array in content["poses"]]},
        "joints too few": {"poses2d": [array[:, :, :17] for array in content["poses2d"]]},
        "texts": {"trans": [np.full((3, 3), "1.0")] * 2},
        "lists": {"trans": [[[0, 0, 0]] * 3] * 2},
        "few betas": {"betas": [np.zeros(9)] * 2},
        "no camera": {"cam_intrinsics": np.full((3, 3), np.nan)},
        "a flat camera": {"cam_intrinsics": np.zeros((3, 3))},
        "no name": {"sequence": 3},
        "poses of no camera": {"cam_poses": np.zeros((3, 3, 4))},
        "an actor without a gender": {"genders": ["m"]},
        "half a character": {"sequence": b"X\x03\0\0\0\xed\xa0\x80"},
    }
    changed = changes[name]
    return changed if isinstance(changed, list) else content | changed


@pytest.mark.parametrize(
    "name",
    [
        *("no dictionary", "no actors", "a third gender", "an actor too few", "frames too few", "joints too few"),
        *("texts", "lists", "few betas", "no camera", "a flat camera", "no name", "poses of no camera"),
        *("an actor without a gender", "half a character"),
    ],
)
def test_a_file_that_is_no_sequence_is_named(name: str, threedpw: ModuleType, tmp_path: Path) -> None:
    path = threedpw.save(tmp_path, "test", threedpw.sequence("one", 3, "mf"))
    path.write_bytes(threedpw.pickled(damaged(name, threedpw)))
    with pytest.raises(RawDataCorrupt, match=r"one\.pkl is no sequence"):
        read(tmp_path)


def test_two_files_of_one_sequence_are_refused(threedpw: ModuleType, tmp_path: Path) -> None:
    path = threedpw.save(tmp_path, "test", threedpw.sequence("one", 3))
    path.with_name("two.pkl").write_bytes(path.read_bytes())
    with pytest.raises(RawDataCorrupt, match="are both the sequence one"):
        read(tmp_path)


def test_a_pickle_that_asks_for_code_is_refused(threedpw: ModuleType, tmp_path: Path) -> None:
    content = threedpw.sequence("one", 3) | {"texture_maps": b"cos\nsystem\n(U\x07echo no\x74R"}
    threedpw.save(tmp_path, "test", content)
    with pytest.raises(UntrustedData, match=r"os\.system"):
        read(tmp_path)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("key", ["poses2d", "jointPositions"])
def test_a_damaged_frame_is_one_person(key: str, number: float, threedpw: ModuleType, tmp_path: Path) -> None:
    content = threedpw.sequence("one", 3)
    content[key][0][1] = number
    threedpw.save(tmp_path, "test", content)
    selection = read(tmp_path)
    assert selection.account() == {"total": 3, "kept": 2, "dropped": 1, "not_finite": 1}
    assert "actor 0 in frame 1 of one" in str(selection.damaged[0])


@pytest.mark.parametrize("entry", [0.0, 7.0, np.nan, 1e300])
def test_a_camera_that_is_turned_by_no_rotation_is_none(entry: float, threedpw: ModuleType, tmp_path: Path) -> None:
    content = threedpw.sequence("one", 3)
    content["cam_poses"][1, 0, :3] = entry
    threedpw.save(tmp_path, "test", content)
    assert read(tmp_path).account() == {"total": 3, "kept": 2, "dropped": 1, "no_camera": 1}


def test_a_name_that_leaves_the_folder_leads_nowhere(threedpw: ModuleType, tmp_path: Path) -> None:
    threedpw.save(tmp_path / "raw", "test", threedpw.sequence("../../out", 1), stem="one")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "image_00000.jpg").write_bytes(b"secret")
    raw = Raw(tmp_path / "raw", load_manifest("3dpw"), "test")
    (record,) = select(raw).records
    found = one_image(find_reader("3dpw").images(raw), record.image_name, record.image_size)
    assert isinstance(found, MissingImage) and found.reason == "unsafe_path"


def test_sequences_are_thinned_by_what_moves_in_the_world(threedpw: ModuleType, tmp_path: Path) -> None:
    """The camera moves too, which is no motion of the person."""
    content = threedpw.sequence("downtown_arguing_00", 6, "mf", seed=1)
    for joints in content["jointPositions"]:
        joints[:] = joints[0]
    content["jointPositions"][1][4:] += 0.1
    threedpw.save(tmp_path, "test", content)
    kept = {}
    for text in ("every:2", "motion:90mm"):
        selection = select(Raw(tmp_path, load_manifest("3dpw"), "test", thin=Thin.parse(text)))
        kept[text] = [(record.subject, record.frame) for record in selection.records]
        assert selection.total == 12 and selection.counts["thinned"] == 12 - len(kept[text])
    assert sorted(kept["every:2"]) == [(k, i) for k in (0, 1) for i in (0, 2, 4)]
    assert sorted(kept["motion:90mm"]) == [(0, 0), (1, 0), (1, 4)]


def test_a_split_is_whole_by_the_number_of_its_files(threedpw: ModuleType, tmp_path: Path) -> None:
    for number in range(12):
        assert not number or not read(tmp_path, "validation").whole
        threedpw.save(tmp_path, "validation", threedpw.sequence(f"courtyard_{number:02d}", 1, "m"))
    assert read(tmp_path, "validation").whole
    with pytest.raises(ValueError, match="neither images, annotations nor files"):
        Whole()
