"""The parts of the network and of the trainer that stand alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pymaf_data.errors import ConfigError, ShapeError, UsageError
from pymaf_data.model import ModelOptions, OptimizerOptions, PyMAF, TrainOptions, normalise
from pymaf_data.model.networks.maf import PointFeatures, sample_points, sampling_grid
from pymaf_data.model.networks.network import project_to_view
from pymaf_data.model.networks.resnet import Bottleneck, ResNet
from pymaf_data.model.optimisation import learning_rate, make_optimizer, set_rate
from pymaf_data.model.precision import choose_device, choose_precision


def test_a_network_reads_images_of_its_own_size(free_body) -> None:
    torch.manual_seed(0)
    model = PyMAF(free_body, ModelOptions(view_size=64)).eval()
    with torch.no_grad():
        output = model(torch.zeros(2, 3, 64, 64), auxiliary=True)
        assert output.dense is not None
        assert output.dense.part.shape == (2, 25, 16, 16)
        assert output.predictions[-1].vertices.shape[0] == 2
        with pytest.raises(ShapeError, match="64"):
            model(torch.zeros(2, 3, 224, 224))
    with pytest.raises(ConfigError, match="view_size"):
        TrainOptions.parse({"model": {"view_size": 100}}, "test")


def test_every_block_of_an_untrained_backbone_is_the_identity() -> None:
    blocks = [module for module in ResNet().modules() if isinstance(module, Bottleneck)]
    assert len(blocks) == 16
    x = torch.rand(1, 256, 7, 7)
    torch.testing.assert_close(blocks[1].eval()(x), x)


def test_the_loop_learns_at_the_rate_and_the_trunk_at_its_own(free_body) -> None:
    model = PyMAF(free_body, ModelOptions(view_size=64))
    optimizer = make_optimizer(model, OptimizerOptions(trunk_factor=16, beta2=0.9))
    set_rate(optimizer, 1e-4)
    rate_of = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    rates = {name: rate_of[id(value)] for name, value in model.named_parameters()}
    assert len(rates) == len(rate_of)
    for name, rate in rates.items():
        in_loop = name.split(".")[0] in ("maf_extractor", "regressor")
        assert rate == pytest.approx(1e-4 if in_loop else 16e-4), name
    assert optimizer.defaults["betas"] == (0.9, 0.9)


def test_x_varies_slowest_over_the_grid() -> None:
    grid = sampling_grid()
    assert grid.shape == (1, 441, 2)
    torch.testing.assert_close(grid[0, :3], torch.tensor([[-1.0, -1.0], [-1.0, -0.9], [-1.0, -0.8]]))
    torch.testing.assert_close(grid[0, -1], torch.tensor([1.0, 1.0]))


def test_points_are_read_at_aligned_corners_and_zero_outside() -> None:
    columns = torch.arange(5.0).expand(1, 1, 5, 5)
    points = torch.tensor([[[-1.0, 0.0], [1.0, 1.0], [0.25, -0.3], [3.0, 0.0]]])
    torch.testing.assert_close(sample_points(columns, points), torch.tensor([[[0.0, 4.0, 2.5, 0.0]]]))


def test_point_features_lie_channel_major() -> None:
    torch.manual_seed(0)
    features, points = PointFeatures(), torch.rand(2, 7, 2) * 2 - 1
    maps = torch.randn(2, 256, 14, 14)
    together = features(maps, points).view(2, 5, 7)
    alone = features(maps, points[:, 3:4])
    torch.testing.assert_close(together[:, :, 3], alone)
    assert bool((together >= 0).all())


def test_projection_is_the_published_one() -> None:
    random = np.random.default_rng(0)
    points, camera = random.normal(size=(2, 9, 3)), np.array([[0.9, 0.1, -0.2], [0.6, 0.0, 0.3]])
    depth = 2 * 5000 / (224 * camera[:, 0] + 1e-9)
    moved = points + np.stack([camera[:, 1], camera[:, 2], depth], axis=1)[:, None]
    expected = 5000 * moved[..., :2] / moved[..., 2:] / 112
    found = project_to_view(torch.from_numpy(points), torch.from_numpy(camera))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_backbone_has_torchvisions_layout() -> None:
    state = ResNet().state_dict()
    assert len(state) == 318  # torchvision's 320 without the classifier
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    assert shapes["conv1.weight"] == (64, 3, 7, 7)
    assert shapes["layer1.0.downsample.0.weight"] == (256, 64, 1, 1)
    assert shapes["layer4.2.conv3.weight"] == (2048, 512, 1, 1)
    assert sum(value.numel() for name, value in state.items() if "num_batches" not in name) == 23_561_152


def test_another_image_size_is_refused(small, free_body) -> None:
    with pytest.raises(ShapeError, match="256"):
        PyMAF(free_body)(torch.zeros(1, 3, 256, 256))


def test_the_head_runs_only_where_it_is_wanted(small, free_body) -> None:
    model = PyMAF(free_body).eval()
    image = torch.zeros(1, 3, 224, 224)
    with torch.no_grad():
        assert model(image).dense is None
        out = model(image, auxiliary=True)
    assert out.dense is not None
    assert out.dense.coarse.shape == (1, 15, 56, 56)
    assert len(out.predictions) == 4


def test_iterations_learn_from_their_own_loss_alone(small, free_body) -> None:
    torch.manual_seed(0)
    model = PyMAF(free_body).train()
    predictions = model(torch.randn(2, 3, 224, 224)).predictions
    predictions[2].joints.square().sum().backward()
    assert model.regressor[1].decpose.weight.grad is not None
    assert model.regressor[0].decpose.weight.grad is None
    assert model.maf_extractor[2].conv0.weight.grad is None


def test_bfloat16_stays_close(small, free_body) -> None:
    torch.manual_seed(0)
    model = PyMAF(free_body).eval()
    image = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        plain = model(image).predictions[-1]
        model.autocast = torch.bfloat16
        half = model(image).predictions[-1]
    assert half.vertices.dtype == torch.float32
    assert 0 < float((plain.vertices - half.vertices).abs().max()) < 5e-3


def test_images_are_normalised_by_imagenet() -> None:
    image = torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)
    expected = (1 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(normalise(image)[0, :, 0, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("converted", [True, False])
def test_network_and_losses_work_in_float64(converted: bool, small, make_batch) -> None:
    """Their gradient is that of central differences, which float32 anywhere would drown in rounding."""
    from pymaf_data.body import load_body
    from pymaf_data.model.losses import loss_terms
    from pymaf_data.model.measures import iteration_errors
    from pymaf_data.model.options import LossOptions

    torch.manual_seed(0)
    body = load_body("free", dtype=torch.float32 if converted else torch.float64)
    model = PyMAF(body, ModelOptions(view_size=64)).double().eval()
    made = make_batch(1)._each(lambda value: value.double() if value.is_floating_point() else value)
    middle = slice(20, 36)  # a quarter of 64 px
    batch = replace(made, part=made.part[:, middle, middle], uv=made.uv[..., middle, middle])
    image = normalise(torch.rand(1, 3, 64, 64, dtype=torch.float64) * 255)
    assert image.dtype == torch.float64

    def loss() -> torch.Tensor:
        output = model(image, auxiliary=True)
        made_of = ("rotation", "skeleton", "joints", "keypoints", "sampled", "vertices")
        for one in output.predictions:
            values = (*one.parameters, *(getattr(one, name) for name in made_of))
            assert {value.dtype for value in values} == {torch.float64}
        terms = loss_terms(output, batch, LossOptions())
        assert set(iteration_errors(output, batch, body)) == {"M0", "M1", "M2", "M3"}
        assert {value.dtype for value in terms.values()} == {torch.float64}
        return torch.stack(list(terms.values())).sum()

    # What flows between iterations is detached, so only the last one's own weights have a whole derivative.
    for weight in (model.regressor[2].decpose.weight, model.regressor[2].deccam.weight, model.dp_head.predict_u.weight):
        model.zero_grad()
        loss().backward()
        direction = torch.randn_like(weight)
        slope, step = float((weight.grad * direction).sum()), 1e-6
        with torch.no_grad():
            weight += step * direction
            above = float(loss())
            weight -= 2 * step * direction
            below = float(loss())
            weight += step * direction
        assert (above - below) / (2 * step) == pytest.approx(slope, rel=1e-5)


def test_learning_rates() -> None:
    constant = OptimizerOptions(learning_rate=1.0)
    assert [learning_rate(step, 10, constant) for step in (0, 5, 9)] == [1.0, 1.0, 1.0]
    cosine = OptimizerOptions(learning_rate=1.0, schedule="cosine", warmup_steps=4)
    rates = [learning_rate(step, 100, cosine) for step in range(101)]
    assert rates[:3] == pytest.approx([0.25, 0.5, 0.75], rel=2e-3), "the warm-up times what the cosine is by then"
    assert max(rates) == rates[3] == pytest.approx(1, rel=3e-3)
    assert rates[50] == pytest.approx(0.505)
    assert rates[100] == pytest.approx(0.01)
    assert rates[3:] == sorted(rates[3:], reverse=True)


def test_devices_and_precisions_are_found_or_refused() -> None:
    assert choose_device("cpu").type == "cpu"
    assert choose_precision("fp32", torch.device("cpu")) == "fp32"
    assert choose_precision("auto", torch.device("cpu")) in ("fp32", "bf16")
    with pytest.raises(UsageError, match="nonsense"):
        choose_device("nonsense")


def test_options_refuse_what_they_do_not_know() -> None:
    assert TrainOptions().loss.keypoints2d == 300.0
    with pytest.raises(ConfigError, match="learning_rat"):
        TrainOptions.parse({"optimizer": {"learning_rat": 1}}, "test")
    with pytest.raises(ConfigError, match="name"):
        TrainOptions(name="ok").parse({"name": "../out"}, "test")
