"""From a checkpoint to a network: ours (:mod:`pymaf_data.runs.checkpoints`), released ones and others of a network.

Released checkpoints load however they were wrapped (:mod:`pymaf_data.model.state_dicts`): their copies of SMPL
and of the down-sampling matrix are left out, the latter only after it was found to select the same vertices.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pymaf_data.body import BodyModel, load_body
from pymaf_data.errors import AssetMismatch, CheckpointError
from pymaf_data.near import nearest_first
from pymaf_data.paths import DataRoot, as_meant
from pymaf_data.runs import checkpoints
from pymaf_data.runs.checkpoints import Checkpoint
from pymaf_data.runs.folder import BEST, CHECKPOINT

from .networks.network import Network, make_network
from .networks.options import ModelOptions
from .networks.resnet import ResNet
from .shipped import SHIPPED, shipped
from .state_dicts import RELEASED, RESNET, TORCHVISION, find_state, fitted, network_of

logger = logging.getLogger(__name__)

RELEASED_BODY, RELEASED_FRAME = "smpl-neutral", "camera"
"""Of networks that others released."""
_NAMED = 6  # runs, in a message
# Of ModelOptions: what decides the shapes of weights.
_WIDTHS = ("backbone", "pyramid_channels", "regressor_width")


def load_checkpoint(
    path: str | Path, assets: Path | None = None, body: BodyModel | None = None, network: str | None = None
) -> Network:
    """A trained network in evaluation mode, from our checkpoint, a released one, or another of the same network.

    Of a run that keeps an average of its weights (``optimizer.average``) it is that average.

    Args:
        path: the file.
        assets: where licensed bodies lie; default ``assets`` under the data root. Not read for the free body.
        body: a body already loaded; default the one that the checkpoint was trained on (SMPL neutral if released).
        network: what it has to be, ``pymaf`` or ``hmr``; default what our checkpoint says, PyMAF if released.

    Raises:
        CheckpointError: it is no checkpoint of that network, or the body is not the one it was trained on.
        AssetMissing: the body's file is not there.
    """
    path = Path(path)
    content = checkpoints.load_tensors(path)
    if content.get("format") != checkpoints.FORMAT:
        options, state = released(content, path, network or "pymaf")
        body = body or load_body(RELEASED_BODY, assets)
        model = make_network(options, body, RELEASED_FRAME)
        widths = ", ".join(f"{name} {getattr(options, name)}" for name in _WIDTHS)
        action = f"give a file of the published widths ({widths}), or a run's checkpoint."
        load_state(model, released_state(state, body), str(path), action)
        return model.eval()
    checkpoint = checkpoints.parse(content, path)
    if network is not None:
        check_network(checkpoint, network, str(path))
    body = body or load_body(checkpoint.body["name"], assets)
    check_body(checkpoint, body)
    model = make_network(options_of(checkpoint, str(path)), body, checkpoint.options["frame"])
    if checkpoint.average:
        logger.info("%s: the average of the weights is taken, not those of the last step", path)
    load_state(model, checkpoint.weights, str(path))
    return model.eval()


def checkpoint_path(given: str, root: DataRoot, otherwise: str = "") -> Path:
    """A checkpoint by its file, its run's folder or its run's name, or by the name of a network that ships.

    Raises:
        CheckpointError: there is none; ``otherwise`` it says what else to do.
    """
    places = checkpoint_places(given, root)
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        there = nearest_first(given, dict.fromkeys((*SHIPPED, *_runs(root))))
        more = f" or another of {len(there)} in {root.runs}" * (len(there) > _NAMED)
        raise CheckpointError(
            f"no checkpoint: looked for {', '.join(str(place) for place in places)}",
            expected="a checkpoint's file, or a run's folder or name",
            action=f"name one that there is: {', '.join(there[:_NAMED])}{more}"
            f" ({', '.join(SHIPPED)} ships with the package){otherwise}.",
        )
    return found


def _runs(root: DataRoot) -> list[str]:
    """Names of the runs that have a checkpoint."""
    return sorted(path.parent.name for path in root.runs.glob(f"*/{CHECKPOINT}"))


def checkpoint_places(given: str, root: DataRoot) -> list[Path]:
    """Where the checkpoint that is meant may lie, the first that is there."""
    path = as_meant(Path(given))
    places = [path, path / CHECKPOINT, root.runs / given, root.runs / given / CHECKPOINT]
    return list(dict.fromkeys([*places, *([shipped(given)] if given in SHIPPED else [])]))


def name_of(path: Path, digest: str) -> str:
    """Of a checkpoint: its run's, else its file's and the beginning of its digest."""
    if path.name in (CHECKPOINT, BEST):
        return path.resolve().parent.name + ("-best" if path.name == BEST else "")
    if path in map(shipped, SHIPPED):
        return path.stem
    return f"{path.stem[:100]}-{digest[:8]}"


def load_backbone(backbone: ResNet, path: Path) -> None:
    """Take over torchvision's weights of the trunk; its classifier is left out.

    Raises:
        CheckpointError: the file is damaged, or holds the weights of something else.
    """
    state = find_state(checkpoints.load_tensors(path), RESNET, str(path))
    _require_network(state, backbone.title, str(path))
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


def check_network(checkpoint: Checkpoint, network: str, origin: str) -> None:
    """Refuse a checkpoint of another network than that of this name; one that says nothing is of PyMAF.

    Raises:
        CheckpointError: it is of another one.
        ConfigError: this version does not know what it is of.
    """
    found = options_of(checkpoint, origin).network
    if found != network:
        raise CheckpointError(
            f"{origin} holds a checkpoint of network {found}",
            expected=f"one of network {network}",
            action="name the network that it is of; to train another one, give another --name or --overwrite.",
        )


def options_of(checkpoint: Checkpoint, origin: str) -> ModelOptions:
    """The network that a checkpoint is of.

    Raises:
        ConfigError: this version does not know it.
    """
    return ModelOptions.parse(checkpoint.options.get("model", {}), origin)


def load_state(model: Network, state: Mapping[str, Tensor], origin: str, action: str = "") -> None:
    """Copy a state dict into the model, in the model's precision.

    Raises:
        CheckpointError: names or shapes differ, or a weight is not finite.
    """
    action = action or "use a checkpoint of this network, with these options."
    model.load_state_dict(fitted(state, model.state_dict(), origin, type(model).__name__, action))


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


def released(content: dict[str, Any], path: Path, network: str) -> tuple[ModelOptions, dict[str, Tensor]]:
    """What network of this name others released in a file, and all of its state dict: see :func:`released_state`.

    Raises:
        CheckpointError: it holds something else.
    """
    if network not in RELEASED:
        raise CheckpointError(
            f"{path} was not written by pymaf-data, and no such files of network {network} are known",
            expected=f"a file of {' or '.join(RELEASED)}",
            action="give a run's checkpoint.pt, or name the network that the file is of.",
        )
    wanted, parts = RELEASED[network]
    found = find_state(content, parts, str(path))
    _require_network(found, wanted, str(path))
    auxiliary = any(name.startswith("dp_head.") for name in found)
    return ModelOptions(network=network, auxiliary="iuv" if auxiliary else "none"), found


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
            action=_advice(found, wanted),
        )


def _advice(found: str, wanted: str) -> str:
    name_of = {told: name for name, (told, _) in RELEASED.items()}
    trunks = {told: name for name, told in TORCHVISION.items()}
    if found in trunks and wanted in trunks:
        return f"say which trunk they are of, `--set model.backbone={trunks[found]}`, or give a file of {wanted}."
    if found in trunks:
        return "give ImageNet weights of a trunk to `pymaf-data train --backbone`."
    if {found, wanted} <= name_of.keys():
        return f'read it as what it is, load_checkpoint(path, network="{name_of[found]}"), or give a file of the other.'
    return "give a file of that network."
