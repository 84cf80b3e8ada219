"""A network for laptops by options: another trunk, a narrower pyramid, narrower regressors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from pymaf_data.errors import CheckpointError
from pymaf_data.model import ModelOptions, load_checkpoint, normalise
from pymaf_data.model.checkpoint import load_backbone
from pymaf_data.model.inference import for_inference
from pymaf_data.model.losses import loss_terms
from pymaf_data.model.networks.network import Network, make_network
from pymaf_data.model.networks.resnet import LAYOUTS, ResNet
from pymaf_data.model.options import LossOptions
from pymaf_data.model.state_dicts import size_of

SMALL = {"backbone": "resnet18", "pyramid_channels": 128, "regressor_width": 512}


def made(body: Any, **options: Any) -> Network:
    torch.manual_seed(0)
    return make_network(ModelOptions(**{"view_size": 64} | options), body, "view")


def shapes(model: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


def test_each_width_is_that_of_its_own_part(free_body: Any) -> None:
    """Whole: the published network besides has 318 tensors of its trunk, which test_parts counts."""
    found = shapes(made(free_body, **SMALL))
    trunk = {name.partition(".")[2]: shape for name, shape in found.items() if name.startswith("feature_extractor.")}
    assert len(trunk) == 120, "torchvision's 122 without the classifier"
    assert trunk["layer1.1.conv2.weight"] == (64, 64, 3, 3) and "layer1.0.downsample.0.weight" not in trunk
    assert trunk["layer4.0.downsample.0.weight"] == (512, 256, 1, 1) and "layer4.0.conv3.weight" not in trunk
    # torchvision counts 11,689,512 parameters, of them 513,000 of the classifier; BatchNorm keeps 9,600 more.
    assert sum(torch.Size(shape).numel() for name, shape in trunk.items() if "num_batches" not in name) == 11_186_112
    assert found["deconv_layers.0.weight"] == (512, 128, 4, 4) and found["deconv_layers.6.weight"] == (128, 128, 4, 4)
    assert found["dp_head.predict_uv_index.weight"] == (25, 128, 3, 3)
    assert found["maf_extractor.2.conv1.weight"] == (64, 128 + 128, 1)
    assert found["regressor.0.fc1.weight"] == (512, 5 * 441 + 157)
    assert found["regressor.2.decpose.weight"] == (144, 512)


@pytest.mark.usefixtures("shallow")
@pytest.mark.parametrize(
    ("options", "touched"),
    [
        ({"pyramid_channels": 64}, ("deconv_layers", "maf_extractor", "dp_head")),
        ({"regressor_width": 64}, ("regressor",)),
        ({"network": "hmr", "regressor_width": 64}, ("fc1", "fc2", "decpose", "decshape", "deccam")),
    ],
)
def test_a_width_touches_no_other_part(options: dict[str, Any], touched: tuple[str, ...], free_body: Any) -> None:
    plain, narrow = (
        shapes(made(free_body, **each)) for each in ({"network": options.get("network", "pymaf")}, options)
    )
    assert plain.keys() == narrow.keys()
    assert {name.split(".")[0] for name in plain if plain[name] != narrow[name]} == {*touched}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "options",
    [
        SMALL,
        {"backbone": "resnet18", "maps": "backbone", "regressor_width": 512},
        {"backbone": "resnet18", "network": "hmr"},
        SMALL | {"auxiliary": "parts", "reads": "product"},
        SMALL | {"maps": "lateral"},
    ],
)
def test_it_learns_and_is_folded(options: dict[str, Any], free_body: Any, make_batch: Callable[..., Any]) -> None:
    model, batch = made(free_body, dropout=0, **options).train(), make_batch(2, view=64)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    losses = []
    for _ in range(5):
        loss = torch.stack([*loss_terms(model(normalise(batch.image)), batch, LossOptions()).values()]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    image, folded = normalise(batch.image), for_inference(model)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    with torch.no_grad():
        one, two = (each.eval()(image).predictions[-1].vertices for each in (model, folded))
    assert float((one - two).abs().max()) < 5e-5
    counted, megabytes = size_of(model.state_dict())
    assert counted == sum(value.numel() for value in model.parameters())
    assert megabytes == pytest.approx(sum(value.nbytes for value in model.state_dict().values()) / 1e6)


def test_every_block_of_an_untrained_trunk_is_the_identity() -> None:
    block: Any = ResNet("resnet18").layer1[0]  # type: ignore[index]
    x = torch.rand(1, block.bn1.num_features, 7, 7)
    torch.testing.assert_close(block.eval()(x), x)


@pytest.mark.usefixtures("shallow")
def test_a_trunk_takes_the_weights_of_its_own_kind_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymaf_data.model.networks.resnet.WIDTH", 64)  # torchvision's
    for name in LAYOUTS:
        torch.manual_seed(1)
        weights = ResNet(name).state_dict() | {"fc.weight": torch.zeros(10, 8), "fc.bias": torch.zeros(10)}
        torch.save(weights, tmp_path / f"{name}.pth")
        own = ResNet(name)
        load_backbone(own, tmp_path / f"{name}.pth")
        assert all(torch.equal(value, weights[key]) for key, value in own.state_dict().items())
    with pytest.raises(CheckpointError, match=r"is torchvision's ResNet-50") as refused:
        load_backbone(ResNet("resnet18"), tmp_path / "resnet50.pth")
    assert refused.value.expected == "torchvision's ResNet-18"
    assert "--set model.backbone=resnet50" in refused.value.action
    with pytest.raises(CheckpointError, match=r"is torchvision's ResNet-18") as refused:
        load_backbone(ResNet(), tmp_path / "resnet18.pth")
    assert "--set model.backbone=resnet18" in refused.value.action
    with pytest.raises(CheckpointError, match=r"is torchvision's ResNet-18") as refused:
        load_checkpoint(tmp_path / "resnet18.pth")
    assert "--backbone" in refused.value.action


@pytest.mark.usefixtures("shallow")
@pytest.mark.parametrize("other", [{"pyramid_channels": 64}, {"regressor_width": 64}, {"backbone": "resnet18"}])
def test_the_published_layout_is_of_the_published_widths(other: dict[str, Any], free_body: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"model": made(free_body, **other).state_dict()}, path)
    with pytest.raises(CheckpointError, match="differs from PyMAF") as refused:
        load_checkpoint(path, body=free_body)
    assert "backbone resnet50, pyramid_channels 256, regressor_width 1024" in refused.value.action


def test_a_width_without_a_part_is_refused() -> None:
    for options, told in (
        ({"maps": "backbone", "pyramid_channels": 128}, "no deconvolutions, so no pyramid_channels"),
        ({"network": "hmr", "pyramid_channels": 128}, "network hmr has no pyramid_channels"),
        ({"backbone": "resnet34"}, "'resnet50' or 'resnet18'"),
    ):
        with pytest.raises(ValidationError, match=told):
            ModelOptions.model_validate(options)
