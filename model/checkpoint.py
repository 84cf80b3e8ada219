"""Checkpoints: everything a run needs to go on, and everything a reader needs to know; loaded without running code.

One file of tensors and plain values, which ``torch.load(path, weights_only=True)`` opens as well. At its end stands a
digest, compared before anything is read; files of before have none (:mod:`pymaf_data.storage.archives`).

    format, format_version     what it is
    model                      state dict under the released names; no body in it
    optimizer, rng, step       to go on exactly; the place in the data follows from the step
    options, precision         as resolved for the run
    body                       name, digest, fingerprint: the body it was trained on, to be loaded from its asset
    stores, licences           what it learned from, and under which licences
    versions                   of the libraries

Released PyMAF checkpoints load too, and others of this network however they were wrapped
(:mod:`pymaf_data.model.state_dicts`): their copies of SMPL and of the down-sampling matrix are left out, the latter
only after it was found to select the same vertices.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import torch
from torch import Tensor

from pymaf_data.body import BodyModel, load_body
from pymaf_data.errors import AssetMismatch, CheckpointError
from pymaf_data.plain import clean
from pymaf_data.storage.archives import seal
from pymaf_data.storage.files import UNFINISHED, LocalFiles

from .options import ModelOptions
from .pymaf import PyMAF
from .resnet import ResNet50
from .state_dicts import PYMAF, RESNET, find_state, fitted, network_of
from .torch_file import LeftOut, read_torch_file

logger = logging.getLogger(__name__)

FORMAT = "pymaf-data checkpoint"
MAJOR, MINOR = 1, 1  # 1.1: a digest at the end
FILE = "checkpoint.pt"
_RELEASED_BODY = "smpl-neutral"
_BODY = ("name", "digest", "fingerprint")


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint file; see the module's docstring."""

    model: dict[str, Tensor]
    optimizer: dict[str, Any]
    rng: dict[str, Any]
    step: int
    options: dict[str, Any]
    precision: str
    body: dict[str, str]
    stores: list[dict[str, Any]] = field(default_factory=list)
    licences: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


def save(checkpoint: Checkpoint, folder: Path) -> Path:
    """Write ``folder/checkpoint.pt`` whole and durably, or leave the one that is there.

    Raises:
        DiskFull: no room.
    """
    content: dict[str, Any] = {"format": FORMAT, "format_version": f"{MAJOR}.{MINOR}"}
    content |= {item.name: getattr(checkpoint, item.name) for item in fields(Checkpoint)}
    buffer = io.BytesIO()
    torch.save(content, buffer)
    # A view writes like bytes, without a second copy of half a gigabyte.
    archive = buffer.getbuffer()
    LocalFiles(folder).write({FILE: [archive, seal(archive)]}, UNFINISHED)  # type: ignore[list-item]
    return folder / FILE


def read(path: Path) -> Checkpoint:
    """Read one of our checkpoints onto the CPU.

    Raises:
        CheckpointError: it is missing, damaged, of another major version, or not ours.
    """
    return _checkpoint(load_tensors(path), path)


def _checkpoint(content: dict[str, Any], path: Path) -> Checkpoint:
    if content.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} was not written by pymaf-data", expected=f"a {FORMAT}", action="give a run's checkpoint.pt."
        )
    version = str(content.get("format_version"))
    if version.split(".")[0] != str(MAJOR):
        raise CheckpointError(
            f"{path} has format version {version}",
            expected=f"major version {MAJOR}",
            action="read it with the version of pymaf-data that wrote it.",
        )
    kinds = {name: get_origin(hint) or hint for name, hint in get_type_hints(Checkpoint).items()}
    wrong = [name for name, kind in kinds.items() if not isinstance(content.get(name), kind)]
    wrong += [f"body.{name}" for name in _BODY if not wrong and not isinstance(content["body"].get(name), str)]
    if not wrong and not all(isinstance(value, Tensor) for value in content["model"].values()):
        wrong = ["model"]
    if wrong:
        raise CheckpointError(
            f"{path} is no whole checkpoint: {', '.join(wrong)} missing or of another kind",
            expected=f"a {FORMAT} as the trainer writes it",
            action="take an earlier copy.",
        )
    # Runs of before had no frame to choose: they learned what their sources said, in the camera of the whole image.
    content["options"] = {"frame": "camera"} | content["options"]
    return Checkpoint(**{item.name: content[item.name] for item in fields(Checkpoint)})


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
    content = load_tensors(path)
    if content.get("format") != FORMAT:
        return _load_released(content, path, assets, body)
    checkpoint = _checkpoint(content, path)
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
    state = find_state(load_tensors(path), RESNET, str(path))
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


def load_tensors(path: Path) -> dict[str, Any]:
    """A dictionary that ``torch.save`` wrote, read without running code; foreign objects in it are left out and named.

    Raises:
        CheckpointError: it is missing, damaged or something else.
    """
    content, left_out = read_torch_file(path)
    if not isinstance(content, dict):
        kind = f"an object of class {content}" if isinstance(content, LeftOut) else f"a {type(content).__name__}"
        raise CheckpointError(
            f"{path} holds {kind}",
            expected="a dictionary of tensors",
            action="give the state dict, not the whole module: save model.state_dict() where its code is installed.",
        )
    if left_out:
        shown = ", ".join(left_out[:4]) + (", …" if len(left_out) > 4 else "")
        logger.warning("%s also holds objects of %s: left out, nothing of them was run", path, clean(shown))
    return content
