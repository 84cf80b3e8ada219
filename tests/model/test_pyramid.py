"""Convolutions as matrix products are torch's."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pymaf_data.model.networks.pyramid import Deconvolution, deconvolutions, feature_pyramid, laterals
from pymaf_data.model.networks.resnet import Convolution3, ResNet
from pymaf_data.model.precision import channels_last


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_values_and_gradients_are_torchs(layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    ours = Deconvolution(12, 5).double().to(memory_format=layout)  # type: ignore[call-overload]
    theirs = nn.ConvTranspose2d(12, 5, 4, stride=2, padding=1, bias=False).double()
    theirs.load_state_dict(ours.state_dict())
    image = torch.randn(2, 12, 3, 4, dtype=torch.float64)
    found, wanted = (image.clone().requires_grad_() for _ in range(2))
    out, same = ours(found), theirs(wanted)
    torch.testing.assert_close(out, same)
    assert out.is_contiguous(memory_format=layout)
    upstream = torch.randn_like(same)
    out.backward(upstream)
    same.backward(upstream)
    torch.testing.assert_close(found.grad, wanted.grad)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)


@pytest.mark.parametrize("size", [(4, 4), (3, 2), (1, 1), (8, 7)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("bias", [False, True])
def test_small_maps_are_convolved_as_torch_does(size: tuple[int, int], stride: int, bias: bool) -> None:
    torch.manual_seed(0)
    ours = channels_last(Convolution3(6, 5, stride).double())
    theirs = nn.Conv2d(6, 5, 3, stride=stride, padding=1, bias=bias).double()
    ours.weight = nn.Parameter(theirs.weight.detach().clone())
    ours.bias = nn.Parameter(theirs.bias.detach().clone()) if bias else None
    image = torch.randn(2, 6, *size, dtype=torch.float64)
    found, wanted = (image.clone().requires_grad_() for _ in range(2))
    out, same = ours(found), theirs(wanted)
    torch.testing.assert_close(out, same)
    with torch.no_grad():
        torch.testing.assert_close(ours(image), same)
    upstream = torch.randn_like(same)
    out.backward(upstream)
    same.backward(upstream)
    torch.testing.assert_close(found.grad, wanted.grad)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad)


@pytest.mark.parametrize("layer", [Convolution3(512, 8), Deconvolution(512, 8)])
def test_products_are_taken_where_they_are_faster(layer: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """At few places, and only where something is learned."""
    calls: list[int] = []
    parent = type(layer).__mro__[1]
    forward = parent.forward
    monkeypatch.setattr(parent, "forward", lambda self, x, *rest: calls.append(x.shape[-1]) or forward(self, x, *rest))
    layer = channels_last(layer)
    for size in (3, 4, 5, 7):
        layer(torch.zeros(1, 512, size, size))
    with torch.no_grad():
        layer(torch.zeros(1, 512, 3, 3))
    assert calls == [5, 7, 3]


def test_in_bfloat16_only_the_taps_are_rounded() -> None:
    torch.manual_seed(0)
    exact = channels_last(Deconvolution(512, 8))
    image = torch.randn(2, 512, 3, 3)
    half = copy.deepcopy(exact).bfloat16()
    wanted, found = exact(image), half(image.bfloat16())
    assert found.dtype == torch.bfloat16
    assert (found - wanted).abs().mean() < 0.006 * wanted.abs().mean()


def test_a_batch_norm_can_be_folded_into_it() -> None:
    torch.manual_seed(0)
    layer, norm = channels_last(Deconvolution(6, 4)), nn.BatchNorm2d(4)
    nn.init.normal_(norm.running_mean)
    nn.init.normal_(norm.bias)
    layer, norm, image = layer.eval(), norm.eval(), torch.randn(2, 6, 3, 3)
    torch.testing.assert_close(fuse_conv_bn_eval(layer, norm, transpose=True)(image), norm(layer(image)))


def test_the_first_alone_is_one() -> None:
    kinds = [type(module) for module in deconvolutions(2048, 256) if isinstance(module, nn.ConvTranspose2d)]
    assert kinds == [Deconvolution, nn.ConvTranspose2d, nn.ConvTranspose2d]
    assert next(iter(deconvolutions(2048, 256, 1).state_dict())) == "0.weight"


def test_maps_of_the_trunk_are_added_to_those_of_their_size() -> None:
    torch.manual_seed(0)
    trunk, layers = ResNet("resnet18").eval(), deconvolutions(512, 16).eval()
    lateral, image = laterals(trunk, 16).eval(), torch.randn(1, 3, 64, 64)
    plain, added = feature_pyramid(trunk, layers, image), feature_pyramid(trunk, layers, image, lateral)
    assert [tuple(each.shape) for each in added] == [(1, 16, S, S) for S in (4, 8, 16)]
    earlier = trunk.stages(image, 3)
    before = layers[1](layers[0](trunk(image)))  # of the coarsest, in front of the ReLU
    torch.testing.assert_close(added[0], torch.relu(before + lateral[0](earlier[2])))
    for level in range(3):
        nn.init.zeros_(lateral[level][1].weight)  # its BatchNorm gives nothing then
    for one, other in zip(plain, feature_pyramid(trunk, layers, image, lateral), strict=True):
        torch.testing.assert_close(one, other)
    assert not any(torch.allclose(one, other) for one, other in zip(plain, added, strict=True))
    assert [each[0].in_channels for each in laterals(trunk, 16, 2)] == [256, 128]
