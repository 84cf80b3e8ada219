"""A release beside what is kept here: SPIN's files agree but for what is named, and what differs is told by kind."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pymaf_data.cli.app import run
from pymaf_data.datasets import Raw, load_manifest, select
from pymaf_data.stages.against import Against, compare
from pymaf_data.stages.told import KINDS

SIXTEEN = [(20.25 + 3 * i, 30.75 + 4 * i) for i in range(16)]


@pytest.fixture
def world(coco: ModuleType, tmp_path: Path) -> Any:
    """Four images with two persons in one place each; annotations do not follow the images."""
    made = coco.small_set(tmp_path / "raw", pictures=4, persons=2)
    made.annotations.reverse()
    return made.save()


def against(path: Path, root: Path, dataset: str = "coco", chosen: str | None = None) -> Against:
    raw = Raw(root, load_manifest(dataset), "train", chosen)
    return compare(path, select(raw).records, raw)


def kinds(found: Against) -> dict[str, int]:
    return {one.kind: one.persons for one in found.departures}


def test_spins_file_of_a_set_agrees_with_our_ingest(world: Any, npz: ModuleType, tmp_path: Path) -> None:
    rows = npz.of_coco(world.file, "train2014")
    found = against(npz.save(tmp_path / "coco_2014_train.npz", rows), world.root)
    assert (found.rows, found.both, found.same, found.offsets) == (8, 8, 8, (0.5, 0.0))
    assert kinds(found) == {"order": 8} and "annotation file" in found.departures[0].why
    rows.sort(key=lambda row: row["imgname"])
    single = against(npz.save(tmp_path / "b.npz", rows), world.root)
    assert (single.same, kinds(single)) == (8, {"order": 8}), "two on an image, the later annotated first"


def test_nobody_on_either_side_is_compared(world: Any, npz: ModuleType, tmp_path: Path) -> None:
    rows = npz.of_coco(world.file, "train2014")
    names = {"imgname": np.zeros(0, "U9"), "center": np.zeros((0, 2)), "scale": np.zeros(0)}
    none = npz.save(tmp_path / "none.npz", rows, part=np.zeros((0, 24, 3)), openpose=None, **names)
    found = against(none, world.root)
    assert (found.rows, found.both, kinds(found)) == (0, 0, {"missing_there": 8})
    world.annotations.clear()
    found = against(npz.save(tmp_path / "all.npz", rows), world.save().root)
    assert (found.rows, found.both, kinds(found)) == (8, 0, {"missing_here": 8})


def test_spins_rows_and_ours_depart_where_the_rules_do(world: Any, npz: ModuleType, tmp_path: Path) -> None:
    """Crowds are no persons here; joints where none can be are not taken."""
    world.annotations[0]["iscrowd"] = 1
    world.annotations[3]["keypoints"][:3] = [0, 0, 2]
    world.annotations[4]["keypoints"][3:6] = [9000, 10, 1]
    world.save()
    found = against(npz.save(tmp_path / "a.npz", npz.of_coco(world.file, "train2014")), world.root)
    assert (found.rows, found.both, found.same) == (8, 7, 5)
    told = {one.kind: one for one in found.departures}
    assert (
        told["missing_here"].first == ("row 0 (train2014/000000000004.jpg)",) and "crowds" in told["missing_here"].why
    )
    assert told["labelled"].persons == 2 and "(0, 0)" in told["labelled"].why
    assert told["labelled"].first[0] == "row 3 (train2014/000000000003.jpg): nose there alone"
    assert told["labelled"].first[1].endswith("left_eye there alone")
    assert kinds(found).keys() == {"missing_here", "labelled", "order"}


def test_whose_row_it_is_joints_tell_where_boxes_lie_elsewhere(world: Any, npz: ModuleType, tmp_path: Path) -> None:
    """A box without width is the joints' own here; unseen joints of LSPET draw the box to their placeholders."""
    for one in world.annotations[::2]:  # of two on an image one, 7 px aside
        one["keypoints"] = [number + 7 * (place % 3 == 0) for place, number in enumerate(one["keypoints"])]
    world.save()
    rows = npz.of_coco(world.file, "train2014")
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        first["center"], second["center"] = second["center"], [9000.0, -9000.0]
    found = against(npz.save(tmp_path / "a.npz", rows), world.root)
    assert found.both == 8 and "keypoint" not in kinds(found), "nobody is another"
    assert "without width" in {one.kind: one.why for one in found.departures}["centre"]
    for row in rows:  # too few joints to tell by: the box counts
        row["part"][2:, 2] = 0
    assert against(npz.save(tmp_path / "b.npz", rows), world.root, chosen="any").both < 8


def test_mpii_departs_by_whole_numbers_alone(mpii: ModuleType, npz: ModuleType, tmp_path: Path) -> None:
    people = [[[(x + 9 * k, y + i) for x, y in SIXTEEN] for k in range(2)] for i in range(4)]
    names = [f"00000001{i}.jpg" for i in range(4)]
    images = [
        mpii.image(name, mpii.struct(*(mpii.rect(mpii.points(one), 2.0 + k) for k, one in enumerate(both))))
        for name, both in zip(names, people, strict=True)
    ]
    rows = [
        npz.of_mpii(name, one, 2.0 + k, (100, 120))
        for name, both in zip(names, people, strict=True)
        for k, one in enumerate(both)
    ]
    mpii.save(tmp_path / "raw", images, [1] * 4)
    found = against(npz.save(tmp_path / "mpii_train.npz", rows), tmp_path / "raw", "mpii")
    assert (found.both, found.same, found.offsets) == (8, 0, (-0.5, -0.5))
    assert kinds(found) == {"keypoint_truncated": 8}
    (one,) = found.departures
    assert "whole numbers" in one.why and one.common == "by +0.25, +0.75 px"
    assert one.first[0] == "row 0 (images/000000010.jpg): right_ankle by +0.25, +0.75 px"


@pytest.mark.parametrize(
    ("key", "change", "kind", "said"),
    [
        ("center", lambda a: a + np.array([0.5, 0]), "centre", "by -0.50, +0.00 px"),
        ("center", lambda a: a + np.array([0, 0.02]), "centre", "by +0.00, -0.02 px"),
        ("center", np.trunc, "centre_truncated", "by +0.25, +0.50 px"),
        ("center", lambda a: np.trunc(a) - 1, "centre", "by +1.25, +1.50 px"),
        ("center", lambda a: np.trunc(a) + 1, "centre", "by -0.75, -0.50 px"),
        ("scale", lambda a: a * 1.25, "scale", "by -16.80 px of its side"),
        ("scale", lambda a: a + 0.0001, "scale", "by -0.02 px of its side"),
        ("part", lambda a: a - [0, 0.25, 0], "keypoint", "right_ankle by +0.00, +0.25 px"),
        ("part", lambda a: a * [1, 1, 0], "labelled", "here alone"),
        ("scale", lambda a: a + 0.00001, None, ""),
        ("center", lambda a: a.astype(np.float32), None, ""),
        ("part", lambda a: a.astype(np.float16), None, ""),
        ("center", lambda a: a * np.nan, "centre", "by +nan, +nan px"),
        ("center", lambda a: a + 5000, "centre", "by -5000.00, -5000.00 px"),
        ("imgname", lambda a: np.char.add("raw/", a), None, ""),
        ("imgname", lambda a: np.char.replace(a, "train", "val"), "missing_here", "row 0"),
    ],
)
def test_what_differs_is_told_by_kind(
    key: str, change: Any, kind: str | None, said: str, world: Any, npz: ModuleType, tmp_path: Path
) -> None:
    rows = npz.of_coco(world.file, "train2014")[::2]
    world.annotations = world.annotations[::2]
    world.save()
    array = change(np.array([row[key] for row in rows]))
    found = against(npz.save(tmp_path / "a.npz", rows, **{key: array}), world.root)
    others = {"order"} | ({"missing_here", "missing_there"} if kind in ("missing_here", "missing_there") else set())
    assert kinds(found).keys() - others == ({kind} - others if kind else set())
    assert found.same == (0 if kind else 4)
    if kind:
        told = {one.kind: one for one in found.departures}[kind]
        assert told.persons == 4 and len(told.first) == 3 and said in told.first[0]


def test_a_half_that_one_side_has_of_nobody_is_not_compared(world: Any, npz: ModuleType, tmp_path: Path) -> None:
    rows = npz.of_coco(world.file, "train2014")
    detected = np.ones((8, 25, 3))
    for changes in ({"openpose": detected}, {"part": None}, {"openpose": None}):
        found = against(npz.save(tmp_path / "a.npz", rows, **changes), world.root)
        assert found.same == 8 and kinds(found).keys() == {"order"}
    # Where both have them, OpenPose's are compared too.
    path = npz.save(tmp_path / "a.npz", rows, openpose=detected)
    manifest, split = load_manifest("npz").of_file(path, "train")
    raw = Raw(tmp_path, manifest, split)
    records = select(raw).records
    assert kinds(compare(path, records, raw)).keys() == {"order"}
    detected[2, 7, 0] += 3
    detected[5, 3, 2] = 0
    found = compare(npz.save(tmp_path / "b.npz", rows, openpose=detected), records, raw)
    told = {one.kind: one for one in found.departures}
    assert told.keys() == {"openpose", "order"} and found.same == 6, "apart from the joints that are annotated"
    assert told["openpose"].first == (
        "row 2 (train2014/000000000003.jpg): openpose:left_wrist by -3.00, +0.00 px",
        "row 5 (train2014/000000000002.jpg): openpose:right_elbow here alone",
    )
    assert "(0, 0)" in told["openpose"].why, "the manifest's word comes first"
    of_coco = compare(tmp_path / "b.npz", records, Raw(world.root, load_manifest("coco"), "train"))
    assert "nearest" in {one.kind: one.why for one in of_coco.departures}["openpose"]


def test_the_command_tells_and_is_content(
    world: Any, npz: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = npz.of_coco(world.file, "train2014")
    rows[1]["scale"] *= 1.25
    path = npz.save(tmp_path / "coco_2014_train.npz", rows)
    where = ["ingest", "coco", "--direct", "--root", world.root, "--out", tmp_path / "s.zarr", "--crop-size", 32]

    def call(*more: Any) -> str:
        with pytest.raises(SystemExit) as ended:
            run([str(part) for part in (*where, "--against", path, *more)])
        assert not ended.value.code
        return capsys.readouterr().out

    said = call()
    assert "8 rows there, 8 of them kept here, 7 the same" in said
    assert "keypoints here lie +0.5 px off, boxes +0 px" in said
    assert f"1 {KINDS['scale']}" in said and "row 1 (train2014/000000000004.jpg): by -16.80 px of its side" in said
    assert f"8 {KINDS['order']}: SPIN's rows follow the annotation file" in said
    report = json.loads(call("--json"))["against"]
    assert (report["rows"], report["same"]) == (8, 7)
    assert {one["kind"] for one in report["departures"]} == {"scale", "order"} <= KINDS.keys()
