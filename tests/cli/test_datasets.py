"""``pymaf-data datasets``: each data set with licence, count and what of it is here."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

from pymaf_data.cli.app import run
from pymaf_data.datasets import known_manifests
from pymaf_data.stages.ingest import IngestOptions, ingest


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as left:
        run(["datasets", *arguments])
    assert left.value.code == 0
    return capsys.readouterr().out


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYMAF_DATA_ROOT", str(tmp_path))
    return tmp_path


def test_what_there_is_and_what_is_here(coco: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coco.small_set(root / "raw" / "coco", pictures=2, persons=2)
    ingest(IngestOptions(dataset="coco", crop_size=32))
    (root / "raw" / "mpii" / "images").mkdir(parents=True)
    (root / "stores" / "mpii-train.zarr").mkdir()
    said = {entry["name"]: entry for entry in json.loads(listed(capsys, "--json"))}
    assert list(said) == known_manifests()
    train, val = said["coco"]["splits"]["train"], said["coco"]["splits"]["val"]
    assert {role: file["here"] for role, file in train["files"].items()} == {"annotations": True, "images": True}
    assert train["store"] == {"path": str(root / "stores" / "coco-train.zarr"), "persons": 4}
    assert train["expected"] == {"body12": 28344} and train["expected_known"]["body12"].startswith("inferred: SPIN")
    assert not train["held_out"]
    assert val["held_out"] and val["store"] is None and not any(file["here"] for file in val["files"].values())
    assert said["mpii"]["splits"]["train"]["store"]["persons"] is None
    assert "CC BY 4.0" in said["coco"]["licences"]["annotations"]


def test_the_list_is_read_by_people(coco: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coco.small_set(root / "raw" / "coco", pictures=1)
    (root / "raw" / "mpii" / "images").mkdir(parents=True)
    lines = listed(capsys).splitlines()
    known = "inferred: SPIN's coco_2014_train.npz, EFT's README"
    assert f"  train:   in {root}/raw/coco; 28,344 persons expected (body12; {known})" in lines
    known = "inferred: SPIN's mpii_train.npz"
    assert f"  train:   not in {root}/raw/mpii (images alone); 14,810 persons expected (spin; {known})" in lines
    assert any(line.startswith("  get ") and "train2014.zip" in line for line in lines), "val is still to be had"
    assert any("all 12 body keypoints labelled, as SPIN selects (default)" in line for line in lines)


def test_what_need_not_be_there_is_not_missing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("lsp_dataset/images", "lsp_dataset_original/images"):
        (root / "raw" / "lsp" / folder).mkdir(parents=True)
        (root / "raw" / "lsp" / folder).with_name("joints.mat").touch()
    lines = listed(capsys).splitlines()
    assert any(
        line.startswith(f"  test:          in {root}/raw/lsp; 1,000 persons expected (any; inferred") for line in lines
    )
    assert not any(line.startswith("  get ") and "raw/lsp/" in line for line in lines), "nothing is lacking"
    said = {entry["name"]: entry for entry in json.loads(listed(capsys, "--json"))}
    masks = said["lsp"]["splits"]["test"]["files"]["masks"]
    assert masks == {"here": False, "optional": True, "path": "upi-s1h/data/lsp"}
