"""Anyone's own data: an annotation file in COCO's format by flags alone, the same as by the guide's ten lines."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from pymaf_data.cli.app import run
from pymaf_data.datasets import Raw, load_manifest, select
from pymaf_data.datasets.own import own_data
from pymaf_data.errors import ConfigError, RawDataCorrupt, RawDataMissing, UsageError
from pymaf_data.geometry.joints import COCO17
from pymaf_data.stages.ingest import IngestOptions, ingest, require_raw_data
from pymaf_data.storage import open_store

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "datasets" / "own.md"


def guide_lines() -> str:
    """The manifest that the guide shows."""
    (block,) = re.findall(r"```yaml[^\n]*\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    return str(block)


def mine(coco: ModuleType, root: Path) -> Any:
    """A set in ``root``: my.json, photos/."""
    made = coco.small_set(root, pictures=3)
    made.file.rename(root / "my.json")
    made.folder.rename(root / "photos")
    made.file, made.folder = root / "my.json", root / "photos"
    return made


def test_flags_are_the_guide_s_ten_lines(coco: ModuleType, tmp_path: Path) -> None:
    made = mine(coco, tmp_path / "raw")
    lines = guide_lines()
    assert len(lines.splitlines()) == 10
    (tmp_path / "my.yaml").write_text(lines)
    shared = {"crop_size": 32, "workers": 1}
    by_flags = ingest(IngestOptions(dataset=str(made.file), images=made.folder, out=tmp_path / "flags.zarr", **shared))
    by_lines = ingest(
        IngestOptions(dataset=str(tmp_path / "my.yaml"), root=made.root, out=tmp_path / "lines.zarr", **shared)
    )
    assert by_flags.counts == by_lines.counts and by_flags.counts["kept"] == 6
    one, other = open_store(by_flags.store), open_store(by_lines.store)
    assert one.rows == other.rows and one.rows[0] == ("photos/000000000001.jpg", 100)
    for name in one.current("ingest").record.specs:
        assert (one.array(name)[:] == other.array(name)[:]).all(), name
    # The one goes on with the other's store: plan, rules and inputs are the same.
    again = ingest(IngestOptions(dataset=str(made.file), images=made.folder, out=by_lines.store, **shared))
    assert again.shards_written == 0
    assert by_flags.licences["annotations and photographs"] == "not stated"


def test_the_command(
    coco: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mine(coco, tmp_path / "raw")
    monkeypatch.setenv("PYMAF_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path / "raw")
    command = ["ingest", "my.json", "--images", "photos", "--split", "val", "--crop-size", "32", "--direct"]
    with pytest.raises(SystemExit) as left:
        run(command)
    assert left.value.code == 0, capsys.readouterr()
    store = open_store(tmp_path / "data" / "stores" / "my-val.zarr")
    assert len(store) == 6 and store.head["provenance"]["attributes"]["held_out"]


def test_the_root_is_the_nearest_that_holds_both(coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path / "set", pictures=1)
    root, manifest = own_data(made.file, made.folder, None, "train")
    files = manifest.splits["train"].files
    assert root == made.root and files["images"] == "train2014"
    assert files["annotations"] == "annotations/person_keypoints_train2014.json"
    assert manifest.name == "person-keypoints-train2014" and not manifest.splits["train"].held_out
    root, manifest = own_data(made.file, made.folder, tmp_path, "test2")
    assert root == tmp_path and manifest.splits["test2"].files["images"] == "set/train2014"
    assert manifest.splits["test2"].held_out
    with pytest.raises(ConfigError, match="not inside"):
        own_data(made.file, made.folder, made.file.parent, "train")
    flat = made.folder / "all.json"
    made.file.rename(flat)
    root, manifest = own_data(flat, None, None, "train")
    assert root == made.folder and manifest.splits["train"].files == {"annotations": "all.json", "images": ""}
    assert select(Raw(root, manifest, "train")).records.names == ("000000000001.jpg",)


def test_with_nothing_but_the_disk_in_common_images_are_the_root(coco: ModuleType, tmp_path: Path) -> None:
    made = mine(coco, tmp_path)
    folder = Path("/elsewhere/photos")
    root, manifest = own_data(made.file, folder, None, "train")
    assert root == folder and manifest.splits["train"].files["images"] == ""
    raw = Raw(root, manifest, "train")
    assert raw.inputs() == {"annotations: my.json": made.file} and raw.origin == made.file


CATEGORIES: dict[str, tuple[list[Any], Any]] = {
    "COCO's": ([{"id": 1, "name": "person", "keypoints": list(COCO17.joints)}], "COCO17"),
    "spelled otherwise": ([{"id": 1, "name": "", "keypoints": [f"{n.title()}" for n in COCO17.joints]}], "COCO17"),
    "numbered": ([{"id": 1, "name": "person", "keypoints": [str(i) for i in range(17)]}], "COCO17"),
    "none named": ([{"id": 1, "name": "person"}], "COCO17"),
    "none at all": ([], "COCO17"),
    "of another id": ([{"id": 3, "name": "person", "keypoints": list(COCO17.joints)}], "COCO17"),
    "with a hand first": (
        [
            {"id": 2, "name": "hand", "keypoints": ["wrist", "thumb"]},
            {"id": 1, "name": "person", "keypoints": list(COCO17.joints)},
        ],
        "COCO17",
    ),
    "a list of their own": (
        [{"id": 1, "name": "runner", "keypoints": ["Left_Ankle", "shoe", "rknee", *(f"x{i}" for i in range(14))]}],
        ["left_ankle", None, "right_knee"],
    ),
}


@pytest.mark.parametrize("case", CATEGORIES)
def test_joints_are_those_of_the_category(case: str, coco: ModuleType, tmp_path: Path) -> None:
    made = mine(coco, tmp_path)
    made.categories, expected = CATEGORIES[case]
    made.save()
    root, manifest = own_data(made.file, made.folder, None, "train")
    if isinstance(expected, str):
        assert manifest.keypoints.convention == expected
    else:
        assert [entry.joint for entry in manifest.keypoints.joints] == expected
    records = select(Raw(root, manifest, "train")).records
    assert len(records) == 6
    x, y, _ = made.annotations[0]["keypoints"][:3]
    first = expected[0] if isinstance(expected, list) else "nose"
    assert records[0].keypoints[first] == (x + 0.5, y + 0.5, 2)


def test_persons_come_before_other_things_with_keypoints(coco: ModuleType, tmp_path: Path) -> None:
    made = mine(coco, tmp_path)
    made.categories.insert(0, {"id": 2, "name": "chair", "keypoints": ["seat", "left_foot"]})
    made.annotations[0] |= {"category_id": 2, "keypoints": [1, 2, 2, 3, 4, 2]}
    made.save()
    root, manifest = own_data(made.file, made.folder, None, "train")
    assert manifest.keypoints.convention == "COCO17"
    assert select(Raw(root, manifest, "train")).account() == {"total": 6, "kept": 5, "dropped": 1, "other_category": 1}


REFUSED: dict[str, tuple[list[Any], int, str]] = {
    "no joint of ours": ([{"id": 1, "name": "person", "keypoints": ["p", "q"]}], 2, "one of J49"),
    "16 without names": ([{"id": 1, "name": "person"}], 16, "as many have MPII16"),
    "15 without names": ([], 15, "annotations have 15"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_say_its_joints_is_not_guessed(case: str, coco: ModuleType, tmp_path: Path) -> None:
    made = mine(coco, tmp_path)
    made.categories, count, message = REFUSED[case]
    for entry in made.annotations:
        entry["keypoints"] = entry["keypoints"][: 3 * count]
    made.save()
    with pytest.raises(RawDataCorrupt, match=message) as caught:
        own_data(made.file, made.folder, None, "train")
    assert "docs/datasets/own.md" in str(caught.value)


def test_what_is_not_there_or_not_coco_s_is_said(coco: ModuleType, tmp_path: Path) -> None:
    made = mine(coco, tmp_path)
    with pytest.raises(RawDataMissing, match=r"no annotation file .*your\.json"):
        require_raw_data(IngestOptions(dataset=str(tmp_path / "your.json")))
    made.file.write_text(json.dumps({"boxes": []}))
    with pytest.raises(RawDataCorrupt, match="no list 'images'"):
        require_raw_data(IngestOptions(dataset=str(made.file)))
    with pytest.raises(UsageError, match="--images"):
        require_raw_data(IngestOptions(dataset="coco", images=made.folder))


def test_the_guide_s_lines_are_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(guide_lines())
    manifest = load_manifest(tmp_path / "my.yaml")
    assert manifest.name == "my" and yaml.safe_load(guide_lines())["reader"] == "coco"
