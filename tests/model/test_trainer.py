"""The loop: the same bits whether interrupted or not, and no silent failure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch

from pymaf_data.errors import CheckpointError, TrainingError
from pymaf_data.loader import Batch
from pymaf_data.model import ModelOptions, OptimizerOptions, PyMAF, load_checkpoint, normalise
from pymaf_data.model.checkpoint import check_body
from pymaf_data.model.replay import Found, ReplayReport, replay
from pymaf_data.model.trainer import Trainer
from pymaf_data.model.watchers import HeldOut, Snapshots
from pymaf_data.runs import checkpoints
from pymaf_data.runs.folder import CHECKPOINT, HISTORY, LOGS, describe
from pymaf_data.runs.folder import OPTIONS as OPTIONS_FILE
from pymaf_data.runs.history import HistoryLine, read_history
from pymaf_data.runs.snapshots import SnapshotFolder
from tests.factories.trainers import Memory, state_of

pytestmark = pytest.mark.usefixtures("small")


@pytest.fixture(scope="module")
def four_steps(small: None, trainer_for: Callable[..., Trainer], tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    trainer = trainer_for(tmp_path_factory.mktemp("run"), 4)
    trainer.run()
    return trainer


def test_two_steps_and_two_are_four_bit_for_bit(
    trainer_for: Callable[..., Trainer], four_steps: Trainer, tmp_path: Path
) -> None:
    trainer_for(tmp_path, 2).run()
    again = trainer_for(tmp_path, 4)
    torch.rand(5)  # whatever drew from the generator in between
    again.restore(checkpoints.read(tmp_path / CHECKPOINT))
    report = again.run()
    assert (report.resumed_from, report.step) == (2, 4) and 0 < report.seconds < 600
    expected = state_of(four_steps)
    assert all(torch.equal(value, expected[name]) for name, value in state_of(again).items())


def test_the_report_and_the_log_say_what_happened(four_steps: Trainer) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = EventAccumulator(str(four_steps.folder / LOGS)).Reload()
    names = set(log.Tags()["scalars"])
    assert {"train/loss", "train/learning_rate", "mpjpe_mm/M0", "pa_mpjpe_mm/M3"} <= names
    assert [event.step for event in log.Scalars("train/loss")] == [1, 2, 4]
    terms = {name: log.Scalars(f"train/{name}")[-1].value for name in ("keypoints2d", "keypoints3d", "pose", "u")}
    assert all(value > 0 for value in terms.values())


def test_nothing_is_done_twice(four_steps: Trainer, feed: Memory, tmp_path: Path) -> None:
    before = state_of(four_steps)
    report = four_steps.run()
    assert (report.resumed_from, report.step) == (4, 4)
    assert all(torch.equal(value, before[name]) for name, value in state_of(four_steps).items())


def test_a_checkpoint_loads_without_the_trainer_and_holds_no_body(four_steps: Trainer, feed: Memory) -> None:
    path = four_steps.folder / CHECKPOINT
    model = load_checkpoint(path, network="pymaf")
    assert not model.training
    with pytest.raises(CheckpointError, match="holds a checkpoint of network pymaf"):
        load_checkpoint(path, network="hmr")
    assert not any("smpl" in name or name.startswith("body") for name in checkpoints.read(path).model)
    image = normalise(feed.batches[0].image)
    with torch.no_grad():
        found = model(image).predictions[-1].vertices
        expected = four_steps.model.eval()(image).predictions[-1].vertices
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_a_loss_that_is_not_finite_stops_and_is_named(
    trainer_for: Callable[..., Trainer], feed: Memory, tmp_path: Path
) -> None:
    batch = feed.batches[0]
    broken = replace(batch, betas=torch.full_like(batch.betas, float("nan")))
    trainer = trainer_for(tmp_path, 1, Memory([broken]))
    before = [parameter.clone() for parameter in trainer.model.parameters()]
    with pytest.raises(TrainingError, match=r"step 1 is not finite \(betas\)") as stopped:
        trainer.run()
    assert "--from" not in str(stopped.value), "there is nothing yet to start from"
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.model.parameters(), strict=True))
    assert not (tmp_path / CHECKPOINT).exists()


def test_the_image_plane_is_compiled_where_asked(
    trainer_for: Callable[..., Trainer], feed: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With torch's compiler in its place something that counts: steps pass through it, and a checkpoint as ever."""
    from torch._dynamo.exc import TorchDynamoException

    passed = []
    counting = lambda part, dynamic: lambda *given: (passed.append(len(given[0])), part(*given))[1]  # noqa: E731
    monkeypatch.setattr(torch, "compile", counting)
    whole, rest = feed.batches[0], feed.batches[1]
    rest = rest._each(lambda value: value[:1])
    watcher = HeldOut([whole], 1)
    fixed = OptimizerOptions(fixed_statistics=True)
    trainer_for(tmp_path, 4, Memory([whole, rest]), [watcher], compile=True, optimizer=fixed).run()
    assert passed == [2, 2], "whole batches that are learned from: neither measuring nor what is left of an epoch"
    restored = trainer_for(tmp_path, 1, optimizer=fixed)
    restored.restore(checkpoints.read(tmp_path / CHECKPOINT))
    assert "image_plane" not in vars(restored.model)

    def fails(*given: Any) -> Any:
        raise TorchDynamoException("No working C++ compiler found\nand a stack")

    monkeypatch.setattr(torch, "compile", lambda part, dynamic: fails)
    with pytest.raises(TrainingError, match=r"could not be compiled: No working C\+\+ compiler found\n.*\n.*last good"):
        again = trainer_for(tmp_path, 5, Memory([whole]), compile=True)
        again.restore(checkpoints.read(tmp_path / CHECKPOINT))
        again.run()


def test_a_step_that_failed_is_kept_and_replayed(
    trainer_for: Callable[..., Trainer], feed: Memory, tmp_path: Path
) -> None:
    """Once its labels are to blame, once a weight; the replay says which, and writes nothing."""
    good = feed.batches[0]
    odd = replace(good, betas=torch.full_like(good.betas, float("nan")))

    def failing(name: str, second: Batch, ruin: Callable[[PyMAF], None]) -> ReplayReport:
        folder = tmp_path / name
        trainer = trainer_for(folder, 2, Memory([good, second]), checkpoint_every=1)
        trainer._prepare_batch = lambda batch: (ruin(trainer.model) if trainer.step else None, batch)[1]
        describe(folder, trainer.options.model_dump(mode="json"), {"body": "free"})
        with pytest.raises(TrainingError, match="still holds the last good state") as stopped:
            trainer.run()
        file = folder / "failed-step-2.pt"
        assert f"train --replay {file}" in str(stopped.value) and f"--name NEW --from {name}" in str(stopped.value)
        kept = torch.load(file, weights_only=True)
        assert torch.equal(kept["batches"][0]["image"], second.image)
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
        report = replay(file, "cpu")
        assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
        assert (report.step, report.checkpoint_step) == (2, 1)
        return report

    def ruin(model: PyMAF) -> None:
        model.regressor[1].fc2.bias.data[3] = float("inf")

    labels = failing("labels", odd, lambda model: None)
    assert labels.labels == ("betas",) and labels.as_it_was == labels.checkpoint
    assert (labels.as_it_was.terms, labels.as_it_was.module) == (("betas",), "")
    weights = failing("weights", good, ruin)
    assert weights.labels == () and weights.checkpoint == Found()
    assert weights.as_it_was.module == "regressor.1.fc2" and "pose" in weights.as_it_was.terms
    trainer = trainer_for(tmp_path / "weights", 2)
    ruin(trainer.model)
    with pytest.raises(TrainingError, match=r"weights of step 0 .*\n.*\n.*still holds the last good state"):
        trainer.save()
    (tmp_path / "labels" / OPTIONS_FILE).unlink()
    with pytest.raises(TrainingError, match="no run's folder"):
        replay(tmp_path / "labels" / "failed-step-2.pt")
    with pytest.raises(CheckpointError, match="no failed step"):
        replay(tmp_path / "labels" / CHECKPOINT)


def test_the_average_is_what_a_checkpoint_is_loaded_as_and_older_ones_have_none(
    four_steps: Trainer, tmp_path: Path
) -> None:
    saved, name = checkpoints.read(four_steps.folder / CHECKPOINT), "regressor.0.fc1.bias"
    checkpoints.save(replace(saved, average=saved.model | {name: saved.model[name] + 1}), tmp_path)
    assert torch.equal(load_checkpoint(tmp_path / CHECKPOINT).state_dict()[name], saved.model[name] + 1)
    older = torch.load(four_steps.folder / CHECKPOINT, weights_only=True)
    del older["average"], older["best"], older["figures"]
    torch.save(older | {"format_version": "1.1"}, tmp_path / "older.pt")
    assert torch.equal(load_checkpoint(tmp_path / "older.pt").state_dict()[name], saved.model[name])


def test_fixed_statistics_make_training_and_evaluation_one_function(
    trainer_for: Callable[..., Trainer], feed: Memory, tmp_path: Path
) -> None:
    options = OptimizerOptions(fixed_statistics=True)
    trainer = trainer_for(tmp_path, 1, optimizer=options, model=ModelOptions(dropout=0.0, view_size=64))
    trainer._prepare()
    image = normalise(torch.cat([batch.image for batch in feed.batches]))
    with torch.no_grad():
        trainer.model.eval()
        x = trainer.model.feature_extractor.bn1(trainer.model.feature_extractor.conv1(image))
    kept = trainer.model.feature_extractor.bn1.running_mean.clone()
    # The statistics are those of the images: what leaves the first BatchNorm is standardised.
    torch.testing.assert_close(x.mean(dim=(0, 2, 3)), torch.zeros_like(kept), atol=1e-3, rtol=0)
    torch.testing.assert_close(x.std(dim=(0, 2, 3)), torch.ones_like(kept), atol=2e-2, rtol=0)
    trainer.run()
    assert torch.equal(trainer.model.feature_extractor.bn1.running_mean, kept)


def test_another_body_is_refused(four_steps: Trainer, tmp_path: Path) -> None:
    saved = checkpoints.read(four_steps.folder / CHECKPOINT)
    other = replace(saved, body=saved.body | {"digest": "0" * 64})
    with pytest.raises(CheckpointError, match="trained on body free 000000000000"):
        check_body(other, four_steps.model.body)


def test_an_optimizer_of_another_version_is_refused(
    trainer_for: Callable[..., Trainer], four_steps: Trainer, tmp_path: Path
) -> None:
    saved = checkpoints.read(four_steps.folder / CHECKPOINT)
    older = replace(saved, optimizer=saved.optimizer | {"param_groups": saved.optimizer["param_groups"][:1]})
    with pytest.raises(CheckpointError, match="1 groups of parameters") as refused:
        trainer_for(tmp_path, 4).restore(older)
    assert "--overwrite" in str(refused.value)


def test_an_optimizer_or_random_state_that_does_not_fit_is_refused(
    trainer_for: Callable[..., Trainer], four_steps: Trainer, tmp_path: Path
) -> None:
    """Not at the next step, by torch, with a stack."""
    saved, trainer = checkpoints.read(four_steps.folder / CHECKPOINT), trainer_for(tmp_path, 4)
    state = saved.optimizer["state"]
    broken = [
        {"optimizer": saved.optimizer | {"state": state | {0: state[0] | {"exp_avg": torch.zeros(3)}}}},
        {"optimizer": saved.optimizer | {"state": state | {0: {"step": torch.tensor(1.0)}}}},
        {"optimizer": {}},
        {"optimizer": {"param_groups": 3, "state": {}}},
        {"rng": {"cpu": torch.zeros(3, dtype=torch.uint8), "cuda": []}},
        {"rng": {}},
    ]
    for change in broken:
        with pytest.raises(CheckpointError, match="do not fit"):
            trainer.restore(replace(saved, **change))
    bias = torch.full_like(saved.model["feature_extractor.bn1.bias"], float("nan"))
    weights = saved.model | {"feature_extractor.bn1.bias": bias}
    with pytest.raises(CheckpointError, match=r"not finite \(feature_extractor\.bn1\.bias\)"):
        trainer.restore(replace(saved, model=weights))


def test_what_is_no_checkpoint_is_refused_without_running_it(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    for number, content in enumerate((Evil(), {"format": "else"}, [1, 2])):
        torch.save(content, tmp_path / f"{number}.pt")
    (tmp_path / "3.pt").write_bytes(b"not a file of torch")
    for number in range(4):
        with pytest.raises(CheckpointError):
            checkpoints.read(tmp_path / f"{number}.pt")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_checkpoint(tmp_path / "absent.pt")
    assert not (tmp_path / "ran").exists()


def test_whatever_the_bytes_they_are_refused_with_a_message(tmp_path: Path) -> None:
    random, path = Random(0), tmp_path / "file.pt"
    for number in range(300):
        path.write_bytes(b"hi\n" if number == 0 else random.randbytes(number % 40))
        with pytest.raises(CheckpointError, match=r"cannot be read|holds a"):
            checkpoints.load_tensors(path)


class Counting:
    """A watcher that notes when it looked, and in which mode."""

    every = 2

    def __init__(self) -> None:
        self.looked: list[int] = []
        self.began: list[int] = []

    def begin(self, step: int, model: PyMAF) -> None:
        self.began.append(step)

    def look(self, step: int, model: PyMAF) -> HistoryLine:
        assert not model.training
        assert not torch.is_grad_enabled()
        self.looked.append(step)
        return HistoryLine(step=step, kind="held_out", errors={"M3": {"mpjpe": 1.0, "pa_mpjpe": 1.0}}, persons=2)


def test_watchers_look_before_between_and_after_and_change_nothing(
    trainer_for: Callable[..., Trainer], four_steps: Trainer, tmp_path: Path
) -> None:
    watcher = Counting()
    trainer = trainer_for(tmp_path, 4, watchers=[watcher])
    trainer.run()
    assert (watcher.began, watcher.looked) == ([0], [0, 2, 4])
    expected = state_of(four_steps)
    assert all(torch.equal(value, expected[name]) for name, value in state_of(trainer).items())
    lines = read_history(tmp_path)
    assert [(line.kind, line.step) for line in lines] == [
        ("held_out", 0),
        ("train", 1),
        ("train", 2),
        ("held_out", 2),
        ("train", 4),
        ("held_out", 4),
    ]
    assert {"loss", "pose", "gradient_norm", "learning_rate"} <= set(lines[1].scalars)
    assert set(lines[1].errors) == {"M0", "M1", "M2", "M3"}


def test_a_run_that_goes_on_tells_nothing_twice(trainer_for: Callable[..., Trainer], tmp_path: Path) -> None:
    first = trainer_for(tmp_path, 2, watchers=[Counting()])
    first.run()
    whole = (tmp_path / HISTORY).read_text()
    # A killed run has told more than its checkpoint knows, and its last line may be cut short.
    later = whole.splitlines()[-1].replace('"step": 2', '"step": 3')
    (tmp_path / HISTORY).write_text(f"{whole}{later}\n{later[:20]}")
    watcher = Counting()
    again = trainer_for(tmp_path, 4, watchers=[watcher])
    again.restore(checkpoints.read(tmp_path / CHECKPOINT))
    kept = {"step": 2, "persons": 2, "errors": {"M3": {"mpjpe": 1.0, "pa_mpjpe": 1.0}}}
    assert checkpoints.read(again.save()).figures == kept, "what was measured last goes with the checkpoint"
    again.run()
    assert checkpoints.read(tmp_path / CHECKPOINT).figures == kept | {"step": 4}
    assert watcher.looked == [4]
    told = [(line.kind, line.step) for line in read_history(tmp_path)]
    assert len(told) == len(set(told))
    assert [step for kind, step in told if kind == "held_out"] == [0, 2, 4]
    assert (tmp_path / HISTORY).read_text().startswith(whole)


def test_a_run_that_begins_again_forgets_what_it_told(trainer_for: Callable[..., Trainer], tmp_path: Path) -> None:
    for _ in range(2):  # the first one was killed before its first checkpoint
        (tmp_path / CHECKPOINT).unlink(missing_ok=True)
        trainer_for(tmp_path, 1, watchers=[Counting()]).run()
    assert [line.step for line in read_history(tmp_path)] == [0, 1, 1]


def test_snapshots_hold_every_iteration_of_the_same_persons(
    trainer_for: Callable[..., Trainer], feed: Memory, tmp_path: Path
) -> None:
    snapshots = Snapshots(feed.batches[0], False, 2, tmp_path)
    trainer = trainer_for(tmp_path, 2, watchers=[snapshots])
    trainer.run()
    folder = SnapshotFolder(tmp_path)
    assert folder.steps() == [0, 2]
    before, after = folder.read(0), folder.read(2)
    assert after.rotation.shape == (2, 4, 24, 3, 3)
    assert np.array_equal(before.rotation[:, 0], after.rotation[:, 0]), "M0 is the mean body, which does not learn"
    assert not np.array_equal(before.rotation[:, 3], after.rotation[:, 3])
    with torch.no_grad():
        last = trainer.model.eval()(normalise(feed.batches[0].image)).predictions[-1]
    np.testing.assert_array_equal(after.rotation[:, 3], last.rotation.numpy())
    persons = folder.persons()
    assert persons is not None
    assert np.array_equal(persons.view[1], feed.batches[0].image[1].permute(1, 2, 0))
    folder.begin(persons, 0)
    assert folder.steps() == [0], "what lies after the step at which a run stands is forgotten"
    folder.begin(dataclasses.replace(persons, betas=persons.betas + 1), 0)
    assert folder.steps() == [], "snapshots of other persons are forgotten"
    (folder.path / "persons.npz").write_bytes(b"PK")
    folder.begin(persons, 0)  # a run need not end for that
    assert np.array_equal(folder.persons().row, persons.row)
