"""A bit flipped anywhere is found, and what the finding says to do mends it."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from pymaf_data.errors import NotAStore, PymafDataError, StoreDamaged
from pymaf_data.storage import open_store, verify


@pytest.fixture
def store(whole: Path, memory: Path) -> Path:
    return Path(shutil.copytree(whole, memory / "coco-train.zarr"))


def flip(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(data))


def damage(path: Path) -> list[Any]:
    return [finding for finding in verify(path) if finding.is_damage]


def test_a_whole_store_has_no_findings(whole: Path) -> None:
    assert verify(whole) == []


def test_a_flipped_bit_in_any_file_is_found(kit: Any, store: Path) -> None:
    rng = random.Random(0)
    names = list(kit.tree(store))
    assert len(names) > 60 and {"zarr.json", "_pymaf/plan.json", "_pymaf/rows.jsonl"} < set(names)
    for name in names:
        good = (store / name).read_bytes()
        for _ in range(4):
            flip(store / name, rng)
            found = damage(store)
            assert any(name in (f.where, *re.findall(r"[\w./-]+", f.problem + f.action)) for f in found), name
            (store / name).write_bytes(good)
    assert verify(store) == []


def test_metadata_that_is_gone_is_named_where_it_was(kit: Any, store: Path) -> None:
    for name in (name for name in kit.tree(store) if name.endswith("zarr.json")):
        good = (store / name).read_bytes()
        (store / name).unlink()
        assert name in {finding.where for finding in damage(store)}
        (store / name).write_bytes(good)
    assert verify(store) == []


def test_what_a_finding_says_to_do_mends_it(kit: Any, store: Path) -> None:
    """For every file: flip a bit, do as told, run the same commands: the same bytes again."""
    rng = random.Random(1)
    reference = kit.tree(store)
    for name in reference:
        flip(store / name, rng)
        actions = [finding.action for finding in damage(store)]
        for target in {match for action in actions for match in re.findall(r"delete (\S+) inside the store", action)}:
            (store / target).unlink(missing_ok=True)
        overwrite = any("--overwrite" in action for action in actions)
        kit.everything(store, kit.recipe, overwrite=overwrite)
        assert kit.tree(store) == reference, name
        assert verify(store) == [], name


@pytest.mark.parametrize("name", ["box/c/1/0", "crops/image/c/2/0/0/0", "iuv"])
def test_a_flipped_bit_in_a_shard_is_not_read(store: Path, name: str) -> None:
    if name == "iuv":
        name = next(str(p.relative_to(store)) for p in sorted(store.glob("iuv/*/uv/c/0/0/0/0")))
    arrays = {"box": "box", "crops": "image", "iuv": "iuv/uv"}
    rng, good = random.Random(2), (store / name).read_bytes()
    for _ in range(20):
        flip(store / name, rng)
        with pytest.raises(StoreDamaged, match=re.escape(name)):
            open_store(store).array(arrays[name.split("/")[0]])[:]
        (store / name).write_bytes(good)


@pytest.mark.parametrize("keep", [0, 1, -1])
def test_a_truncated_shard_is_refused_on_opening(store: Path, keep: int) -> None:
    path = store / "box/c/1/0"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(StoreDamaged, match=r"(?s)box/c/1/0 holds .* delete _pymaf/commits/ingest/\w+/00001.json"):
        open_store(store)
    assert [finding.where for finding in damage(store)] == ["box/c/1/0"]


def test_missing_files_are_found(kit: Any, store: Path) -> None:
    for name in kit.tree(store):
        if name.startswith("_pymaf/commits") or name.startswith("_pymaf/current"):
            continue  # without its commit a shard does not exist: incomplete, or another generation; see below
        good = (store / name).read_bytes()
        (store / name).unlink()
        assert damage(store), name
        (store / name).write_bytes(good)


def test_a_missing_commit_is_an_unfinished_stage(store: Path) -> None:
    next(store.glob("_pymaf/commits/iuv/*/00001.json")).unlink()
    next(store.glob("_pymaf/current/iuv.json")).unlink()
    found = verify(store)
    assert {finding.kind for finding in found} == {"incomplete", "leftover"} and not damage(store)
    assert any("2 of 3 shards" in finding.problem and "render-iuv" in finding.action for finding in found)


def test_a_pointer_to_an_unfinished_generation_is_damage(store: Path) -> None:
    next(store.glob("_pymaf/commits/iuv/*/00001.json")).unlink()
    assert [finding.where for finding in damage(store)] == ["_pymaf/current/iuv.json"]


def test_foreign_files_are_named(store: Path) -> None:
    strangers = ["notes.txt", "box/c/9/0", "_pymaf/stages/iuv/copy.json", "_pymaf/commits/iuv/x", "fits/eft/zarr.json"]
    for name in strangers:
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_text("{}")
    assert sorted((f.kind, f.where) for f in verify(store)) == sorted(("foreign", name) for name in strangers)
    assert len(open_store(store).array("box")[:]) == 11, "and disturb no reader"


def test_a_swapped_shard_is_found(store: Path) -> None:
    """Two files of equal size, each whole by itself, in each other's place."""
    first, second = store / "crops/image/c/0/0/0/0", store / "crops/image/c/1/0/0/0"
    first_bytes, second_bytes = first.read_bytes(), second.read_bytes()
    first.write_bytes(second_bytes)
    second.write_bytes(first_bytes)
    assert {finding.where for finding in damage(store)} == {"crops/image/c/0/0/0/0", "crops/image/c/1/0/0/0"}


def test_a_commit_of_another_generation_is_found(store: Path) -> None:
    source = next(store.glob("_pymaf/commits/ingest/*/00001.json"))
    shutil.copy(source, next(store.glob("_pymaf/commits/iuv/*/00001.json")))
    assert any("00001.json" in finding.where for finding in damage(store))
    with pytest.raises(StoreDamaged):
        open_store(store)


def test_progress_reaches_its_end(whole: Path) -> None:
    calls: list[tuple[int, int]] = []
    verify(whole, lambda done, total, _: calls.append((done, total)))
    assert calls[-1] == (12, 12) and calls == sorted(calls)


def test_what_is_no_store_is_no_finding(tmp_path: Path) -> None:
    with pytest.raises(NotAStore):
        verify(tmp_path)


def test_findings_read_as_sentences(store: Path) -> None:
    (store / "box/c/1/0").unlink()
    (finding,) = damage(store)
    assert str(finding).startswith(
        "missing: box/c/1/0: there is no such file. What to do: delete _pymaf/commits/ingest/"
    )
    assert not isinstance(finding, PymafDataError)
