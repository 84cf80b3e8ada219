"""``pymaf-data ingest`` as a user meets it: what it prints, what it returns, what it says when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

from pymaf_data.cli.app import run
from pymaf_data.stages.ingest import IngestReport, MissingImages
from pymaf_data.stages.told import ingest_lines
from pymaf_data.storage import open_store


@pytest.fixture(autouse=True)
def no_wait_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)


def call(*arguments: object) -> int:
    """The exit code of ``pymaf-data ingest``."""
    with pytest.raises(SystemExit) as ended:
        run(["ingest", "--direct", *map(str, arguments)])
    return int(ended.value.code or 0)


def test_the_account_is_printed(
    coco: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pymaf_data.stages.told._NAMED", 2)
    made = coco.small_set(tmp_path / "raw", pictures=6, persons=2)
    coco.unlabel(made.annotations[0], range(17))
    coco.unlabel(made.annotations[1], [16])
    for annotation in made.annotations[2:5]:
        annotation["bbox"] = [9, 9, -4, 7]
    made.save()
    (made.folder / made.images[4]["file_name"]).unlink()
    where = ("--root", tmp_path / "raw", "--out", tmp_path / "s.zarr", "--crop-size", 64, "--workers", 2)
    assert call("coco", *where) == 0
    out = capsys.readouterr().out
    assert "12 annotations → 7 persons kept (body12), 5 dropped" in out
    for line in (
        "1 without keypoints",
        "1 incomplete",
        "3 with a box without area",
        "annotation 102: bbox: its box is -4 × 7 px",
        "and 1 more",
        "6 images and 12 annotations, not the whole split",
        "28,344",
        "2 of the kept persons have no image",
        "train2014/000000000005.jpg: missing_picture",
        "licence of annotations: CC BY 4.0",
        "Attribution License · 4 photographs, 7 persons",
        "1 of 1 shards written",
    ):
        assert line in out
    assert call("coco", *where) == 0
    assert "complete already, nothing to do" in capsys.readouterr().out


def test_what_was_taken_otherwise_is_printed_and_kept(
    coco: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = coco.small_set(tmp_path / "raw", pictures=2, persons=1)
    made.annotations[0]["keypoints"][27:30] = [0, 0, 2]
    made.annotations[0]["keypoints"][30:33] = [9000, 0, 2]
    del made.annotations[1]["bbox"]
    made.save()
    where = ("--root", tmp_path / "raw", "--out", tmp_path / "s.zarr", "--crop-size", 32)
    assert call("coco", *where) == 0
    out = capsys.readouterr().out
    assert "2 persons kept" in out and " 1 joints labelled at (0, 0)" in out
    assert " 1 joints labelled outside the image" in out and " 1 persons without a box" in out
    store = open_store(tmp_path / "s.zarr")
    kinds = ("joint_at_origin", "joint_far_outside", "box_from_keypoints")
    assert store.attrs["adjusted"] == dict.fromkeys(kinds, 1)
    assert store.array("keypoints")[:][..., 2].sum() == 17 + 15


def test_nobody_to_keep_says_why(coco: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = coco.small_set(tmp_path / "raw", pictures=2, persons=1)
    for annotation in made.annotations:
        annotation["keypoints"] = [1, 2, 2] * 133
    made.save()
    assert call("coco", "--root", tmp_path / "raw", "--out", tmp_path / "s.zarr") == 1
    err = capsys.readouterr().err
    assert "2 malformed (annotation 100: 399 numbers in keypoints, not 51 (COCO17; as many have COCO-WholeBody))" in err


def test_a_script_reads_json(coco: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coco.small_set(tmp_path / "raw", pictures=2)
    assert call("sample", "--root", tmp_path / "raw", "--out", tmp_path / "s.zarr", "--crop-size", 32, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["counts"] == {"total": 4, "kept": 4, "dropped": 0}
    assert report["store"] == str(tmp_path / "s.zarr")


def test_without_raw_data_it_says_where_what_and_how(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYMAF_DATA_ROOT", str(tmp_path))
    assert call("coco") == 1
    text = capsys.readouterr().err
    for part in ("raw/coco", "person_keypoints_train2014.json", "train2014.zip", "pymaf-data sample OUT", "--root"):
        assert part in text
    assert "Traceback" not in text and "pymaf-data datasets coco --root" in text and "it lies in" not in text


def test_a_root_a_folder_off_is_named(coco: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = coco.small_set(tmp_path / "mine" / "coco", pictures=1, persons=1)
    for root in (tmp_path / "mine", tmp_path, made.folder):
        assert call("coco", "--root", root) == 1
        assert f"it lies in {tmp_path / 'mine' / 'coco'}: give that with --root" in capsys.readouterr().err


def test_a_folder_that_was_unpacked_in_part_says_that_its_archive_is_not_read(
    coco: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = coco.small_set(tmp_path / "raw", pictures=3, persons=1)
    (tmp_path / "raw" / "train2014.zip").touch()
    where = ("--root", tmp_path / "raw", "--out", tmp_path / "s.zarr", "--crop-size", 32)
    assert call("coco", *where) == 0 and "not read" not in caplog.text
    (made.folder / made.images[2]["file_name"]).unlink()
    assert call("coco", *where, "--overwrite") == 0
    assert "train2014.zip: not read, since the folder" in caplog.text


def test_a_folder_in_one_of_its_name_is_named(
    coco: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = coco.small_set(tmp_path / "raw", pictures=1, persons=1)
    made.folder.rename(tmp_path / "aside")
    made.folder.mkdir()
    (tmp_path / "aside").rename(made.folder / "train2014")
    assert call("coco", "--root", tmp_path / "raw") == 1
    assert "train2014/train2014/000000000001.jpg is there" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["koko"], 2, "aic, coco, "),
        (["coco", "--split", "test"], 2, "one of train, val"),
        (["coco", "--select", "best"], 2, "body12"),
        (["coco", "--crop-size", "7"], 2, "32"),
        (["coco", "--images", "x"], 2, "--root"),
        (["coco", "--npz", "x.npz"], 2, "ingest npz --npz FILE --images ROOT"),
        (["npz", "--npz", "x.npz", "--split", "tain"], 2, "one of lspet_train"),
        (["mpii", "--option", "boxx=raw"], 2, "held_out: images of which nobody is taken"),
        (["ssp-3d", "--split", "test", "--option", "box=raw"], 2, "no options"),
        (["coco", "--workers", "0"], 2, "workers"),
        (["coco", "--on-error", "shrug"], 2, "skip"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage_errors_name_the_choices(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*arguments) == code
    assert message in capsys.readouterr().err


def test_damage_that_stops_is_one_message(coco: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = coco.small_set(tmp_path / "raw", pictures=2)
    path = made.folder / made.images[1]["file_name"]
    path.write_bytes(path.read_bytes()[:300])
    where = ("--root", tmp_path / "raw", "--out", tmp_path / "s.zarr", "--crop-size", 32)
    assert call("coco", *where, "--on-error", "stop") == 1
    text = capsys.readouterr().err
    assert path.name in text and "--on-error skip" in text and "Traceback" not in text
    assert call("coco", *where) == 0


def test_an_npz_is_told_like_any_data_set(
    coco: ModuleType, npz: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = coco.small_set(tmp_path / "raw", pictures=2)
    path = npz.save(tmp_path / "coco_2014_train.npz", npz.of_coco(made.file, "train2014"))
    where = ("--images", tmp_path / "raw", "--out", tmp_path / "s.zarr", "--crop-size", 32)
    assert call("npz", "--npz", path, *where) == 0
    out = capsys.readouterr().out
    assert "npz coco_2014_train: 4 annotations → 4 persons kept (all), 0 dropped" in out
    assert (
        "4 persons kept; the manifest expects 28,344 of the whole split (inferred: SPIN's coco_2014_train.npz)" in out
    )
    assert call("npz", "--npz", path, "--root", tmp_path / "nowhere") == 1
    said = capsys.readouterr().err
    assert "give it with --images" in said and "it lies in" not in said
    assert call(path, "--images", tmp_path / "raw") == 2
    assert "pymaf-data ingest npz --npz FILE" in capsys.readouterr().err
    assert call("npz", "--npz", tmp_path / "none.npz", *where) == 1
    assert f"looked for {tmp_path / 'none.npz'}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kept", "whole", "stated", "message"),
    [
        (28344, True, True, "as many persons as the manifest expects of the whole split: 28,344"),
        (28343, True, True, "WARNING: of the whole split the manifest expects 28,344 persons, and 28,343 are kept"),
        (28344, False, True, "not the whole split"),
        (28344, False, False, "as many persons as the manifest expects of the whole split: 28,344"),
        (28343, False, False, "28,343 persons kept; the manifest expects 28,344 of the whole split"),
    ],
)
def test_the_count_is_compared_only_with_the_whole_split(kept: int, whole: bool, stated: bool, message: str) -> None:
    report = IngestReport(
        dataset="coco",
        split="train",
        store=Path("s.zarr"),
        selection="body12",
        counts={"total": 185316, "kept": kept, "dropped": 185316 - kept},
        expected=28344,
        expected_known="inferred: SPIN's file",
        whole=whole,
        whole_stated=stated,
        listed=(82783, 185316),
        damaged=(),
        holes=MissingImages(),
        shards=56,
        shards_written=56,
        licences={},
    )
    told = "\n".join(ingest_lines(report))
    assert message in told and "(inferred: SPIN's file)" in told
