"""What `inspect` and `verify` say, as library calls and as commands, and where stores are looked for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from pymaf_data.cli import inspect as inspect_command
from pymaf_data.cli import verify as verify_command
from pymaf_data.errors import NotAStore
from pymaf_data.paths import DataRoot
from pymaf_data.storage import inspect


@pytest.fixture(scope="module")
def run() -> Any:
    app = typer.Typer()
    app.command("inspect")(inspect_command.command)
    app.command("verify")(verify_command.command)
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


def test_inspect_tells_where_a_store_comes_from(whole: Path) -> None:
    said = inspect(whole)
    assert said["holes"] == {"cannot be decoded": 1}
    assert said["licences"] == {"COCO annotations": "CC BY 4.0", "fits": "MIT"}
    assert (said["persons"], said["counts"]["incomplete"], said["expected"]) == (11, 9, {"kept": 12})
    assert said["versions"] == {"opencv": "4.14"} and said["options"] == {"crop_size": 16}
    assert [stage["stage"] for stage in said["stages"]] == ["choice", "fits/truth", "ingest", "iuv"]
    assert all(stage["complete"] and stage["current"] for stage in said["stages"])
    arrays = {f"{s['stage']}/{name}": array for s in said["stages"] for name, array in s["arrays"].items()}
    files = sum(path.stat().st_size for path in whole.glob("crops/image/c/**/0") if path.is_file())
    assert arrays["ingest/image"] == {"shape": [11, 16, 16, 3], "dtype": "uint8", "codec": "jpeg", "bytes": files}


def test_the_commands_print_for_people_and_scripts(run: Any, whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = run("inspect", whole)
    assert text.exit_code == 0
    for part in (
        "11 in shards of 4",
        "CC BY 4.0",
        "11 (whole data set: 12)",
        "stage iuv",
        "3 of 3 shards, complete, current",
    ):
        assert part in text.output
    assert json.loads(run("inspect", whole, "--json").stdout)[0]["persons"] == 11
    head = inspect(whole) | {"inputs": {f"S1/{number:04}.cdf": "0" * 64 for number in range(1, 1201)}}
    monkeypatch.setattr("pymaf_data.storage.inspect", lambda path: head)
    text = run("inspect", whole).output
    assert "S1/0020.cdf" in text and "S1/0021.cdf" not in text and "and 1,180 more: see --json" in text
    assert json.loads(run("verify", whole, "--json").stdout) == {str(whole): []}
    assert "whole" in run("verify", whole).stdout


def test_verify_exits_1_on_damage_and_0_on_what_is_unfinished(run: Any, whole: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(whole, tmp_path / "a.zarr"))
    next(path.glob("_pymaf/current/iuv.json")).unlink()
    next(path.glob("_pymaf/commits/iuv/*/00000.json")).unlink()
    unfinished = run("verify", path)
    assert unfinished.exit_code == 0 and "whole, not complete" in unfinished.stdout
    (path / "box/c/0/0").write_bytes(b"")
    damaged = run("verify", path)
    assert damaged.exit_code == 1 and "box/c/0/0" in damaged.stdout and "pymaf-data ingest" in damaged.stdout
    (finding,) = [f for f in json.loads(run("verify", path, "--json").stdout)[str(path)] if f["kind"] == "damaged"]
    assert finding["where"] == "box/c/0/0" and "delete _pymaf/commits/ingest/" in finding["action"]


def test_stores_are_found_below_the_data_root(
    run: Any, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYMAF_DATA_ROOT", str(tmp_path))
    assert isinstance(run("inspect").exception, NotAStore) and isinstance(run("verify").exception, NotAStore)
    root = DataRoot.default()
    shutil.copytree(whole, root.store("coco", "train"))
    shutil.copytree(whole, root.path / "stores/.coco-val.zarr.next")
    assert root.stores() == [tmp_path / "stores/coco-train.zarr"]
    assert "coco-train.zarr" in run("inspect").stdout and run("verify").exit_code == 0


def test_the_data_root_has_a_fixed_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYMAF_DATA_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    root = DataRoot.default()
    assert root.path == Path("data") and root.raw("coco") == Path("data/raw/coco")
    assert root.store("coco", "val") == Path("data/stores/coco-val.zarr")
    assert (root.assets, root.runs) == (Path("data/assets"), Path("data/runs"))
    assert root.stores() == [], "nothing is there yet, and that is no error"
    for name in ("b.zarr", "a.zarr", "notes.txt"):
        (root.path / "stores" / name).mkdir(parents=True)
    assert root.stores() == [root.path / "stores" / name for name in ("a.zarr", "b.zarr")]
