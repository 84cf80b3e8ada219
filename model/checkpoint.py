"""Checkpoints: everything a run needs to go on, and everything a reader needs to know; loaded without running code.

One file of tensors and plain values, read with ``weights_only=True``:

    format, format_version     what it is
    model                      state dict under the released names; no body in it
    optimizer, rng, step       to go on exactly; the place in the data follows from the step
    options, precision         as resolved for the run
    body                       name, digest, fingerprint: the body it was trained on, to be loaded from its asset
    stores, licences           what it learned from, and under which licences
    versions                   of the libraries

Released PyMAF checkpoints load too: their copies of SMPL and of the down-sampling matrix are left out, the latter only
after it was found to select the same vertices.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pymaf_data.body import BodyModel, load_body
from pymaf_data.errors import AssetMismatch, CheckpointError
from pymaf_data.storage.files import LocalFiles

from .options import ModelOptions
from .pymaf import PyMAF

FORMAT = "pymaf-data checkpoint"
MAJOR, MINOR = 1, 0
FILE = "checkpoint.pt"
_UNFINISHED = ".unfinished"
_RELEASED_BODY = "smpl-neutral"


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
    LocalFiles(folder).write({FILE: [buffer.getbuffer()]}, _UNFINISHED)  # type: ignore[list-item]
    return folder / FILE


def read(path: Path) -> Checkpoint:
    """Read one of our checkpoints onto the CPU.

    Raises:
        CheckpointError: it is missing, damaged, of another major version, or not ours.
    """
    content = load_tensors(path)
    if content.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} was not written by pymaf-data", expected=f"a {FORMAT}", action="give a run's checkpoint.pt."
        )
    version = str(content["format_version"])
    if version.split(".")[0] != str(MAJOR):
        raise CheckpointError(
            f"{path} has format version {version}",
            expected=f"major version {MAJOR}",
            action="read it with the version of pymaf-data that wrote it.",
        )
    # Runs of before had no frame to choose: they learned what their sources said, in the camera of the whole image.
    content["options"] = {"frame": "camera"} | content["options"]
    return Checkpoint(**{item.name: content[item.name] for item in fields(Checkpoint)})


def load_checkpoint(path: str | Path, assets: Path | None = None, body: BodyModel | None = None) -> PyMAF:
    """A trained PyMAF in evaluation mode, from our checkpoint or from a released one.

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
        return _load_released(content, path, body or load_body(_RELEASED_BODY, assets))
    checkpoint = read(path)
    body = body or load_body(checkpoint.body["name"], assets)
    check_body(checkpoint, body)
    model = PyMAF(body, ModelOptions.parse(checkpoint.options["model"], str(path)), checkpoint.options["frame"])
    load_state(model, checkpoint.model, str(path))
    return model.eval()


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
    """Copy a state dict into the model.

    Raises:
        CheckpointError: names or shapes differ.
    """
    own = model.state_dict()
    wrong = sorted(own.keys() ^ state.keys())
    wrong += sorted(key for key in own.keys() & state.keys() if own[key].shape != state[key].shape)
    if wrong:
        raise CheckpointError(
            f"{origin} differs from the network at {len(wrong)} keys, first {wrong[0]!r}",
            expected="the state dict of a PyMAF with these options",
            action="use a checkpoint of this network.",
        )
    model.load_state_dict(state)


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


def _load_released(content: dict[str, Any], path: Path, body: BodyModel) -> PyMAF:
    state = released_state(content.get("model", content), body)
    auxiliary = any(name.startswith("dp_head.") for name in state)
    model = PyMAF(body, ModelOptions(auxiliary="iuv" if auxiliary else "none"), frame="camera")
    load_state(model, state, str(path))
    return model.eval()


def load_tensors(path: Path) -> dict[str, Any]:
    """A dictionary that ``torch.save`` wrote, read without running code.

    Raises:
        CheckpointError: it is missing, damaged or something else.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"there is no checkpoint {path}", action="check the path.") from None
    except Exception as error:  # bytes that are no pickle lead the unpickler into errors of any kind
        told = (str(error).splitlines() or [""])[0][:160]
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint: {type(error).__name__} {told}",
            expected="tensors and plain values, nothing that runs code",
            action="fetch or train it again.",
        ) from None
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path} holds a {type(content).__name__}",
            expected="a dictionary of tensors",
            action="give the state dict, not the whole module.",
        )
    return content
