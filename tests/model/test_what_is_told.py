"""What a run is told reaches what it is told to: the loop on a network of a dozen numbers, the options one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pymaf_data.errors import TrainingError
from pymaf_data.loader import Batch
from pymaf_data.model import LossOptions, OptimizerOptions, TrainOptions, normalise, pace
from pymaf_data.model.measures import iteration_errors
from pymaf_data.model.networks.network import Output, Parameters, Prediction
from pymaf_data.model.options import ValidationOptions
from pymaf_data.model.predict import predict_rows
from pymaf_data.model.trainer import Trainer
from pymaf_data.model.watchers import HeldOut, Snapshots
from pymaf_data.runs import checkpoints
from pymaf_data.runs.folder import BEST, CHECKPOINT, LOGS
from pymaf_data.runs.history import HistoryLine, read_history

B = 2


class Stub(SimpleNamespace):
    """A body whose mesh is its joints, moved by its shape."""

    def __call__(self, rotation: Tensor, betas: Tensor) -> SimpleNamespace:
        return SimpleNamespace(vertices=self.joints + betas[:, None, :3])


class Tiny(nn.Module):
    """A network by its outputs: a few numbers learn, and what it was shown is kept."""

    autocast: torch.dtype | None = None
    view_size = 8

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.moved, self.camera = nn.Parameter(torch.tensor([0.5, 0.5])), nn.Parameter(torch.tensor([0.8, 0.1, 0.0]))
        self.shown: list[Tensor] = []
        self.modes: list[bool] = []
        self.joints = torch.from_numpy(np.random.default_rng(0).normal(size=(49, 3))).float()
        known = {"name": "tiny", "digest": "d" * 64, "fingerprint": "f" * 64, "joints": self.joints}
        self.body = Stub(**known, keypoints=self._keypoints)

    def _keypoints(self, pose: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        return pose, self.joints.expand(len(pose), 49, 3)

    def forward(self, image: Tensor, *, auxiliary: bool | None = None) -> Output:
        self.shown.append(image.detach().clone())
        self.modes.append(self.training)
        seen, count = self.norm(image).mean(), len(image)
        eye = torch.eye(3).expand(count, 24, 3, 3)
        joints = self.joints.expand(count, 49, 3) * (1 + 0.1 * seen)
        parameters = Parameters(torch.zeros(count, 144), torch.zeros(count, 10), self.camera.expand(count, 3))
        keypoints = self.moved.expand(count, 49, 2) * 1.0
        one = Prediction(parameters, eye, joints[:, :24], joints, keypoints, joints, self.body)  # type: ignore[arg-type]
        return Output([one, one], slice(1, None), None)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"loop": list(self.parameters()), "trunk": []}


def batch_of(seed: int = 0) -> Batch:
    random = torch.Generator().manual_seed(seed)
    known = {
        "image": torch.randint(0, 256, (B, 3, 8, 8), generator=random, dtype=torch.uint8),
        "keypoints": torch.ones(B, 49, 3), "joints3d": torch.zeros(B, 24, 4),
        "pose": torch.eye(3).expand(B, 24, 3, 3), "betas": torch.zeros(B, 10),
        "has_fit": torch.ones(B, dtype=torch.bool), "has_iuv": torch.zeros(B, dtype=torch.bool),
        "row": torch.arange(B),
    }  # fmt: skip
    return Batch(**{field.name: known.get(field.name, torch.zeros(B)) for field in fields(Batch)})


class Feed:
    """The same batch again and again."""

    def __init__(self, length: int = 4) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def epoch(self, number: int, skip: int = 0) -> Iterator[Batch]:
        return iter([batch_of()] * (self.length - skip))


def trained(folder: Path, watchers: Any = (), precision: str = "fp32", **options: Any) -> Trainer:
    torch.manual_seed(0)
    chosen = TrainOptions(**({"steps": 4, "log_every": 1} | options))
    trainer = Trainer(Tiny(), Feed(), chosen, folder, watchers=watchers, precision=precision)
    trainer.run()
    return trainer


def scalars(folder: Path, name: str) -> list[float]:
    return [line.scalars[name] for line in read_history(folder) if line.kind == "train"]


def of_imagenet(image: np.ndarray) -> np.ndarray:
    """(…, 3, S, S) uint8 as torchvision's backbones want it."""
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    return (image / 255 - mean[:, None, None]) / deviation[:, None, None]


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


def test_the_length_of_a_run_is_its_steps_else_its_epochs(tmp_path: Path) -> None:
    assert Trainer(Tiny(), Feed(5), TrainOptions(), tmp_path).total == 60 * 5
    assert Trainer(Tiny(), Feed(5), TrainOptions(epochs=2), tmp_path).total == 10
    assert Trainer(Tiny(), Feed(5), TrainOptions(epochs=2, steps=3), tmp_path).total == 3


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", None), ("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_precision_is_the_networks(precision: str, dtype: torch.dtype | None, tmp_path: Path) -> None:
    assert Trainer(Tiny(), Feed(), TrainOptions(), tmp_path, precision=precision).model.autocast is dtype


def test_the_rate_of_every_step_is_the_schedules(tmp_path: Path) -> None:
    trained(tmp_path / "default")
    assert scalars(tmp_path / "default", "learning_rate") == [5e-5] * 4
    trained(tmp_path / "own", optimizer=OptimizerOptions(learning_rate=0.1, schedule="cosine", warmup_steps=2))
    half = [0.01 + 0.99 * (1 + np.cos(np.pi * step / 4)) / 2 for step in range(4)]
    assert scalars(tmp_path / "own", "learning_rate") == pytest.approx([0.05 * half[0], *(0.1 * x for x in half[1:])])


def test_the_rate_is_what_moves_the_network(tmp_path: Path) -> None:
    """Adam's first step is the rate, whatever the gradient."""
    for rate in (5e-5, 1e-2):
        model = trained(tmp_path / f"{rate}", steps=1, optimizer=OptimizerOptions(learning_rate=rate)).model
        np.testing.assert_allclose(model.moved.detach(), 0.5 + rate, rtol=0, atol=1e-7)


def test_a_gradient_is_clipped_where_asked_and_its_norm_told_as_it_was(tmp_path: Path) -> None:
    free = trained(tmp_path / "free", steps=1)
    clipped = trained(tmp_path / "clipped", steps=1, optimizer=OptimizerOptions(clip_gradient=0.01))
    norms = [
        float(torch.cat([p.grad.flatten() for p in run.model.parameters() if p.grad is not None]).norm())
        for run in (free, clipped)
    ]
    assert norms[1] == pytest.approx(0.01, rel=1e-3)
    assert scalars(tmp_path / "clipped", "gradient_norm") == pytest.approx([norms[0]], rel=1e-4)


def test_the_loss_is_the_sum_of_the_terms_by_the_weights_of_the_run(tmp_path: Path) -> None:
    trained(tmp_path / "default", steps=1)
    trained(tmp_path / "own", steps=1, loss=LossOptions(keypoints2d=150, camera=7))
    before, after = (read_history(tmp_path / name)[0].scalars for name in ("default", "own"))
    # Every joint errs by ½ in x and in y, and only the 24 annotated of 49 have a say.
    assert before["keypoints2d"] == pytest.approx(300 * 0.25 * 24 / 49)
    assert after["keypoints2d"] == pytest.approx(before["keypoints2d"] / 2)
    assert before["camera"] == pytest.approx(np.exp(-16.0), rel=1e-5)
    assert after["camera"] == pytest.approx(7 * before["camera"])
    for found in (before, after):
        apart = {"loss", "gradient_norm", "learning_rate", "images_per_second", "waiting"}
        assert found["loss"] == pytest.approx(sum(value for name, value in found.items() if name not in apart))


@pytest.mark.parametrize(("delay", "share"), [(3.0, 0.75), (0.0, 0.0)])
def test_the_pace_and_the_share_of_waiting_for_data_are_told(
    delay: float, share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two micro-batches of two persons a step, each waited for and then computed for a second by a clock of its own."""
    clock, told = SimpleNamespace(now=0.0), list[str]()
    monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=lambda: clock.now))

    def passing(seconds: float, batch: Batch) -> Batch:
        clock.now += seconds
        return batch

    class Slow(Feed):
        def epoch(self, number: int, skip: int = 0) -> Iterator[Batch]:
            return (passing(delay, batch) for batch in super().epoch(number, skip))

    options = TrainOptions(steps=5, log_every=2, accumulate=2)
    run = Trainer(Tiny(), Slow(3), options, tmp_path, prepare=lambda batch: passing(1.0, batch))  # type: ignore[arg-type]
    clock.now = 99.0  # what passes before the first step is not the run's
    run.run(lambda *said: told.append(said[-1]))
    assert scalars(tmp_path, "waiting") == pytest.approx([share] * 4)
    assert scalars(tmp_path, "images_per_second") == pytest.approx([2 / (1 + delay)] * 4)
    assert f"{2 / (1 + delay):.3g} images/s, {share:.0%} waiting for data" in told[-1]


def test_statistics_are_learned_unless_they_are_fixed(tmp_path: Path) -> None:
    moved = trained(tmp_path / "default", steps=1).model.norm
    pictures = torch.from_numpy(of_imagenet(batch_of().image.numpy())).transpose(0, 1).flatten(1)
    np.testing.assert_allclose(moved.running_mean, 0.1 * pictures.mean(1), atol=1e-5)
    fixed = trained(tmp_path / "fixed", steps=3, optimizer=OptimizerOptions(fixed_statistics=True)).model.norm
    np.testing.assert_allclose(fixed.running_mean, pictures.mean(1), atol=1e-5)
    np.testing.assert_allclose(fixed.running_var, pictures.var(1), rtol=1e-4)
    assert fixed.momentum == 0.1


def test_what_is_logged_and_saved_and_when(tmp_path: Path) -> None:
    """By default every 50 steps a line, every 1000 a checkpoint; a step count divides by them."""

    class Stop(Exception):
        pass

    def stop(step: int, total: int, remark: str) -> None:
        if step == 1001:
            raise Stop

    trainer = Trainer(Tiny(), Feed(), TrainOptions(steps=2000), tmp_path)
    trainer.step = 949
    with pytest.raises(Stop):
        trainer.run(stop)
    assert [line.step for line in read_history(tmp_path)] == [950, 1000]
    assert checkpoints.read(tmp_path / CHECKPOINT).step == 1000


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


class Counted(Feed):
    """Four batches whose rows say which they are."""

    def epoch(self, number: int, skip: int = 0) -> Iterator[Batch]:
        each = [replace(batch_of(), row=torch.full((B,), 10 * number + place)) for place in range(self.length)]
        return iter(each[skip:])


def test_a_step_of_micro_batches_goes_through_epochs_and_on_where_it_stopped(tmp_path: Path) -> None:
    """Three of four to an epoch: the second step takes the last one and two of the next epoch."""
    options = TrainOptions(epochs=3, accumulate=3)
    drawn: list[int] = []

    def trainer(steps: int | None) -> Trainer:
        prepare = lambda batch: (drawn.append(int(batch.row[0])), batch)[1]  # noqa: E731
        return Trainer(Tiny(), Counted(), options.model_copy(update={"steps": steps}), tmp_path, prepare=prepare)

    assert trainer(None).total == 4
    trainer(1).run()
    again = trainer(3)
    again.restore(checkpoints.read(tmp_path / CHECKPOINT))
    again.run()
    assert drawn == [0, 1, 2, 3, 10, 11, 12, 13, 20]


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


@pytest.mark.parametrize(
    ("error", "where"),
    [
        (MemoryError(), "this machine"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), "this machine"),
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), "the GPU"),
        (RuntimeError("sizes do not match"), ""),
    ],
)
def test_where_memory_ends_it_is_said_what_to_lower(error: Exception, where: str, tmp_path: Path) -> None:
    def prepare(batch: Batch) -> Batch:
        raise error

    options = TrainOptions(steps=2, batch_size=6, accumulate=2)
    trainer = Trainer(Tiny(), Feed(), options, tmp_path, prepare=prepare)  # type: ignore[arg-type]
    with pytest.raises(TrainingError if where else RuntimeError) as caught:
        trainer.run()
    if where:
        for told in (where, "--batch-size 3 --accumulate 4", "model.view_size (now 224)", "nothing was saved yet"):
            assert told in str(caught.value)
        assert ("--workers (now 2)" in str(caught.value)) == (where != "the GPU")
    else:
        assert caught.value is error


def test_in_fp16_a_step_that_overflows_is_left_out_and_the_scale_is_kept(tmp_path: Path) -> None:
    """What flows back through fp16 overflows at a large scale alone: a hook on a weight stands for that."""
    options = TrainOptions(steps=2, log_every=1, optimizer=OptimizerOptions(learning_rate=0.1))
    model, seen = Tiny(), list[Tensor]()
    model.moved.register_hook(lambda gradient: torch.where(gradient.abs() < 4e6, gradient, torch.inf))
    run = Trainer(model, Feed(), options, tmp_path, precision="fp16")  # type: ignore[arg-type]
    run.run(lambda *_: seen.append(model.moved.detach().clone()))
    assert torch.equal(seen[0], torch.full((2,), 0.5)), "left out"
    torch.testing.assert_close(seen[1], torch.full((2,), 0.6))  # Adam's first step is the rate
    saved = checkpoints.read(tmp_path / CHECKPOINT)
    assert saved.scaler["scale"] == run.learner.scaler.get_scale() < 65536
    again = Trainer(Tiny(), Feed(), options, tmp_path, precision="fp16")  # type: ignore[arg-type]
    again.restore(saved)
    assert again.learner.scaler.get_scale() == saved.scaler["scale"]
    model.moved.register_hook(lambda gradient: gradient * torch.inf)
    options = options.model_copy(update={"steps": 40})
    run = Trainer(model, Feed(), options, tmp_path / "never", precision="fp16")  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match="gradient of step 17 is not finite"):
        run.run()
