"""Files of persons as SPIN writes them: rows as written, each set's pixels, what is absent or damaged, masks."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from pymaf_data.datasets import Manifest, PersonRecord, Raw, Selection, load_manifest, select
from pymaf_data.errors import PymafDataError, RawDataCorrupt, UntrustedData, UsageError
from pymaf_data.geometry.joints import J24, J49
from pymaf_data.geometry.rle import decode_mask
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import open_store


@pytest.fixture(autouse=True)
def blocks_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymaf_data.datasets.npz._BLOCK", 2)


@cache
def shipped() -> Manifest:
    return load_manifest("npz")


def raw_of(path: Path, *options: str, root: Path | None = None, chosen: str | None = None) -> Raw:
    manifest, split = shipped().of_file(path, "train")
    return Raw(root or path.parent, manifest.with_options(split, options), split, chosen)


def read(path: Path, *options: str, chosen: str | None = None) -> Selection:
    return select(raw_of(path, *options, chosen=chosen))


def picture(path: Path, width: int = 120, height: int = 90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


@pytest.fixture
def rows(npz: ModuleType) -> list[dict[str, Any]]:
    """Three persons: every key, each joint in a place of its own, some not labelled."""
    rng = np.random.default_rng(3)
    made = []
    for i in range(3):
        part = np.concatenate([rng.uniform(30, 70, (24, 2)), np.ones((24, 1))], 1)
        part[i] = 0
        openpose = np.concatenate([rng.uniform(30, 70, (25, 2)), rng.uniform(0.1, 0.9, (25, 1))], 1)
        openpose[-1 - i, 2] = 0
        solid = np.concatenate([rng.normal(size=(24, 3)), np.ones((24, 1))], 1)
        solid[5, 3] = 0
        more = {"openpose": openpose, "S": solid, "gender": "mfn"[i]}
        made.append(npz.person(f"images/{2 - i}.jpg", (50 + i, 40.25), 0.5 + i, part, **more))
    return made


OFFSETS = [
    ("mpii_train.npz", -0.5, -0.5),
    ("mpii_train_eft.npz", -0.5, -0.5),
    ("coco_2014_train.npz", 0.5, 0),
    ("coco-full_train_eft.npz", 0.5, 0),
    ("lsp_dataset_original_train.npz", -0.5, -0.5),
    ("hr-lspet_train.npz", 0, 0),
    ("h36m_mosh_train.npz", 0, 0),
    ("mpi_inf_3dhp_train.npz", 0, 0),
    ("3dpw_test.npz", 0, 0),
    ("3dpw_train.npz", 0.5, 0.5),
    ("whatever.npz", 0.5, 0.5),
]


@pytest.mark.parametrize(("name", "keypoints", "box"), OFFSETS)
def test_rows_are_as_written_in_continuous_pixels(
    name: str, keypoints: float, box: float, rows: list[dict[str, Any]], npz: ModuleType, tmp_path: Path
) -> None:
    selection = read(npz.save(tmp_path / name, rows))
    assert selection.account() == {"total": 3, "kept": 3, "dropped": 0} and not selection.adjusted
    assert selection.listed == (3, 3)
    assert selection.records.row_keys() == [(f"images/{i}.jpg", 2 - i) for i in range(3)]
    for record in selection.records:
        written = rows[record.annotation_id]
        x, y = written["center"]
        assert record.box == pytest.approx((x + box, y + box, 200 * written["scale"]))
        for key, names, shift in (("part", J24.joints, keypoints), ("openpose", J49.joints[:25], 0.5)):
            for joint, (x, y, sure) in zip(names, written[key].tolist(), strict=True):
                if sure == 0:
                    assert joint not in record.keypoints
                    continue
                assert record.keypoints[joint] == pytest.approx((x + shift, y + shift, 2), abs=1e-4)
                assert record.confidence.get(joint, 1.0) == pytest.approx(sure, abs=1e-6)
        known = {joint: tuple(place) for joint, *place in zip(J24.joints, *written["S"][:, :3].T, strict=True)}
        del known[J24.joints[5]]
        assert record.joints3d.keys() == known.keys()
        assert all(record.joints3d[joint] == pytest.approx(known[joint], abs=1e-6) for joint in known)
        assert record.gender == ("male", "female", "neutral")[record.annotation_id]


def test_a_file_says_what_it_is_by_its_name_and_the_user_otherwise(
    rows: list[dict[str, Any]], npz: ModuleType, tmp_path: Path
) -> None:
    path = npz.save(tmp_path / "mine.npz", rows)
    for options, offsets in (
        (["origin=index1"], (-0.5, -0.5)),
        (["origin=index1", "box_origin=continuous"], (-0.5, 0)),
        (["box_origin=continuous"], (0.5, 0)),
    ):
        assert raw_of(path, *options).offsets == offsets
        (x, y, _), (left, top, _) = rows[0]["part"][1], rows[0]["center"] + [0]
        first = read(path, *options).records[-1]
        assert first.keypoints[J24.joints[1]][:2] == pytest.approx((x + offsets[0], y + offsets[0]), abs=1e-4)
        assert first.box[:2] == pytest.approx((left + offsets[1], top + offsets[1]))
    manifest, split = shipped().of_file(path, "mpii_train")
    assert split == "mine" and Raw(tmp_path, manifest, split).offsets == (-0.5, -0.5)
    with pytest.raises(PymafDataError, match="origin"):
        raw_of(path, "origin=corner").require()
    for wrong, match in ((tmp_path / "a.json", "none of the files"), (path, "no split 'mpi'")):
        with pytest.raises(UsageError, match=match):
            shipped().of_file(wrong, "mpi")


@pytest.mark.parametrize(
    ("name", "split", "held_out", "count"),
    [
        ("lsp_dataset_test.npz", "lsp_test", True, 1000),
        ("lsp_dataset_original_train.npz", "lsp_train", False, 1000),
        ("hr-lspet_train_eft.npz", "lspet_train", False, 9428),
        ("coco_2014_val.npz", "coco_val", True, None),
        ("dp_coco_2014_minival.npz", "coco_val", True, None),
        ("coco-hf_train_smplx.npz", "coco_train", False, 28344),
        ("coco-full_train_eft.npz", "coco_full_train", False, 79051),
        ("mpi_inf_3dhp_valid.npz", "mpi_inf_3dhp_test", True, 2929),
        ("mpi_inf_3dhp_test.npz", "mpi_inf_3dhp_test", True, 2929),
        ("mpi_inf_3dhp_train.npz", "mpi_inf_3dhp_train", False, 96507),
        ("h36m_valid_protocol1_newpath.npz", "h36m_protocol1", True, 109867),
        ("h36m_valid_protocol2.npz", "h36m_protocol2", True, 27558),
        ("h36m_mosh_valid_p2.npz", "h36m_mosh_test", True, 26859),
        ("h36m_mosh_train.npz", "h36m_train", False, 312188),
        ("3dpw_test.npz", "3dpw_test", True, 35515),
        ("3dpw_train.npz", "train", False, None),
        ("threeDOH50K_testset.npz", "3doh50k_test", True, 1290),
        ("agora_test.npz", "test", True, None),
        ("surreal_val.npz", "val", True, None),
        ("interval_train.npz", "train", False, None),
    ],
)
def test_published_names_are_known(name: str, split: str, held_out: bool, count: int | None) -> None:
    manifest, called = shipped().of_file(Path(name), "train")
    assert called == name.removesuffix(".npz")
    made, rules = manifest.split(called), manifest.split(split)
    assert made.model_copy(update={"files": rules.files}) == rules
    assert made.held_out is held_out
    assert (made.expected["all"].count if made.expected else None) == count


def test_what_a_set_does_not_know_is_absent(
    rows: list[dict[str, Any]], npz: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """3DPW's file has no keypoints, EFT's an S of zeros, some one of zeros in some rows; none looks real."""
    none = dict.fromkeys(("part", "openpose", "S"))
    bare = read(npz.save(tmp_path / "3dpw_test.npz", rows, **none))
    assert bare.kept == 3 and not any(record.keypoints or record.joints3d for record in bare.records)
    assert "joints3d" not in bare.records.columns
    assert "3dpw_test.npz has no keypoints" in caplog.text and "--fits 3dpw" in caplog.text
    assert read(tmp_path / "3dpw_test.npz", chosen="any").counts == {"no_keypoints": 3}
    caplog.clear()
    zero = np.zeros((3, 24, 4))
    assert "joints3d" not in read(npz.save(tmp_path / "a.npz", rows, S=zero)).records.columns
    zero[..., 3] = 1
    zero[1] = rows[1]["S"]
    mixed = read(npz.save(tmp_path / "b.npz", rows, S=zero)).records
    assert [len(record.joints3d) for record in mixed] == [0, 23, 0]
    assert [record.annotation_id for record in mixed] == [2, 1, 0] and "no keypoints" not in caplog.text


@pytest.mark.parametrize("chosen", ["all", "any", "body12"])
def test_a_selection_may_ask_for_joints(
    chosen: str, rows: list[dict[str, Any]], npz: ModuleType, tmp_path: Path
) -> None:
    rows[1]["part"], rows[2]["part"] = np.zeros((24, 3)), rows[2]["part"].copy()
    rows[2]["part"][0] = 1, 2, 0
    path = npz.save(tmp_path / "a.npz", rows, openpose=None)
    kept = {"all": [2, 1, 0], "any": [2, 0], "body12": []}[chosen]
    assert [record.annotation_id for record in read(path, chosen=chosen).records] == kept


@pytest.mark.parametrize("form", ["bytes", "objects", "of Fortran", "column"])
def test_arrays_come_in_many_forms(form: str, rows: list[dict[str, Any]], npz: ModuleType, tmp_path: Path) -> None:
    names = [row["imgname"] for row in rows]
    changes: dict[str, Any] = {
        "bytes": {"imgname": np.array([name.encode() for name in names]), "gender": np.array([b"m", b"F", b"x"])},
        "objects": {"imgname": np.array([names[0].encode(), *names[1:]], object)},
        "of Fortran": {"part": np.asfortranarray([row["part"] for row in rows], ">f4"), "scale": np.array([1, 2, 3])},
        "column": {"scale": np.array([[0.5], [1.5], [2.5]])},
    }[form]
    records = read(npz.save(tmp_path / "a.npz", rows, **changes)).records
    plain = read(npz.save(tmp_path / "b.npz", rows)).records
    assert records.row_keys() == plain.row_keys()
    np.testing.assert_allclose(records.column("keypoints"), plain.column("keypoints"), atol=1e-4)
    sides = [600, 400, 200] if form == "of Fortran" else [500, 300, 100]
    assert records.column("box")[:, 2].tolist() == sides
    if form == "bytes":
        assert [record.gender for record in records] == ["unknown", "female", "male"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"center": (np.nan, 1.0)}, "not_finite"),
        ({"scale": np.inf}, "not_finite"),
        ({"scale": 0.0}, "bad_box"),
        ({"scale": -1.0}, "bad_box"),
        ({"scale": 1e-9}, "malformed"),
        ({"center": (1e9, 0.0)}, "malformed"),
        ({"part": (7, [np.nan, 3, 1])}, "not_finite"),
        ({"part": (7, [1e9, 3, 1])}, "malformed"),
        ({"part": (7, [3, 3, np.nan])}, "not_finite"),
        ({"part": (7, [np.nan, 3, 0])}, None),
        ({"part": (7, [4, 3, -1])}, None),
        ({"openpose": (7, [np.inf, 3, 0.5])}, "not_finite"),
        ({"S": (7, [0, np.nan, 0, 1])}, "not_finite"),
        ({"S": (7, [0, 1e9, 0, 1])}, "malformed"),
        ({"S": (7, [0, np.nan, 0, 0])}, None),
        ({"imgname": "a\0b.jpg"}, "malformed"),
        ({"imgname": "x" * 2000}, "malformed"),
        ({"imgname": ""}, "malformed"),
    ],
    ids=str,
)
def test_a_damaged_row_is_counted_and_named(
    change: dict[str, Any], reason: str | None, rows: list[dict[str, Any]], npz: ModuleType, tmp_path: Path
) -> None:
    for key, value in change.items():
        if key in ("part", "openpose", "S"):
            rows[1][key][value[0]] = value[1]
        else:
            rows[1][key] = value
    selection = read(npz.save(tmp_path / "a.npz", rows))
    assert selection.counts == ({reason: 1} if reason else {})
    assert selection.kept == 3 - bool(reason)
    assert not reason or "row 1" in str(selection.damaged[0])


def test_joints_where_none_can_be_are_not_taken(rows: list[dict[str, Any]], npz: ModuleType, tmp_path: Path) -> None:
    """As LSPET's placeholders stand in SPIN's file, and what tools write for no joint."""
    places = [(0, 0), (-1, -1), (-80, 40), (-10, 40), (40, -80), (400, 40)]
    for joint, place in enumerate(places):
        rows[0]["part"][10 + joint] = *place, 1
    selection = read(npz.save(tmp_path / "a.npz", rows))
    assert selection.adjusted == {"joint_at_origin": 2, "joint_far_outside": 2}
    found = [joint in selection.records[-1].keypoints for joint in J24.joints[10:16]]
    assert found == [False, False, False, True, False, True], "the crop reaches beyond the image; its size is not known"


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"imgname": None}, "has no imgname"),
        ({"center": None, "scale": None, "pose": np.zeros((3, 72))}, "has no center, scale, so it holds fits"),
        ({"scale": np.ones(2)}, r"scale of float64 \(2,\)"),
        ({"scale": np.ones((3, 2))}, "scale"),
        ({"scale": np.full(3, 250.0)}, "half of the scales"),
        ({"part": np.zeros((3, 17, 3))}, "part"),
        ({"S": np.zeros((3, 24, 3))}, "S of"),
        ({"center": np.array([["a", "b"]] * 3)}, "center"),
        ({"imgname": np.zeros(3)}, "imgname"),
        ({"imgname": np.array("one")}, "imgname"),
        ({"gender": np.array(["m", "f"])}, "gender"),
    ],
    ids=str,
)
def test_a_file_of_something_else_is_refused(
    changes: dict[str, Any], match: str, rows: list[dict[str, Any]], npz: ModuleType, tmp_path: Path
) -> None:
    with pytest.raises(RawDataCorrupt, match=match):
        read(npz.save(tmp_path / "a.npz", rows, **changes))


def test_names_never_run_code(rows: list[dict[str, Any]], npz: ModuleType, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    path = npz.save(tmp_path / "a.npz", rows, imgname=np.array([Evil()] * 3, object))
    with pytest.raises(UntrustedData):
        read(path)
    assert not (tmp_path / "ran").exists()


def test_names_that_are_no_text_and_keys_that_are_not_known(
    rows: list[dict[str, Any]], npz: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = np.array([b"images/0.jpg", b"\xff.jpg", b"../2.jpg"])
    path = npz.save(tmp_path / "a.npz", rows, imgname=names, smpl_2dkps=np.zeros(3), pose=np.zeros((3, 72)), mine=1)
    with caplog.at_level(logging.WARNING):
        selection = read(path)
    assert selection.counts == {"malformed": 1}
    assert "not read: smpl_2dkps, mine" in caplog.text and "pose" not in caplog.text
    characters = np.full(3, "abcd")
    characters.view("u4")[2] = 0x7FFFFFFF
    with pytest.raises(RawDataCorrupt, match="imgname"):
        read(npz.save(tmp_path / "b.npz", rows, imgname=characters))


def test_whatever_the_arrays_are_the_outcome_is_persons_or_an_error_of_ours(
    rows: list[dict[str, Any]], npz: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("pymaf_data.datasets.select"), "disabled", True)
    keys, kept = list(rows[0]), 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        key = keys[rng.integers(len(keys))]
        array = np.array([row[key] for row in rows])
        if array.dtype.kind == "f" and rng.random() < 0.7:
            odd = rng.choice([np.nan, np.inf, -np.inf, 1e300, -1e7, 0, -1, 0.5, 1e-45], array.size)
            array = np.where(rng.random(array.shape) < rng.choice([0.02, 0.2]), odd.reshape(array.shape), array)
        else:
            forms = [
                array.astype("S9"),
                array[:2],
                array[..., None],
                np.zeros((3, 0)),
                np.zeros(3, bool),
                np.array(3.0),
            ]
            array = forms[rng.integers(len(forms))]
        try:
            selection = read(npz.save(tmp_path / "a.npz", rows, **{key: array}))
        except PymafDataError:
            continue
        kept += selection.kept
        for record in selection.records:
            PersonRecord.model_validate(record.model_dump())
    assert kept > 50


# Masks, images and stores


@pytest.fixture
def masked(rows: list[dict[str, Any]], npz: ModuleType, tmp_path: Path) -> Path:
    """The images and, in a folder beside, masks: sound, of another size than the image, with a part that is none."""
    rng = np.random.default_rng(0)
    for i, row in enumerate(rows):
        size = (90, 120) if i != 1 else (91, 120)
        picture(tmp_path / "set" / row["imgname"])
        row |= {"maskname": f"lsp/{i}_segmentation.png", "partname": f"lsp/{i}_part.png"}
        parts = rng.choice([0, 1, 2, 3, 4, 5, 6, 255 if i != 2 else 7], size)
        for name, pixels in ((row["maskname"], 255 * (parts > 0)), (row["partname"], parts)):
            (tmp_path / "upi" / "lsp").mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / "upi" / name), pixels.astype(np.uint8))
    return npz.save(tmp_path / "lsp_dataset_test.npz", rows)


def test_masks_and_parts_are_those_of_their_files(masked: Path, tmp_path: Path) -> None:
    selection = select(raw_of(masked, "masks=../upi", root=tmp_path / "set"))
    assert selection.adjusted == {"mask_unusable": 3}
    first, second, third = sorted(selection.records, key=lambda record: record.annotation_id)
    assert (second.mask, second.parts, third.parts) == (b"", (), ())
    assert first.image_size == third.image_size == (120, 90) and second.image_size == (0, 0)
    parts = cv2.imread(str(tmp_path / "upi" / "lsp" / "0_part.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(decode_mask(first.mask, (120, 90)), parts > 0)
    for label, mask in zip((1, 2, 3, 4, 5, 6, 255), first.parts, strict=True):
        np.testing.assert_array_equal(decode_mask(mask, (120, 90)), parts == label)
    without = select(raw_of(masked, root=tmp_path / "set"))
    assert without.adjusted == {"mask_unusable": 6} and not without.records.brought.keys() & {"mask", "parts"}


def test_a_mask_is_never_looked_for_elsewhere(masked: Path, npz: ModuleType, tmp_path: Path) -> None:
    content = dict(np.load(masked)) | {"maskname": np.array(["../upi/lsp/0_segmentation.png"] * 3)}
    np.savez(masked, **content)
    selection = select(raw_of(masked, "masks=../upi", root=tmp_path / "set"))
    assert not any(record.mask for record in selection.records)


def test_a_file_is_ingested_beside_the_images_of_its_set(
    rows: list[dict[str, Any]], npz: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is called after the file, holds no path, says what is held out, and goes on where the file lies."""
    monkeypatch.setenv("PYMAF_DATA_ROOT", str(tmp_path / "data"))
    path = npz.save(tmp_path / "lsp_dataset_test.npz", rows, S=None)
    picture(tmp_path / "set" / "images" / "0.jpg")
    options = IngestOptions(dataset="npz", npz=path, images=tmp_path / "set", crop_size=32, shard=2, workers=1)
    report = ingest(options)
    assert report.store == tmp_path / "data" / "stores" / "npz-lsp_dataset_test.zarr"
    assert report.holes.counts == {"missing_picture": 2}
    assert (report.split, report.expected, report.whole_stated) == ("lsp_dataset_test", 1000, False)
    store = open_store(report.store)
    assert store.rows == [(f"images/{i}.jpg", 2 - i) for i in range(3)]
    assert list(store.head["inputs"]) == ["annotations: lsp_dataset_test.npz"] and str(tmp_path) not in str(store.head)
    assert store.attrs["held_out"] and store.array("present")[:].tolist() == [True, False, False]
    (tmp_path / "elsewhere").mkdir()
    moved = path.rename(tmp_path / "elsewhere" / path.name)
    assert ingest(options.model_copy(update={"npz": moved})).shards_written == 0
    for wrong in ({"dataset": "coco"}, {"npz": None}):
        with pytest.raises(UsageError):
            ingest(options.model_copy(update=wrong))


def test_images_of_a_smaller_release_are_not_the_annotated_ones(
    rows: list[dict[str, Any]], npz: ModuleType, tmp_path: Path
) -> None:
    """LSP's two releases name their images alike; nobody of the one stands where the other's show something."""
    for row in rows:
        picture(tmp_path / row["imgname"])
        row["part"][:, 0] += 10
    picture(tmp_path / rows[1]["imgname"], 40, 30)
    path = npz.save(tmp_path / "lsp_dataset_original_train.npz", rows, openpose=None)
    report = ingest(IngestOptions(dataset="npz", npz=path, images=tmp_path, out=tmp_path / "s.zarr", crop_size=32))
    assert report.holes.pictures == {rows[1]["imgname"]: "mis_sized_picture"}
    rows[1]["center"] = [20.0, 20.0]
    path = npz.save(tmp_path / "lsp_dataset_original_train.npz", rows, openpose=None)
    report = ingest(IngestOptions(dataset="npz", npz=path, images=tmp_path, out=tmp_path / "t.zarr", crop_size=32))
    assert not report.holes.counts, "who is cut off by the border is there"
