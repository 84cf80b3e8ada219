"""HMR, the baseline: the released network's numbers and keys, what supervises it, and a run of it from a recipe."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pymaf_data.errors import CheckpointError, ConfigError, UsageError
from pymaf_data.loader import Batch
from pymaf_data.model import ModelOptions, OptimizerOptions, PyMAF, TrainOptions, load_checkpoint, train
from pymaf_data.model.checkpoint import load_backbone
from pymaf_data.model.losses import loss_terms
from pymaf_data.model.networks.hmr import HMR
from pymaf_data.model.networks.resnet import ResNet
from pymaf_data.model.optimisation import make_optimizer, set_rate
from pymaf_data.model.options import LossOptions
from pymaf_data.runs import checkpoints
from pymaf_data.runs.folder import CHECKPOINT, OPTIONS

ROTATION, NUMBER = 1e-5, 2e-5  # of the parity material


@pytest.fixture(scope="module")
def released(parity: Path, weight_fill: Any, smpl_folder: Path) -> dict[str, Tensor]:
    """All 331 released keys, filled by name; the mean parameters are the assets'."""
    with np.load(smpl_folder / "smpl_mean_params.npz") as mean:
        known = {"init_pose": mean["pose"], "init_shape": mean["shape"], "init_cam": mean["cam"]}
    state = {}
    for name, entry in json.loads((parity / "hmr_state_dict.json").read_text()).items():
        if entry["filled"]:
            value = weight_fill.value(name, tuple(entry["shape"]))
        else:
            value = known.get(name, np.zeros(entry["shape"])).astype(entry["dtype"]).reshape(entry["shape"])
        state[name] = torch.from_numpy(value)
    return state


@pytest.mark.parametrize("wrapper", ["bare", "SPIN's"])
def test_released_weights_give_the_released_numbers(
    released: dict[str, Tensor], wrapper: str, parity: Path, weight_fill: Any, smpl_folder: Path, tmp_path: Path
) -> None:
    content = released if wrapper == "bare" else {"model": {f"module.{name}": released[name] for name in released}}
    torch.save(content, tmp_path / "hmr.pt")
    model = load_checkpoint(tmp_path / "hmr.pt", smpl_folder, network="hmr")
    own = model.state_dict()
    assert len(released) == 331
    assert own.keys() == released.keys(), "none is missing, none unknown"
    assert all(torch.equal(own[name], value) for name, value in released.items())
    with np.load(parity / "hmr_forward.npz") as file:
        wanted = dict(file)
    with torch.no_grad():
        predictions = model(torch.from_numpy(weight_fill.image_batch(2))).predictions
    assert (len(predictions), model.frame, model.body.name) == (4, "camera", "smpl-neutral")
    for number, suffix in ((1, "_n1"), (3, "")):
        found = predictions[number]
        np.testing.assert_allclose(found.rotation, wanted[f"rotmat{suffix}"], rtol=0, atol=ROTATION)
        np.testing.assert_allclose(found.parameters.betas, wanted[f"shape{suffix}"], rtol=0, atol=NUMBER)
        np.testing.assert_allclose(found.parameters.camera, wanted[f"cam{suffix}"], rtol=0, atol=NUMBER)


def test_weights_of_the_other_network_are_named(free_body: Any, released: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"state_dict": PyMAF(free_body).state_dict()}, path)
    with pytest.raises(CheckpointError, match="is a PyMAF checkpoint") as refused:
        load_checkpoint(path, network="hmr")
    assert refused.value.expected == "an HMR (SPIN) checkpoint"
    assert 'network="pymaf"' in refused.value.action
    torch.save(ResNet().state_dict(), path)
    with pytest.raises(CheckpointError, match="torchvision's ResNet-50"):
        load_checkpoint(path, network="hmr")
    torch.save({name: value for name, value in released.items() if name != "fc2.bias"} | {"head.a": path.name}, path)
    with pytest.raises(CheckpointError, match=r"differs from HMR, keys: 1 missing \(fc2\.bias\)"):
        load_checkpoint(path, body=free_body, network="hmr")
    with pytest.raises(CheckpointError, match="no such files of network other"):
        load_checkpoint(path, body=free_body, network="other")


@pytest.mark.usefixtures("shallow")
def test_the_last_iteration_alone_teaches_and_teaches_all(free_body: Any, make_batch: Callable[..., Batch]) -> None:
    torch.manual_seed(0)
    model, batch = HMR(free_body, ModelOptions(network="hmr", dropout=0.0, view_size=64)).train(), make_batch(2)
    output = model(torch.randn(2, 3, 64, 64))
    assert output.dense is None
    terms = loss_terms(output, batch, LossOptions())
    assert set(terms) == {"keypoints2d", "keypoints3d", "pose", "betas", "camera"}
    wanted = 60 * (output.predictions[3].rotation - batch.pose).square().mean()
    assert float(terms["pose"].detach()) == pytest.approx(float(wanted.detach()), rel=1e-5)
    # What flows from one iteration into the next is part of the graph: the last learns through the first.
    first = output.predictions[1].parameters.betas
    (gradient,) = torch.autograd.grad(terms["betas"], first, retain_graph=True)
    assert float(gradient.abs().max()) > 0
    sum(terms.values()).backward()
    assert all(value.grad is not None for value in model.parameters())


@pytest.mark.usefixtures("shallow")
def test_it_has_two_rates_takes_imagenet_and_loses_half_of_what_is_hidden(free_body: Any, tmp_path: Path) -> None:
    model = HMR(free_body)
    optimizer = make_optimizer(model, OptimizerOptions(trunk_factor=16))
    set_rate(optimizer, 1e-4)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert len(rates) == len(list(model.parameters()))
    for name, value in model.named_parameters():
        assert rates[id(value)] == pytest.approx(1e-4 if name.startswith("regressor.") else 16e-4), name
    weights = ResNet().state_dict()
    torch.save(weights, tmp_path / "resnet50.pt")
    load_backbone(model.feature_extractor, tmp_path / "resnet50.pt")
    assert torch.equal(model.state_dict()["layer3.0.conv2.weight"], weights["layer3.0.conv2.weight"])
    for options, share in ((None, 0.5), (ModelOptions(network="hmr", dropout=0.2), 0.2)):
        regressor = HMR(free_body, options).train().regressor
        for layer in (regressor.drop1, regressor.drop2):
            assert float((layer(torch.ones(100_000)) == 0).float().mean()) == pytest.approx(share, abs=0.01)


@pytest.mark.usefixtures("shallow")
def test_dense_maps_are_refused_where_there_are_none(free_body: Any) -> None:
    assert ModelOptions(network="hmr").auxiliary == "none"
    for wrong, told in (
        ({"model": {"network": "hmr", "auxiliary": "iuv"}}, "network hmr has no auxiliary"),
        ({"model": {"network": "hmr"}, "loss": {"part": 10}}, r"leave out loss\.part"),
        ({"model": {"network": "hmr"}, "loss": {"uv_reduction": "mean"}}, r"leave out loss\.uv_reduction"),
        ({"model": {"network": "hmr"}, "targets": "rendered"}, "leave out targets: rendered"),
        ({"model": {"auxiliary": "none"}, "loss": {"part": 10, "uv": 9}}, r"pymaf .* leave out loss\.part, loss\.uv"),
        ({"model": {"auxiliary": "none"}, "targets": "rendered"}, "leave out targets: rendered"),
        ({"model": {"network": "hmmr"}}, "no network 'hmmr', there are pymaf, hmr"),
        ({"model": {"network": ["hmr"]}}, "no network"),
    ):
        with pytest.raises(ConfigError, match=told):
            TrainOptions.parse(wrong, "test")
    said = TrainOptions.parse({"model": {"network": "hmr"}, "loss": {"part": 0, "uv": 0}}, "test")
    assert TrainOptions.parse(said.model_dump(mode="json"), "test") == said
    image = torch.zeros(1, 3, 64, 64)
    for model in (
        HMR(free_body, ModelOptions(network="hmr", view_size=64)),
        PyMAF(free_body, ModelOptions(auxiliary="none", view_size=64)),
    ):
        with torch.no_grad(), pytest.raises(UsageError, match=f"{type(model).__name__} has no auxiliary head"):
            model.eval()(image, auxiliary=True)
        assert model.train()(image.expand(2, 3, 64, 64)).dense is None


RECIPE = """
name: baseline
ingest: [{dataset: sample}]
train:
  {backbone: null, steps: 5, batch_size: 2, device: cpu, precision: fp32, workers: 0, log_every: 1,
   joints3d: fitted, snapshots: {persons: 1, every: 5}, model: {network: hmr, view_size: 64}}
"""


@pytest.mark.usefixtures("small")
def test_five_steps_of_a_recipe_go_on_and_predict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pymaf_data.model.predict import predict_rows
    from pymaf_data.paths import VARIABLE, DataRoot
    from pymaf_data.recipe import load_recipe, train_values
    from pymaf_data.runs.history import read_history
    from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
    from pymaf_data.stages.ingest import IngestOptions, ingest
    from pymaf_data.storage import open_store
    from pymaf_data.world.sample import SampleOptions, write_sample

    monkeypatch.setenv(VARIABLE, str(tmp_path))
    raw, store = tmp_path / "raw" / "sample", tmp_path / "stores" / "sample-train.zarr"
    write_sample(SampleOptions(out=raw, persons=3, size=(320, 240)))
    ingest(IngestOptions(dataset="sample", root=raw, out=store))
    attach_fits(AttachOptions(store=store, fits=(f"truth:{raw / 'truth' / 'train.npz'}",)))  # and no maps
    (tmp_path / "baseline.yaml").write_text(RECIPE)
    values = train_values(load_recipe(str(tmp_path / "baseline.yaml")), DataRoot.default())
    whole = train(TrainOptions.parse(values, "recipe"))
    assert (whole.resumed_from, whole.step, set(whole.errors)) == (0, 5, {"M0", "M1", "M2", "M3"})
    assert not {"part", "coarse", "u", "v"} & set(read_history(whole.folder)[0].scalars)
    assert json.loads((whole.folder / OPTIONS).read_text())["model"]["network"] == "hmr"

    again = values | {"name": "again"}
    train(TrainOptions.parse(again | {"steps": 2}, "recipe"))
    assert train(TrainOptions.parse(again, "recipe")).resumed_from == 2
    runs = [checkpoints.read(tmp_path / "runs" / name / CHECKPOINT).model for name in ("baseline", "again")]
    assert runs[0].keys() == runs[1].keys()
    assert all(torch.equal(value, runs[1][name]) for name, value in runs[0].items())
    assert "layer1.0.conv1.weight" in runs[0], "under the released names"

    model = load_checkpoint(whole.checkpoint)
    assert isinstance(model, HMR)
    assert predict_rows(model, open_store(store), [0, 2]).vertices.shape == (2, len(model.body.v_template), 3)
    other = values | {"model": {"view_size": 64, "auxiliary": "none"}, "steps": 6}
    with pytest.raises(CheckpointError, match="holds a checkpoint of network hmr") as refused:
        train(TrainOptions.parse(other, "recipe"))
    assert "network pymaf" in str(refused.value)
    with pytest.raises(CheckpointError, match="of network hmr"):
        load_checkpoint(whole.checkpoint, network="pymaf")
