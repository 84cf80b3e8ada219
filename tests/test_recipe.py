"""Recipes: what they accept, and the pipeline that follows from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pymaf_data.errors import ConfigError
from pymaf_data.paths import DataRoot
from pymaf_data.recipe import Recipe, known_recipes, load_recipe, pipeline, stores_of

MINIMAL = {"name": "mine", "ingest": [{"dataset": "coco"}]}


@pytest.mark.parametrize("name", known_recipes())
def test_shipped_recipes_lead_somewhere(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    steps = pipeline(recipe, DataRoot(tmp_path))
    assert [step.stage for step in steps if step.stage == "ingest"]
    assert len(stores_of(recipe, DataRoot(tmp_path))) == len(recipe.ingest)


def test_the_demo_takes_every_step_in_order(tmp_path: Path) -> None:
    stages = [step.stage for step in pipeline(load_recipe("demo"), DataRoot(tmp_path))]
    assert stages == ["sample", "ingest", "attach-fits", "render-iuv", "train", "contact-sheet", "report", "report"]


def test_every_path_lies_below_the_data_root(tmp_path: Path) -> None:
    root = DataRoot(tmp_path)
    by_stage = {step.stage: step.options for step in pipeline(load_recipe("demo"), root)}
    store = root.store("sample", "train")
    assert by_stage["sample"].out == root.raw("sample") == by_stage["ingest"].root
    assert by_stage["ingest"].out == store == by_stage["attach-fits"].store == by_stage["contact-sheet"].store
    assert by_stage["render-iuv"].stores == (store,) == by_stage["train"].stores
    assert by_stage["attach-fits"].fits == ("keypoints", f"truth:{root.raw('sample')}/truth/train.npz")
    assert by_stage["contact-sheet"].checkpoint.parent == root.runs / "demo" == by_stage["contact-sheet"].out.parent


def test_a_section_says_who_makes_its_shards(tmp_path: Path) -> None:
    sections = {
        "ingest": [{"dataset": "coco", "processes": 3}, {"dataset": "coco", "split": "val"}],
        "fits": {"sources": ["keypoints"], "prefer": "keypoints", "cluster": "local:2"},
        "render": {"cluster": "tcp://there:8786"},
    }
    steps = pipeline(Recipe.parse(MINIMAL | sections, "test"), DataRoot(tmp_path))
    assert [(step.stage, step.options.processes, step.options.cluster) for step in steps] == [
        ("ingest", 3, None),
        ("attach-fits", None, "local:2"),
        ("ingest", None, None),
        ("attach-fits", None, "local:2"),
        ("render-iuv", None, "tcp://there:8786"),
    ]
    assert {step.options.prefer for step in steps if step.stage == "attach-fits"} == {"keypoints"}


def test_a_held_out_split_is_measured_and_not_learned_from(tmp_path: Path) -> None:
    parts = [{"dataset": "sample"}, {"dataset": "sample", "split": "val", "held_out": True}]
    recipe = Recipe.parse(MINIMAL | {"ingest": parts, "train": {"validation": {"every": 7}}}, "test")
    root = DataRoot(tmp_path)
    (options,) = [step.options for step in pipeline(recipe, root) if step.stage == "train"]
    assert options.stores == (root.store("sample", "train"),)
    assert options.validation.stores == (root.store("sample", "val"),)
    assert options.validation.every == 7
    assert len([step for step in pipeline(recipe, root) if step.stage == "ingest"]) == 2


def test_splits_of_the_sample_have_their_own_size_and_truth(tmp_path: Path) -> None:
    root = DataRoot(tmp_path)
    steps = pipeline(load_recipe("world"), root)
    samples = {step.options.split: step.options.persons for step in steps if step.stage == "sample"}
    assert samples == {"train": 5000, "val": 400}
    truths = [step.options.fits for step in steps if step.stage == "attach-fits"]
    assert truths == [(f"truth:{root.raw('sample')}/truth/{split}.npz",) for split in ("train", "val")]
    parts = [{"dataset": "sample"}, {"dataset": "sample", "split": "val", "held_out": True}]
    alike = Recipe.parse(MINIMAL | {"ingest": parts, "sample": {"persons": 7}}, "test")
    assert {step.options.persons for step in pipeline(alike, root) if step.stage == "sample"} == {7}


def test_reports_are_of_every_store_and_of_the_run(tmp_path: Path) -> None:
    root = DataRoot(tmp_path)
    paths = [step.options.path for step in pipeline(load_recipe("demo"), root) if step.stage == "report"]
    assert paths == [root.store("sample", "train"), root.runs / "demo"]


def test_a_section_left_out_is_a_step_not_taken(tmp_path: Path) -> None:
    steps = pipeline(Recipe.parse(MINIMAL, "test"), DataRoot(tmp_path))
    assert [step.stage for step in steps] == ["ingest"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"trian": {}}, "trian"),
        ({"ingest": []}, "ingest"),
        ({"ingest": [{"dataset": "coco", "slect": "any"}]}, "slect"),
        ({"name": "../elsewhere"}, "name"),
        ({"sample": {"persons": 0}}, "sample.persons"),
    ],
)
def test_what_a_recipe_refuses_is_named(change: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named.replace(".", r"\.")):
        Recipe.parse(MINIMAL | change, "test")


def test_options_of_training_are_checked_with_the_recipe(tmp_path: Path) -> None:
    recipe = Recipe.parse(MINIMAL | {"train": {"learning": 1}}, "test")
    with pytest.raises(ConfigError, match="learning"):
        pipeline(recipe, DataRoot(tmp_path))


def test_an_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="demo"):
        load_recipe("nonesuch")


def test_a_recipe_file_that_is_no_yaml(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("name: [")
    with pytest.raises(ConfigError, match=r"broken\.yaml"):
        load_recipe(str(path))
