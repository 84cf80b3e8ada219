"""From a checkpoint to a network: ours (:mod:`pymaf_data.runs.checkpoints`), released ones and others of this network.

Released PyMAF checkpoints load however they were wrapped (:mod:`pymaf_data.model.state_dicts`): their copies of SMPL
and of the down-sampling matrix are left out, the latter only after it was found to select the same vertices.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pymaf_data.body import BodyModel, load_body
from pymaf_data.errors import AssetMismatch, CheckpointError
from pymaf_data.runs import checkpoints
from pymaf_data.runs.checkpoints import Checkpoint

from .networks.pymaf import PyMAF
from .networks.resnet import ResNet50
from .options import ModelOptions
from .state_dicts import PYMAF, RESNET, find_state, fitted, network_of

_RELEASED_BODY = "smpl-neutral"


def load_checkpoint(path: str | Path, assets: Path | None = None, body: BodyModel | None = None) -> PyMAF:
    """A trained PyMAF in evaluation mode, from our checkpoint, a released one, or another of the same network.

    Args:
        path: the file.
        assets: where licensed bodies lie; default ``assets`` under the data root. Not read for the free body.
        body: a body already loaded; default the one that the checkpoint was trained on (SMPL neutral if released).

    Raises:
        CheckpointError: it is no checkpoint of this network, or the body is not the one it was trained on.
        AssetMissing: the body's file is not there.
    """
    path = Path(path)
    content = checkpoints.load_tensors(path)
    if content.get("format") != checkpoints.FORMAT:
        return _load_released(content, path, assets, body)
    checkpoint = checkpoints.parse(content, path)
    body = body or load_body(checkpoint.body["name"], assets)
    check_body(checkpoint, body)
    model = PyMAF(body, ModelOptions.parse(checkpoint.options.get("model"), str(path)), checkpoint.options["frame"])
    load_state(model, checkpoint.model, str(path))
    return model.eval()


def load_backbone(backbone: ResNet50, path: Path) -> None:
    """Take over torchvision's ``resnet50`` weights; its classifier is left out.

    Raises:
        CheckpointError: the file is damaged, or holds the weights of something else.
    """
    state = find_state(checkpoints.load_tensors(path), RESNET, str(path))
    _require_network(state, "torchvision's ResNet-50", str(path))
    backbone.load_imagenet(state, str(path))


def check_body(checkpoint: Checkpoint, body: BodyModel) -> None:
    """Refuse a body other than the one trained on.

    Raises:
        CheckpointError: the digests differ.
    """
    if checkpoint.body["digest"] != body.digest:
        raise CheckpointError(
            f"the checkpoint was trained on body {checkpoint.body['name']} {checkpoint.body['digest'][:12]}, "
            f"this is {body.name} {body.digest[:12]}",
            expected="the very same body",
            action="load the body that the checkpoint names.",
        )


def load_state(model: PyMAF, state: Mapping[str, Tensor], origin: str) -> None:
    """Copy a state dict into the model, in the model's precision.

    Raises:
        CheckpointError: names or shapes differ, or a weight is not finite.
    """
    action = "use a checkpoint of this network, with these options."
    model.load_state_dict(fitted(state, model.state_dict(), origin, "PyMAF", action))


def released_state(state: Mapping[str, Tensor], body: BodyModel) -> dict[str, Tensor]:
    """The part of a released state dict that is the network: without SMPL, the grid and the down-sampling.

    Raises:
        AssetMismatch: its down-sampling selects other vertices than the body's.
    """
    kept = {}
    for name, value in state.items():
        parts = name.split(".")
        if parts[-1] == "Dmap":
            _check_downsampling(value, body)
        elif "smpl" not in parts and name != "points_grid":
            kept[name] = value
    return kept


def _check_downsampling(matrix: Tensor, body: BodyModel) -> None:
    V = body.v_template.shape[0]
    own = body.downsample(torch.arange(V).reshape(1, V, 1))[0, :, 0]
    if tuple(matrix.shape) != (len(own), V) or not torch.equal(matrix.argmax(dim=1).cpu(), own):
        raise AssetMismatch(
            f"the checkpoint samples features at other vertices than body {body.name} (matrix {tuple(matrix.shape)})",
            expected="the same rows of mesh_downsampling.npz",
            action="use the mesh_downsampling.npz that the checkpoint was trained with.",
        )


def _load_released(content: dict[str, Any], path: Path, assets: Path | None, body: BodyModel | None) -> PyMAF:
    found = find_state(content, PYMAF, str(path))
    _require_network(found, "a PyMAF checkpoint", str(path))
    body = body or load_body(_RELEASED_BODY, assets)
    state = released_state(found, body)
    auxiliary = any(name.startswith("dp_head.") for name in state)
    model = PyMAF(body, ModelOptions(auxiliary="iuv" if auxiliary else "none"), frame="camera")
    load_state(model, state, str(path))
    return model.eval()


def _require_network(state: Mapping[str, Tensor], wanted: str, origin: str) -> None:
    """Refuse the weights of another network, by name where it is known.

    Raises:
        CheckpointError: they are of another one.
    """
    found = network_of(state)
    if found != wanted:
        told = ", ".join(repr(key[:60]) for key in list(state)[:3])
        raise CheckpointError(
            f"{origin} is {found or f'of another network: it holds {len(state)} tensors, such as {told}'}",
            expected=wanted,
            action="give ImageNet weights of ResNet-50 to `pymaf-data train --backbone`."
            if found == "torchvision's ResNet-50"
            else "give a file of that network.",
        )
