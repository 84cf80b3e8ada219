"""Plans, and what is refused when raw data, options or versions changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pymaf_data.errors import ConfigError, NotAStore, StoreChanged
from pymaf_data.storage import Plan, create_store, open_store


def test_options_that_changed_are_named(kit: Any, tmp_path: Path) -> None:
    path = kit.ingest(tmp_path / "a.zarr", kit.recipe)
    before = kit.tree(path)
    other = kit.replace(kit.recipe, options={"crop_size": 512, "grey": 1})
    with pytest.raises(StoreChanged) as error:
        kit.ingest(path, other)
    assert "options.crop_size: the store has 16, this run has 512" in str(error.value)
    assert "options.grey: the store has nothing, this run has 1" in str(error.value)
    assert "--overwrite" in str(error.value) and kit.tree(path) == before


def test_raw_data_that_changed_is_named(kit: Any, tmp_path: Path) -> None:
    path = kit.ingest(tmp_path / "a.zarr", kit.recipe)
    with pytest.raises(StoreChanged, match=r"inputs.annotations/train.json: the store has"):
        kit.ingest(path, kit.replace(kit.recipe, seed=1))
    with pytest.raises(StoreChanged, match=r"persons: the store has 11, this run has 10"):
        kit.ingest(path, kit.replace(kit.recipe, persons=10))
    plan = kit.recipe.plan
    rows = (*plan.rows[:3], ("0001.jpg", 999), *plan.rows[4:])
    with pytest.raises(StoreChanged, match=r"row 3: the store has 0001.jpg #103, this run has 0001.jpg #999"):
        create_store(path, plan.model_copy(update={"rows": rows}), kit.recipe.specs, kit.recipe.provenance)


def test_versions_matter_until_the_ingest_is_complete(kit: Any, tmp_path: Path) -> None:
    recipe, newer = kit.recipe, kit.replace(kit.recipe, versions={"opencv": "5.0"})
    create_store(tmp_path / "a.zarr", recipe.plan, recipe.specs, recipe.provenance)
    with pytest.raises(StoreChanged, match=r'versions.opencv: the store has "4.14", this run has "5.0"'):
        kit.ingest(tmp_path / "a.zarr", newer)
    path = kit.ingest(tmp_path / "a.zarr", recipe)
    assert kit.ingest(path, newer) == path


def test_overwriting_replaces_only_when_the_new_store_is_complete(kit: Any, tmp_path: Path) -> None:
    recipe, newer = kit.recipe, kit.replace(kit.recipe, seed=1)
    path = kit.ingest(tmp_path / "a.zarr", recipe)
    aside = create_store(path, newer.plan, newer.specs, newer.provenance, overwrite=True)
    assert aside.path != path and open_store(path).head["inputs"] == recipe.plan.inputs
    assert kit.ingest(path, newer, overwrite=True) == path
    assert open_store(path).head["inputs"] == newer.plan.inputs and not aside.path.exists()


def test_overwriting_goes_on_with_the_same_unfinished_store(kit: Any, tmp_path: Path) -> None:
    recipe = kit.recipe
    begun = create_store(tmp_path / "a.zarr", recipe.plan, recipe.specs, recipe.provenance)
    again = create_store(tmp_path / "a.zarr", recipe.plan, recipe.specs, recipe.provenance, overwrite=True)
    assert again.path == begun.path


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_store_is_never_touched(kit: Any, tmp_path: Path, overwrite: bool) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years")
    for path in (mine, mine / "thesis.tex"):
        with pytest.raises(NotAStore):
            kit.ingest(path, kit.recipe, overwrite)
    assert (mine / "thesis.tex").read_text() == "years"


def test_an_empty_folder_will_do(kit: Any, tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    assert kit.ingest(tmp_path / "a.zarr", kit.recipe) == tmp_path / "a.zarr"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": []}, "at least 1"),
        ({"rows": [("b.jpg", 1), ("a.jpg", 2)]}, "must increase"),
        ({"rows": [("a.jpg", 1), ("a.jpg", 1)]}, "must increase"),
        ({"options": {"raw": {"root": "/data/coco"}}}, "options.raw.root is a path of this machine"),
        ({"shard": 0}, "greater than or equal to 1"),
        ({"colour": 1}, "colour"),
    ],
)
def test_bad_plans_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Plan.parse({"dataset": "coco", "split": "train", "rows": [("a.jpg", 1)], **change}, "the plan")


def test_rows_survive_odd_names(kit: Any, tmp_path: Path) -> None:
    rows = (('a\nb\t"c".jpg', -5), ("straße/人.jpg", 2**53), ("straße/人.jpg", 2**53 + 1))
    plan = Plan(dataset="x", split="y", rows=rows)
    store = create_store(tmp_path / "a.zarr", plan, kit.recipe.specs, kit.recipe.provenance)
    assert open_store(store.path).rows == list(rows)
