"""Stores of format 1.2 are read as ever, and become those of 2.0, byte for byte and whatever ends the process."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from pymaf_data.cli.app import app
from pymaf_data.errors import NotAStore, StoreDamaged, StoreLocked, StoreVersionError
from pymaf_data.storage import create_store, migrate, open_store, verify

# Of the documents of `kit.everything`, as the code that wrote format 1.2 left them.
_DOCUMENTS = "62d1219cb0178a3836d2dc957d3e34b3fd6d296da9a18c1201ac6f347adae2cd"


@pytest.fixture(autouse=True)
def no_wait_for_all_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sync", lambda: None)  # what a killed process wrote, others see without it


@pytest.fixture(autouse=True)
def last_of_the_same_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compared with is written as 2.1, whose crops are those of 1.x."""
    monkeypatch.setattr("pymaf_data.storage.records.FORMAT_VERSION", "2.1")


@pytest.fixture(scope="module")
def whole(kit: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pymaf_data.storage.records.FORMAT_VERSION", "2.1")
        return Path(kit.everything(tmp_path_factory.mktemp("whole") / "coco-train.zarr", kit.recipe))


@pytest.fixture
def old(whole: Path, former: ModuleType, memory: Path) -> Path:
    """A complete store as it was before."""
    return Path(former.former(Path(shutil.copytree(whole, memory / "coco-train.zarr"))))


@pytest.fixture
def half(kit: Any, former: ModuleType, memory: Path) -> Path:
    """One of whose three shards the middle one is made."""
    recipe = kit.recipe
    store = create_store(memory / "half.zarr", recipe.plan, recipe.specs, recipe.provenance)
    with store.lock("ingest"):
        writer = store.stage("ingest", recipe.plan.digest, recipe.specs)
        rows = writer.rows(1)
        writer.write_shard(1, {s.name: recipe.values(s)[rows] for s in recipe.specs}, kit.digest(1))
    return Path(former.former(store.path))


def beside(store: Path) -> list[str]:
    return sorted(entry.name for entry in store.parent.iterdir() if entry.name != store.name)


def test_the_former_format_is_written_as_it_was(kit: Any, old: Path, former: ModuleType) -> None:
    files = kit.tree(old)
    documents = [name for name in files if name.endswith(("zarr.json", "plan.json")) or "/stages/" in name]
    found = {name: hashlib.sha256(files[name]).hexdigest() for name in documents}
    assert former.digest(found) == _DOCUMENTS


def test_it_is_read_as_ever(whole: Path, old: Path, independent: ModuleType) -> None:
    assert verify(old) == []
    before, now, others = open_store(old), open_store(whole), independent.Reader(old)
    for name in ("image", "box", "fits/truth/pose", "iuv/uv"):
        assert np.array_equal(before.array(name)[:], now.array(name)[:])
        assert np.array_equal(others.read(name), now.array(name)[:])
    assert before.array("image").name == "image" and now.array("image").name == "crops/image"


def test_it_becomes_what_is_written_now(kit: Any, whole: Path, old: Path) -> None:
    reader = open_store(old)
    pinned = reader.array("image")
    (old / "notes.txt").write_text("mine")
    assert migrate(old)
    assert kit.tree(old) == kit.tree(whole) | {"notes.txt": b"mine"} and beside(old) == []
    assert np.array_equal(pinned[:], open_store(old).array("image")[:]), "who had opened it reads on"
    assert not migrate(old), "once"


def test_a_half_made_one_goes_on(kit: Any, half: Path, memory: Path) -> None:
    before = kit.tree(half)
    with pytest.raises(StoreVersionError, match=r"format version 1\.2.*\n.*2\.x\n.*`pymaf-data migrate .*half\.zarr`"):
        kit.ingest(half, kit.recipe)
    assert kit.tree(half) == before
    assert migrate(half) and open_store(half).current("ingest").missing == [0, 2]
    kit.ingest(half, kit.recipe)
    assert kit.tree(half) == kit.tree(kit.ingest(memory / "b.zarr", kit.recipe))


def test_a_half_made_one_is_built_anew_where_asked(kit: Any, half: Path, memory: Path) -> None:
    assert kit.ingest(half, kit.recipe, overwrite=True) == half and beside(half) == []
    assert kit.tree(half) == kit.tree(kit.ingest(memory / "b.zarr", kit.recipe))


def test_nothing_else_is_written_to_it(kit: Any, old: Path) -> None:
    before = kit.tree(old)
    with pytest.raises(StoreVersionError, match="pymaf-data migrate"):
        kit.write(open_store(old), "iuv", "a" * 64, kit.recipe, kit.iuv)
    assert kit.tree(old) == before
    newer = kit.replace(kit.recipe, seed=1)
    assert kit.ingest(old, newer, overwrite=True) == old and open_store(old).head["format_version"] == "2.1"


@pytest.mark.parametrize("stride", [11, pytest.param(1, marks=pytest.mark.long)])
def test_killed_at_every_step(
    kill: ModuleType, kit: Any, former: ModuleType, whole: Path, memory: Path, stride: int
) -> None:
    reference, step = kit.tree(whole), 0
    old = former.former(Path(shutil.copytree(whole, memory / "old.zarr")))
    before = kit.tree(old)
    while True:
        path = Path(shutil.copytree(old, memory / str(step) / "a.zarr"))
        if not kill.killed_at(step, lambda path=path: migrate(path)):
            break
        if path.exists():
            assert kit.tree(path) in (before, reference), "never a mixture"
            assert open_store(path).array("image")[:].any()
        else:
            with pytest.raises(NotAStore, match="`migrate` was killed while swapping; the same command ends it"):
                open_store(path)
        migrate(path)
        assert kit.tree(path) == reference and beside(path) == [], f"killed before operation {step}"
        step += stride
    assert step > 100


def test_it_waits_for_nobody(old: Path) -> None:
    for stage in ("iuv", "fits/late"):
        with open_store(old).lock(stage), pytest.raises(StoreLocked, match=rf"stage {stage} is being written"):
            migrate(old)
    aside = old.with_name(f".{old.name}.next")
    aside.mkdir()
    with pytest.raises(StoreLocked, match="overwritten"):
        migrate(old)
    aside.rmdir()
    assert migrate(old) and not (old / "_pymaf/locks").exists()


def test_where_there_are_no_hard_links_files_are_copied(
    kit: Any, whole: Path, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert migrate(old) and kit.tree(old) == kit.tree(whole)


@pytest.mark.parametrize("place", ["../images", None], ids=["relative", "absolute"])
def test_crops_behind_a_link_stay_there(whole: Path, old: Path, place: str | None) -> None:
    elsewhere = old.parent / "images"
    (old / "image").rename(elsewhere)
    (old / "image").symlink_to(place or elsewhere)
    assert migrate(old)
    assert (old / "crops/image").is_symlink() and np.array_equal(
        open_store(old).array("image")[:], open_store(whole).array("image")[:]
    )


def test_a_damaged_one_is_left_as_it_is(kit: Any, old: Path) -> None:
    (old / "image/c/1/0/0/0").write_bytes(b"x")
    before = kit.tree(old)
    with pytest.raises(StoreDamaged, match="image/c/1/0/0/0 holds 1 bytes"):
        migrate(old)
    assert kit.tree(old) == before


def test_the_command_says_what_it_did(old: Path) -> None:
    for said in ("migrated", "has the present format"):
        run = CliRunner().invoke(app, ["migrate", str(old)])
        assert run.exit_code == 0 and said in run.output, run.output
