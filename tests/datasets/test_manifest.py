"""Manifests: what ships validates, what is wrong is named, and what is missing on disk is explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pymaf_data.datasets import Manifest, Raw, is_held_out, known_manifests, load_manifest
from pymaf_data.datasets.splits import found
from pymaf_data.digest import digest_json
from pymaf_data.errors import ConfigError, RawDataMissing, UsageError


def content(name: str = "coco") -> dict[str, Any]:
    return load_manifest(name).model_dump(mode="json")


def test_the_known_data_sets_load() -> None:
    assert {"coco", "mpii", "sample"} <= set(known_manifests())
    for name in known_manifests():
        assert load_manifest(name).name == name


def test_coco_asks_for_what_spin_asked_for() -> None:
    manifest = load_manifest("coco")
    name, rule = manifest.selection(None)
    assert name == "body12"
    assert set(rule.requires) == set(manifest.keypoints.listed.joints[5:17])
    expected = manifest.splits["train"].expected["body12"]
    assert (expected.count, expected.standing) == (28344, "inferred") and "SPIN" in expected.source
    assert manifest.keypoints.offset == 0.5 and manifest.box.factor == 1.2


def test_a_manifest_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content() | {"name": "mine"}))
    assert load_manifest(path).name == "mine"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"licences": []}, "licences"),
        ({"default_selection": "none"}, "default_selection"),
        ({"keypoints": {"convention": "COCO18", "origin": "index"}}, "COCO18"),
        ({"keypoints": {"convention": "COCO17", "origin": "corner"}}, "origin"),
        ({"selections": {"body12": {"title": "", "requires": ["tail"]}}}, "tail"),
        ({"colour": "blue"}, "colour"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_manifest_is_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(content() | change))
    with pytest.raises(ConfigError, match=message):
        load_manifest(path)


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(ConfigError, match=r"coco, .*mpii, .*sample"):
        load_manifest("koko")


def test_unknown_splits_and_selections_list_the_known() -> None:
    manifest = load_manifest("coco")
    with pytest.raises(UsageError, match="train, val"):
        manifest.split("test")
    with pytest.raises(UsageError, match="body12: "):
        manifest.selection("best")


def test_only_rules_count_for_the_digest() -> None:
    manifest, other = content(), content()
    other |= {"title": "another title", "get": [], "homepage": ""}
    assert Manifest.model_validate(other).rules_digest("train") == load_manifest("coco").rules_digest("train")
    manifest["box"]["factor"] = 1.1
    assert Manifest.model_validate(manifest).rules_digest("train") != load_manifest("coco").rules_digest("train")


def test_stores_of_before_are_of_the_same_rules() -> None:
    """Digests of version 0.1's manifests: a later rule at its default must not ask for a store to be made again."""
    assert load_manifest("coco").rules_digest("train").startswith("735444f574aeca30")
    assert load_manifest("sample").rules_digest("val").startswith("8cfeca65b69eb4b4")
    other = Manifest.model_validate(content() | {"box": content()["box"] | {"missing": "drop"}})
    assert other.rules_digest("train") != load_manifest("coco").rules_digest("train")
    joints = [{"name": joint, "joint": joint} for joint in load_manifest("coco").keypoints.listed.joints]
    digests = set()
    for last in ("right_ankle", "head_top_lsp"):
        listed = {"origin": "index", "joints": [*joints[:-1], {"name": "last", "joint": last}]}
        mine = content() | {"keypoints": listed, "selections": {"body12": {"title": "", "requires": []}}}
        digests.add(Manifest.model_validate(mine).rules_digest("train"))
    assert len(digests) == 2


def test_a_count_says_how_it_is_known_and_may_be_a_number_alone() -> None:
    splits = content()["splits"]
    for given, known in (
        (7, (7, "", "unsure")),
        ({"count": 7}, (7, "", "unsure")),
        ({"count": 7, "source": "a paper", "standing": "proved"}, (7, "a paper", "proved")),
    ):
        splits["train"]["expected"] = {"body12": given}
        manifest = Manifest.model_validate(content() | {"splits": splits})
        one = manifest.splits["train"].expected["body12"]
        assert (one.count, one.source, one.standing) == known
        assert manifest.rules_digest("train") == load_manifest("coco").rules_digest("train")
    for wrong in (0, "7", {"count": 7, "standing": "sure"}):
        splits["train"]["expected"] = {"body12": wrong}
        with pytest.raises(ConfigError, match="expected"):
            Manifest.parse(content() | {"splits": splits}, "mine")


def test_absent_raw_data_is_explained(tmp_path: Path) -> None:
    with pytest.raises(RawDataMissing) as caught:
        Raw(tmp_path, load_manifest("coco"), "train").require()
    text = str(caught.value)
    for part in (
        str(tmp_path / "annotations" / "person_keypoints_train2014.json"),
        str(tmp_path / "train2014"),
        "train2014.zip",
        "annotations_trainval2014.zip",
        "--root",
        "pymaf-data sample OUT",
    ):
        assert part in text


def test_images_alone_are_not_the_data_set(tmp_path: Path) -> None:
    (tmp_path / "train2014").mkdir()
    with pytest.raises(RawDataMissing) as caught:
        Raw(tmp_path, load_manifest("coco"), "train").require()
    assert f"looked for {tmp_path / 'annotations'}" in str(caught.value).splitlines()[0]


@pytest.mark.parametrize(
    ("dataset", "split", "recorded", "expected"),
    [
        ("coco", "val", None, True),  # a store of a version that did not record it
        ("coco", "train", None, False),
        ("sample", "val", None, True),
        ("mine", "val", None, False),
        ("coco", "minival", None, False),
        ("mine", "test", True, True),
        ("coco", "val", False, False),
    ],
)
def test_what_a_store_is_made_from_says_whether_it_is_held_out(
    dataset: str, split: str, recorded: bool | None, expected: bool
) -> None:
    attributes = {} if recorded is None else {"held_out": recorded}
    head = {"dataset": dataset, "split": split, "provenance": {"attributes": attributes}}
    assert is_held_out(head) is expected


def test_rules_of_stores_made_before_are_the_same_rules() -> None:
    """Digests as version 0.1 wrote them into plans: a change would refuse every store that goes on."""
    manifest = load_manifest("coco")
    rules = {
        "name": "coco",
        "reader": "coco",
        "keypoints": {"convention": "COCO17", "origin": "index"},
        "box": {"origin": "continuous", "factor": 1.2},
        "selections": {name: {"requires": list(rule.requires)} for name, rule in manifest.selections.items()},
        "pictures": "train2014",
    }
    assert manifest.rules_digest("train") == digest_json(rules)
    turned = Manifest.model_validate(content() | {"images": {"orientation": "apply"}})
    assert turned.rules_digest("train") != manifest.rules_digest("train")


def test_optional_roles_need_not_be_there(tmp_path: Path) -> None:
    """Absent they are no input, and of no role are files that the manifest does not name."""
    split = {"files": {"annotations": "a.json", "images": "images", "masks": "masks"}, "optional": ["masks"]}
    manifest = Manifest.model_validate(content() | {"splits": {"train": split}})
    raw = Raw(tmp_path, manifest, "train")
    (tmp_path / "images").mkdir()
    with pytest.raises(RawDataMissing) as error:
        raw.require()
    assert "masks" not in str(error.value)
    (tmp_path / "a.json").touch()
    raw.require()
    assert raw.files("masks") == [] and list(raw.inputs()) == ["a.json"]
    (tmp_path / "masks").mkdir()
    assert raw.files("masks") == [tmp_path / "masks"] and list(raw.inputs()) == ["a.json", "masks"]
    assert manifest.rules_digest("train") == Manifest.model_validate(
        content() | {"splits": {"train": split | {"optional": []}}}
    ).rules_digest("train")
    for wrong in ("images", "hats"):
        with pytest.raises(ValueError, match="optional"):
            Manifest.model_validate(content() | {"splits": {"train": split | {"optional": [wrong]}}})


def test_patterns_name_files_of_several_folders(tmp_path: Path) -> None:
    for name in ("S1/a.cdf", "S11/a.cdf", "S9/poses/a.cdf", "S9/b.cdf", "S{9,11}/c.cdf"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def names(pattern: str) -> list[str]:
        return [path.relative_to(tmp_path).as_posix() for path in found(tmp_path, pattern)]

    assert names("S{9,11}/{,poses/}a.cdf") == ["S11/a.cdf", "S9/poses/a.cdf"]
    assert names("S{1,9}/*.cdf") == ["S1/a.cdf", "S9/b.cdf"]
    assert names("S{9,11}/c.cdf") == ["S{9,11}/c.cdf"], "what is called so is meant"
    assert names("{S1,S*}/a.cdf") == ["S1/a.cdf", "S11/a.cdf"], "each once"
    assert names("S{1") == names("S1}") == []
