"""Which stores a run learns from when nobody names them: never those that their manifests hold out."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pymaf_data.body import load_body
from pymaf_data.errors import TrainingError
from pymaf_data.model import TrainOptions, learned_from, train
from pymaf_data.model.learned_from import tell_who_is_seen, with_held_out
from pymaf_data.model.options import ValidationOptions
from pymaf_data.paths import VARIABLE, DataRoot
from pymaf_data.storage import open_store, records


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataRoot:
    """A data root with a train and a val store, both with fits."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr("os.fsync", lambda _: None)
    path = Path(__file__).resolve().parents[1] / "factories" / "stores.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    factory = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(factory)
    for split in ("train", "val"):  # as a version that recorded no ``held_out`` wrote them
        store = tmp_path / "stores" / f"coco-{split}.zarr"
        factory.invented_store(store, load_body("free"), 4, shard=4, dataset="coco", split=split)
    return DataRoot(tmp_path)


def test_a_held_out_store_is_measured_on_and_said(root: DataRoot, caplog: pytest.LogCaptureFixture) -> None:
    trained, held_out = root.stores()
    found = with_held_out(TrainOptions(), root)
    assert (found.stores, found.validation.stores) == ((trained,), (held_out,))
    (told,) = [record.getMessage() for record in caplog.records]
    assert "not learned from: coco-val.zarr; measured on: coco-val.zarr" in told


def test_persons_that_are_learned_from_and_measured_on_are_told(
    root: DataRoot, caplog: pytest.LogCaptureFixture
) -> None:
    trained, held_out = root.stores()
    copied = root.path / "elsewhere" / "copied.zarr"
    shutil.copytree(trained, copied)
    tell_who_is_seen([open_store(trained)], [held_out])
    assert not caplog.records
    tell_who_is_seen([open_store(path) for path in (held_out, trained)], [held_out, copied])
    assert [record.getMessage() for record in caplog.records] == [
        "held out: coco-val.zarr, but 4 of its 4 persons are learned from, in coco-val.zarr",
        "held out: copied.zarr, but 4 of its 4 persons are learned from, in coco-train.zarr",
    ]


def test_what_is_named_stays_as_it_is_named(root: DataRoot, caplog: pytest.LogCaptureFixture) -> None:
    trained, held_out = root.stores()
    for stores in ((held_out,), (trained, held_out)):
        named = TrainOptions(stores=stores)
        assert with_held_out(named, root) == named
    asked = TrainOptions(validation=ValidationOptions(stores=(held_out,)))
    assert with_held_out(asked, root) == asked, "as given: training takes the rest"
    assert not caplog.records
    two = ValidationOptions(stores=(held_out, root.path / "elsewhere" / held_out.name))
    for validation, said in (
        (two, "named coco-val"),
        (asked.validation.model_copy(update={"best_of": "x"}), "of coco-val"),
    ):
        with pytest.raises(TrainingError, match=said):
            train(asked.model_copy(update={"validation": validation}))
    other = ValidationOptions(stores=(root.path / "other.zarr",))
    found = with_held_out(TrainOptions(validation=other), root)
    assert (found.stores, found.validation) == ((trained,), other)


def test_a_held_out_store_without_fits_is_left_out(root: DataRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    trained, held_out = root.stores()
    shutil.rmtree(held_out / records.STAGES / "choice")
    (held_out / records.current("choice")).unlink()
    found = with_held_out(TrainOptions(), root)
    assert (found.stores, found.validation.stores) == ((trained,), ())
    measured = SimpleNamespace(rows=lambda rows: np.ones((len(rows), 24, 4), np.float32))
    monkeypatch.setattr(learned_from, "stored_column", lambda store, name: measured)
    assert with_held_out(TrainOptions(), root).validation.stores == (held_out,), "but that joints tell of them"


def test_held_out_stores_alone_are_refused_with_the_way_out(root: DataRoot) -> None:
    trained, held_out = root.stores()
    shutil.rmtree(trained)
    for validation in (ValidationOptions(), ValidationOptions(stores=(held_out,))):
        with pytest.raises(TrainingError, match=r"coco-val\.zarr held out") as caught:
            train(TrainOptions(validation=validation))
        assert "--store" in caught.value.action
    assert not root.runs.exists()
