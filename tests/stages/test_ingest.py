"""The stage ``ingest``: what a store holds of its raw data, what running again does, and what damage leaves."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from pymaf_data.errors import DiskFull, NotAStore, RawDataCorrupt, RawDataMissing, StoreChanged
from pymaf_data.geometry.affines import apply
from pymaf_data.geometry.joints import J49
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import Store, open_store
from tests.stages.small_ingest import run, tree

pytestmark = pytest.mark.usefixtures("no_wait_for_the_disk")


def row_of(store: Store, annotation_id: int) -> int:
    return int(np.flatnonzero(store.array("annotation_id")[:] == annotation_id)[0])


def test_rows_hold_the_persons(coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path / "raw", pictures=5, persons=2)
    report = run(tmp_path / "raw", tmp_path / "s.zarr")
    store = open_store(report.store)
    assert len(store) == 10 and report.shards == report.shards_written == 3
    assert report.counts == {"total": 10, "kept": 10, "dropped": 0}
    assert store.array("present")[:].all() and not store.array("reason")[:].any()
    for row, person in enumerate(made.annotations):
        name = bytes(store.array("image_name")[row]).rstrip(b"\0").decode()
        assert name == f"train2014/{person['image_id']:012d}.jpg"
        assert store.array("annotation_id")[row] == person["id"]
        assert store.array("image_size")[row].tolist() == [96, 72]
        assert store.array("box")[row].tolist() == pytest.approx([30.25, 36.5, 67.2])
        half = apply(store.array("crop_affine")[row], [[30.25, 36.5]])[0]
        assert half.tolist() == pytest.approx([32.0, 32.0])
        nose = store.array("keypoints")[row][J49.index("nose")]
        assert nose.tolist() == [person["keypoints"][0] + 0.5, person["keypoints"][1] + 0.5, 1.0]
        assert store.array("subject")[row] == store.array("frame")[row] == -1
    assert not store.array("has_intrinsics")[:].any() and not store.array("joints3d")[:].any()


def test_markers_in_an_image_lie_under_the_keypoints_of_the_crop(coco: ModuleType, tmp_path: Path) -> None:
    """A disc drawn at each keypoint is found in the decoded crop where affine and keypoint say."""
    made = coco.CocoSet(tmp_path / "raw")
    image = made.picture(320, 240)
    person = made.person(image, bbox=[60.0, 30.0, 120.0, 170.0])
    joints = [(70 + 14 * i, 40 + 9 * i) for i in range(17)]
    person["keypoints"] = [value for x, y in joints for value in (x, y, 2)]
    made.save()
    canvas = np.zeros((240, 320, 3), np.uint8)
    for x, y in joints:
        cv2.circle(canvas, (x, y), 3, (255, 255, 255), -1)
    cv2.imwrite(str(made.folder / image["file_name"]), canvas, [cv2.IMWRITE_JPEG_QUALITY, 100])
    store = open_store(run(tmp_path / "raw", tmp_path / "s.zarr", crop_size=400).store)
    crop, affine = store.array("image")[0].mean(axis=2), store.array("crop_affine")[0]
    labelled = store.array("keypoints")[0][store.array("keypoints")[0][:, 2] > 0]
    reach = int(5 * affine[0, 0])
    for x, y in apply(affine, labelled[:, :2].astype(float)):
        row, column = int(y) - reach, int(x) - reach
        patch = crop[row : row + 2 * reach + 1, column : column + 2 * reach + 1]
        spread = np.arange(2 * reach + 1) + 0.5
        centre = (patch.sum(0) @ spread / patch.sum() + column, patch.sum(1) @ spread / patch.sum() + row)
        assert np.hypot(centre[0] - x, centre[1] - y) < 0.15


def test_a_store_begun_before_there_were_markers_goes_on_without(
    coco: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a store of either encoder would not be reproducible: the version that it was begun with decides."""
    coco.small_set(tmp_path / "raw")
    with monkeypatch.context() as patch:
        patch.setattr("pymaf_data.storage.records.FORMAT_VERSION", "2.1")
        before = run(tmp_path / "raw", tmp_path / "before.zarr").store
    now = run(tmp_path / "raw", tmp_path / "now.zarr").store
    assert [bytes(open_store(store).array("image").encoded(0)).count(b"\xff\xd2") for store in (before, now)] == [0, 1]
    old = tree(before)
    for file in (*before.rglob("c/1"), *before.rglob("c/1/0*"), *before.rglob("commits/ingest/*/00001.json")):
        if file.is_file():
            file.unlink()
    assert tree(before) != old and run(tmp_path / "raw", before, workers=2).shards_written == 1
    assert tree(before) == old


@pytest.mark.parametrize("workers", [2, 5])
def test_the_number_of_workers_leaves_no_trace(workers: int, coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path / "raw", pictures=7, persons=3)
    (made.folder / made.images[3]["file_name"]).unlink()
    one = run(tmp_path / "raw", tmp_path / "one.zarr").store
    many = run(tmp_path / "raw", tmp_path / "many.zarr", workers=workers).store
    assert tree(one) == tree(many)


def test_running_again_does_nothing_and_says_so(coco: ModuleType, tmp_path: Path) -> None:
    coco.small_set(tmp_path / "raw")
    first = run(tmp_path / "raw", tmp_path / "s.zarr")
    before = {path: path.stat().st_mtime_ns for path in first.store.rglob("c/*")}
    again = run(tmp_path / "raw", tmp_path / "s.zarr", workers=2)
    assert again.shards_written == 0 and first.shards_written == first.shards == 3
    assert before == {path: path.stat().st_mtime_ns for path in first.store.rglob("c/*")}
    assert again.model_dump(exclude={"shards_written"}) == first.model_dump(exclude={"shards_written"})


def test_only_missing_shards_are_made(coco: ModuleType, tmp_path: Path) -> None:
    coco.small_set(tmp_path / "raw")
    store = run(tmp_path / "raw", tmp_path / "s.zarr").store
    whole = tree(store)
    (commit,) = store.glob("_pymaf/commits/ingest/*/00001.json")
    commit.unlink()
    progress: list[tuple[int, int]] = []
    options = IngestOptions(root=tmp_path / "raw", out=store, crop_size=64, shard=4, workers=1)
    report = ingest(options, lambda done, total, _: progress.append((done, total)))
    assert report.shards_written == 1
    assert progress[0] == (6, 10) and progress[-1] == (10, 10)
    assert tree(store) == whole


MISSING = ["missing", "truncated", "mis-sized", "not a picture", "unsafe", "absolute", "link", "folder"]


def make_missing(kind: str, made: Any, image: dict[str, Any]) -> str:
    """Damage one image; returns the reason to expect."""
    path = made.folder / image["file_name"]
    data = path.read_bytes()
    if kind == "missing":
        path.unlink()
        return "missing_picture"
    if kind == "truncated":
        path.write_bytes(data[: len(data) // 2])
        return "truncated_picture"
    if kind == "mis-sized":
        image["width"] += 1
        return "mis_sized_picture"
    if kind == "not a picture":
        path.write_bytes(b"<html>404</html>")
        return "corrupt_picture"
    if kind == "folder":
        path.unlink()
        path.mkdir()
        return "unreadable_picture"
    outside = made.root.parent / "outside.jpg"
    outside.write_bytes(data)
    if kind == "link":
        path.unlink()
        path.symlink_to(outside)
    else:
        image["file_name"] = str(outside) if kind == "absolute" else "../../outside.jpg"
    return "unsafe_path"


@pytest.mark.parametrize("kind", MISSING)
def test_an_image_that_cannot_be_used_is_a_counted_named_hole(kind: str, coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path / "raw", pictures=4, persons=2)
    reason = make_missing(kind, made, made.images[1])
    made.save()
    report = run(tmp_path / "raw", tmp_path / "s.zarr")
    assert report.counts == {"total": 8, "kept": 8, "dropped": 0}
    assert report.holes.counts == {reason: 2}
    assert report.holes.pictures == {f"train2014/{made.images[1]['file_name']}": reason}
    store = open_store(report.store)
    rows = [row_of(store, 102), row_of(store, 103)]
    assert np.flatnonzero(~store.array("present")[:]).tolist() == rows
    for row in rows:
        assert store.attrs["reasons"][store.array("reason")[row]] == reason
        assert not store.array("image")[row].any()
        assert store.array("keypoints")[row][:, 2].sum() == 17
    for row in set(range(8)) - set(rows):
        assert store.array("image")[row].any()
    with pytest.raises(RawDataCorrupt, match="--on-error skip"):
        run(tmp_path / "raw", tmp_path / "stopped.zarr", on_error="stop")


def test_missing_images_are_told_once_for_all_shards(
    coco: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Shards may be made anywhere and in any order; the first is that of the first shard."""
    coco.small_set(tmp_path / "raw", pictures=6, persons=2)
    for number in (2, 3, 6):
        (tmp_path / "raw" / "train2014" / f"{number:012d}.jpg").unlink()
    run(tmp_path / "raw", tmp_path / "s.zarr", shard=4)
    (told,) = [record.getMessage() for record in caplog.records if "persons; the first" in record.getMessage()]
    assert told.startswith("missing_picture: 3 images of 6 persons; the first: train2014/000000000002.jpg")


def test_a_run_that_stopped_goes_on_when_the_image_is_mended(coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path / "raw", pictures=5, persons=2)
    path = made.folder / made.images[3]["file_name"]
    data = path.read_bytes()
    path.write_bytes(data[:50])
    with pytest.raises(RawDataCorrupt, match=path.name):
        run(tmp_path / "raw", tmp_path / "s.zarr", on_error="stop")
    path.write_bytes(data)
    report = run(tmp_path / "raw", tmp_path / "s.zarr", on_error="stop")
    assert 0 < report.shards_written < report.shards
    assert tree(report.store) == tree(run(tmp_path / "raw", tmp_path / "whole.zarr").store)


@pytest.mark.parametrize("workers", [1, 3])
def test_an_interrupted_run_goes_on(workers: int, coco: ModuleType, tmp_path: Path) -> None:
    coco.small_set(tmp_path / "raw", pictures=8, persons=2)

    def interrupt(done: int, total: int, _: str) -> None:
        if done >= 10:
            raise KeyboardInterrupt

    options = {"root": tmp_path / "raw", "crop_size": 64, "shard": 4, "workers": workers}
    with pytest.raises(KeyboardInterrupt):
        ingest(IngestOptions(out=tmp_path / "s.zarr", **options), interrupt)
    report = run(**options, out=tmp_path / "s.zarr")
    assert 0 < report.shards_written < report.shards
    assert tree(report.store) == tree(run(**options, out=tmp_path / "whole.zarr").store)


def test_a_full_disk_is_a_message_and_the_same_command_goes_on(
    coco: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coco.small_set(tmp_path / "raw", pictures=8, persons=2)
    commits = tmp_path / "s.zarr" / "_pymaf" / "commits"

    def full(descriptor: int) -> None:
        if any(path.is_file() for path in commits.rglob("*.json")):  # in the middle of the shards
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("os.fsync", full)
        with pytest.raises(DiskFull):
            run(tmp_path / "raw", tmp_path / "s.zarr")
    report = run(tmp_path / "raw", tmp_path / "s.zarr")
    assert 0 < report.shards_written < report.shards
    assert tree(report.store) == tree(run(tmp_path / "raw", tmp_path / "whole.zarr").store)


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"select": "any"}, 'options.select: the store has "body12", this run has "any"'),
        ({"crop_size": 96}, "options.crop_size: the store has 64, this run has 96"),
        ({"shard": 8}, "shard: the store has 4, this run has 8"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_changed_options_are_refused_by_name(
    change: dict[str, Any], difference: str, coco: ModuleType, tmp_path: Path
) -> None:
    coco.small_set(tmp_path / "raw")
    store = run(tmp_path / "raw", tmp_path / "s.zarr").store
    whole = tree(store)
    with pytest.raises(StoreChanged, match="--overwrite") as caught:
        run(tmp_path / "raw", tmp_path / "s.zarr", **change)
    assert difference in str(caught.value)
    assert tree(store) == whole
    assert run(tmp_path / "raw", tmp_path / "s.zarr", overwrite=True, **change).shards_written > 0
    assert tree(store) == tree(run(tmp_path / "raw", tmp_path / "fresh.zarr", **change).store)


def test_changed_annotations_are_refused_by_name(coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path / "raw")
    run(tmp_path / "raw", tmp_path / "s.zarr")
    made.annotations[0]["keypoints"][0] += 1
    made.save()
    with pytest.raises(StoreChanged, match=r"person_keypoints_train2014\.json"):
        run(tmp_path / "raw", tmp_path / "s.zarr")


def test_changed_images_are_refused_by_name(coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path / "raw")
    path = made.folder / made.images[2]["file_name"]
    data = path.read_bytes()
    path.unlink()
    run(tmp_path / "raw", tmp_path / "s.zarr")
    path.write_bytes(data)
    with pytest.raises(StoreChanged, match=f"{path.name} is there now"):
        run(tmp_path / "raw", tmp_path / "s.zarr")
    assert run(tmp_path / "raw", tmp_path / "s.zarr", overwrite=True).holes.counts == {}
    path.write_bytes(data + b"more")
    with pytest.raises(StoreChanged, match=r"rows 4 to 7 .* another size"):
        run(tmp_path / "raw", tmp_path / "s.zarr")
    path.unlink()
    with pytest.raises(StoreChanged, match=f"{path.name} is gone"):
        run(tmp_path / "raw", tmp_path / "s.zarr")


def test_an_output_that_is_not_a_store_is_left_alone(coco: ModuleType, tmp_path: Path) -> None:
    coco.small_set(tmp_path / "raw")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(NotAStore):
            run(tmp_path / "raw", tmp_path / "mine", overwrite=overwrite)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_without_a_person_there_is_no_store(coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path / "raw", pictures=1, persons=1)
    coco.unlabel(made.annotations[0], [16])
    made.save()
    with pytest.raises(RawDataCorrupt, match="--select any"):
        run(tmp_path / "raw", tmp_path / "s.zarr")
    assert not (tmp_path / "s.zarr").exists()


def test_without_raw_data_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYMAF_DATA_ROOT", str(tmp_path))
    with pytest.raises(RawDataMissing, match="pymaf-data sample OUT") as caught:
        ingest(IngestOptions())
    assert str(tmp_path / "raw" / "coco") in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_the_data_root_says_where_things_lie(coco: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYMAF_DATA_ROOT", str(tmp_path))
    coco.CocoSet(tmp_path / "raw" / "coco")
    made = coco.CocoSet(tmp_path / "raw" / "sample", split="val")
    made.person(made.picture())
    made.save()
    report = ingest(IngestOptions(dataset="sample", split="val", crop_size=32))
    assert report.store == tmp_path / "stores" / "sample-val.zarr"


def test_provenance_carries_counts_licences_and_no_trace_of_the_machine(coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path / "raw", pictures=3, persons=2)
    coco.unlabel(made.annotations[0], range(17))
    made.annotations[1]["bbox"] = [9, 9, -4, 7]
    made.save()
    store = open_store(run(tmp_path / "raw", tmp_path / "s.zarr").store)
    provenance = store.attrs["provenance"]
    assert provenance["counts"] == {"total": 6, "kept": 4, "dropped": 2, "no_keypoints": 1, "bad_box": 1}
    assert provenance["expected"] == {"kept": 28344} and store.attrs["whole_split"] is False
    assert "CC BY 4.0" in provenance["licences"]["annotations"]
    own = provenance["licences"]["photographs under http://licence.example/by"]
    assert own == "Attribution License · 2 photographs, 4 persons"
    assert store.attrs["damaged_annotations"] == ["annotation 101: bbox: its box is -4 × 7 px"]
    assert str(tmp_path) not in json.dumps(store.attrs) + json.dumps(store.head)


def test_real_photographs(shared: Path, tmp_path: Path) -> None:
    report = run(shared / "data" / "coco2014-mini", tmp_path / "s.zarr", crop_size=400, shard=512)
    assert report.counts == {"total": 14, "kept": 7, "dropped": 7, "no_keypoints": 2, "incomplete": 5}
    assert report.holes.counts == {} and not report.whole and report.expected == 28344
    store = open_store(report.store)
    # The skier's jacket: sampled straight from the image at both shoulders and found in the crop at the same joints.
    picture = cv2.imread(str(shared / "data/coco2014-mini/train2014/000000000785.jpg"))[..., ::-1]
    row = row_of(store, 442619)
    for joint in ("left_hip", "right_knee", "left_shoulder"):
        x, y, _ = store.array("keypoints")[row][J49.index(joint)]
        column, line = apply(store.array("crop_affine")[row], [[float(x), float(y)]])[0].astype(int)
        near = picture[int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4].mean((0, 1))
        found = store.array("image")[row][line - 2 : line + 3, column - 2 : column + 3].mean((0, 1))
        assert np.abs(near - found).max() < 25
