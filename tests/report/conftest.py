"""Invented stores and runs, and a browser to look at their pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pymaf_data.body import BodyModel, load_body
from pymaf_data.runs.folder import OPTIONS, PROVENANCE
from pymaf_data.runs.history import History, HistoryLine
from pymaf_data.runs.snapshots import Snapshot, SnapshotFolder, SnapshotPersons
from pymaf_data.storage import Store

FACTORIES = Path(__file__).resolve().parents[1] / "factories"


def load_module(path: Path) -> ModuleType:
    import importlib.util

    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def body() -> BodyModel:
    return load_body("free")


@pytest.fixture(scope="session")
def stores() -> ModuleType:
    """The factory of invented stores."""
    return load_module(FACTORIES / "stores.py")


@pytest.fixture(scope="session")
def invented(stores: ModuleType, body: BodyModel, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """120 persons in shards of 32; tests do not change it."""
    return stores.invented_store(tmp_path_factory.mktemp("invented") / "invented-train.zarr", body, 120, shard=32)


@pytest.fixture(scope="session")
def more_sources() -> ModuleType:
    """The factory of further sources of fits."""
    return load_module(FACTORIES / "sources.py")


def invented_run(folder: Path, body: BodyModel, steps: int = 40, persons: int = 2) -> Path:
    """A run that learned: errors fall, and its bodies come nearer to the targets."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    options = {"name": "mine", "stores": ["/secret/place/a.zarr"], "batch_size": 8, "backbone": "/secret/resnet.pt"}
    options |= {"validation": {"stores": ["/secret/place/held.zarr"]}, "model": {"dropout": 0.5}}
    (folder / OPTIONS).write_text(json.dumps(options))
    (folder / PROVENANCE).write_text(json.dumps({"licences": {"fits": "CC0 </script>"}, "body": body.name}))
    history = History(folder, 0)
    wild = {f"M{t}": {"mpjpe": 250.0 - t, "pa_mpjpe": 90.0, "pve": 280.0 - t} for t in range(4)}
    for step in range(0, steps + 1, 10):
        errors = {f"M{t}": {"mpjpe": 300.0 - t * step, "pa_mpjpe": 100.0 - t * step / 2} for t in range(4)}
        for store, found, known in (("held", errors, 7), ("wild", wild, 5)):
            history.append(HistoryLine(step=step, kind="held_out", store=store, errors=found, persons=known))
        scalars = {"loss": 50.0 / (1 + step), "pose": 3.0, "learning_rate": 1e-4, "gradient_norm": 9.0}
        scalars |= {"images_per_second": 40.0, "waiting": 0.125}
        history.append(HistoryLine(step=step + 1, kind="train", scalars=scalars, errors=errors, persons=8))
    rotation = np.tile(np.eye(3, dtype=np.float32), (persons, 24, 1, 1))
    rotation[:, 0] = np.diag([1.0, -1.0, -1.0])
    betas, camera = np.zeros((persons, 10), np.float32), np.tile(np.float32([0.9, 0, 0]), (persons, 1))
    view = rng.integers(0, 256, (persons, 224, 224, 3), dtype=np.uint8)
    known = SnapshotPersons(
        view, rotation, betas, camera, np.arange(persons), np.array(True), np.array(body.name), np.array(body.digest)
    )
    snapshots = SnapshotFolder(folder)
    snapshots.begin(known, 0)
    for step in (0, steps // 2, steps):
        parts = [np.repeat(value[:, None], 4, axis=1) for value in (rotation, betas, camera)]
        snapshots.write(step, Snapshot(*parts, mpjpe=np.full((persons, 4), 300.0 - step, np.float32)))
    return folder


@pytest.fixture(scope="session")
def run_folder(body: BodyModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training run; tests do not change it."""
    return invented_run(tmp_path_factory.mktemp("runs") / "mine", body)


@pytest.fixture(scope="session")
def browser() -> ModuleType:
    """The driver of a browser."""
    return load_module(Path(__file__).with_name("browser.py"))


@pytest.fixture(scope="session")
def tab(browser: ModuleType) -> Iterator[Any]:
    """One page of a browser, for all tests."""
    program = browser.installed()
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(browser.NAMES)} is installed")
    pytest.importorskip("websockets", reason="websockets is not installed (extra: dev)")
    with browser.chromium(program) as tab:
        yield tab
