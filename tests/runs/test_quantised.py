"""Weights at a byte each: how far off, what stays as it is, and that damaged scales are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pymaf_data.errors import CheckpointError
from pymaf_data.runs import checkpoints
from pymaf_data.runs.checkpoints import Checkpoint
from pymaf_data.runs.quantised import quantised, restored


def weights(seed: int = 0) -> dict[str, torch.Tensor]:
    chance = torch.Generator().manual_seed(seed)
    rows = torch.logspace(-6, 3, 64)
    return {
        "layer.weight": torch.randn(64, 16, 3, 3, generator=chance) * rows[:, None, None, None],
        "layer.bias": torch.randn(8192, generator=chance),
        "norm.num_batches_tracked": torch.tensor(3),
        "init_pose": torch.randn(1, 144, generator=chance),
    }


@given(st.integers(0, 2**31))
def test_a_weight_is_off_by_half_a_level_of_its_row_at_most(seed: int) -> None:
    state = weights(seed)
    back = restored(*quantised(state), "here")
    assert back.keys() == state.keys()
    off = (back["layer.weight"] - state["layer.weight"]).abs().flatten(1).amax(1)
    largest = state["layer.weight"].abs().flatten(1).amax(1)
    assert (off <= largest / 127 / 2 * 1.0001).all()
    assert (back["layer.weight"].abs().flatten(1).amax(1) / largest - 1).abs().max() < 1e-5
    for name in ("layer.bias", "norm.num_batches_tracked", "init_pose"):
        assert torch.equal(back[name], state[name])


def test_a_row_of_nothing_stays_nothing() -> None:
    kept, scales = quantised({"w": torch.zeros(64, 64)})
    assert kept["w"].dtype == torch.int8
    assert torch.equal(restored(kept, scales, "here")["w"], torch.zeros(64, 64))


def checkpoint() -> Checkpoint:
    state = weights()
    average = {name: value + 1 for name, value in state.items()}
    body = {"name": "free", "digest": "d", "fingerprint": "f"}
    return Checkpoint(
        state, {"state": {}}, {"torch": torch.zeros(4)}, 7, {"frame": "view"}, "fp32", body, average=average
    )


def test_what_ships_is_what_is_used_and_nothing_to_go_on_from(tmp_path: Path) -> None:
    whole = checkpoint()
    path = checkpoints.save(checkpoints.shrunk(whole), tmp_path, "small.pt")
    read = checkpoints.read(path)
    assert (read.optimizer, read.rng, read.average, read.scales) == ({}, {}, {}, {})
    assert (read.step, read.options, read.body) == (whole.step, whole.options, whole.body)
    assert torch.equal(read.weights["layer.bias"], whole.average["layer.bias"])
    assert (read.weights["layer.weight"] - whole.average["layer.weight"])[0].abs().max() <= 1.01 / 127 / 2
    assert checkpoints.load_tensors(path)["model"]["layer.weight"].dtype == torch.int8


@pytest.mark.parametrize(
    "scales", [{"nothing": torch.ones(64)}, {"layer.bias": torch.ones(8192)}, {"layer.weight": torch.ones(63)}]
)
def test_scales_of_something_else_are_refused(tmp_path: Path, scales: dict[str, torch.Tensor]) -> None:
    content = checkpoints.load_tensors(checkpoints.save(checkpoints.shrunk(checkpoint()), tmp_path, "small.pt"))
    content["scales"] = scales
    with pytest.raises(CheckpointError, match=f"{next(iter(scales))}.*not those of its weight"):
        checkpoints.parse(content, tmp_path / "small.pt")
