"""Against a forward pass of the authors' released network, weights filled by name."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pymaf_data.body import load_body
from pymaf_data.model import PyMAF, load_checkpoint
from pymaf_data.model.inference import for_inference
from pymaf_data.model.networks.network import Output, Parameters
from pymaf_data.model.precision import channels_last

THETA, ROTATION, VERTEX, LOGIT = 2e-5, 1e-5, 1e-5, 2e-5
# The reference itself is this far (theta, rotation) from the same network in float64 at the last iteration: rounding
# grows where the loop samples a noise image. The stated tolerances therefore hold step by step, and up to M2.
LAST = (5e-5, 5e-5, 5e-5)


@pytest.fixture(scope="module")
def network(
    released_state: dict[str, torch.Tensor], smpl_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> PyMAF:
    path = tmp_path_factory.mktemp("released") / "model.pt"
    torch.save({"model": released_state}, path)
    return load_checkpoint(path, assets=smpl_folder)


@pytest.fixture(scope="module")
def output(network: PyMAF, released_forward: dict[str, np.ndarray]) -> Output:
    with torch.no_grad():
        return network(torch.from_numpy(released_forward["image"]), auxiliary=True)


def distance(value: torch.Tensor, reference: np.ndarray) -> float:
    return float(np.abs(value.numpy() - reference).max())


def test_every_released_key_is_known_and_none_is_missing(
    network: PyMAF, released_keys: dict[str, dict[str, Any]]
) -> None:
    own = network.state_dict()
    assert len(released_keys) == 441
    assert set(own) <= set(released_keys)
    left_out = {name.rsplit(".", 1)[-1] for name in set(released_keys) - set(own) if ".smpl." not in name}
    assert left_out == {"points_grid", "Dmap"}
    assert all(list(value.shape) == released_keys[name]["shape"] for name, value in own.items())


@pytest.mark.parametrize("number", range(4))
def test_iterations(output: Output, released_forward: dict[str, np.ndarray], number: int) -> None:
    theta, rotation, vertex = LAST if number == 3 else (THETA, ROTATION, VERTEX)
    prediction = output.predictions[number]
    reference = {name[4:]: value for name, value in released_forward.items() if name.startswith(f"it{number}_")}
    assert distance(prediction.theta, reference["theta"]) < theta
    assert distance(prediction.rotation, reference["rotmat"]) < rotation
    assert distance(prediction.joints, reference["kp_3d"]) < vertex
    assert distance(prediction.skeleton, reference["smpl_kp_3d"]) < vertex
    assert distance(prediction.keypoints, reference["kp_2d"]) < vertex
    subset = released_forward["verts_sub_idx"]
    assert distance(prediction.vertices[:, subset], reference["verts_sub"]) < vertex


@pytest.mark.parametrize("form", [lambda network: channels_last(deepcopy(network)), for_inference])
def test_bodies_of_the_forms_that_are_trained_and_evaluated(
    network: PyMAF, released_forward: dict[str, np.ndarray], form: Callable[[PyMAF], PyMAF]
) -> None:
    """Convolutions in channels-last, as training has them; BatchNorm folded and weights laid out, as evaluation has."""
    with torch.no_grad():
        found = form(network)(torch.from_numpy(released_forward["image"]), auxiliary=False).predictions
    for number in range(4):
        reference = {name[4:]: value for name, value in released_forward.items() if name.startswith(f"it{number}_")}
        subset = released_forward["verts_sub_idx"]
        assert distance(found[number].theta, reference["theta"]) < 2 * LAST[0]
        assert distance(found[number].vertices[:, subset], reference["verts_sub"]) < LAST[2]


@pytest.mark.parametrize("level", range(3))
def test_each_step_from_the_reference_state(
    network: PyMAF, released_forward: dict[str, np.ndarray], level: int
) -> None:
    """One iteration from the released network's own previous state, so that no rounding is carried along."""
    tensor = {name: torch.from_numpy(value) for name, value in released_forward.items() if value.dtype == np.float32}
    start = Parameters(*(tensor[f"it{level}_pred_{name}"] for name in ("pose", "shape", "cam")))
    with torch.no_grad():
        before = network.decode(start)
        maps, _ = network.image_plane(tensor["image"], auxiliary=False)
        points = network._points(level, before.sampled, start.camera)
        features = network.maf_extractor[level](maps[level], points)
        after = network.decode(network.regressor[level](tensor[f"ref_feature{level}"], start))
    assert distance(points, released_forward[f"points{level}"]) < 2e-6
    scale = float(np.abs(released_forward[f"ref_feature{level}"]).max())
    # A point off by one unit in the last place moves 2e-6 of a map pixel, between neighbours that differ freely.
    assert distance(features, released_forward[f"ref_feature{level}"]) < 3e-5 * scale
    assert distance(after.theta, released_forward[f"it{level + 1}_theta"]) < THETA
    assert distance(after.rotation, released_forward[f"it{level + 1}_rotmat"]) < ROTATION


def test_dense_logits(output: Output, released_forward: dict[str, np.ndarray]) -> None:
    assert output.dense is not None
    assert distance(output.dense.part, released_forward["dp_predict_uv_index"]) < LOGIT
    assert distance(output.dense.coarse, released_forward["dp_predict_ann_index"]) < LOGIT
    for name in ("u", "v"):
        reference = released_forward[f"dp_predict_{name}"]
        assert distance(getattr(output.dense, name)[..., ::2, ::2], reference) < LOGIT


def test_a_checkpoint_that_samples_other_vertices_is_refused(
    released_state: dict[str, torch.Tensor], smpl_folder: Path
) -> None:
    from pymaf_data.errors import AssetMismatch
    from pymaf_data.model.checkpoint import released_state as select

    other = dict(released_state)
    other["maf_extractor.1.Dmap"] = released_state["maf_extractor.1.Dmap"].roll(1, dims=1)
    with pytest.raises(AssetMismatch, match="other vertices"):
        select(other, load_body("smpl-neutral", smpl_folder))
