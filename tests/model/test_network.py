"""What the loop relies on, for every network there is."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pymaf_data.errors import ShapeError
from pymaf_data.model import ModelOptions
from pymaf_data.model.networks import NETWORKS
from pymaf_data.model.networks.network import Network, Parameters, make_network

pytestmark = [pytest.mark.usefixtures("shallow"), pytest.mark.parametrize("name", NETWORKS)]
W = 64


def made(name: str, body: Any, seed: int = 0) -> Network:
    torch.manual_seed(seed)
    return make_network(ModelOptions(network=name, view_size=W), body, "camera")


def test_it_begins_at_the_mean_body_and_says_what_learns(name: str, free_body: Any) -> None:
    model = made(name, free_body)
    assert (model.body, model.view_size, model.frame) == (free_body, W, "camera")
    output = model.train()(torch.randn(2, 3, W, W))
    mean = Parameters(
        *(value.expand(2, -1) for value in (free_body.mean_pose6d, free_body.mean_betas, free_body.mean_camera))
    )
    for found, wanted in zip(output.predictions[0].parameters, mean, strict=True):
        torch.testing.assert_close(found, wanted)
    taught = output.predictions[output.supervised]
    assert 0 < len(taught) < len(output.predictions)
    assert taught[-1] is output.predictions[-1], "the result is always taught"
    assert (output.dense is None) == ("auxiliary" in NETWORKS[name].lacks)
    with pytest.raises(ShapeError, match="64"):
        model(torch.zeros(2, 3, W, W // 2))


def test_every_parameter_is_of_the_loop_or_of_the_trunk(name: str, free_body: Any) -> None:
    model = made(name, free_body)
    groups = model.parameter_groups()
    assert sorted(groups) == ["loop", "trunk"]
    ids = [id(value) for group in groups.values() for value in group]
    assert sorted(ids) == sorted(id(value) for value in model.parameters())
    trunk = {id(value) for value in groups["trunk"]}
    assert {id(value) for value in model.feature_extractor.parameters()} <= trunk
    assert groups["loop"]


def test_its_state_dict_is_the_whole_network(name: str, free_body: Any) -> None:
    model, other = made(name, free_body), made(name, free_body, seed=1)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    assert not any(key.startswith("body.") for key in state)
    other.load_state_dict(state)
    image = torch.randn(1, 3, W, W)
    with torch.no_grad():
        one, two = (each.eval()(image).predictions[-1] for each in (model, other))
    assert torch.equal(one.vertices, two.vertices)
    with pytest.raises(RuntimeError, match="Missing"):
        other.load_state_dict(dict(list(state.items())[1:]))


def test_bfloat16_ends_before_the_bodies(name: str, free_body: Any) -> None:
    model, image = made(name, free_body).eval(), torch.randn(1, 3, W, W)
    head = "auxiliary" not in NETWORKS[name].lacks
    with torch.no_grad():
        plain = model(image).predictions[-1]
        model.autocast = torch.bfloat16
        output = model(image, auxiliary=head)
    half = output.predictions[-1]
    assert {value.dtype for value in (half.vertices, half.parameters.pose6d, *(output.dense or ()))} == {torch.float32}
    assert 0 < float((plain.vertices - half.vertices).abs().max()) < 5e-3


def test_an_option_that_it_has_not_is_known_to_be_one(name: str, free_body: Any) -> None:
    lacks = NETWORKS[name].lacks
    assert lacks.keys() <= ModelOptions.model_fields.keys()
    options = ModelOptions(network=name)
    assert {option: getattr(options, option) for option in lacks} == lacks
