"""Shards, records and pointers that are whole by themselves and lie in another's place: a reader takes none of them."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pymaf_data.errors import StoreDamaged
from pymaf_data.storage import ArraySpec, inspect, open_store, verify

ID = ArraySpec("annotation_id", (), "i8", 4)
TWINS = (ID, ArraySpec("frame", (), "i8", 4), ArraySpec("present", (), "bool", 4), ArraySpec("reason", (), "u1", 4))


@pytest.fixture
def twins(kit: Any) -> Any:
    """Numbers that no compressor makes smaller: every full shard of an array has the same size and index."""
    return kit.replace(kit.recipe, persons=12, specs=TWINS)


def exchange(first: Path, second: Path) -> None:
    assert first.stat().st_size == second.stat().st_size, "else their sizes would tell"
    one, other = first.read_bytes(), second.read_bytes()
    assert one != other
    first.write_bytes(other)
    second.write_bytes(one)


def resealed(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a sealed record as its writer would have written it, from the specification."""
    content = json.loads(path.read_text())
    del content["seal"]
    change(content)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    content["seal"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(content, sort_keys=True, indent=1) + "\n")


def refused(path: Path, name: str, rows: slice = slice(None)) -> None:
    with pytest.raises(StoreDamaged):
        open_store(path).array(name)[rows]
    assert any(finding.is_damage for finding in verify(path))


def test_two_shards_of_one_array(kit: Any, twins: Any, memory: Path) -> None:
    path = kit.ingest(memory / "a.zarr", twins)
    exchange(path / "annotation_id/c/0", path / "annotation_id/c/2")
    array = open_store(path).array("annotation_id")
    for row in (0, 3, 8):
        with pytest.raises(StoreDamaged, match=rf"annotation_id/c/{row // 4} .*not the shard that was committed"):
            array[row]
    assert np.array_equal(array[4:8], twins.values(ID)[4:8]), "the second is the one that was committed"
    refused(path, "annotation_id", slice(0, 1))


def test_shards_of_two_arrays_alike(kit: Any, twins: Any, memory: Path) -> None:
    path = kit.ingest(memory / "a.zarr", twins)
    exchange(path / "annotation_id/c/2", path / "frame/c/2")
    refused(path, "annotation_id", slice(8, 9))
    refused(path, "frame", slice(11, 12))


def test_shards_of_two_generations(kit: Any, twins: Any, memory: Path) -> None:
    path, specs = kit.ingest(memory / "a.zarr", twins), (ArraySpec("pose", (3,), "f4", 4),)
    for seed in (0, 1):
        kit.write(open_store(path), "fits/x", f"{seed}" * 64, kit.replace(twins, seed=seed), specs)
    old, new = (path / "fits/x" / (digit * 16) / "pose/c/0/0" for digit in "01")
    exchange(old, new)
    refused(path, "fits/x/pose", slice(0, 1))
    refused(path, f"fits/x/{'0' * 16}/pose", slice(0, 1))


def test_a_shard_of_another_store(kit: Any, twins: Any, memory: Path) -> None:
    path = kit.ingest(memory / "a.zarr", twins)
    other = kit.ingest(memory / "b.zarr", kit.replace(twins, seed=1))
    exchange(path / "frame/c/0", other / "frame/c/0")
    refused(path, "frame", slice(0, 1))
    refused(other, "frame", slice(0, 1))


def test_stores_of_before_are_bound_too(kit: Any, twins: Any, memory: Path) -> None:
    """The binding is the SHA-256 that commits always had; nothing was added to any file."""
    path = kit.ingest(memory / "a.zarr", twins)
    commit = json.loads(next(path.glob("_pymaf/commits/ingest/*/00000.json")).read_text())
    assert set(commit) == {"stage", "generation", "shard", "rows", "input_digest", "files", "seal"}
    assert {key for entry in commit["files"].values() for key in entry} == {"size", "sha256"}


def test_a_large_shard_is_not_hashed_to_read_a_row(
    kit: Any, twins: Any, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = kit.ingest(memory / "a.zarr", twins)
    exchange(path / "annotation_id/c/0", path / "annotation_id/c/2")
    monkeypatch.setattr("pymaf_data.storage.reader.BOUND_BYTES", 10)
    assert open_store(path).array("annotation_id")[0] == twins.values(ID)[8], "told apart by their size alone"


@pytest.mark.parametrize("kept", [0, 1])
def test_a_commit_under_another_number(kit: Any, twins: Any, memory: Path, kept: int) -> None:
    path = kit.ingest(memory / "a.zarr", twins)
    first, second = sorted(path.glob("_pymaf/commits/ingest/*/*.json"))[:2]
    shutil.copy(*((first, second) if kept == 0 else (second, first)))
    with pytest.raises(StoreDamaged, match="does not agree with the stage record"):
        open_store(path)
    assert any(finding.is_damage for finding in verify(path))


@pytest.mark.parametrize(
    "change",
    [
        lambda commit: commit["files"].pop("frame/c/0"),
        lambda commit: commit["files"].update({"zarr.json": commit["files"]["frame/c/0"]}),
        lambda commit: commit.update(rows=[0, 3]),
        lambda commit: commit.update(shard=7),
        lambda commit: commit.update(shard=-1),
    ],
)
def test_a_commit_with_other_files_or_rows(kit: Any, twins: Any, memory: Path, change: Any) -> None:
    path = kit.ingest(memory / "a.zarr", twins)
    resealed(next(path.glob("_pymaf/commits/ingest/*/00000.json")), change)
    for look in (open_store, inspect):
        with pytest.raises(StoreDamaged, match=r"00000\.json"):
            look(path)
    assert any(finding.is_damage for finding in verify(path))


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.update(persons=13),
        lambda record: record.update(shard=2),
        lambda record: record.update(generation="f" * 64),
        lambda record: record.update(arrays=[]),
        lambda record: record["arrays"][0].update(dtype="object"),
        lambda record: record["arrays"][0].pop("name"),
        lambda record: record.update(stage="elsewhere"),
    ],
)
def test_a_record_of_another_plan_or_place(kit: Any, twins: Any, memory: Path, change: Any) -> None:
    path = kit.ingest(memory / "a.zarr", twins)
    resealed(next(path.glob("_pymaf/stages/ingest/*.json")), change)
    with pytest.raises(StoreDamaged, match=r"_pymaf/stages/ingest"):
        open_store(path)
    assert any(finding.is_damage and "_pymaf/stages/ingest" in finding.where for finding in verify(path))


@pytest.mark.parametrize("change", [lambda plan: plan.pop("shard"), lambda plan: plan.update(persons="many")])
def test_a_plan_that_lacks_what_makes_it_one(kit: Any, twins: Any, memory: Path, change: Any) -> None:
    path = kit.ingest(memory / "a.zarr", twins)
    resealed(path / "_pymaf/plan.json", change)
    with pytest.raises(StoreDamaged, match=r"plan\.json lacks a member"):
        open_store(path)
    assert any(finding.is_damage for finding in verify(path))


@pytest.mark.parametrize(
    "change", [lambda pointer: pointer.update(generation="f" * 64), lambda pointer: pointer.update(stage="choice")]
)
def test_a_pointer_elsewhere(kit: Any, whole: Path, memory: Path, change: Any) -> None:
    path = Path(shutil.copytree(whole, memory / "a.zarr"))
    resealed(path / "_pymaf/current/iuv.json", change)
    with pytest.raises(StoreDamaged, match=re.escape("_pymaf/current/iuv.json")):
        open_store(path)
    assert any(finding.is_damage and finding.where == "_pymaf/current/iuv.json" for finding in verify(path))


def test_a_record_of_another_stage(whole: Path, memory: Path) -> None:
    path = Path(shutil.copytree(whole, memory / "a.zarr"))
    shutil.copy(next(path.glob("_pymaf/stages/choice/*.json")), next(path.glob("_pymaf/stages/iuv/*.json")))
    with pytest.raises(StoreDamaged, match="speaks of _pymaf/stages/choice"):
        open_store(path)
    assert any(finding.is_damage for finding in verify(path))
