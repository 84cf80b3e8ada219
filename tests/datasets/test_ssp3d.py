"""SSP-3D: centres as (row, column), boxes past the border, two genders, silhouettes."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pymaf_data.datasets import Raw, Selection, load_manifest, select
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.geometry.joints import COCO17
from pymaf_data.geometry.rle import decode_mask
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import open_store


def read(root: Path) -> Selection:
    return select(Raw(root, load_manifest("ssp-3d"), "test"))


@pytest.mark.parametrize("ahead", [0, 8])
def test_rows_say_what_was_written(
    ahead: int, ssp3d: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pymaf_data.datasets.masks._AHEAD", ahead)
    written = ssp3d.labels(3)
    written["joints2D"][1, 4, 2] = 0
    written["joints2D"][1, 5, 2] = 0.5
    ssp3d.save(tmp_path, written)
    records = list(read(tmp_path).records)
    assert [record.annotation_id for record in records] == [0, 1, 2]
    for row, record in enumerate(records):
        (down, right), side = written["bbox_centres"][row], written["bbox_whs"][row]
        assert record.box == pytest.approx((right, down, 1.2 * side))
        assert record.image_name == f"images/{written['fnames'][row]}"
        for joint, name in enumerate(COCO17.joints):
            if (row, joint) == (1, 4):
                assert name not in record.keypoints
            else:
                x, y, sure = written["joints2D"][row, joint]
                assert record.keypoints[name] == pytest.approx((x, y, 2), abs=1e-3)
                assert record.confidence.get(name, 1.0) == sure
        assert record.gender == ("male", "female", "male")[row]
        assert record.intrinsics == ((5000, 0, 256), (0, 5000, 256), (0, 0, 1))
        np.testing.assert_array_equal(decode_mask(record.mask, (512, 512)), ssp3d.silhouette(row))
    assert min(record.box[0] - record.box[2] / 2 for record in records) < 0, "a box past the border"


def test_a_store_of_it(ssp3d: ModuleType, tmp_path: Path) -> None:
    written = ssp3d.labels(2, joints2D=np.full((2, 17, 2), 100.0))
    ssp3d.save(tmp_path, written)
    (tmp_path / "silhouettes" / written["fnames"][1]).unlink()
    options = IngestOptions(dataset="ssp-3d", root=tmp_path, split="test", out=tmp_path / "s.zarr", crop_size=32)
    report = ingest(options)
    assert (report.counts["kept"], report.adjusted, report.expected) == (2, {"mask_unusable": 1}, 311)
    store = open_store(report.store)
    assert store.array("gender")[:].tolist() == [2, 3] and not store.array("mask")[1].any()
    assert store.array("image_size")[:].tolist() == [[512, 512]] * 2
    assert store.current("ingest").attributes.get("held_out", True)


@pytest.mark.parametrize(
    "change",
    [
        {"genders": np.array([0, 1])},
        {"fnames": np.array(["a.png"])},
        {"joints2D": np.zeros((2, 17, 4))},
        {"joints2D": np.zeros((2, 16, 2))},
        {"poses": np.zeros((2, 24, 3))},
        {"bbox_centres": np.zeros((2, 3))},
        {"bbox_whs": np.array(["a", "b"])},
        {"bbox_whs": np.ones(3)},
        {"bbox_whs": np.ones(4)},
        {"bbox_whs": np.ones((3, 1))},
        {"bbox_whs": np.array(200.0)},
        {"cam_trans": np.zeros((3, 3))},
        {"shapes": np.zeros(())},
    ],
    ids=str,
)
def test_labels_that_are_none(change: dict[str, Any], ssp3d: ModuleType, tmp_path: Path) -> None:
    ssp3d.save(tmp_path, ssp3d.labels(2, **change), images=False)
    with pytest.raises(RawDataCorrupt, match=r"labels\.npz"):
        read(tmp_path)


def test_a_damaged_person_is_counted_and_named(ssp3d: ModuleType, tmp_path: Path) -> None:
    written = ssp3d.labels(6, genders=np.array(["m", "f", "x", "f", "m", "m"]).astype("S1"))
    written["bbox_whs"][0] = 0
    written["bbox_centres"][1, 0] = np.nan
    written["joints2D"][3] = 0
    written["joints2D"][5, 0, 2] = -np.inf
    ssp3d.save(tmp_path, written)
    selection = read(tmp_path)
    assert selection.account() == {
        **{"total": 6, "kept": 2, "dropped": 4},
        **{"no_keypoints": 1, "not_finite": 2, "bad_box": 1},
    }
    assert [record.gender for record in selection.records] == ["unknown", "male"]
