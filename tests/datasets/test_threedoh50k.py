"""3DOH50K: keys out of order, backslashes, lengths in another unit than metres, masks of three channels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pymaf_data.datasets import Raw, Selection, load_manifest, select
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.geometry.joints import J24
from pymaf_data.geometry.rle import decode_mask
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import open_store

ORDER = (3, 0, 12)


def read(root: Path, *options: str) -> Selection:
    return select(Raw(root, load_manifest("3doh50k").with_options("test", options), "test"))


@pytest.fixture
def entries(threedoh50k: ModuleType) -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {f"{number:05d}": threedoh50k.entry(number, random) for number in ORDER}


def test_rows_say_what_was_written(entries: dict[str, Any], threedoh50k: ModuleType, tmp_path: Path) -> None:
    threedoh50k.save(tmp_path, "test", entries)
    records = list(read(tmp_path).records)
    assert [record.annotation_id for record in records] == sorted(ORDER)
    for record in records:
        entry = entries[f"{record.annotation_id:05d}"]
        assert record.image_name == f"testset/images/{record.annotation_id:05d}.jpg"
        assert record.box == (19.0, 26.0, 48.0)
        assert list(record.keypoints) == list(J24.joints[:14])
        for joint, name in enumerate(J24.joints[:14]):
            assert record.keypoints[name] == pytest.approx((*entry["lsp_joints_2d"][joint], 2), abs=1e-3)
            metres = np.array(entry["lsp_joints_3d"][joint]) / entry["scale"][0]
            assert record.joints3d[name] == pytest.approx(metres.tolist(), abs=1e-6)
        assert record.intrinsics == tuple(map(tuple, entry["intri"]))
        assert (record.gender, record.box_source, record.image_size) == ("neutral", "annotated", threedoh50k.SIZE)
        np.testing.assert_array_equal(
            decode_mask(record.mask, record.image_size), threedoh50k.mask(record.annotation_id)
        )


def test_the_box_may_be_that_of_pare(entries: dict[str, Any], threedoh50k: ModuleType, tmp_path: Path) -> None:
    entries["00000"]["bbox"] = [[2, 10], [62, 30]]
    threedoh50k.save(tmp_path, "test", entries)
    assert [read(tmp_path, *said).records[0].box[2] for said in ((), ("box=height",))] == [72.0, 24.0]


@pytest.mark.parametrize("path", ["..\\..\\secret.png", "masks\\\ud800.png", "masks\\\0.png", "", 7, "masks"])
def test_a_mask_of_no_file_is_counted(
    path: Any, entries: dict[str, Any], threedoh50k: ModuleType, tmp_path: Path
) -> None:
    threedoh50k.save(tmp_path, "test", entries | {"00012": entries["00012"] | {"mask_path": path}})
    selection = read(tmp_path)
    assert selection.adjusted == {"mask_unusable": 1}
    assert [bool(record.mask) for record in selection.records] == [1, 1, 0]


def test_masks_that_are_no_images_are_counted(entries: dict[str, Any], threedoh50k: ModuleType, tmp_path: Path) -> None:
    threedoh50k.save(tmp_path, "test", entries)
    (tmp_path / "testset" / "masks" / "00003.png").write_bytes(b"no image")
    assert [bool(record.mask) for record in read(tmp_path).records] == [True, False, True]
    assert read(tmp_path).adjusted == {"mask_unusable": 1}
    without = select(Raw(tmp_path, load_manifest("3doh50k").with_options("test", ["masks=false"]), "test"))
    assert not without.adjusted and not any(record.mask for record in without.records)
    shutil.rmtree(tmp_path / "testset" / "masks")
    assert not read(tmp_path).adjusted and not any(record.mask for record in read(tmp_path).records)


def test_an_image_of_another_size_than_its_mask_is_told(
    entries: dict[str, Any], threedoh50k: ModuleType, tmp_path: Path
) -> None:
    threedoh50k.save(tmp_path, "test", entries)
    options = IngestOptions(dataset="3doh50k", root=tmp_path, split="test", out=tmp_path / "s.zarr", crop_size=32)
    report = ingest(options)
    assert report.counts["kept"] == 3 and not report.holes.counts and report.expected == 1290
    mask = open_store(report.store).array("mask")[1]
    np.testing.assert_array_equal(decode_mask(mask.tobytes(), threedoh50k.SIZE), threedoh50k.mask(3))
    threedoh50k.save(tmp_path / "b", "test", {"00000": entries["00000"]}, size=(80, 60))
    report = ingest(options.model_copy(update={"root": tmp_path / "b", "out": tmp_path / "b.zarr"}))
    assert report.holes.counts == {"mis_sized_picture": 1} and "80 × 60" in report.holes.cause


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"scale": [0.0]}, "malformed"),
        ({"scale": None}, "malformed"),
        ({"scale": [1.0, 2.0]}, "malformed"),
        ({"bbox": [[4, 6], [4, 46]]}, "bad_box"),
        ({"bbox": [[34, 46], [4, 6]], "mask_path": "masks\\none.png"}, "bad_box"),
        ({"bbox": [4, 6, 34]}, "malformed"),
        ({"bbox": [[float("nan"), 6], [34, 46]]}, "not_finite"),
        ({"lsp_joints_2d": [[1.0, 2.0]] * 13}, "malformed"),
        ({"lsp_joints_2d": [["x", 2.0]] * 14}, "malformed"),
        ({"lsp_joints_3d": [[float("inf")] * 3] * 14}, "not_finite"),
        ({"lsp_joints_3d": [[1.0] * 14] * 3}, "malformed"),
        ({"lsp_joints_2d": [[1.0] * 14] * 2}, "malformed"),
        ({"intri": [[2399.0, 0, 32], [0, 2399, 24], [0.5, 0, 1]]}, "malformed"),
        ({"intri": [[-2399.0, 0, 32], [0, 2399, 24], [0, 0, 1]]}, "malformed"),
        ({"intri": [[float("nan")] * 3] * 3}, "malformed"),
        ({"img_path": 7}, "malformed"),
        ("text", "malformed"),
        ([], "malformed"),
        ({"img_path": "images\\\\a\0.jpg"}, "malformed"),
    ],
    ids=str,
)
def test_a_damaged_person_is_counted_and_named(
    change: Any, reason: str, entries: dict[str, Any], threedoh50k: ModuleType, tmp_path: Path
) -> None:
    threedoh50k.save(tmp_path, "test", entries)
    entries["00003"] = entries["00003"] | change if isinstance(change, dict) else change
    (tmp_path / "testset" / "annots.json").write_text(json.dumps(entries))
    selection = read(tmp_path)
    assert selection.account() == {"total": 3, "kept": 2, "dropped": 1, reason: 1}
    assert "3" in str(selection.damaged[0]) and not selection.adjusted, "who is not taken is not taken without a mask"


def test_flags_behind_two_dimensions_are_left_out(
    entries: dict[str, Any], threedoh50k: ModuleType, tmp_path: Path
) -> None:
    for place in entries["00000"]["lsp_joints_2d"]:
        place.append(1.0)
    threedoh50k.save(tmp_path, "test", entries)
    assert read(tmp_path).kept == 3


@pytest.mark.parametrize("content", ["[]", "{}", "{", '{"00000": {"img_path": "a"}}', '"text"'])
def test_files_that_are_none(content: str, threedoh50k: ModuleType, tmp_path: Path) -> None:
    threedoh50k.save(tmp_path, "test", {}).write_text(content)
    with pytest.raises(RawDataCorrupt, match=r"annots\.json"):
        read(tmp_path)


def test_a_key_that_is_no_number_is_damaged(entries: dict[str, Any], threedoh50k: ModuleType, tmp_path: Path) -> None:
    threedoh50k.save(tmp_path, "test", {"-1": entries["00003"], "00000": entries["00000"]})
    assert read(tmp_path).account() == {"total": 2, "kept": 1, "dropped": 1, "malformed": 1}
