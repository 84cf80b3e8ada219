"""The one way to the chosen fits: which generation is read, and which rows have none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pymaf_data.digest import digest_json
from pymaf_data.errors import FitError, StoreIncomplete
from pymaf_data.fits.chosen import ChosenReader
from pymaf_data.fits.table import fit_specs
from pymaf_data.storage import ArraySpec, Plan, Provenance, Store, create_store, open_store

N, SHARD = 10, 4
ALL = np.arange(N)
SOURCE = np.array([0, 1, -1, 0, 1, 1, 0, 0, 1, 0], np.int16)


@pytest.fixture(autouse=True)
def no_wait_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two sources whose poses say who made them, and a choice among them."""
    plan = Plan(dataset="made", split="train", rows=tuple((f"{i:02d}.jpg", i) for i in range(N)), shard=SHARD)
    specs = (ArraySpec("box", (3,), "f8", 4),)
    write(create_store(tmp_path / "made.zarr", plan, specs, Provenance()), "ingest", plan.digest, specs, {}, {})
    return tmp_path / "made.zarr"


def write(store: Store, stage: str, digest: str, specs: tuple, made: dict, attributes: dict, shards: int = 3) -> None:
    rows = {spec.name: np.zeros((N, *spec.shape_per_row), spec.dtype) for spec in specs} | made
    with store.lock(stage):
        writer = store.stage(stage, digest, specs, attributes or None)
        for k in range(shards):
            writer.write_shard(k, {name: values[writer.rows(k)] for name, values in rows.items()}, digest_json(k))
        if shards == 3:
            writer.finish()


def add_fits(path: Path, name: str, value: float, shards: int = 3, kind: str = "none", **made: np.ndarray) -> None:
    rows = {"pose": np.full((N, 72), value, np.float32), "valid": np.ones(N, bool)} | made
    store = open_store(path)
    write(store, f"fits/{name}", digest_json([name, str(value)]), fit_specs(SHARD), rows, {"native_kind": kind}, shards)


def add_choice(path: Path, first: float, second: float, shards: int = 3) -> None:
    generations = {"first": digest_json(["first", str(first)]), "second": digest_json(["second", str(second)])}
    attributes = {"sources": ["first", "second"], "generations": generations}
    specs = (ArraySpec("source", (), "i2", 4),)
    write(open_store(path), "choice", digest_json(generations), specs, {"source": SOURCE}, attributes, shards)


def test_each_row_comes_from_its_source_in_the_order_asked_for(path: Path) -> None:
    add_fits(path, "first", 1.0)
    add_fits(path, "second", 2.0)
    add_choice(path, 1.0, 2.0)
    rows = np.array([8, 0, 2, 9])
    fits = ChosenReader(open_store(path)).read(rows)
    assert fits.source.tolist() == [1, 0, -1, 0]
    assert fits.pose[:, 0].tolist() == [2, 1, 0, 1]
    assert fits[1:].valid.tolist() == [True, False, True]


def test_the_generation_that_was_chosen_from_is_read_not_the_current_one(path: Path) -> None:
    add_fits(path, "first", 1.0)
    add_fits(path, "second", 2.0)
    add_choice(path, 1.0, 2.0)
    add_fits(path, "first", 5.0)
    store = open_store(path)
    assert store.array("fits/first/pose")[0][0] == 5
    assert ChosenReader(store).read(ALL).pose[0, 0] == 1


def test_fits_that_are_not_valid_or_not_finite_are_none(path: Path) -> None:
    valid, weak = np.ones(N, bool), np.zeros((N, 3), np.float32)
    valid[3], weak[6, 1] = False, np.inf
    add_fits(path, "first", 1.0, valid=valid, weak_camera=weak)
    add_fits(path, "second", np.nan)
    add_choice(path, 1.0, np.nan)
    fits = ChosenReader(open_store(path)).read(ALL)
    assert np.flatnonzero(fits.valid).tolist() == [0, 7, 9]
    assert np.isfinite(fits.pose).all() and not fits.pose[~fits.valid].any()


def test_rows_of_missing_shards_are_refused_or_without_a_fit(path: Path) -> None:
    add_fits(path, "first", 1.0)
    add_fits(path, "second", 2.0, shards=1)
    add_choice(path, 1.0, 2.0, shards=2)
    reader = ChosenReader(open_store(path))
    for rows in (np.arange(8), np.array([9])):
        with pytest.raises(StoreIncomplete):
            reader.read(rows)
    assert np.flatnonzero(reader.read(ALL, allow_partial=True).valid).tolist() == [0, 1, 3, 6, 7]


def test_fits_that_are_gone_or_of_an_unknown_camera_are_refused(path: Path) -> None:
    add_fits(path, "first", 1.0, kind="fisheye")
    add_choice(path, 1.0, 2.0)
    reader = ChosenReader(open_store(path))
    with pytest.raises(StoreIncomplete, match="fits/second"):
        reader.read(ALL)
    with pytest.raises(FitError, match="fisheye"):
        reader.camera(0)
