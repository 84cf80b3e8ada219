"""Checkpoints as files: everything a run needs to go on, and everything a reader needs to know.

One file of tensors and plain values, which ``torch.load(path, weights_only=True)`` opens as well. At its end stands a
digest, compared before anything is read; files of before have none (:mod:`pymaf_data.storage.archives`).

    format, format_version     what it is
    model                      state dict under the released names; no body in it
    optimizer, rng, step       to go on exactly; the place in the data follows from the step
    scaler                     of the loss, where the run is in fp16
    options, precision         as resolved for the run
    body                       name, digest, fingerprint: the body it was trained on, to be loaded from its asset
    stores, licences           what it learned from, and under which licences
    versions                   of the libraries
    figures                    the last held-out measurement while it trained: step, store, persons, errors in
                               millimetres; ``others``, those of the other held-out stores
    average                    of the weights over the steps, where the run keeps one; it is what is measured and used
    best                       the best of those measurements: step, store, measure, value in millimetres
    start                      whose weights it started from, where it did: name, sha256, step, stores, licences, start
    scales                     where weights are kept at a byte each (:mod:`pymaf_data.runs.quantised`): of their rows

What the weights mean is the network's business.
"""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import torch
from torch import Tensor

from pymaf_data.errors import CheckpointError
from pymaf_data.plain import clean
from pymaf_data.runs.folder import CHECKPOINT
from pymaf_data.runs.quantised import quantised, restored
from pymaf_data.runs.torch_file import LeftOut, read_torch_file
from pymaf_data.storage.archives import seal
from pymaf_data.storage.files import UNFINISHED, LocalFiles

logger = logging.getLogger(__name__)

FORMAT = "pymaf-data checkpoint"
MAJOR, MINOR = 1, 5  # 1.1: a digest at the end; 1.2: figures; 1.3: average, best, scaler; 1.4: start; 1.5: scales
_CAME_LATER = ("figures", "average", "best", "scaler", "start", "scales")
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
    figures: dict[str, Any] = field(default_factory=dict)
    average: dict[str, Tensor] = field(default_factory=dict)
    best: dict[str, Any] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)
    start: dict[str, Any] = field(default_factory=dict)
    scales: dict[str, Tensor] = field(default_factory=dict)

    @property
    def weights(self) -> dict[str, Tensor]:
        """What the run's network is used with: the average where there is one."""
        return self.average or self.model


def save(checkpoint: Checkpoint, folder: Path, name: str = CHECKPOINT) -> Path:
    """Write ``folder/checkpoint.pt``, or the file of another name, whole and durably, or leave the one that is there.

    Raises:
        DiskFull: no room.
    """
    content: dict[str, Any] = {"format": FORMAT, "format_version": f"{MAJOR}.{MINOR}"}
    content |= {item.name: getattr(checkpoint, item.name) for item in fields(Checkpoint)}
    return write_tensors(content, folder, name)


def shrunk(checkpoint: Checkpoint) -> Checkpoint:
    """A checkpoint to ship: the weights that are used, at a byte each, and nothing to go on from."""
    model, scales = quantised(checkpoint.weights)
    return replace(checkpoint, model=model, scales=scales, average={}, optimizer={}, scaler={}, rng={})


def write_tensors(content: dict[str, Any], folder: Path, name: str) -> Path:
    """Write a dictionary of tensors and plain values whole and durably, with its digest; :func:`load_tensors` reads it.

    Raises:
        DiskFull, NotWritable: it cannot be written.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    # A view writes like bytes, without a second copy of half a gigabyte.
    archive = buffer.getbuffer()
    LocalFiles(folder).write({name: [archive, seal(archive)]}, UNFINISHED)  # type: ignore[list-item]
    return folder / name


def read(path: Path) -> Checkpoint:
    """Read one of our checkpoints onto the CPU.

    Raises:
        CheckpointError: it is missing, damaged, of another major version, or not ours.
    """
    return parse(load_tensors(path), path)


def parse(content: dict[str, Any], path: Path) -> Checkpoint:
    """The checkpoint that a file's content is.

    Raises:
        CheckpointError: as :func:`read`.
    """
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
    content = {key: {} for key in _CAME_LATER} | content
    kinds = {name: get_origin(hint) or hint for name, hint in get_type_hints(Checkpoint).items()}
    wrong = [name for name, kind in kinds.items() if not isinstance(content.get(name), kind)]
    wrong += [f"body.{name}" for name in _BODY if not wrong and not isinstance(content["body"].get(name), str)]
    states = ("model", "average", "scales")
    wrong = wrong or [n for n in states if not all(isinstance(value, Tensor) for value in content[n].values())]
    if wrong:
        raise CheckpointError(
            f"{path} is no whole checkpoint: {', '.join(wrong)} missing or of another kind",
            expected=f"a {FORMAT} as the trainer writes it",
            action="take an earlier copy.",
        )
    # Runs of before had no frame to choose: they learned what their sources said, in the camera of the whole image.
    content["options"] = {"frame": "camera"} | content["options"]
    content |= {"model": restored(content["model"], content["scales"], str(path)), "scales": {}}
    return Checkpoint(**{item.name: content[item.name] for item in fields(Checkpoint)})


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
