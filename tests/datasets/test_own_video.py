"""Anyone's videos with detections: each form says the same persons, frames are those meant, damage is counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pymaf_data.datasets import Selection, select
from pymaf_data.datasets.detections import read_detections
from pymaf_data.datasets.own_video import Video
from pymaf_data.errors import RawDataCorrupt, RawDataMissing, StoreChanged, UsageError
from pymaf_data.stages.ingest import IngestOptions, ingest, require_raw_data
from pymaf_data.storage import open_store
from tests.factories.videos import number_of, write_video

FRAMES = [0, 3, 12]
J = np.random.default_rng(0).uniform(20, 70, (3, 17, 2)).round(2)
SCORES = np.linspace(0.1, 1.0, 17).round(2)  # the first two are below 0.2


def flat(row: int) -> list[float]:
    return np.column_stack([J[row], SCORES]).ravel().tolist()


def coco(frame: Callable[[int], dict[str, Any]]) -> Any:
    images = [{"id": 7 + k, **frame(k)} for k in range(3)]
    entries = [{"id": k, "image_id": 7 + k, "keypoints": flat(k), "bbox": [20, 20, 50, 50]} for k in range(3)]
    return {"images": images, "annotations": entries}


FORMS: dict[str, Any] = {
    "coco": coco(lambda k: {"file_name": f"clip/frame_{FRAMES[k]:06d}.png"}),
    "coco, numbers": coco(lambda k: {"file_name": "x.jpg", "frame_id": FRAMES[k]}),
    "results": [{"image_id": FRAMES[k], "keypoints": flat(k), "bbox": [20, 20, 50, 50]} for k in range(3)],
    "alphapose": [{"image_id": f"{FRAMES[k]}.jpg", "keypoints": flat(k), "box": [20, 20, 50, 50]} for k in range(3)],
    "mmpose": {
        "meta_info": {},
        "instance_info": [
            {
                "frame_id": FRAMES[k],
                "instances": [
                    {"keypoints": J[k].tolist(), "keypoint_scores": SCORES.tolist(), "bbox": [[20, 20, 70, 70]]}
                ],
            }
            for k in range(3)
        ],
    },
}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clips" / "clip.mp4", 15)


def read(clip: Path, **options: Any) -> Selection:
    return select(require_raw_data(IngestOptions(dataset="video", files=(clip,), **options)))


def said(clip: Path, form: Any) -> Path:
    path = clip.with_suffix(".json")
    path.write_text(json.dumps(form))
    return path


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same_persons(clip: Path, form: str) -> None:
    said(clip, FORMS[form])
    selection = read(clip)
    assert [(record.image_name, record.frame) for record in selection.records] == [
        ("clip.mp4/000000.jpg", 0),
        ("clip.mp4/000003.jpg", 3),
        ("clip.mp4/000012.jpg", 12),
    ]
    for row, record in enumerate(selection.records):
        assert record.box == (45.0, 45.0, 60.0) and record.box_source == "detector"
        assert len(record.keypoints) == 15
        x, y, seen = record.keypoints["left_ankle"]
        assert (x, y, seen) == pytest.approx((*(J[row, 15] + 0.5), 2))
        assert record.confidence["left_ankle"] == pytest.approx(SCORES[15])


def test_frames_of_the_store_are_those_of_the_video(clip: Path, tmp_path: Path) -> None:
    """Also of two persons of one frame who stand in two shards."""
    form = [{"image_id": k + 1, "keypoints": flat(0), "box": [0, 0, 96, 96]} for k in range(16)]
    said(clip, [*form, *form[1:]])
    options = IngestOptions(
        dataset="video", files=(clip,), option=("first=1",), out=tmp_path / "s.zarr", shard=4, crop_size=200
    )
    report = ingest(options)
    assert report.counts["kept"] == 31 and report.holes.counts == {"missing_frame": 2}
    store = open_store(report.store)
    assert [name for name, _ in store.rows][-1] == "clip.mp4/000015.jpg"
    affine, images = store.array("crop_affine")[:], store.array("image")[:]
    frames = store.array("frame")[:].tolist()
    assert frames[3] == frames[4] == 2 and frames[27:29] == [14, 14], "a frame in two shards, the last one there is"
    for row in range(29):
        A = affine[row]
        x, y = np.meshgrid(np.arange(96) + 0.5, np.arange(8) + 0.5)
        u, v = np.tensordot(A[:, :2], np.stack([x, y]), 1) + A[:, 2][:, None, None]
        assert number_of(images[row][v.astype(int), u.astype(int)]) == frames[row]
    assert ingest(options).shards_written == 0
    data, other = clip.read_bytes(), write_video(tmp_path / "other.mp4", 15, first=100).read_bytes()
    clip.write_bytes(other[: len(data)].ljust(len(data), b"\0"))
    with pytest.raises(StoreChanged, match="a video other content"):
        ingest(options)
    clip.write_bytes(data)
    assert ingest(options).shards_written == 0


def test_detections_of_openpose_and_of_several_videos(clip: Path) -> None:
    other = write_video(clip.parent / "other.avi", 6, "MJPG")
    said(clip, FORMS["results"])
    points = np.column_stack([np.full((25, 2), 30.0), np.ones(25)])
    points[:, 0] += np.arange(25)
    for frame, people in ((0, []), (5, [{"pose_keypoints_2d": points.ravel().tolist()}])):
        path = clip.parent / "other" / f"other_{frame:012d}_keypoints.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"version": 1.3, "people": people}))
    raw = require_raw_data(IngestOptions(dataset="video", files=(clip, other)))
    records = list(select(raw).records)
    assert [record.image_name for record in records][-1] == "other.avi/000005.jpg" and len(records) == 4
    assert len(records[-1].keypoints) == 25 and records[-1].keypoints["openpose:mid_hip"][0] == 38.5
    assert records[-1].box_source == "keypoints" and records[-1].sequence != records[0].sequence
    assert not any(path.suffix in (".mp4", ".avi") for path in raw.inputs().values()), "videos are no annotations"


def test_a_folder_of_videos_needs_no_names(clip: Path) -> None:
    said(clip, FORMS["mmpose"])
    write_video(clip.parent / "without.mp4", 2)
    records = select(require_raw_data(IngestOptions(dataset="video", root=clip.parent))).records
    assert {record.image_name.partition("/")[0] for record in records} == {"clip.mp4"}


def test_what_is_wrong_with_a_person_is_counted(clip: Path) -> None:
    good = {"image_id": 1, "keypoints": flat(0), "track_id": 4}
    bad: list[Any] = [
        good | {"image_id": None},
        good | {"image_id": "frame.jpg"},
        good | {"image_id": -1},
        good | {"image_id": True},
        good | {"keypoints": flat(0)[:-1]},
        good | {"keypoints": flat(0)[:-3]},
        good | {"keypoints": [float("nan")] * 51},
        good | {"keypoints": [1e9] * 51},
        good | {"keypoints": "x"},
        {"image_id": 1},
    ]
    said(clip, [good, *bad, good | {"keypoints": [0.0] * 51}, good | {"bbox": [0, 0, -1, 5]}])
    selection = read(clip)
    assert selection.account() == {"total": 13, "kept": 2, "dropped": 11, "malformed": 10, "no_keypoints": 1}
    first, second = selection.records
    assert (first.subject, first.annotation_id, second.annotation_id) == (4, 1000, 1003)
    assert second.box == first.box, "a box that is none is that of the joints"


@pytest.mark.parametrize("form", [{}, 3, {"images": [], "annotations": 5}, [1, 2], {"instance_info": None}, "x"])
def test_another_form_is_refused(clip: Path, form: Any) -> None:
    with pytest.raises(RawDataCorrupt, match=r"clip\.json"):
        list(read_detections(said(clip, form)))


def test_thinning_and_what_is_missing_is_said(clip: Path, tmp_path: Path) -> None:
    path = said(clip, FORMS["results"])
    assert read(clip, thin="every:6").account() == {"total": 3, "kept": 2, "dropped": 1, "thinned": 1}
    with pytest.raises(UsageError, match="every:N"):
        read(clip, thin="motion:100mm")
    with pytest.raises(UsageError, match="no sequences"):
        require_raw_data(IngestOptions(dataset="coco", thin="every:2"))
    with pytest.raises(UsageError, match="ingest video"):
        require_raw_data(IngestOptions(dataset="coco", files=(clip,)))
    path.rename(tmp_path / "elsewhere.json")
    assert read(clip, detections=tmp_path / "elsewhere.json").kept == 3
    with pytest.raises(RawDataMissing, match=r"clip\.json"):
        read(clip)
    with pytest.raises(RawDataMissing, match="there is no video"):
        read(tmp_path / "none.mp4")


def test_each_of_two_videos_is_decoded_by_one_worker(clip: Path, tmp_path: Path) -> None:
    """A shard tells what a range that begins with it decodes for nothing, in shards."""
    from pymaf_data.stages.executors import again_of, ranges_of
    from pymaf_data.stages.held import Opened
    from pymaf_data.stages.ingest import IngestJob, _plan

    other = write_video(clip.parent / "other.avi", 3, "MJPG")
    for path in (clip, other):
        said(path, [{"image_id": 5 * k, "keypoints": flat(0), "box": [0, 0, 96, 96]} for k in range(22)])
    options = IngestOptions(dataset="video", files=(clip, other), out=tmp_path / "s.zarr", shard=10)
    raw = require_raw_data(options)
    selection = select(raw)
    job = IngestJob(
        raw, selection, Opened(Video().images(raw)), options, _plan(options, raw, selection, Video().images(raw)), 99
    )
    bare = IngestOptions(dataset="video", files=(clip, other))
    assert (job.plan.shard, _plan(bare, raw, selection, Video().images(raw)).shard) == (10, 64)
    again = again_of(job)
    assert [again(shard) for shard in range(5)] == pytest.approx([0, 1, 2, 0.8, 1.8])
    assert [list(part) for part in ranges_of(range(5), 2, again=again)] == [[0, 1, 2], [3, 4]]
