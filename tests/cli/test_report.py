"""``pymaf-data report``: where pages go, and what is said of them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pymaf_data.body import load_body
from pymaf_data.cli.app import app
from pymaf_data.errors import NotAStore, UsageError
from pymaf_data.paths import VARIABLE


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with two small stores."""
    path = Path(__file__).resolve().parents[1] / "factories" / "stores.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    factory = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(factory)
    root = tmp_path_factory.mktemp("data")
    for name in ("one", "two"):
        factory.invented_store(root / "stores" / f"{name}-train.zarr", load_body("free"), 6, shard=4)
    return root


@pytest.fixture(autouse=True)
def at_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(root))


def call(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["report", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def tree(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_by_default_every_store_has_its_page_and_keeps_its_bytes(root: Path) -> None:
    before = tree(root / "stores")
    made = json.loads(call("--json", "--persons", "2"))
    assert [Path(one["path"]) for one in made] == [root / "reports" / f"{name}-train.html" for name in ("one", "two")]
    assert all(one["written"] and one["bytes"] == Path(one["path"]).stat().st_size for one in made)
    assert tree(root / "stores") == before, "nothing is written into a store"
    assert call("--persons", "2").count("nothing to do") == 2


def test_one_page_where_it_is_wanted(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.html"
    text = call(str(root / "stores" / "one-train.zarr"), "--out", str(out), "--persons", "1")
    assert str(out) in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.html", "mine.sources.csv", "mine.sources.json"]
    with pytest.raises(UsageError, match="--out names one page"):
        call("--out", str(out))


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotAStore, match=r"nowhere\.zarr"):
        call(str(tmp_path / "nowhere.zarr"))


@pytest.mark.parametrize(("inside", "typed"), [(".", "."), ("_pymaf", ".."), (".", "../one-train.zarr/")])
def test_a_store_is_named_from_inside(inside: str, typed: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root / "stores" / "one-train.zarr" / inside)
    (made,) = json.loads(call(typed, "--json", "--persons", "2"))
    assert Path(made["path"]) == root / "reports" / "one-train.html"


def test_no_page_is_written_into_what_it_shows(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = root / "stores" / "one-train.zarr"
    monkeypatch.chdir(store)
    monkeypatch.delenv(VARIABLE)  # so that the data root is ./data
    before = tree(store)
    with pytest.raises(UsageError, match="--out"):
        call(".", "--persons", "2")
    assert tree(store) == before
