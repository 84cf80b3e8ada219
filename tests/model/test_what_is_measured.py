"""What is measured on persons, shown to watchers and kept for it: the loop on a network of a dozen numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pymaf_data.loader import Batch
from pymaf_data.model import OptimizerOptions, TrainOptions, normalise
from pymaf_data.model.measures import iteration_errors
from pymaf_data.model.networks.network import Output
from pymaf_data.model.options import ValidationOptions
from pymaf_data.model.predict import predict_rows
from pymaf_data.model.trainer import Trainer
from pymaf_data.model.watchers import HeldOut, Snapshots
from pymaf_data.runs import checkpoints
from pymaf_data.runs.folder import BEST, CHECKPOINT, LOGS
from pymaf_data.runs.history import HistoryLine, read_history
from tests.factories.tiny import B, Feed, Tiny, batch_of, of_imagenet, trained


def test_whoever_shows_the_network_an_image_normalises_it(tmp_path: Path) -> None:
    """Training, measuring statistics, held-out persons and snapshots."""
    batch = batch_of()
    watchers = [HeldOut([batch], 1), Snapshots(batch, True, 1, tmp_path)]
    options = OptimizerOptions(fixed_statistics=True)
    model = trained(tmp_path, watchers, steps=2, optimizer=options).model
    assert len(model.shown) == 4 + 2 * 3 + 2  # the statistics' epoch, three looks of two watchers, two steps
    for image in model.shown:
        np.testing.assert_allclose(image, of_imagenet(batch.image.numpy()), atol=1e-5)


def test_watchers_see_the_network_as_it_is_used(tmp_path: Path) -> None:
    model = trained(tmp_path, [HeldOut([batch_of()], 4)], steps=2).model
    assert model.modes == [False, True, True, False]


def test_held_out_persons_count_alike_in_batches_of_any_size() -> None:
    """The mean is over persons, not over batches; who has no fit is nobody."""
    model, batches = Tiny().eval(), [batch_of(seed) for seed in range(3)]
    fitted = [torch.tensor(flags) for flags in ([True, True], [True, False], [False, False])]
    batches = [replace(batch, has_fit=flags) for batch, flags in zip(batches, fitted, strict=True)]
    line = HeldOut(batches, 4).look(7, model)  # type: ignore[arg-type]
    assert line is not None
    assert (line.step, line.kind, line.persons) == (7, "held_out", 3)
    two, one = (iteration_errors(model(normalise(b.image)), b, model.body) for b in batches[:2])
    assert two["M0"]["mpjpe"] != pytest.approx(one["M0"]["mpjpe"], rel=1e-2)
    for name, value in two["M0"].items():
        assert line.errors["M0"][name] == pytest.approx((2 * value + one["M0"][name]) / 3, rel=1e-4)


def test_held_out_meshes_are_measured_against_fits_and_joints_alone_where_there_are_none() -> None:
    """Vertices are compared as they stand; of joints those count that were measured, about the hips."""
    model, batch = Tiny().eval(), batch_of()
    betas = torch.zeros(B, 10)
    betas[0, :3] = torch.tensor([0.03, 0.0, 0.04])
    line = HeldOut([replace(batch, betas=betas)], 1, "a").look(0, model)  # type: ignore[arg-type]
    assert line is not None and line.store == "a"
    assert line.errors["M1"]["pve"] == pytest.approx(25.0, rel=1e-5), "one of two persons is 50 mm off"
    output = model(normalise(batch.image))
    measured = torch.cat([output.predictions[0].joints[:, 25:] + 7, torch.zeros(B, 24, 1)], dim=-1)
    measured[:, [2, 3, 12], 3] = 1
    measured[:, 12, 1] += 0.03  # the neck; about hips that stand where they are
    measured[:, 5, :3] = torch.nan
    measured[1, 2, 3] = 0  # the second person's right hip was not measured
    no_fit = replace(batch, has_fit=torch.zeros(B, dtype=torch.bool), joints3d=measured)
    line = HeldOut([no_fit], 1).look(0, model)  # type: ignore[arg-type]
    assert line is not None and line.persons == 1
    assert line.errors["M0"]["mpjpe"] == pytest.approx(10.0, rel=1e-3) and 0 < line.errors["M0"]["pa_mpjpe"] < 10
    assert set(line.errors["M1"]) == {"mpjpe", "pa_mpjpe"}, "nothing is known of the mesh"


def test_errors_are_millimetres_about_the_hips_of_persons_with_a_fit() -> None:
    """Of 24 joints one is 48 mm off: 2 mm in the mean, wherever the whole body stands and whoever has no fit."""
    model, batch = Tiny(), batch_of()
    joints = model.joints.expand(B, 49, 3).clone()
    joints[:, 25 + 12, 1] += 0.048  # the neck, in LSP's order
    joints[:, :25] += 5  # joints that are not measured
    joints += torch.tensor([1.0, -2.0, 30.0])
    joints[1] *= 3
    one = model(batch.image.float()).predictions[0]
    one = replace(one, joints=joints)
    known = Batch(**(vars(batch) | {"has_fit": torch.tensor([True, False])}))
    found = iteration_errors(Output([one], slice(None), None), known, model.body)
    assert found["M0"]["mpjpe"] == pytest.approx(2.0, rel=1e-3)
    assert found["M0"]["pa_mpjpe"] > 0.1  # no similarity takes it away
    turned = replace(one, joints=0.5 * model.joints.expand(B, 49, 3)[..., [1, 2, 0]])
    assert iteration_errors(Output([turned], slice(None), None), known, model.body)["M0"]["pa_mpjpe"] < 1e-2
    nobody = Batch(**(vars(batch) | {"has_fit": torch.zeros(B, dtype=torch.bool)}))
    assert iteration_errors(Output([one], slice(None), None), nobody, model.body) == {}


class Crops:
    """17 rows of stored crops at 100 px; brightness grows to the right in red, downwards in green."""

    side = 100
    shape = (17, side, side, 3)

    def pixels_into(self, row: int, shown: slice, out: np.ndarray) -> None:
        ramp = np.arange(self.side)
        out[..., 0], out[..., 1], out[..., 2] = 2 * ramp, 2 * ramp[:, None], row
        out[: shown.start], out[shown.stop :] = 255, 255  # what is not shown need not be there


def test_a_prediction_is_made_from_the_plain_view_and_shown_in_the_crop() -> None:
    """The view is the middle 1/κ of the crop; π's camera of 224 px is moved there with it."""
    model, rows = Tiny().train(), list(range(17))
    model.view_size = 224
    found = predict_rows(model, SimpleNamespace(array=lambda name: Crops()), rows)  # type: ignore[arg-type]
    assert model.training
    assert model.modes == [False, False], "used as it is in evaluation, 16 at a time"
    ratio = 1.25 * 2**0.5
    shown = torch.cat(model.shown).numpy()
    seen = shown * np.array([0.229, 0.224, 0.225])[:, None, None] + np.array([0.485, 0.456, 0.406])[:, None, None]
    along = ((np.arange(224) + 0.5) / 224 - 0.5) * Crops.side / ratio + Crops.side / 2  # continuous, in the crop
    np.testing.assert_allclose(255 * seen[3, 0, 100], 2 * (along - 0.5), atol=1.1)
    np.testing.assert_allclose(255 * seen[3, 1, :, 100], 2 * (along - 0.5), atol=1.1)
    np.testing.assert_allclose(255 * seen[:, 2, 50, 50], rows, atol=1e-3)
    s, tx, ty = model.camera.detach().double().numpy()
    points = np.broadcast_to(model.joints.double().numpy(), (17, 49, 3))
    depth = points[..., 2] + 2 * 5000 / (224 * s)
    view = 5000 * (points[..., :2] + [tx, ty]) / depth[..., None]  # from the view's middle
    wanted = view * Crops.side / (224 * ratio) + Crops.side / 2
    np.testing.assert_allclose(found.cameras.project(torch.from_numpy(points.copy())), wanted, atol=1e-4)
    np.testing.assert_array_equal(found.vertices, points.astype(np.float32))


class Looking:
    """A watcher that notes the weights it is shown, and says what it is told to say."""

    every = 1

    def __init__(self, *errors: float, store: str = "") -> None:
        self.errors, self.shown, self.store = list(errors), list[Tensor](), store

    def begin(self, step: int, model: Any) -> None:
        pass

    def look(self, step: int, model: Any) -> HistoryLine:
        self.shown.append(model.moved.detach().clone())
        found = {"mpjpe": -1.0 * step, "pa_mpjpe": self.errors.pop(0)}
        errors = {"M0": {"mpjpe": 0, "pa_mpjpe": 0}, "M3": found}
        return HistoryLine(step=step, kind="held_out", store=self.store, errors=errors, persons=2)


def test_the_average_is_kept_shown_to_watchers_and_gone_on_with(tmp_path: Path) -> None:
    options = TrainOptions(steps=4, optimizer=OptimizerOptions(learning_rate=0.1, average=0.25))
    own, looking = list[Tensor](), Looking(*[0.0] * 5)
    model = Tiny()
    own.append(model.moved.detach().clone())
    whole = Trainer(model, Feed(), options, tmp_path / "whole", watchers=[looking])  # type: ignore[arg-type]
    whole.run(lambda *_: own.append(model.moved.detach().clone()))
    wanted = [own[0]]
    for step, weights in enumerate(own[1:], start=1):
        decay = min(0.25, (1 + step) / (10 + step))
        wanted.append(decay * wanted[-1] + (1 - decay) * weights)
    assert not torch.equal(wanted[-1], own[-1])
    torch.testing.assert_close(torch.stack(looking.shown), torch.stack(wanted))
    saved = checkpoints.read(tmp_path / "whole" / CHECKPOINT)
    assert torch.equal(saved.model["moved"], own[-1]) and torch.equal(saved.weights["moved"], looking.shown[-1])
    assert saved.average["norm.num_batches_tracked"] == 4
    for steps in (2, 4):
        part = Trainer(Tiny(), Feed(), options.model_copy(update={"steps": steps}), tmp_path / "part")  # type: ignore[arg-type]
        if steps == 4:
            part.restore(checkpoints.read(tmp_path / "part" / CHECKPOINT))
        part.run()
    again = checkpoints.read(tmp_path / "part" / CHECKPOINT)
    assert all(torch.equal(again.average[name], value) for name, value in saved.average.items())


def test_the_best_network_so_far_is_kept_as_it_was_measured(tmp_path: Path) -> None:
    """The second run goes on: what the first one found best stays until something is better."""
    looking = Looking(1.0, 5.0, 3.0, 4.0, 3.5, 2.0)
    average = OptimizerOptions(learning_rate=0.1, average=0.5)
    steps = []
    for total in (3, 4, 5):
        options = TrainOptions(steps=total, optimizer=average)
        trainer = Trainer(Tiny(), Feed(), options, tmp_path, watchers=[looking])  # type: ignore[arg-type]
        if total > 3:
            trainer.restore(checkpoints.read(tmp_path / CHECKPOINT))
        trainer.run()
        best = checkpoints.read(tmp_path / BEST)
        assert torch.equal(best.weights["moved"], looking.shown[best.step])
        told = checkpoints.read(tmp_path / CHECKPOINT).best
        assert told == best.best == {"step": best.step, "measure": "pa_mpjpe", "value": {2: 3.0, 5: 2.0}[best.step]}
        steps.append(best.step)
    assert steps == [2, 2, 5], "before it has learned anything nothing is best"


def test_of_several_stores_one_decides_about_the_best_and_all_are_told(tmp_path: Path) -> None:
    """The first, or the one that is named; a best of a version that knew no stores is that of the only one."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    each = {"a": (9.0, 3.0, 2.0), "b": (9.0, 4.0, 5.0)}
    by_a, by_b = {"store": "a", "step": 2, "value": 2.0}, {"store": "b", "step": 1, "value": 4.0}
    for named, best in (("", by_a), ("b", by_b)):
        validation = ValidationOptions(stores=(Path("/x/a.zarr"), Path("/y/b.zarr")), best_of=named)
        watchers = [Looking(*errors, store=store) for store, errors in each.items()]
        options, folder = TrainOptions(steps=2, validation=validation), tmp_path / f"by-{named}"
        trainer = Trainer(Tiny(), Feed(), options, folder, watchers=watchers)  # type: ignore[arg-type]
        told = list[str]()
        report = trainer.run(lambda *said: told.append(said[-1]))  # noqa: B023
        saved = checkpoints.read(trainer.folder / CHECKPOINT)
        assert saved.best == best | {"measure": "pa_mpjpe"}
        other = {"a": "b", "b": "a"}[best["store"]]
        assert saved.figures["store"] == best["store"] and saved.figures["errors"]["M3"]["pa_mpjpe"] in (2.0, 5.0)
        assert set(saved.figures["others"]) == {other}
        lines = [line for line in read_history(trainer.folder) if line.kind == "held_out"]
        assert [(line.step, line.store) for line in lines] == [(step, name) for step in range(3) for name in "ab"]
        assert "held out a -1, b -1 mm" in told[0]
        assert any("held out: b" in text for text in report.lines()) and set(report.held_out) == {"a", "b"}
        log = EventAccumulator(str(trainer.folder / LOGS)).Reload()
        assert [event.value for event in log.Scalars("held_out_pa_mpjpe_mm/b/M3")] == [9.0, 4.0, 5.0]
    older = replace(saved, best={"step": 1, "measure": "pa_mpjpe", "value": 1.0})
    for stores, steps in (("a",), 1), (("a", "b"), 3):
        validation = ValidationOptions(stores=tuple(Path(f"{name}.zarr") for name in stores))
        options = TrainOptions(steps=3, validation=validation)
        trainer = Trainer(Tiny(), Feed(), options, tmp_path / "by-b", watchers=[Looking(1.5, store="a")])  # type: ignore[arg-type]
        trainer.restore(older)
        trainer.run()
        assert trainer._best["step"] == steps, "measured on other persons it says nothing"
