"""Anyone's images: persons of a file of detections, or found here; what cannot be taken is counted and named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pymaf_data.datasets import select, stored_column
from pymaf_data.datasets.detections import read_detections
from pymaf_data.errors import AssetMissing, RawDataCorrupt, RawDataMissing, StoreChanged, UsageError
from pymaf_data.finder import Found
from pymaf_data.geometry.rle import decode_mask, encode_mask
from pymaf_data.stages.ingest import IngestOptions, ingest, require_raw_data
from pymaf_data.stages.told import ingest_lines
from pymaf_data.storage import open_store

WIDTH, HEIGHT = 90, 60
JOINTS = np.column_stack([np.linspace(20, 40, 17), np.linspace(10, 50, 17), np.linspace(0.1, 0.9, 17)])


def write(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT), exif: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(path.name)).integers(0, 256, (size[1], size[0], 3), np.uint8)
    data = cv2.imencode(path.suffix, noise)[1].tobytes()
    if exif:  # shown turned by a quarter
        block = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
        data = data[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + data[2:]
    path.write_bytes(data)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    write(folder / "a.jpg")
    write(folder / "sub" / "b_07.png")
    write(folder / "turned.jpg", exif=True)
    write(folder / "one.png", (1, 1))
    write(folder / "wide.png", (12_000, 20))
    (folder / "broken.jpg").write_bytes((folder / "a.jpg").read_bytes()[:300])
    write(folder / ".hidden.jpg")
    (folder / "notes.txt").write_text("nothing")
    return folder


def entry(image: Any, **more: Any) -> dict[str, Any]:
    return {"image_id": image, "keypoints": JOINTS.ravel().tolist(), "bbox": [20, 10, 20, 40], **more}


def options(photos: Path, **more: Any) -> IngestOptions:
    return IngestOptions(dataset="images", files=(photos,), out=photos.parent / "s.zarr", crop_size=64, **more)


def test_persons_of_detections_become_rows_and_the_rest_is_counted(photos: Path) -> None:
    found = photos.parent / "found.json"
    entries = [entry("a.jpg"), entry("broken.jpg"), entry(7), entry("elsewhere.jpg"), entry(99), entry("one.png")]
    found.write_text(
        json.dumps([*entries, {"image_id": "a.jpg", "keypoints": [1, 2]}, entry("wide.png", bbox=[20, 2, 30, 15])])
    )
    report = ingest(options(photos, detections=found))
    assert report.counts == {"total": 8, "kept": 5, "dropped": 3, "no_image": 2, "malformed": 1}
    assert report.adjusted == {"nobody": 1}
    assert report.holes.pictures == {"broken.jpg": "corrupt_picture", "one.png": "mis_sized_picture"}, "beside the box"
    told = " ".join(ingest_lines(report))
    assert "2 on an image that is not in the folder" in told and "1 images on which nobody was found" in told
    store = open_store(report.store)
    assert [name for name, _ in store.rows] == ["a.jpg", "broken.jpg", "one.png", "sub/b_07.png", "wide.png"]
    record = select(require_raw_data(options(photos, detections=found))).records[0]
    assert record.box == (30, 30, 48) and record.box_source == "detector" and len(record.keypoints) == 15
    assert record.keypoints["left_ankle"][:2] == pytest.approx((39.25, 48.0)), "pixel indices"
    assert ingest(options(photos, detections=found)).shards_written == 0


def test_detections_of_other_images_are_refused_by_name(photos: Path) -> None:
    found = photos.parent / "found.json"
    found.write_text(json.dumps([entry("000000000139.jpg"), entry("other.jpg"), {"image_id": "a.jpg"}]))
    with pytest.raises(RawDataCorrupt, match=r"names 000000000139\.jpg, and there is a\.jpg") as error:
        select(require_raw_data(options(photos, detections=found)))
    assert "--select" not in str(error.value)
    found.write_text(json.dumps([entry("same.jpg")]))
    for folder in ("one", "two"):
        write(photos / folder / "same.jpg")
    with pytest.raises(RawDataCorrupt, match="more of their folders") as error:
        ingest(options(photos, detections=found))
    assert "--select" not in str(error.value)
    found.write_text(json.dumps([entry("one/same.jpg", keypoints=[0.0] * 51)]))
    with pytest.raises(RawDataCorrupt, match=r"annotation file, or select others with --select body12\.$"):
        ingest(options(photos, detections=found))


@pytest.mark.parametrize(
    "content", [[{"foo": 1}], [[1]], {"foo": []}, {"annotations": []}, [1], "a", [{"score": 1, "frame_id": 2}]]
)
def test_what_is_no_form_of_detections_is_said_with_the_forms(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    path.write_text(json.dumps(content))
    with pytest.raises(RawDataCorrupt, match=r"(?s)COCO's .*mmpose's .*OpenPose's.*docs/prediction\.md"):
        [*read_detections(path)]


def test_what_is_wrong_with_a_person_is_said_in_words(tmp_path: Path) -> None:
    path, box = tmp_path / "found.json", {"bbox": [1, 2, 3, 4]}
    images = [{"id": 1, "file_name": "a.jpg"}]
    persons = [{"image_id": 1}, {"image_id": 2, **box}, {"image_id": [1], **box}, {**box}, {"image_id": 1, **box}]
    path.write_text(json.dumps({"images": images, "annotations": persons}))
    faults = [found.fault for found in read_detections(path)]
    unknown = "it is of no image that is known"
    assert faults == ["it has neither a box nor keypoints", unknown, unknown, unknown, ""]


def test_detections_in_the_folder_are_taken(photos: Path) -> None:
    (photos / "detections.json").write_text(json.dumps([entry("a.jpg")]))
    assert select(require_raw_data(options(photos))).kept == 1
    with pytest.raises(RawDataMissing, match="no detections at"):
        require_raw_data(options(photos, detections=photos / "other.json"))


def test_two_hundred_persons_of_one_image(photos: Path) -> None:
    found = photos.parent / "found.json"
    found.write_text(json.dumps([entry("a.jpg", bbox=[k % 50, k % 20, 20, 30]) for k in range(200)]))
    report = ingest(options(photos, detections=found))
    assert report.counts["kept"] == 200
    assert len({key for _, key in open_store(report.store).rows}) == 200


Find = Callable[[np.ndarray], list[Found]]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[int, ...]]:
    """A finder that finds a person on every image of some size; the sizes of those that it was shown."""
    seen, package = list[tuple[int, ...]](), tmp_path / "package.tgz"
    package.write_bytes(b"networks")

    def find(image: np.ndarray) -> list[Found]:
        seen.append(image.shape)
        if min(image.shape[:2]) < 30:
            return []
        mask = np.zeros(image.shape[:2], bool)
        mask[10:50, 20:40] = True
        return [Found(0.9, (20.0, 10.0, 20.0, 40.0), JOINTS, encode_mask(mask))]

    monkeypatch.setattr("pymaf_data.datasets.own_images.require_finder", lambda path, _: path or package)
    monkeypatch.setattr("pymaf_data.datasets.finding.open_finder", lambda path: find)
    return seen


def test_persons_are_found_once_and_kept_for_the_next_run(photos: Path, found: list[tuple[int, ...]]) -> None:
    heard = list[int]()
    report = ingest(
        options(photos), lambda done, total, remark: heard.append(total) if "looked for" in remark else None
    )
    assert sorted(found) == [(1, 1, 3), (20, 12_000, 3), (60, 90, 3), (60, 90, 3), (90, 60, 3)]
    assert heard == [6] * 6
    assert report.counts == {"total": 3, "kept": 3, "dropped": 0}
    assert report.adjusted == {"nobody": 2, "not_looked_at": 1} and not report.holes.counts
    store = open_store(report.store)
    assert [name for name, _ in store.rows] == ["a.jpg", "sub/b_07.png", "turned.jpg"]
    sizes = stored_column(store, "image_size")[:]  # type: ignore[index]
    assert sizes.tolist() == [[90, 60], [90, 60], [60, 90]], "as they are shown"
    mask = decode_mask(store.array("mask")[2].tobytes(), (60, 90))
    assert mask[10:50, 20:40].all() and mask.sum() == 800
    np.testing.assert_allclose(store.array("keypoints")[0][25 + 5], [*JOINTS[15, :2], JOINTS[15, 2]], atol=1e-4)
    assert ingest(options(photos)).shards_written == 0 and len(found) == 5
    write(photos / "sub" / "b_07.png", (95, 60))
    with pytest.raises(StoreChanged):
        ingest(options(photos))
    assert found[5:] == [(60, 95, 3)], "that image alone is looked at again"


def test_masks_may_be_left_out(photos: Path, found: list[tuple[int, ...]]) -> None:
    report = ingest(options(photos, option=("masks=false",)))
    assert "mask" not in open_store(report.store).current("ingest").record.specs


def test_what_is_not_there_is_said(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYMAF_DATA_ROOT", str(tmp_path / "data"))
    with pytest.raises(AssetMissing, match=r"name detections with --detections, put detections\.json into the folder"):
        require_raw_data(options(photos))
    with pytest.raises(RawDataMissing, match="there is no folder"):
        require_raw_data(options(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="finder with the data set coco"):
        require_raw_data(IngestOptions(dataset="coco", finder=tmp_path / "p.tgz"))
    with pytest.raises(UsageError, match="files with the data set images"):
        require_raw_data(IngestOptions(dataset="images", files=(photos, photos)))
    empty = tmp_path / "empty"
    (empty / "sub").mkdir(parents=True)
    (empty / "detections.json").write_text("[]")
    with pytest.raises(RawDataMissing, match="there is no image in"):
        select(require_raw_data(options(empty)))
