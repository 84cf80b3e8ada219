"""``train`` hands its options on: what the trainer, its batches and its watchers are, by the options one by one.

The loop itself does not run here: the trainer is caught as it is made.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pymaf_data.geometry.rotations import rotation_6d_to_matrix
from pymaf_data.loader import AugmentationOptions
from pymaf_data.model import ModelOptions, TrainOptions, train, training
from pymaf_data.paths import VARIABLE
from pymaf_data.storage import Store

STILL = AugmentationOptions.none()
ROWS = list(range(8))


class Caught(Exception):
    """The trainer's arguments."""


@pytest.fixture(scope="module")
def store(free_body: Any, tmp_path_factory: pytest.TempPathFactory) -> Store:
    path = Path(__file__).parents[1] / "factories" / "stores.py"
    spec = importlib.util.spec_from_file_location("stores", path)
    assert spec is not None and spec.loader is not None
    factory = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(factory)
    return factory.invented_store(tmp_path_factory.mktemp("stores") / "invented.zarr", free_body, 12, shard=8)


@pytest.fixture
def made(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., SimpleNamespace]:
    """``made(**options)``: what a trainer would be made of."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))

    def catch(model: Any, feed: Any, options: Any, folder: Path, **named: Any) -> Any:
        raise Caught(SimpleNamespace(model=model, feed=feed, options=options, folder=folder, **named))

    class Network(torch.nn.Linear):
        """Stands for the network, whose 45 million first weights take a second; one number is drawn as they are."""

        def __init__(self, options: Any, body: Any, frame: str) -> None:
            super().__init__(1, 1)
            self.body, self.options, self.frame = body, options, frame

    monkeypatch.setattr(training, "Trainer", catch)
    monkeypatch.setattr(training, "make_network", Network)
    # The atlas of invented maps is invented too; maps are of no interest here.
    always = {"stores": (store.path,), "device": "cpu", "precision": "fp32", "workers": 0, "targets": "rendered"}

    def make(**options: Any) -> SimpleNamespace:
        with pytest.raises(Caught) as caught:
            train(TrainOptions(**(always | options)))
        found: SimpleNamespace = caught.value.args[0]
        return found

    return make


def test_augmentation_is_the_runs(made: Callable[..., SimpleNamespace]) -> None:
    default, still = made().feed, made(augmentation=STILL).feed
    plain = default.plain().batch(ROWS)
    assert torch.equal(still.batch(ROWS).image, plain.image)
    assert torch.equal(still.batch(ROWS, epoch=3).keypoints, plain.keypoints)
    assert not torch.equal(default.batch(ROWS).image, plain.image)
    mirrored = made(augmentation=STILL.model_copy(update={"flip_probability": 1.0})).feed.batch(ROWS)
    assert mirrored.flip.all()


def test_the_seed_is_the_runs(made: Callable[..., SimpleNamespace]) -> None:
    one, again, other = (made(seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.feed.batch(ROWS).image, again.feed.batch(ROWS).image)
    assert not torch.equal(one.feed.batch(ROWS).image, other.feed.batch(ROWS).image)
    weights = [found.model.weight for found in (one, again, other)]
    assert torch.equal(weights[0], weights[1]), "equal seeds begin with equal networks"
    assert not torch.equal(weights[0], weights[2])


def test_joints_of_fits_teach_only_where_asked(made: Callable[..., SimpleNamespace]) -> None:
    for chosen, flag in (("measured", 0), ("fitted", 1)):
        batch = made(joints3d=chosen).feed.batch(ROWS)
        assert batch.has_fit.all()
        assert (batch.joints3d[..., 3] == flag).all()
    assert not made().feed.batch(ROWS).joints3d.any()


def test_the_loop_starts_at_the_means_of_the_data_where_asked(
    made: Callable[..., SimpleNamespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Any] = []
    monkeypatch.setattr(training, "start_at", lambda model, mean: begun.append(mean))
    made()
    assert not begun
    for frame in ("view", "camera"):
        batch = made(mean="data", frame=frame).feed.plain().batch(range(12))
        mean = begun.pop()
        assert batch.has_fit.all() and batch.has_camera.all()
        torch.testing.assert_close(mean.camera[0], batch.camera.double().mean(dim=0), rtol=0, atol=1e-4)
        torch.testing.assert_close(mean.betas[0], batch.betas.double().mean(dim=0), rtol=0, atol=1e-6)
        rotation = rotation_6d_to_matrix(mean.pose6d.reshape(24, 6))
        pull = rotation.mT @ batch.pose.double().sum(dim=0)  # symmetric where the sum of distances is least
        torch.testing.assert_close(pull, pull.mT, rtol=0, atol=1e-5)


def test_sizes_and_workers_are_the_runs(made: Callable[..., SimpleNamespace]) -> None:
    found = made(batch_size=5, workers=3, model={"view_size": 96, "dropout": 0.25})
    assert [len(batch) for batch in found.feed.epoch(0)] == [5, 5, 2]
    batch = found.feed.batch(ROWS)
    assert batch.image.shape[2:] == (96, 96)
    assert batch.part.shape[1:] == (24, 24), "a quarter of the view"
    assert found.feed.options.workers == 3
    assert found.model.options == ModelOptions(view_size=96, dropout=0.25)
    assert made().model.options == ModelOptions()


def test_targets_are_rendered_where_asked_and_learned(made: Callable[..., SimpleNamespace]) -> None:
    found = made()
    assert not found.feed.batch(ROWS).has_iuv.any()
    drawn = found.prepare(found.feed.batch(ROWS))
    assert torch.equal(drawn.has_iuv, drawn.has_fit)
    assert bool(drawn.part.any())
    assert made(model={"auxiliary": "none"}, targets="stored").prepare is None


def test_names_precision_and_watchers_are_the_runs(
    made: Callable[..., SimpleNamespace], store: Store, tmp_path: Path
) -> None:
    found = made(name="mine", precision="bf16", snapshots={"every": 7, "persons": 3})
    assert (found.folder, found.precision) == (tmp_path / "runs" / "mine", "bf16")
    (snapshots,) = found.watchers
    assert (snapshots.every, len(snapshots.batch), snapshots.held_out) == (7, 3, False)
    assert made(snapshots={"persons": 0}).watchers == []
    (snapshots,) = made().watchers
    assert (snapshots.every, len(snapshots.batch)) == (1000, 6)
    plain = found.feed.plain().batch(snapshots.batch.row.tolist())
    assert torch.equal(snapshots.batch.keypoints, plain.keypoints), "snapshots are of plain views"
