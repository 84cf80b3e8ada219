"""A network for inference gives the bodies of the network that it was made of."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from pymaf_data.errors import UsageError
from pymaf_data.model.inference import for_inference
from pymaf_data.model.networks.network import Network, Output, make_network
from pymaf_data.model.networks.options import ModelOptions


def trained(body: Any, **options: Any) -> Network:
    """A network whose BatchNorms are like none at its start, and whose heads move bodies."""
    torch.manual_seed(0)
    model = make_network(ModelOptions(view_size=64, **options), body, "view")
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    for name, value in model.named_parameters():
        if name.split(".")[-2] in ("decpose", "decshape", "deccam"):
            nn.init.normal_(value, std=0.02)
    return model


@pytest.mark.parametrize(
    "options", [{}, {"network": "hmr"}, {"auxiliary": "none", "maps": "backbone"}, {"maps": "lateral"}]
)
def test_folded_bodies_are_the_same_within_a_twentieth_of_a_millimetre(
    options: dict[str, Any], shallow: None, free_body: Any
) -> None:
    model = trained(free_body, **options)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    image = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    folded = for_inference(model)
    with torch.no_grad():
        whole, found = (one(image).predictions[-1].vertices for one in (model.eval(), folded))
    moved = (whole - whole[:1]).abs().max()
    assert moved > 1e-3, "images are told apart"
    assert (whole - found).norm(dim=-1).max() < 5e-5
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert folded.body is model.body and not any(value.requires_grad for value in folded.parameters())


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
@pytest.mark.parametrize("maps", ["deconvolution", "lateral", "backbone"])
@pytest.mark.parametrize("backbone", ["resnet50", "resnet18"])
def test_weights_laid_out_once_give_the_same_bodies(
    backbone: str, maps: str, dtype: torch.dtype | None, free_body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained(free_body, backbone=backbone, maps=maps)
    image = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    laid_out = for_inference(model, dtype)
    monkeypatch.setattr("pymaf_data.model.inference._can_lay_out", lambda model: False)
    plain = for_inference(model, dtype)
    with torch.no_grad():
        found, wanted, exact = (one(image, auxiliary=True) for one in (laid_out, plain, model.eval()))
    for of in (_vertices, _parts):
        off, usual = ((of(one) - of(exact)).norm(dim=-1).mean() for one in (found, wanted))
        assert off < 2 * usual + 1e-6
    left = [name for name, module in laid_out.named_modules() if type(module) in (nn.Conv2d, nn.ConvTranspose2d)]
    unseen = "feature_extractor.layer4" if maps == "backbone" else "nothing"
    assert len([name for name in left if not name.startswith(unseen)]) == 4, "the head's alone, computed as one"
    relus = [name for name, module in laid_out.named_modules() if isinstance(module, nn.ReLU)]
    multiplied = ["deconv_layers.2"] if backbone == "resnet50" and maps == "deconvolution" else []
    behind_a_sum = [f"deconv_layers.{place}" for place in (2, 5, 8)] if maps == "lateral" else []
    assert [name for name in relus if not name.startswith(unseen)] == multiplied + behind_a_sum


def _vertices(output: Output) -> torch.Tensor:
    return output.predictions[-1].vertices


def _parts(output: Output) -> torch.Tensor:
    assert output.dense is not None
    return output.dense.part


def test_an_image_that_is_not_finite_gives_no_body(shallow: None, free_body: Any) -> None:
    """The kernels' ReLUs take NaN for zero, so that a body like any other would be made of it."""
    laid_out = for_inference(trained(free_body, backbone="resnet18"))
    for value in (float("nan"), float("inf")):
        image = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
        image[1, 2, 5, 7] = value
        with torch.no_grad(), pytest.raises(UsageError, match="image 1 of the batch"):
            laid_out(image)
        assert laid_out(image[:1]).predictions[-1].vertices.isfinite().all()


def test_weights_that_are_not_finite_give_no_body(shallow: None, free_body: Any) -> None:
    model = trained(free_body, backbone="resnet18")
    with torch.no_grad():
        model.feature_extractor.layer2[0].conv1.weight[3] = torch.nan
        assert for_inference(model)(torch.zeros(1, 3, 64, 64)).predictions[-1].vertices.isnan().all()


def test_a_network_for_inference_is_no_network_to_make_one_of(shallow: None, free_body: Any) -> None:
    with pytest.raises(UsageError, match="for inference already"):
        for_inference(for_inference(trained(free_body)), torch.bfloat16)


def test_a_batch_of_none_has_none(shallow: None, free_body: Any) -> None:
    with torch.no_grad():
        assert for_inference(trained(free_body))(torch.zeros(0, 3, 64, 64)).predictions[-1].vertices.shape[0] == 0


def test_weights_that_autocast_casts_at_each_call_are_not_laid_out(shallow: None, free_body: Any) -> None:
    model = trained(free_body, auxiliary="none")
    model.autocast = torch.bfloat16
    assert any(type(module) is nn.Conv2d for module in for_inference(model).modules())


def test_weights_are_cast_once(shallow: None, free_body: Any) -> None:
    model = trained(free_body, auxiliary="none")
    image = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    half = for_inference(model, torch.bfloat16)
    assert {value.dtype for value in half.feature_extractor.parameters()} == {torch.bfloat16}
    with torch.no_grad():
        whole, found = (one(image).predictions[-1] for one in (model.eval(), half))
    assert found.vertices.dtype == torch.float32
    assert (whole.vertices - found.vertices).norm(dim=-1).mean() < 0.05
