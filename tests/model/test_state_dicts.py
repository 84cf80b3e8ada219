"""Checkpoints of others: found under their wrappers, told apart, and never half loaded."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pymaf_data.errors import CheckpointError
from pymaf_data.model import ModelOptions, PyMAF, load_checkpoint
from pymaf_data.model.checkpoint import load_backbone
from pymaf_data.model.networks.resnet import ResNet
from pymaf_data.model.state_dicts import PYMAF, find_state
from pymaf_data.runs.checkpoints import load_tensors

State = dict[str, Tensor]
Save = Callable[[Any], Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def write(content: Any) -> Path:
        torch.save(content, tmp_path / "others.pt")
        return tmp_path / "others.pt"

    return write


@pytest.fixture(scope="module")
def state(small: None, free_body: Any) -> State:
    torch.manual_seed(0)
    return PyMAF(free_body, ModelOptions()).state_dict()


def prefixed(state: State, prefix: str) -> State:
    return {prefix + name: value for name, value in state.items()}


def without(state: State, *names: str) -> State:
    return {name: value for name, value in state.items() if name not in names}


WRAPPED: dict[str, Callable[[State], Any]] = {
    "bare": lambda s: s,
    "model": lambda s: {"model": s, "epoch": np.int64(3), "best": np.float64(1.0), "curve": np.zeros(3)},
    "state_dict": lambda s: {"state_dict": s, "epoch": 3},
    "model_state_dict": lambda s: {"model_state_dict": s, "optimizer_state_dict": {"state": {0: {"m": torch.ones(9)}}}},
    "net": lambda s: {"net": s, "args": argparse.Namespace(lr=0.1)},
    "generator": lambda s: {"discriminator": {f"d.{n}": torch.ones(1) for n in range(999)}, "generator": s},
    "deeper": lambda s: {"checkpoint": {"model": {"state_dict": s}}},
    "DataParallel": lambda s: prefixed(s, "module."),
    "Lightning": lambda s: {"state_dict": prefixed(s, "model."), "hyper_parameters": {"lr": 1}, "loops": {}},
    "compiled": lambda s: {"model": prefixed(s, "_orig_mod.")},
    "compiled and distributed": lambda s: {"model": prefixed(s, "module._orig_mod.")},
    "named otherwise": lambda s: prefixed(s, "hmr_net."),
    "parts": lambda s: {name.replace("feature_extractor.", "feature_extractor.module."): s[name] for name in s},
    "average": lambda s: {"ema": {name: 0 * s[name] for name in s}, "model": s},
    "AveragedModel": lambda s: {"n_averaged": torch.tensor(3), **prefixed(s, "module.")},
    "old": lambda s: {name: s[name] for name in s if not name.endswith("num_batches_tracked")},
    "half": lambda s: {name: s[name].half() if s[name].is_floating_point() else s[name] for name in s},
    "double": lambda s: {name: s[name].double() if s[name].is_floating_point() else s[name] for name in s},
}


@pytest.mark.parametrize("wrapper", WRAPPED)
def test_wherever_the_weights_are_they_are_found(wrapper: str, state: State, save: Save) -> None:
    numbered = {name: torch.full((1,), float(n)) for n, name in enumerate(state)}
    found = find_state(load_tensors(save(WRAPPED[wrapper](numbered))), PYMAF, "file")
    assert {name: float(value) for name, value in found.items()} == {name: float(numbered[name]) for name in found}
    lacking = [name for name in state if name not in found]
    assert all(name.endswith("num_batches_tracked") for name in lacking)
    assert bool(lacking) == (wrapper == "old")


@pytest.mark.parametrize("wrapper", ["model", "Lightning", "old", "half", "double"])
def test_the_network_takes_them_in_its_own_precision(wrapper: str, state: State, free_body: Any, save: Save) -> None:
    found = load_checkpoint(save(WRAPPED[wrapper](state)), body=free_body).state_dict()
    rounding = 1e-3 if wrapper == "half" else 0.0
    assert found.keys() == state.keys()
    for name, value in state.items():
        assert found[name].dtype == value.dtype
        torch.testing.assert_close(found[name], value, rtol=rounding, atol=rounding)


def test_an_average_is_not_taken_unsaid(
    state: State, free_body: Any, save: Save, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        load_checkpoint(save(WRAPPED["average"](state)), body=free_body)
    assert "'model' is read, not 'ema'" in caplog.text


def test_a_prefix_that_some_keys_lack_is_named(state: State, free_body: Any, save: Save) -> None:
    some = {("module." if n % 2 else "") + name: value for n, (name, value) in enumerate(state.items())}
    with pytest.raises(CheckpointError, match=r"begin with 'module\.', others do not"):
        load_checkpoint(save({"model": some}), body=free_body)
    both = {**state, "feature_extractor.module.conv1.weight": state["feature_extractor.conv1.weight"]}
    with pytest.raises(CheckpointError, match="both with and without"):
        load_checkpoint(save(both), body=free_body)


def test_missing_unknown_and_misshapen_keys_are_told_apart(state: State, free_body: Any, save: Save) -> None:
    other = without(state, "regressor.0.fc1.bias", "regressor.1.fc1.bias")
    other |= {f"head.{n}.weight": torch.ones(1) for n in range(5)}
    other |= {"dp_head.predict_u.bias": torch.ones(7), "regressor.2.fc2.bias": state["regressor.2.fc2.bias"].long()}
    with pytest.raises(CheckpointError) as refused:
        load_checkpoint(save(other), body=free_body)
    told = str(refused.value)
    for part in (
        "2 missing (regressor.0.fc1.bias, regressor.1.fc1.bias)",
        "5 unknown (head.0.weight, head.1.weight, head.2.weight, …)",
        "1 of another shape (dp_head.predict_u.bias: (7,) instead of (25,))",
        "1 of another kind (regressor.2.fc2.bias: int64 instead of float32)",
    ):
        assert part in told


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_by_name(
    value: float, state: State, free_body: Any, save: Save
) -> None:
    broken = state["feature_extractor.bn1.running_var"].clone()
    broken[3] = value
    with pytest.raises(CheckpointError, match=r"not finite \(feature_extractor\.bn1\.running_var\)"):
        load_checkpoint(save({**state, "feature_extractor.bn1.running_var": broken}), body=free_body)


def made(keys: dict[str, dict[str, Any]]) -> State:
    """A state dict of the listed shapes that takes no room: every tensor is one zero, expanded."""
    return {name: torch.zeros(1).expand(entry["shape"] or [1]) for name, entry in keys.items()}


@pytest.mark.parametrize("wrapper", [lambda s: s, lambda s: {"model": s, "epoch": 1}, lambda s: prefixed(s, "module.")])
def test_hmr_is_named_as_what_it_is(wrapper: Callable[[State], Any], parity: Path, save: Save) -> None:
    keys = json.loads((parity / "hmr_state_dict.json").read_text())
    assert len(keys) == 331
    path = save(wrapper(made(keys)))
    # Without a body at hand, too: what the file is comes before what it would need.
    with pytest.raises(CheckpointError, match=r"is an HMR \(SPIN\) checkpoint") as refused:
        load_checkpoint(path)
    assert "a PyMAF checkpoint" in refused.value.expected
    assert 'network="hmr"' in refused.value.action
    with pytest.raises(CheckpointError, match=r"is an HMR \(SPIN\) checkpoint") as refused:
        load_backbone(ResNet(), path)
    assert "load_checkpoint" not in refused.value.action


def resnet(blocks: tuple[int, ...], bottleneck: bool, width: int = 64) -> State:
    """Keys and a few shapes as torchvision's, enough to be known by."""
    found = {"conv1.weight": torch.ones(64, 3, 7, 7), "fc.weight": torch.ones(9, 9)}
    for stage, count in enumerate(blocks, start=1):
        for block in range(count):
            for number in (1, 2, 3)[: 3 if bottleneck else 2]:
                found[f"layer{stage}.{block}.conv{number}.weight"] = torch.ones(1).expand(width, 1, 1, 1)
    return found


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("torchvision's ResNet-18", resnet((2, 2, 2, 2), False)),
        ("torchvision's ResNet-34", resnet((3, 4, 6, 3), False)),
        ("torchvision's ResNet-101", resnet((3, 4, 23, 3), True)),
        ("torchvision's ResNet-152", resnet((3, 8, 36, 3), True)),
        ("a wide or grouped ResNet", resnet((3, 4, 6, 3), True, 128)),
        ("another network", {"blocks.0.attn.qkv.weight": torch.ones(2)}),
    ],
)
def test_other_backbones_are_named(name: str, weights: State, save: Save) -> None:
    with pytest.raises(CheckpointError, match=name):
        load_backbone(ResNet(), save(prefixed(weights, "module.")))


def test_imagenet_weights_given_as_a_checkpoint_are_sent_to_backbone(save: Save) -> None:
    with pytest.raises(CheckpointError, match=r"is torchvision's ResNet-50") as refused:
        load_checkpoint(save(resnet((3, 4, 6, 3), True)))
    assert "--backbone" in refused.value.action


def test_a_network_of_no_known_name_is_refused_before_a_body_is_looked_for(save: Save) -> None:
    with pytest.raises(CheckpointError, match="another network: it holds 2 tensors, such as 'backbone"):
        load_checkpoint(save({"model": {"backbone.a.weight": torch.ones(2), "head.b": torch.ones(2)}}))


def make_whole(patch: pytest.MonkeyPatch) -> None:
    """Of torchvision's widths; its numbers of blocks are known above, by names alone."""
    patch.setattr("pymaf_data.model.networks.resnet.WIDTH", 64)


@pytest.fixture(scope="module")
def imagenet(small: None) -> State:
    """Whole: what is small elsewhere in this file is not torchvision's ResNet-50."""
    torch.manual_seed(1)
    with pytest.MonkeyPatch.context() as patch:
        make_whole(patch)
        weights = ResNet().state_dict()
    return {**weights, "fc.weight": torch.zeros(1, 1).expand(1000, 2048), "fc.bias": torch.zeros(1000)}


@pytest.mark.parametrize("wrapper", ["bare", "state_dict", "DataParallel", "old", "half"])
def test_backbones_are_found_and_lose_their_classifier(
    wrapper: str, imagenet: State, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_whole(monkeypatch)
    backbone = ResNet()
    load_backbone(backbone, save(WRAPPED[wrapper](imagenet)))
    for name, value in backbone.state_dict().items():
        torch.testing.assert_close(value, imagenet[name], rtol=1e-3, atol=1e-3 if wrapper == "half" else 0.0)


def test_a_backbone_that_is_not_whole_names_its_keys(
    imagenet: State, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_whole(monkeypatch)
    with pytest.raises(CheckpointError, match=r"1 missing \(layer3\.0\.bn2\.bias\); 1 unknown \(final\.weight\)"):
        load_backbone(ResNet(), save({**without(imagenet, "layer3.0.bn2.bias"), "final.weight": torch.ones(1)}))
    broken = {**imagenet, "bn1.weight": torch.full_like(imagenet["bn1.weight"], float("nan"))}
    with pytest.raises(CheckpointError, match="not finite"):
        load_backbone(ResNet(), save(broken))


def test_a_whole_module_and_a_file_without_weights_say_what_they_are(save: Save) -> None:
    with pytest.raises(CheckpointError, match=r"object of class torch\.nn\.modules\.linear\.Linear") as refused:
        load_checkpoint(save(nn.Linear(2, 2)))
    assert "state_dict()" in refused.value.action
    with pytest.raises(CheckpointError, match=r"'model' \(torch\.nn\.modules\.linear\.Linear\), 'epoch' \(int\)"):
        load_checkpoint(save({"model": nn.Linear(2, 2), "epoch": 3}))
    with pytest.raises(CheckpointError, match="it is empty"):
        load_checkpoint(save({}))
    with pytest.raises(CheckpointError, match="a list"):
        load_checkpoint(save([torch.ones(2)]))
