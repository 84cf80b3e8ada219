"""What training does when nothing is said is what the released training did: its numbers, worked out here by hand.

Sources: the released configuration (weights 300, 300, 60, 0.06, 1; U and V 0.5; Adam 5e-5; batches of 64; dropout ½)
and the paper's equations 2 and 4.
"""

from __future__ import annotations

from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pymaf_data.errors import ConfigError
from pymaf_data.loader import Batch, LoaderOptions
from pymaf_data.model import LossOptions, ModelOptions, OptimizerOptions, PyMAF, TrainOptions
from pymaf_data.model.losses import loss_terms
from pymaf_data.model.networks.network import IUVLogits, Output, Parameters, Prediction
from pymaf_data.model.optimisation import learning_rate, make_optimizer, set_rate

B, S = 3, 4
COARSE = [0, 1, 1, 2, 3, 4, 5, 6, 7, 6, 7, 8, 9, 8, 9, 10, 11, 10, 11, 12, 13, 12, 13, 14, 14]
HIPS = [2, 3]  # of LSP's order, with which J24 begins
# The second person has a map but no fit: nothing of its body and nothing of its map may count.
HAS_FIT, HAS_IUV = np.array([True, False, True]), np.array([True, True, True])


def numbers(seed: int = 0) -> dict[str, np.ndarray]:
    """Predictions and targets, all random: names of predictions end in _p."""
    random = np.random.default_rng(seed)
    found = {
        "keypoints_p": random.normal(size=(B, 49, 2)), "keypoints": random.normal(size=(B, 49, 3)),
        "joints_p": random.normal(size=(B, 49, 3)), "joints3d": random.normal(size=(B, 24, 4)),
        "rotation_p": random.normal(size=(B, 24, 3, 3)), "pose": random.normal(size=(B, 24, 3, 3)),
        "betas_p": random.normal(size=(B, 10)), "betas": random.normal(size=(B, 10)),
        "camera_p": random.uniform(0.01, 0.1, (B, 3)), "part": random.integers(0, 25, (B, S, S)),
        "part_p": random.normal(size=(B, 25, S, S)), "coarse_p": random.normal(size=(B, 15, S, S)),
        "uv_p": 2 * random.normal(size=(2, B, 25, S, S)), "uv": random.random((B, 2, S, S)),
    }  # fmt: skip
    found["keypoints"][..., 2] = random.choice([0.0, 0.5, 1.0], (B, 49))
    found["joints3d"][..., 3] = [[1.0], [1.0], [0.0]]
    found["part"][:, 0] = 0
    return found


def terms(options: LossOptions, given: dict[str, np.ndarray]) -> dict[str, float]:
    """The product's weighted terms of one iteration."""
    found = of_tensors(options, {name: torch.from_numpy(value) for name, value in given.items()})
    return {name: float(value) for name, value in found.items()}


def of_tensors(options: LossOptions, t: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    parameters = Parameters(torch.zeros(B, 144), t["betas_p"], t["camera_p"])
    joints = t["joints_p"]
    one = Prediction(parameters, t["rotation_p"], joints, joints, t["keypoints_p"], joints, None)  # type: ignore[arg-type]
    names = ("keypoints", "joints3d", "pose", "betas", "part", "uv")
    flags = {"has_fit": torch.from_numpy(HAS_FIT), "has_iuv": torch.from_numpy(HAS_IUV)}
    known = {name: t[name] for name in names} | flags
    batch = Batch(**{field.name: known.get(field.name, torch.zeros(B)) for field in fields(Batch)})
    mean_body = replace(one, keypoints=one.keypoints + 1e6)
    output = Output([mean_body, one], slice(1, None), IUVLogits(t["part_p"], t["coarse_p"], *t["uv_p"]))
    return loss_terms(output, batch, options)


def by_hand(given: dict[str, np.ndarray], paper: bool = False) -> dict[str, float]:
    """The released terms with the released weights; or the paper's with them, whose norms are sums of squares."""
    g = SimpleNamespace(**given)
    confidence = g.keypoints[..., 2] * (np.arange(49) >= 25)
    error2d = confidence[..., None] * (g.keypoints_p - g.keypoints[..., :2]) ** 2
    joints = g.joints_p[:2, 25:]
    centred = joints - joints[:, HIPS].mean(1, keepdims=True)
    error3d = centred - (g.joints3d[:2, :, :3] - g.joints3d[:2, HIPS, :3].mean(1, keepdims=True))
    counted = HAS_FIT & HAS_IUV

    def entropy(logits: np.ndarray, label: np.ndarray) -> float:
        own = np.take_along_axis(logits, label[:, None], 1)[:, 0]
        return float((np.log(np.exp(logits).sum(1)) - own)[counted].mean())

    def smooth(logits: np.ndarray, wanted: np.ndarray) -> float:
        own = np.take_along_axis(logits, g.part[:, None], 1)[:, 0]
        error = np.abs(own - np.where(g.part > 0, wanted, 0))  # background too: u[0] and v[0] are pulled to 0
        pixels = np.where(error < 1, error**2 / 2, error - 0.5) * ((g.part > 0) | (not paper))
        return float(pixels[counted].sum() / B)

    def norm(squares: np.ndarray) -> float:
        persons = squares.reshape(len(squares), -1)
        return float((persons.sum(1) if paper else persons.mean(1)).mean())

    return {
        "keypoints2d": 300 * norm(error2d),
        "keypoints3d": 300 * norm(error3d**2),
        "pose": 60 * norm((g.rotation_p - g.pose)[HAS_FIT] ** 2),
        "betas": 0.06 * norm((g.betas_p - g.betas)[HAS_FIT] ** 2),
        "camera": 0 if paper else (np.exp(-10 * g.camera_p[:, 0]) ** 2).mean(),
        "part": entropy(g.part_p, g.part),
        "coarse": 0 if paper else entropy(g.coarse_p, np.array(COARSE)[g.part]),
        "u": 0.5 * smooth(g.uv_p[0], g.uv[:, 0]),
        "v": 0.5 * smooth(g.uv_p[1], g.uv[:, 1]),
    }


@pytest.mark.parametrize("seed", [0, 1])
def test_the_loss_of_a_known_prediction_is_the_released_sum(seed: int) -> None:
    given = numbers(seed)
    assert terms(LossOptions(), given) == pytest.approx(by_hand(given), rel=1e-6)
    assert terms(LossOptions(form="paper"), given) == pytest.approx(by_hand(given, paper=True), rel=1e-6)


def test_what_is_said_stands_over_a_form_and_nothing_is_refused_that_the_form_alone_says() -> None:
    paper = LossOptions(form="paper", camera=0.5, keypoints2d=7.0)
    assert (paper.camera, paper.keypoints2d, paper.coarse, paper.norm, paper.uv_pixels) == (
        0.5,
        7,
        0,
        "squared",
        "foreground",
    )
    assert LossOptions.parse(paper.model_dump(mode="json"), "saved") == paper
    for auxiliary, asked in (("none", {"coarse": 1}), ("parts", {"uv_reduction": "mean"})):
        options = {"model": {"auxiliary": auxiliary}, "loss": {"form": "paper"}}
        assert TrainOptions.parse(options, "test").loss == LossOptions(form="paper")
        with pytest.raises(ConfigError, match=f"leave out loss.{next(iter(asked))}"):
            TrainOptions.parse(options | {"loss": {"form": "paper"} | asked}, "test")
    with pytest.raises(ConfigError, match="form"):
        TrainOptions.parse({"set": ["loss.form=[1]"]}, "test")
    assert TrainOptions.parse({"loss": {"form": "paper"}, "set": ["loss.form=released"]}, "test").loss == LossOptions()


@pytest.mark.parametrize("form", ["released", "paper"])
def test_gradients_are_those_of_finite_differences(form: str) -> None:
    """Along random directions, of each prediction for itself, in float64."""
    options, given = LossOptions(form=form, coarse=0.3), numbers(2)
    t = {name: torch.from_numpy(value) for name, value in given.items()}

    def loss(changed: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.stack(list(of_tensors(options, t | changed).values()))

    for name in (name for name in t if name.endswith("_p")):
        value = t[name].clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss({name: value}).sum(), value, allow_unused=True)
        if gradient is None or not gradient.any():
            assert (form, name) == ("paper", "camera_p")
            continue
        direction, h = torch.randn(t[name].shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64), 1e-6
        sides = [loss({name: t[name] + sign * h * direction}) for sign in (1, -1)]
        wanted = float((gradient * direction).sum())
        assert float((sides[0] - sides[1]).sum()) / (2 * h) == pytest.approx(wanted, rel=1e-5), name


@pytest.mark.parametrize(
    ("option", "own"),
    [(name, {name}) for name in ("keypoints2d", "keypoints3d", "pose", "betas", "camera", "part", "coarse")]
    + [("uv", {"u", "v"}), ("annotated_weight", {"keypoints2d"})],
)
def test_a_weight_scales_its_own_term_and_no_other(option: str, own: set[str]) -> None:
    given, default = numbers(), LossOptions()
    tripled = LossOptions(**{option: 3 * getattr(default, option)})
    before = terms(default, given)
    expected = {name: (3 if name in own else 1) * value for name, value in before.items()}
    assert terms(tripled, given) == pytest.approx(expected, rel=1e-6)


def test_detections_have_no_say_until_they_are_given_one() -> None:
    given = numbers()
    error = given["keypoints"][:, :25, 2:] * (given["keypoints_p"] - given["keypoints"][..., :2])[:, :25] ** 2
    added = terms(LossOptions(openpose_weight=0.5), given)["keypoints2d"] - terms(LossOptions(), given)["keypoints2d"]
    assert added == pytest.approx(300 * 0.5 * error.sum() / (B * 49 * 2), rel=1e-6)


def test_the_papers_own_u_and_v_loss_leaves_the_background_out() -> None:
    given = numbers()
    paper = terms(LossOptions(uv_pixels="foreground"), given)
    given["uv_p"][:, :, 0] = 0  # a background that is already where the released loss pulls it
    assert {name: paper[name] for name in "uv"} == pytest.approx(
        {name: terms(LossOptions(), given)[name] for name in "uv"}, rel=1e-6
    )


class Loop(nn.Module):
    """Two parameters: one of the feedback loop, one of the trunk."""

    def __init__(self) -> None:
        super().__init__()
        self.regressor, self.trunk = nn.ModuleList([nn.Linear(1, 1, bias=False)]), nn.Linear(1, 1, bias=False)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"loop": list(self.regressor.parameters()), "trunk": list(self.trunk.parameters())}


def test_a_step_is_adams_at_five_in_a_hundred_thousand_without_decay() -> None:
    model, options = Loop(), OptimizerOptions()
    optimizer = make_optimizer(model, options)
    values = {name: float(value.detach()) for name, value in model.named_parameters()}
    m = v = 0.0
    for step, gradient in enumerate((2.0, -0.5, 0.25), start=1):
        set_rate(optimizer, learning_rate(step - 1, 100, options))
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, gradient)
        optimizer.step()
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        moved = 5e-5 * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)) ** 0.5 + 1e-8)
        values = {name: value - moved for name, value in values.items()}
    for name, parameter in model.named_parameters():
        assert float(parameter.detach()) == pytest.approx(values[name], abs=2e-7)


def test_weights_without_a_gradient_stay() -> None:
    model = Loop()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(10)  # Adam makes a step of any decay, and floats of this size show it
    optimizer = make_optimizer(model, OptimizerOptions())
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert all(float(parameter.detach()) == 10 for parameter in model.parameters())


@pytest.mark.usefixtures("shallow")
@pytest.mark.parametrize(("options", "share"), [(None, 0.5), (ModelOptions(), 0.5), (ModelOptions(dropout=0.2), 0.2)])
def test_both_hidden_layers_lose_half_in_training(free_body: Any, options: ModelOptions | None, share: float) -> None:
    model = PyMAF(free_body, options).train()
    for regressor in model.regressor:
        for layer in (regressor.drop1, regressor.drop2):
            seen = layer(torch.ones(100_000))
            assert float((seen == 0).float().mean()) == pytest.approx(share, abs=0.01)
            assert float(seen.max()) == pytest.approx(1 / (1 - share))


def test_what_is_not_said_is_as_published() -> None:
    """Sizes and lengths of the released training; weights and rates are tested above by what they do."""
    train, loader = TrainOptions(), LoaderOptions()
    assert train.batch_size == loader.batch_size == 64
    assert (train.model.view_size, loader.view_size, loader.map_size) == (224, 224, 56)
    assert train.joints3d == loader.joints3d == "measured"
    assert (train.model.auxiliary, train.targets, train.augmentation) == ("iuv", "stored", loader.augmentation)
    assert train.epochs == 60
    assert train.steps is None
    assert train.optimizer.clip_gradient is None
