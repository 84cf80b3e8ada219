"""``pymaf-data datasets NAME``: what to get, and what lies there, whole, missing, cut short or left over."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from pymaf_data.cli.app import run
from pymaf_data.datasets import load_manifest
from pymaf_data.stages.forecast import forecast
from pymaf_data.stages.ingest import IngestOptions, ingest


def told(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    with pytest.raises(SystemExit) as left:
        run(["datasets", *map(str, arguments)])
    assert left.value.code == code
    return capsys.readouterr().out


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYMAF_DATA_ROOT", str(tmp_path))
    return tmp_path / "raw" / "coco"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """COCO's, of ten images and ten persons."""
    content = load_manifest("coco").model_dump(mode="json", exclude_defaults=True)
    content["splits"]["train"] |= {"whole": {"images": 10, "annotations": 20}, "expected": {"body12": 20}}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def packed(folder: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"{folder.name}/{file.name}")
    shutil.rmtree(folder)


def test_of_nothing_it_says_what_to_get(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = told(capsys, "coco")
    for line in (
        f"images of train2014 (13.5 GB): http://images.cocodataset.org/zips/train2014.zip → {root}/",
        "annotations: CC BY 4.0",
        "  train2014/, or train2014.zip, .tar, .tar.gz  images of train",
        "annotations: annotations/person_keypoints_train2014.json is missing",
        "images: missing, 82,783 of them",
        "downloads: 20.4 GB; 27 min at 100 Mbit/s",
        "28,344 persons expected (body12; inferred",
    ):
        assert line in said
    assert "archives" not in said and "unused" not in said
    assert not root.exists(), "nothing is made, nothing is downloaded"
    assert "images/, or mpii_human_pose_v1.tar, mpii_human_pose_v1.tar.gz  images of train" in told(capsys, "mpii")


def test_what_lies_there_is_counted(
    coco: ModuleType, root: Path, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = coco.small_set(root, pictures=8, persons=1)
    (made.folder / "readme.txt").touch()
    (root / "val2014.zip.part").touch()
    (root / "thesis").mkdir()
    (root / ".DS_Store").touch()
    said = told(capsys, manifest)
    assert "images: 8 in train2014/, 2 of 10 missing" in said
    assert "unused   thesis, val2014.zip.part\n" in said
    packed(made.folder, root / "train2014.zip")
    for _ in range(2):
        made.folder.mkdir(exist_ok=True)  # an empty folder is none
        entry = json.loads(told(capsys, manifest, "--json"))["survey"]
        assert entry["images"]["train"] == {"where": ["train2014.zip"], "count": 8, "listed": 10, "videos": 0}
        assert entry["files"]["train"]["annotations"]["files"] == 1
    (archive,) = entry["archives"]
    assert archive["used"] and archive["files"] == 9 and not archive["problem"]
    (made.folder / "1.jpg").touch()
    entry = json.loads(told(capsys, manifest, "--json", "--root", root))["survey"]
    assert entry["images"]["train"]["where"] == ["train2014/"] and not entry["archives"][0]["used"]
    assert "whole, 9 files, not read: train2014/ is there, and counts" in told(capsys, manifest)


def test_what_lies_close_by_is_named(coco: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = coco.small_set(root / "COCO", pictures=2, persons=1)
    assert f"it lies in {root / 'COCO'}: give that with --root" in told(capsys, "coco")
    assert f"it lies in {root / 'COCO'}: " in told(capsys, "coco", "--root", made.folder)
    (root / "train2014").mkdir()
    made.folder.rename(root / "train2014" / "train2014")
    made.file.rename(root / made.file.name)
    (root / "train2014.zip").touch()
    (root / "COCO").rename(root / "old")
    said = told(capsys, "coco", code=1)
    assert f"{root / made.file.name} is there, and belongs at {root / 'annotations' / made.file.name}." in said
    assert f"{root / made.file.name} is a file: give the folder" in told(
        capsys, "coco", "--root", root / made.file.name
    )
    shutil.rmtree(root)
    assert "it lies in" not in told(capsys, "coco") and "is there" not in told(capsys, "coco")


def test_what_is_cut_short_is_damage(
    coco: ModuleType, root: Path, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = coco.small_set(root, pictures=8, persons=1)
    packed(made.folder, root / "train2014.zip")
    whole = (root / "train2014.zip").read_bytes()
    (root / "train2014.zip").write_bytes(whole[:-300])
    said = told(capsys, manifest, code=1)
    assert (
        "train2014.zip, " in said
        and "cut short or damaged: File is not a zip file\n" in said
        and "images: 0 in train2014.zip, 10 of 10" in said
    )
    (root / "train2014.zip").write_bytes(whole)
    text = made.file.read_text()
    for content, problem in (
        (text[:-30], "it is cut short: JSON that does not close"),
        ("", "it is empty (0 bytes)"),
        ("<!DOCTYPE html><html>Sign in</html>", "it is a web page"),
    ):
        made.file.write_text(content)
        assert f"person_keypoints_train2014.json: {problem}" in told(capsys, manifest, code=1)
    made.file.write_text(f"{text}\n\n")
    told(capsys, manifest)


def test_annotations_that_are_still_packed_are_named(
    coco: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = coco.small_set(root, pictures=2, persons=1)
    packed(made.file.parent, root / "annotations_trainval2014.zip")
    said = told(capsys, "coco")
    assert "person_keypoints_train2014.json is missing; still packed in annotations_trainval2014.zip: unpack it" in said
    assert "person_keypoints_val2014.json is missing\n" in said


def test_the_forecast_is_of_the_right_size(coco: ModuleType, tmp_path: Path) -> None:
    """Of twelve persons, whose store has more folders than pixels; and downloads at the rate that is told."""
    coco.small_set(tmp_path / "raw", pictures=6, persons=2)
    store = ingest(IngestOptions(root=tmp_path / "raw", out=tmp_path / "s.zarr")).store
    size = sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
    costs: Any = forecast(load_manifest("coco"), {"train": 12})
    assert 0.3 * size < costs.store_bytes["train"] < 10 * size
    assert costs.unknown == 0 and costs.download_seconds == pytest.approx(costs.download_bytes / 12.5e6)
    assert costs.ingest_seconds["train"] < 1


def test_videos_are_counted_and_names_in_braces_are_known(
    h36m: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = h36m.start(tmp_path)
    h36m.add(world, 9, "Greeting", "54138969", 2)
    h36m.save_video(world, 9, "Greeting", "54138969", 2)
    (tmp_path / "S12").mkdir()
    said = told(capsys, "h36m", "--root", tmp_path)
    assert "images: 0, videos: 1, in ./\n" in said and "unused S12" in " ".join(said.split())
    assert "annotations: S{1,5,6,7,8}/{MyPoseFeatures/,Poses_}D3_Positions_mono/*.cdf is missing" in said
    assert "annotations: S{9,11}/{MyPoseFeatures/,Poses_}D3_Positions_mono/*.cdf, " in said
