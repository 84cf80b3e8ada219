"""Masks of persons from COCO's outlines are pycocotools' own, and who is kept to measure on is PyMAF's rule."""

from __future__ import annotations

import json
import sys
import tracemalloc
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pymaf_data.datasets import Manifest, Raw, Selection, load_manifest, select
from pymaf_data.errors import ConfigError, RawDataCorrupt, UsageError
from pymaf_data.geometry.rle import decode_mask
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import open_store

drawing = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
ELLIPSE = [
    round(value, 2) for t in np.linspace(0, 6.2, 25) for value in (45 + 30.37 * np.cos(t), 35 + 31.4 * np.sin(t))
]
RUNS = [72 * 10 + 5, 20, 52, 20, 52, 20, 72 * 83 + 47]


def read(root: Path, split: str = "train", chosen: str | None = "any", masks: bool = True) -> Selection:
    options = [f"masks={str(masks).lower()}"]
    return select(Raw(root, load_manifest("coco").with_options(split, options), split, chosen))


def compressed(counts: list[int]) -> str:
    text: str = drawing.maskUtils.frPyObjects({"size": [72, 96], "counts": counts}, 72, 96)["counts"].decode()
    return text


SOUND: dict[str, Any] = {
    "a polygon": [ELLIPSE],
    "two that overlap": [ELLIPSE, [10, 8, 50.5, 8, 50, 64.25]],
    "beyond the border": [[-20, -3.5, 200, 10, 90, 90.5, 3, 60]],
    "whole numbers": [[10, 8, 50, 8, 50, 64, 10, 64]],
    "runs": {"size": [72, 96], "counts": RUNS},
    "compressed runs": {"size": [72, 96], "counts": compressed(RUNS)},
    "runs of nothing between": {"size": [72, 96], "counts": [700, 10, 0, 20, 72 * 96 - 730]},
}


@pytest.mark.parametrize("case", SOUND)
def test_a_mask_is_what_pycocotools_draws(case: str, coco: ModuleType, tmp_path: Path) -> None:
    made = coco.CocoSet(tmp_path)
    annotation = made.person(made.picture(), segmentation=SOUND[case])
    made.save()
    selection = read(tmp_path)
    (record,) = selection.records
    expected = drawing.COCO(str(made.file)).annToMask(annotation)
    assert 0 < expected.sum() < expected.size and not selection.adjusted
    np.testing.assert_array_equal(decode_mask(record.mask, (96, 72)), expected == 1)
    ours = drawing.maskUtils.decode({"size": [72, 96], "counts": record.mask})
    np.testing.assert_array_equal(ours, expected)


DAMAGED: dict[str, Any] = {
    "text": "polygon",
    "a number": 7,
    "two points": [[1, 2, 30, 40]],
    "half a point": [[1, 2, 30, 40, 50, 60, 7]],
    "corners as text": [["1", "2", "3", "4", "5", "6"]],
    "numbers without a list": [1, 2, 3, 4, 5, 6],
    "not a number": [[1, 2, 30, float("nan"), 5, 60]],
    "infinite": [[1, 2, 30, float("inf"), 5, 60]],
    "far away": [[1, 2, 30, 1e9, 5, 60]],
    "round and round": [[0, 0, 9e5, 9e5, 0, 9e5, 9e5, 0]],
    "outside": [[200, 10, 220, 10, 220, 30]],
    "a huge number": [[1, 2, 30, 10**400, 5, 60]],
    "of another size": {"size": [96, 72], "counts": RUNS},
    "without a size": {"counts": RUNS},
    "too few runs": {"size": [72, 96], "counts": RUNS[:-1]},
    "negative runs": {"size": [72, 96], "counts": [-1, *RUNS[1:-1], RUNS[-1] + RUNS[0] + 1]},
    "runs of halves": {"size": [72, 96], "counts": [700.5, 0.5, 72 * 96 - 701]},
    "no runs": {"size": [72, 96], "counts": []},
    "runs of nothing": {"size": [72, 96], "counts": [72 * 96]},
    "compressed noise": {"size": [72, 96], "counts": "PQR\u00e9~~~"},
    "counts of a list": {"size": [72, 96], "counts": [[1], [2]]},
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_outline_is_named_and_its_person_stays(case: str, coco: ModuleType, tmp_path: Path) -> None:
    made = coco.CocoSet(tmp_path)
    image = made.picture()
    made.person(image, segmentation=DAMAGED[case])
    made.person(image, segmentation=[ELLIPSE])
    made.save()
    selection = read(tmp_path)
    assert [bool(record.mask) for record in selection.records] == [False, True]
    assert selection.adjusted == {"mask_unusable": 1} and not selection.damaged


def test_outlines_of_images_too_large_or_without_a_size_are_damaged(coco: ModuleType, tmp_path: Path) -> None:
    made = coco.CocoSet(tmp_path)
    made.person(made.picture(), segmentation=[ELLIPSE])
    made.images[0] |= {"width": 900_000, "height": 900_000}
    made.person(made.picture(), segmentation=[ELLIPSE])
    del made.images[1]["width"], made.images[1]["height"]
    made.save()
    assert read(tmp_path).adjusted == {"mask_unusable": 2}


def test_who_has_no_outline_has_no_mask_and_is_not_damaged(coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path, pictures=1, persons=3)
    made.annotations[0]["segmentation"] = []
    made.annotations[1]["segmentation"] = None
    del made.annotations[2]["segmentation"]
    made.save()
    selection = read(tmp_path)
    assert selection.kept == 3 and not selection.adjusted
    assert "mask" not in selection.records.columns


def test_masks_are_brought_where_they_are_asked_for(coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path / "raw", pictures=2)
    assert "mask" not in read(made.root, masks=False).records.columns
    stores = {}
    for option in ((), ("masks=true",)):
        options = IngestOptions(root=made.root, out=tmp_path / f"{len(option)}.zarr", option=option, crop_size=32)
        stores[option] = open_store(ingest(options).store)
    without, with_masks = stores.values()
    assert set(with_masks.current("ingest").record.specs) - set(without.current("ingest").record.specs) == {"mask"}
    expected = drawing.COCO(str(made.file))
    for row, (_, key) in enumerate(with_masks.rows):
        mask = decode_mask(with_masks.array("mask")[row].tobytes(), (96, 72))
        np.testing.assert_array_equal(mask, expected.annToMask(expected.anns[key]) == 1)


def test_without_pycocotools_it_is_said_what_brings_it(
    coco: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coco.small_set(tmp_path, pictures=1)
    monkeypatch.setitem(sys.modules, "pycocotools.mask", None)
    with pytest.raises(ConfigError, match=r"pymaf-data\[eval\]"):
        read(tmp_path)
    assert read(tmp_path, masks=False).kept == 2


def test_outlines_do_not_pile_up_while_the_file_is_parsed(coco: ModuleType, tmp_path: Path) -> None:
    """A corner takes 16 bytes, not the hundred of its two floats and their places; without masks it takes none."""
    made = coco.CocoSet(tmp_path)
    image, corners = made.picture(), 4_000
    around = [(45 + 30 * np.cos(t), 35 + 30 * np.sin(t)) for t in np.linspace(0, 6.2, corners)]
    for _ in range(10):
        made.person(image, segmentation=[[float(f"{value:.2f}") for corner in around for value in corner]])
    made.save()
    size, peaks = made.file.stat().st_size, []
    for masks in (False, True):
        tracemalloc.start()
        read(tmp_path, masks=masks)
        peaks.append(tracemalloc.get_traced_memory()[1] - size)
        tracemalloc.stop()
    one = corners * 100
    assert peaks[0] < size + 3 * one and peaks[1] < size + 10 * corners * 16 + 6 * one


def test_val_is_the_paper_s(coco: ModuleType, tmp_path: Path) -> None:
    """Category 1, no crowd, area above 0, a box that is one once clipped, a keypoint: as PyMAF's code has it."""
    made = coco.CocoSet(tmp_path, split="val")
    image = made.picture()
    kept = [
        made.person(image),
        made.person(image, bbox=[10, 8, 0, 56.0]),  # its last column is its first
        made.person(image, bbox=[95.0, 71.0, 5.0, 5.0]),
        made.person(image, bbox=[-9.0, -9.0, 40.0, 40.0]),
    ]
    coco.unlabel(kept[0], range(1, 17))
    for changes in (
        {"area": 0},
        {"area": -1.0},
        {"area": float("nan")},
        {"area": "12"},
        {"bbox": [95.1, 8.0, 5.0, 5.0]},
        {"bbox": [10.0, 71.5, 5.0, 5.0]},
        {"iscrowd": 1},
    ):
        made.person(image, **changes)
    coco.unlabel(made.person(image), range(17))
    del made.person(image)["area"]
    made.save()
    selection = read(tmp_path, "val", None, masks=False)
    assert [record.annotation_id for record in selection.records] == [entry["id"] for entry in kept]
    assert selection.counts == {"crowd": 1, "no_keypoints": 1, "no_area": 7}
    assert read(tmp_path, "val", "any", masks=False).kept == 11
    for name, expected in (("coco", 50197), ("coco2017", 6352)):
        split = load_manifest(name).splits["val"]
        assert split.held_out and split.expected == {split.default_selection: expected}


def test_the_rules_of_before_have_the_digest_of_before() -> None:
    """Stores of both splits that were made by the rule for twelve joints go on."""
    shipped = load_manifest("coco")
    assert shipped.rules_digest("train").startswith("735444f574aeca30")
    assert shipped.rules_digest("val", "body12").startswith("67ec0b3c0202e4b9")
    assert len({shipped.rules_digest("val", name) for name in (None, "paper", "any")}) == 2
    with pytest.raises(UsageError, match="no selection 'paper'"):
        Raw(Path(), shipped, "train", "paper")
    content = shipped.model_dump(mode="json")
    content["splits"]["val"]["selections"]["paper"]["area"] = False
    assert Manifest.model_validate(content).rules_digest("val") != shipped.rules_digest("val")
    content["splits"]["val"]["default_selection"] = "papers"
    with pytest.raises(ConfigError, match="'papers' is not among the selections"):
        Manifest.parse(content, "coco")


def test_a_split_may_lie_in_several_files_and_say_no_sizes(coco: ModuleType, tmp_path: Path) -> None:
    """As PoseTrack has them: a file for each sequence, images without width and height."""
    made = coco.CocoSet(tmp_path)
    for number in range(2):
        made.images.clear()
        made.annotations.clear()
        image = made.picture(file_name=f"{number}.jpg", id=number)
        made.licenses = [{"id": 1, "name": f"licence {number}", "url": ""}, {"id": 2, "name": "both", "url": ""}]
        made.person(image, id=7 + number, bbox=[500.0, 400.0, 50.0, 60.0])
        made.person(image, id=17 + number)["keypoints"][0] = 1e8  # right of any image
        image |= {"license": 1 + number}
        del image["width"], image["height"]
        made.annotations[0]["keypoints"][0] = -9000  # left of any image, and of the crop
        made.save().file.rename(made.file.with_name(f"sequence_{number}.json"))
    content = load_manifest("coco").model_dump(mode="json")
    content["splits"]["train"]["files"]["annotations"] = "annotations/sequence_*.json"
    raw = Raw(tmp_path, Manifest.model_validate(content), "train")
    selection = select(raw)
    assert [(one.key, one.image_size) for one in selection.records] == [
        (("train2014/0.jpg", 7), (0, 0)),
        (("train2014/1.jpg", 8), (0, 0)),
    ]
    assert selection.listed == (2, 4) and selection.adjusted == {"joint_far_outside": 2}
    assert selection.counts == {"malformed": 2}
    assert [licence.name for licence in selection.licences] == ["not stated in the annotation file", "both"]
    last = json.loads((made.file.with_name("sequence_1.json")).read_text())
    last["annotations"][0]["id"] = 7
    made.file.with_name("sequence_1.json").write_text(json.dumps(last))
    with pytest.raises(RawDataCorrupt, match="1 annotation ids more than once, the first of them 7"):
        select(raw)
    last["images"][0]["width"] = 96
    last["annotations"][0]["id"] = 8
    made.file.with_name("sequence_1.json").write_text(json.dumps(last))
    assert select(raw).counts == {"malformed": 1, "malformed_image": 2}
