"""Recipes: what they accept, and the pipeline that follows from them."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pymaf_data.config import StrictModel
from pymaf_data.datasets import load_manifest
from pymaf_data.errors import ConfigError, UsageError
from pymaf_data.fits.fitter.options import SearchOptions
from pymaf_data.paths import DataRoot
from pymaf_data.recipe import (
    EvaluateSection,
    FitsSection,
    IngestSection,
    Recipe,
    RenderSection,
    ReportSection,
    SampleSection,
    SheetSection,
    known_recipes,
    load_recipe,
    pipeline,
    stores_of,
)
from pymaf_data.stages.ingest import ingest
from pymaf_data.stages.registry import STAGES

MINIMAL = {"name": "mine", "ingest": [{"dataset": "coco"}]}

# Section → its stage, what the section alone has, and what of the stage's options a recipe does not say: places follow
# from the data root, and a recipe has no moods.
MOODS = {"overwrite", "break_lock"}
SECTIONS: dict[type[StrictModel], tuple[str, set[str], set[str]]] = {
    SampleSection: ("sample", {"held_out_persons"}, {"out", "split"}),
    IngestSection: ("ingest", {"held_out", "benchmark", "fits"}, {"root", "against", "out", "shard"} | MOODS),
    FitsSection: ("attach-fits", {"sources"}, {"store", "fits", "assets", "break_lock"}),
    RenderSection: ("render-iuv", set(), {"stores", "shard", "assets", "break_lock"}),
    EvaluateSection: (
        "evaluate",
        set(),
        {"subject", "stores", "out", "raw", "network", "follow_links", "compare", "latex", "overwrite"},
    ),
    SheetSection: ("contact-sheet", set(), {"store", "out", "raw", "dataset", "checkpoint", "follow_links"}),
    ReportSection: ("report", set(), {"path", "out", "store"}),
}


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_sections_hold_the_options_of_their_stages(section: type[StrictModel]) -> None:
    stage, extra, unsaid = SECTIONS[section]
    own = section.model_json_schema()["properties"]
    options = STAGES[stage].model().model_json_schema()["properties"]
    assert set(own) - extra == set(options) - unsaid
    assert extra <= set(own) and unsaid <= set(options)
    words = {"description", "title"}
    for name in set(own) & set(options):
        rules = [{key: rule for key, rule in whole[name].items() if key not in words} for whole in (own, options)]
        if (section, name) == (IngestSection, "dataset"):  # a recipe must name it
            rules[0]["default"] = "coco"
        assert rules[0] == rules[1], f"{section.__name__}.{name}"


def test_every_stage_has_a_section() -> None:
    # Figures are named; what a recipe's run exports or predicts is for others.
    outside = {"train", "figure", "export-fits", "predict"}
    assert {stage for stage, _, _ in SECTIONS.values()} | outside == set(STAGES)
    assert {field.annotation for field in Recipe.model_fields.values()} >= {
        section | None for section in SECTIONS if section is not IngestSection
    }


def test_what_sections_say_reaches_the_stage_and_the_rest_is_left_to_it(tmp_path: Path) -> None:
    said = {
        "sample": {"size": [320, 240], "noise": 1, "masks": "polygon", "backgrounds": "~/b"},
        "ingest": [{"dataset": "sample", "workers": 3, "on_error": "stop"}],
        "fits": {"sources": ["keypoints"], "keypoints": {"batch": 4}, "allow_unproved": True},
        "render": {"workers": 2},
    }
    steps = pipeline(Recipe.parse(MINIMAL | said, "test"), DataRoot(tmp_path))
    sample, ingest, fits, render = (step.options for step in steps)
    assert (sample.size, sample.noise, sample.masks, sample.backgrounds) == (
        (320, 240),
        1,
        "polygon",
        Path.home() / "b",
    )
    assert (ingest.workers, ingest.on_error) == (3, "stop")
    assert (fits.keypoints.batch, fits.keypoints.search, fits.allow_unproved) == (4, SearchOptions(), True)
    assert (render.workers, render.size) == (2, 576)
    # Threads that nobody asked for do not stand against processes that somebody did.
    assert "workers" not in pipeline(Recipe.parse(MINIMAL, "test"), DataRoot(tmp_path))[0].options.model_fields_set


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"render": {"cluster": "nonsense"}}, "names no cluster"),
        ({"fits": {"sources": ["keypoints"], "processes": 2, "cluster": "local:2"}}, "one of them"),
        ({"ingest": [{"dataset": "coco", "workers": 2, "processes": 2}]}, "leave out --workers"),
        ({"render": {"size": 64}}, "a multiple of 3"),
        ({"train": {"model": {"auxiliary": "none"}, "loss": {"part": 10}}}, r"leave out loss\.part"),
        ({"train": {}, "evaluate": {"benchmarks": ["3dpv"]}}, "no benchmark is called '3dpv'"),
    ],
)
def test_the_last_steps_mistakes_are_refused_before_the_first(
    tmp_path: Path, section: dict[str, Any], told: str
) -> None:
    with pytest.raises((UsageError, ConfigError), match=told):
        pipeline(Recipe.parse(MINIMAL | section, "test"), DataRoot(tmp_path))


def test_the_step_of_training_names_the_network(tmp_path: Path) -> None:
    for train, told in (({}, "train PyMAF"), ({"model": {"network": "hmr"}}, "train HMR")):
        assert pipeline(Recipe.parse(MINIMAL | {"train": train}, "test"), DataRoot(tmp_path))[-1].title == told
    held_out = {"ingest": [{"dataset": "coco", "held_out": True}], "train": {"validation": 3}}
    with pytest.raises(ConfigError, match="validation"):
        pipeline(Recipe.parse(MINIMAL | held_out, "test"), DataRoot(tmp_path))


@pytest.mark.parametrize("name", known_recipes())
def test_shipped_recipes_lead_somewhere(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    steps = pipeline(recipe, DataRoot(tmp_path))
    assert [step.stage for step in steps if step.stage == "ingest"]
    assert len(stores_of(recipe, DataRoot(tmp_path))) == len(recipe.ingest)


def test_the_demo_takes_every_step_in_order(tmp_path: Path) -> None:
    stages = [step.stage for step in pipeline(load_recipe("demo"), DataRoot(tmp_path))]
    of_two = ["sample", "sample", "ingest", "attach-fits", "ingest", "attach-fits"]
    assert stages == [*of_two, "render-iuv", "train", "contact-sheet", "figure", "report", "report", "report"]


def test_every_path_lies_below_the_data_root(tmp_path: Path) -> None:
    root = DataRoot(tmp_path)
    of_training = [step for step in pipeline(load_recipe("demo"), root) if "val" not in step.title]
    by_stage = {step.stage: step.options for step in of_training}
    store, held_out = root.store("sample", "train"), root.store("sample", "val")
    assert by_stage["sample"].out == root.raw("sample") == by_stage["ingest"].root
    assert by_stage["ingest"].out == store == by_stage["attach-fits"].store == by_stage["contact-sheet"].store
    assert by_stage["render-iuv"].stores == (store, held_out)
    assert by_stage["train"].stores == (store,) and by_stage["train"].validation.stores == (held_out,)
    assert by_stage["figure"].store == held_out and Path(by_stage["figure"].subject).parent == root.runs / "demo"
    assert by_stage["attach-fits"].fits == ("keypoints", f"truth:{root.raw('sample')}/truth/train.npz")
    assert (by_stage["contact-sheet"].raw, by_stage["contact-sheet"].dataset) == (root.raw("sample"), "sample")
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


def test_a_recipe_says_how_fits_are_chosen(tmp_path: Path) -> None:
    choose = {"prefer": ["eft", "keypoints"], "mask_iou": 0.6, "betas": 3, "corrections": str(tmp_path / "c.json")}
    recipe = Recipe.parse(MINIMAL | {"fits": {"sources": ["keypoints"], "choose": choose}}, "test")
    (options,) = [step.options for step in pipeline(recipe, DataRoot(tmp_path)) if step.stage == "attach-fits"]
    assert options.rule.prefer == ("eft", "keypoints") and options.rule.gates == {"mask_iou": 0.6, "betas": 3.0}
    assert options.rule.corrections == tmp_path / "c.json"
    for wrong in ({"prefer": "eft"}, {"mask_iou": 1.5}, {"betas": -1}, {"iou": 0.6}):
        with pytest.raises(ConfigError):
            Recipe.parse(MINIMAL | {"fits": {"sources": ["keypoints"], "choose": wrong}}, "test")


def test_a_held_out_split_is_measured_and_not_learned_from(tmp_path: Path) -> None:
    parts = [{"dataset": "sample"}, {"dataset": "sample", "split": "val", "held_out": True}]
    recipe = Recipe.parse(MINIMAL | {"ingest": parts, "train": {"validation": {"every": 7}}}, "test")
    root = DataRoot(tmp_path)
    (options,) = [step.options for step in pipeline(recipe, root) if step.stage == "train"]
    assert options.stores == (root.store("sample", "train"),)
    assert options.validation.stores == (root.store("sample", "val"),)
    assert options.validation.every == 7
    assert len([step for step in pipeline(recipe, root) if step.stage == "ingest"]) == 2


def test_a_part_has_fits_of_its_own_and_a_benchmarks_part_is_kept_from_training(tmp_path: Path) -> None:
    own = {"sources": ["eft:{assets}/{split}.json"], "prefer": "eft"}
    parts = [
        {"dataset": "coco", "fits": own},
        {"dataset": "mpii"},
        {"dataset": "3dpw", "split": "test", "benchmark": True},
    ]
    said = {"ingest": parts, "fits": {"sources": ["keypoints"]}, "render": {}, "train": {}}
    root = DataRoot(tmp_path)
    steps = pipeline(Recipe.parse(MINIMAL | said, "test"), root)
    fits = [(step.options.fits, step.options.prefer) for step in steps if step.stage == "attach-fits"]
    assert fits == [((f"eft:{root.assets}/train.json",), "eft"), (("keypoints",), None), (("keypoints",), None)]
    learned = (root.store("coco", "train"), root.store("mpii", "train"))
    train, render = (next(step.options for step in steps if step.stage == stage) for stage in ("train", "render-iuv"))
    assert (train.stores, train.validation.stores, render.stores) == (learned, (), learned)
    assert len([step for step in steps if step.stage == "ingest"]) == 3
    steps = pipeline(Recipe.parse(MINIMAL | said | {"fits": None}, "test"), root)
    assert [step.options.store for step in steps if step.stage == "attach-fits"] == [root.store("coco", "train")]
    render = next(step.options for step in steps if step.stage == "render-iuv")
    assert render.stores == (root.store("coco", "train"),), "who has no fits has no maps"


def test_a_stage_takes_the_steps_of_the_one_before_and_starts_from_its_network(tmp_path: Path) -> None:
    root = DataRoot(tmp_path)
    steps = pipeline(load_recipe("pymaf"), root)
    first, second = (step.options for step in steps if step.stage == "train")
    assert (first.name, first.start_from, first.epochs) == ("table5-dense-feature", None, 60)
    assert (second.name, second.start_from, second.epochs) == ("pymaf", str(root.runs / first.name), 60)
    stages = [step.stage for step in steps]
    assert stages[-4:] == ["train", "evaluate", "train", "evaluate"], "data first"
    stores = [step.options.out.stem for step in steps if step.stage == "ingest"]
    assert sorted(stores) == sorted(set(stores)), "nothing twice"

    def stage(name: str, **said: Any) -> str:
        path = tmp_path / f"{name}.yaml"
        path.write_text(json.dumps(MINIMAL | {"name": name} | said))
        return str(path)

    plain = stage("plain", train={"model": {"auxiliary": "none"}, "frame": "camera"})
    for said, told in (
        ({"train": {}}, "model.auxiliary none"),
        ({"train": {"model": {"auxiliary": "none"}, "frame": "view"}}, "frame camera"),
        ({"train": {"model": {"auxiliary": "none"}}, "after": stage("untaught")}, "trains nothing"),
        ({"train": {}, "after": str(tmp_path / "odd.yaml")}, "comes after it"),
    ):
        with pytest.raises(ConfigError, match=told):
            pipeline(load_recipe(stage("odd", **{"after": plain} | said)), root)
    chosen = {"after": plain, "train": {"model": {"auxiliary": "none", "dropout": 0.1}, "start_from": "mine"}}
    assert pipeline(load_recipe(stage("own", **chosen)), root)[-1].options.start_from == "mine"


def test_splits_of_the_sample_have_their_own_size_and_truth(tmp_path: Path) -> None:
    root = DataRoot(tmp_path)
    steps = pipeline(load_recipe("world"), root)
    samples = {step.options.split: step.options.persons for step in steps if step.stage == "sample"}
    assert samples == {"train": 40000, "val": 1000}
    truths = [step.options.fits for step in steps if step.stage == "attach-fits"]
    assert truths == [(f"truth:{root.raw('sample')}/truth/{split}.npz",) for split in ("train", "val")]
    parts = [{"dataset": "sample"}, {"dataset": "sample", "split": "val", "held_out": True}]
    alike = Recipe.parse(MINIMAL | {"ingest": parts, "sample": {"persons": 7}}, "test")
    assert {step.options.persons for step in pipeline(alike, root) if step.stage == "sample"} == {7}


def test_reports_are_of_every_store_and_of_the_run(tmp_path: Path) -> None:
    root = DataRoot(tmp_path)
    paths = [step.options.path for step in pipeline(load_recipe("demo"), root) if step.stage == "report"]
    assert paths == [root.store("sample", "train"), root.store("sample", "val"), root.runs / "demo"]


def test_files_of_persons_and_data_of_ones_own_are_ingested_too(tmp_path: Path) -> None:
    """Stores are called as the command calls them, and annotation files find their own root."""
    (tmp_path / "mine.yaml").write_text(json.dumps(load_manifest("coco").model_dump(mode="json") | {"name": "mine"}))
    parts = [
        {"dataset": "npz", "npz": tmp_path / "dataset_extras" / "mpii train.npz", "images": "/data/mpii"},
        {"dataset": "npz", "npz": tmp_path / "b.npz"},
        {"dataset": str(tmp_path / "My File.json"), "images": "~/photos", "split": "val", "held_out": True},
        {"dataset": str(tmp_path / "mine.yaml")},
    ]
    sections = {"fits": {"sources": ["npz:{raw}/fits/{split}.npz"]}, "train": {}, "sheet": {}}
    recipe, root = Recipe.parse(MINIMAL | {"ingest": parts} | sections, "test"), DataRoot(tmp_path)
    steps = pipeline(recipe, root)
    first, second, own, manifest = (step.options for step in steps if step.stage == "ingest")
    stores = [
        root.store(*names) for names in (("npz", "mpii_train"), ("npz", "b"), ("my-file", "val"), ("mine", "train"))
    ]
    assert [one.out for one in (first, second, own, manifest)] == stores == list(stores_of(recipe, root))
    assert (first.npz, first.images) == (tmp_path / "dataset_extras" / "mpii train.npz", Path("/data/mpii"))
    assert (second.root, second.images, manifest.root) == (root.raw("npz"), None, root.raw("mine"))
    assert (own.images, own.root, own.split) == (Path.home() / "photos", None, "val")
    (fits, *_) = (step.options.fits for step in steps if step.stage == "attach-fits")
    assert fits == ("npz:/data/mpii/fits/mpii_train.npz",)
    (train,) = (step.options for step in steps if step.stage == "train")
    assert train.validation.stores == (stores[2],)
    (sheet,) = (step.options for step in steps if step.stage == "contact-sheet")
    assert sheet.raw is None and sheet.store == stores[0]


def test_a_recipe_ingests_an_npz_and_an_annotation_file(coco: ModuleType, npz: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path / "photos", pictures=2, persons=1)
    path = npz.save(tmp_path / "coco_2014_train.npz", npz.of_coco(made.file, "train2014"))
    parts = [
        {"dataset": "npz", "npz": path, "images": tmp_path / "photos"},
        {"dataset": str(made.file), "images": made.folder},
    ]
    recipe, root = Recipe.parse(MINIMAL | {"ingest": parts}, "test"), DataRoot(tmp_path)
    for step, store in zip(pipeline(recipe, root), stores_of(recipe, root), strict=True):
        report = ingest(step.options)
        assert report.store == store and report.counts["kept"] == 2 and not report.holes.counts
        assert store == root.store(report.dataset, report.split)


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
