"""LSP, its extended set, UPi-S1h: flags of opposite meaning, both axis orders, placeholders, columns and names."""

from __future__ import annotations

import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from pymaf_data.datasets import Raw, Selection, load_manifest, select
from pymaf_data.errors import ConfigError, RawDataCorrupt, RawDataMissing
from pymaf_data.geometry.joints import J24
from pymaf_data.geometry.rle import decode_mask
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import open_store

NAMES = J24.joints[:14]  # SPIN writes LSP's joints into the first of J24, in their order
ALL = np.ones((2000, 14), bool)


def read(root: Path, name: str, split: str, *options: str, chosen: str | None = None) -> Selection:
    manifest = load_manifest(name).with_options(split, options)
    return select(Raw(root, manifest, split, chosen))


def spin_box(places: np.ndarray) -> list[float]:
    """Centre, and 200 · scale of SPIN's files, of (14, 2) places."""
    low, high = places.min(0), places.max(0)
    return [*((low + high) / 2), 1.2 * max(high - low)]


@pytest.mark.parametrize(
    ("split", "release", "first", "joints_first"),
    [
        ("train", "lsp_dataset_original", 1, False),
        ("test", "lsp_dataset", 1001, True),
        ("train-small", "lsp_dataset", 1, True),
        ("test-original", "lsp_dataset_original", 1001, False),
    ],
)
def test_a_split_of_a_release(
    split: str, release: str, first: int, joints_first: bool, leeds: ModuleType, tmp_path: Path
) -> None:
    places, hidden = leeds.people(2000), np.random.default_rng(0).random((2000, 14)) < 0.1
    leeds.lsp(tmp_path, places, hidden, release, joints_first)
    (tmp_path / release / "images").mkdir()
    selection = read(tmp_path, "lsp", split)
    assert selection.kept == 1000 and selection.whole and not selection.adjusted
    assert load_manifest("lsp").split(split).held_out == (first == 1001)
    numbers = range(first, first + 1000)
    assert selection.records.row_keys() == [(f"{release}/images/im{number:04d}.jpg", number) for number in numbers]
    columns, rows = selection.records.columns, slice(first - 1, first + 999)
    boxes = np.array([spin_box(person) for person in places[rows]])
    np.testing.assert_allclose(columns["box"], boxes - [0.5, 0.5, 0], atol=1e-9)
    keypoints, visibility = columns["keypoints"][:, 25:39], columns["visibility"]
    np.testing.assert_allclose(keypoints[..., :2], places[rows] - 0.5, atol=1e-4)
    np.testing.assert_array_equal(visibility[:, 25:39], np.where(hidden[rows], 1, 2))
    assert (keypoints[..., 2] == 1).all() and not visibility[:, :25].any() and not visibility[:, 39:].any()
    assert "mask" not in columns


def test_spin_takes_lsps_numbers_as_they_stand(leeds: ModuleType, tmp_path: Path) -> None:
    places = leeds.people(1000)
    leeds.lsp(tmp_path, places, ~ALL[:1000], "lsp_dataset_original")
    (tmp_path / "lsp_dataset_original" / "images").mkdir()
    record = read(tmp_path, "lsp", "train", "origin=continuous").records[7]
    assert record.box == pytest.approx(spin_box(places[7]))
    np.testing.assert_allclose(np.array(list(record.keypoints.values()))[:, :2], places[7], atol=1e-4)


@pytest.mark.parametrize("joints_first", [True, False])
def test_what_the_extended_set_does_not_see_is_not_labelled(
    joints_first: bool, leeds: ModuleType, tmp_path: Path
) -> None:
    places, seen = leeds.people(30), np.random.default_rng(0).random((30, 14)) < 0.8
    seen[3], seen[4], seen[5] = True, False, np.arange(14) == 2
    leeds.lspet(tmp_path, places, seen, joints_first)
    (tmp_path / "lspet_dataset" / "images").mkdir()
    selection = read(tmp_path, "lspet", "release")
    assert selection.account() == {"total": 30, "kept": 28, "dropped": 2, "no_keypoints": 1, "bad_box": 1}
    assert selection.adjusted == {"joint_placeholder": (~seen).sum()} and not selection.whole
    for record in selection.records:
        row = record.annotation_id - 1
        assert record.image_name == f"lspet_dataset/images/im{row + 1:05d}.jpg"
        assert record.box == pytest.approx(spin_box(places[row][seen[row]]))
        assert record.keypoints == {
            name: (*places[row, joint].astype(np.float32), 2) for joint, name in enumerate(NAMES) if seen[row, joint]
        }
    assert [record.annotation_id for record in read(tmp_path, "lspet", "release", chosen="all14").records] == [4]


def test_the_extended_set_as_spin_takes_it(leeds: ModuleType, tmp_path: Path) -> None:
    places, seen = leeds.people(30), np.random.default_rng(0).random((30, 14)) < 0.8
    leeds.lspet(tmp_path, places, seen)
    (tmp_path / "lspet_dataset" / "images").mkdir()
    selection = read(tmp_path, "lspet", "release", "hidden=labelled")
    written = leeds.placeholders(places, seen)
    assert selection.kept == 30 and not selection.adjusted
    for record in selection.records:
        row = record.annotation_id - 1
        found = np.array(list(record.keypoints.values()))
        assert record.box == pytest.approx(spin_box(written[row])) and not record.confidence
        np.testing.assert_allclose(found[:, :2], written[row], atol=1e-4)
        np.testing.assert_array_equal(found[:, 2] == 2, seen[row])


def test_a_joint_at_the_origin_is_none_but_for_placeholders_that_are_asked_for(
    leeds: ModuleType, tmp_path: Path
) -> None:
    places, hidden = leeds.people(2000), ~ALL
    places[0, 3], places[0, 5], hidden[0, 5] = 0, -1, True
    leeds.lsp(tmp_path, places, hidden, "lsp_dataset_original")
    (tmp_path / "lsp_dataset_original" / "images").mkdir()
    selection = read(tmp_path, "lsp", "train")
    assert selection.adjusted == {"joint_at_origin": 2} and selection.kept == 1000
    assert set(NAMES) - set(selection.records[0].keypoints) == {NAMES[3], NAMES[5]}
    assert selection.records[0].box[2] == pytest.approx(spin_box(np.delete(places[0], [3, 5], 0))[2])
    seen = ALL[:30].copy()
    seen[0, 5] = False
    leeds.save_joints(tmp_path / "lspet_dataset" / "joints.mat", places[:30], seen.astype(float), joints_first=True)
    (tmp_path / "lspet_dataset" / "images").mkdir()
    taken = read(tmp_path, "lspet", "release", "hidden=labelled")
    assert taken.adjusted == {"joint_at_origin": 1} and NAMES[5] in taken.records[0].keypoints


def test_columns_of_full_size_are_of_the_images_that_are_there(leeds: ModuleType, tmp_path: Path) -> None:
    numbers = [2, 3, 17, 401, 9999]
    places = leeds.people(5)
    leeds.hr_lspet(tmp_path, places, ALL[:5], numbers)
    leeds.save_image(tmp_path / "hr-lspet" / "preview.png")
    records = read(tmp_path, "lspet", "train").records
    assert [record.image_name for record in records] == [f"hr-lspet/im{number:05d}.png" for number in numbers]
    assert [record.annotation_id for record in records] == numbers
    for record, person in zip(records, places, strict=True):
        assert record.box == pytest.approx(spin_box(person))
    (tmp_path / "hr-lspet" / "im00003.png").rename(tmp_path / "hr-lspet" / "im00003.PNG")
    assert [record.annotation_id for record in read(tmp_path, "lspet", "train").records] == numbers
    (tmp_path / "hr-lspet" / "im00003.PNG").unlink()
    with pytest.raises(RawDataCorrupt, match=r"4 images .* for 5 columns"):
        read(tmp_path, "lspet", "train")


@pytest.mark.parametrize("inside", ["hr-lspet/", ""])
@pytest.mark.parametrize("place", [".", "hr-lspet"])
def test_columns_of_full_size_are_of_the_images_in_the_archive(
    inside: str, place: str, leeds: ModuleType, tmp_path: Path
) -> None:
    """As downloaded: joints.mat unpacked, the images not."""
    numbers, places = [2, 17, 9999], leeds.people(3)
    leeds.hr_lspet(tmp_path, places, ALL[:3], numbers)
    store = ingest(IngestOptions(dataset="lspet", root=tmp_path, out=tmp_path / "a.zarr", crop_size=32)).store
    crops = open_store(store).array("image")[:]
    with zipfile.ZipFile(tmp_path / place / "hr-lspet.zip", "w") as archive:
        for file in sorted((tmp_path / "hr-lspet").glob("*.[pm]*")):
            archive.write(file, f"{inside}{file.name}")
            if file.suffix == ".png":
                file.unlink()
    report = ingest(IngestOptions(dataset="lspet", root=tmp_path, out=tmp_path / "b.zarr", crop_size=32))
    assert report.counts["kept"] == 3 and not report.holes.counts
    assert open_store(report.store).rows == open_store(store).rows
    np.testing.assert_array_equal(open_store(report.store).array("image")[:], crops)


def save(root: Path, joints: Any) -> None:
    (root / "lsp_dataset_original" / "images").mkdir(parents=True)
    savemat(root / "lsp_dataset_original" / "joints.mat", {"joints": joints})


@pytest.mark.parametrize(
    ("value", "place", "reason"),
    [
        (np.nan, (0, 3, 1), "not_finite"),
        (np.inf, (1, 0, 1), "not_finite"),
        (-3e7, (1, 0, 1), "malformed"),
        (2.0, (2, 5, 1), "malformed"),
        (np.nan, (2, 5, 1), "malformed"),
    ],
)
def test_a_damaged_person_is_counted_and_named(
    value: float, place: tuple[int, int, int], reason: str, leeds: ModuleType, tmp_path: Path
) -> None:
    joints = np.zeros((3, 14, 3))
    joints[:2] = leeds.people(3).transpose(2, 1, 0)
    joints[place] = value
    save(tmp_path, joints)
    selection = read(tmp_path, "lsp", "train")
    assert selection.account() == {"total": 3, "kept": 2, "dropped": 1, reason: 1}
    assert "im0002.jpg" in str(selection.damaged[0])


@pytest.mark.parametrize(
    "joints",
    [
        np.zeros((3, 14)),
        np.zeros((3, 16, 5)),
        np.zeros((5, 14, 3)),
        np.full((3, 14, 2), "a"),
        np.array([[{"a": 1}]], dtype=object),
        np.zeros((3, 14, 5), complex),
    ],
    ids=lambda joints: f"{joints.dtype} {joints.shape}",
)
def test_a_file_that_is_not_lsps_is_refused(joints: np.ndarray, tmp_path: Path) -> None:
    save(tmp_path, joints)
    with pytest.raises(RawDataCorrupt, match=r"joints of [\s\S]*\(3, 14, N\)"):
        read(tmp_path, "lsp", "train")


def test_images_become_rows_grey_ones_too(leeds: ModuleType, tmp_path: Path) -> None:
    leeds.lspet(tmp_path / "raw", leeds.people(3), ALL[:3])
    for number in (1, 2):
        leeds.save_image(tmp_path / "raw" / "lspet_dataset" / "images" / f"im{number:05d}.jpg", number, number == 2)
    options = {"root": tmp_path / "raw", "crop_size": 64, "shard": 4, "out": tmp_path / "s.zarr"}
    report = ingest(IngestOptions(dataset="lspet", split="release", **options))
    assert report.holes.counts == {"missing_picture": 1} and report.counts["kept"] == 3
    store = open_store(report.store)
    assert store.array("image_size")[:].tolist() == [list(leeds.SIZE)] * 2 + [[0, 0]]
    crop = store.array("image")[1]
    assert np.ptp(crop.astype(int), axis=2).max() <= 2 and crop.std() > 10


@pytest.fixture
def masked(leeds: ModuleType, tmp_path: Path) -> Path:
    """Five images of the small release, of which the second to fifth have masks that are not right."""
    leeds.lsp(tmp_path, leeds.people(2000), ~ALL, "lsp_dataset")
    for number in (1001, 1002, 1003, 1004, 1005):
        leeds.save_image(tmp_path / "lsp_dataset" / "images" / f"im{number}.jpg", number, number == 1001)
    mask, parts = leeds.outlines()
    wrong, coloured = parts.copy(), np.repeat(parts[..., None], 3, axis=2)
    wrong[0, 0], coloured[0, 0, 0] = 7, 1
    leeds.upi_s1h(tmp_path, 1001, mask, parts)
    leeds.upi_s1h(tmp_path, 1002, mask[:-1], parts)
    leeds.upi_s1h(tmp_path, 1003, mask, wrong)
    leeds.upi_s1h(tmp_path, 1004, mask, coloured)
    leeds.upi_s1h(tmp_path, 1005, None, parts)
    return tmp_path


def test_masks_and_parts_of_upi_s1h(masked: Path, leeds: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    selection = read(masked, "lsp", "test", "persons=[1001, 1005]")
    mask, parts = leeds.outlines()
    whole, sizeless, label, coloured, absent = selection.records
    for person in (whole, label, coloured):
        np.testing.assert_array_equal(decode_mask(person.mask, leeds.SIZE), mask == 255)
    for person in (whole, sizeless, absent):
        found = [decode_mask(part, leeds.SIZE) for part in person.parts]
        np.testing.assert_array_equal(found, [parts == value for value in (1, 2, 3, 4, 5, 6, 255)])
    assert not (sizeless.mask or absent.mask or label.parts or coloured.parts)
    assert whole.image_size == leeds.SIZE
    assert selection.adjusted == {"mask_unusable": 4}
    assert "im1002_segmentation.png: the image has another size" in caplog.text and "and 1 more" in caplog.text
    options = IngestOptions(dataset="lsp", split="test", root=masked, crop_size=32, out=masked / "s.zarr")
    store = open_store(ingest(options.model_copy(update={"option": ("persons=[1001, 1005]",)})).store)
    np.testing.assert_array_equal(decode_mask(store.array("mask")[3].tobytes(), leeds.SIZE), mask == 255)
    assert not store.array("mask")[1].any() and not store.array("parts")[2:4].any()


def test_masks_need_not_be_there_but_their_images_must(masked: Path) -> None:
    for path in (masked / "lsp_dataset" / "images").iterdir():
        path.unlink()
    selection = read(masked, "lsp", "test", "persons=[1001, 1005]")
    assert selection.adjusted == {"mask_unusable": 10} and not any(person.mask for person in selection.records)
    (masked / "upi-s1h").rename(masked / "elsewhere")
    assert read(masked, "lsp", "test").adjusted == {}
    assert "upi-s1h" not in str(Raw(masked, load_manifest("lsp"), "test").inputs())


def test_an_outline_that_no_store_holds_is_not_taken(leeds: ModuleType, tmp_path: Path) -> None:
    leeds.lsp(tmp_path, leeds.people(2000), ~ALL, "lsp_dataset")
    noise = np.random.default_rng(0).integers(0, 2, (500, 500, 3)).astype(np.uint8)
    (tmp_path / "lsp_dataset" / "images").mkdir()
    cv2.imwrite(str(tmp_path / "lsp_dataset" / "images" / "im1001.jpg"), noise)
    leeds.upi_s1h(tmp_path, 1001, noise[..., 0], noise[..., 1])
    selection = read(tmp_path, "lsp", "test", "persons=[1001, 1001]")
    assert selection.kept == 1 and selection.adjusted == {"mask_unusable": 2}


def test_what_is_missing_and_what_is_meant_is_said(leeds: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(RawDataMissing, match=r"lsp_dataset/joints\.mat") as error:
        read(tmp_path, "lsp", "test")
    assert "masks" not in error.value.found and "lsp_dataset.zip" in error.value.action
    leeds.lsp(tmp_path, leeds.people(20), ~ALL[:20], "lsp_dataset_original")
    (tmp_path / "lsp_dataset_original" / "images").mkdir()
    with pytest.raises(ConfigError, match="flag"):
        read(tmp_path, "lsp", "train", "flag=visible")
