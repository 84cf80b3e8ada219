"""The card of a checkpoint or of an evaluation: data, licences, recipe, frame, body, versions, and its figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field
from torch import Tensor

from pymaf_data.config import StrictModel
from pymaf_data.digest import digest_file
from pymaf_data.errors import CheckpointError, EvaluationError
from pymaf_data.paths import DataRoot, as_meant
from pymaf_data.report.run_page import without_folders
from pymaf_data.runs import checkpoints
from pymaf_data.runs.evaluations import Evaluation, read_figures

from ..checkpoint import checkpoint_path, name_of
from ..state_dicts import RELEASED, find_state, network_of, size_of


class HeldOut(StrictModel):
    """What was measured of a network while it trained."""

    step: int
    persons: int
    errors: dict[str, dict[str, float]]
    """M0 … M3 → ``mpjpe``, ``pa_mpjpe`` and ``pve`` in millimetres."""
    store: str = ""
    """Of which held-out store; a version before measured all of them together."""
    others: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """The other held-out stores → ``persons`` and ``errors``."""


class Best(StrictModel):
    """The best of what was measured of a network while it trained."""

    step: int
    measure: str
    """``mpjpe``, ``pa_mpjpe`` or ``pve``, of the last iteration."""
    value: float
    """In millimetres."""
    store: str = ""
    """On which held-out store."""


class Card(StrictModel):
    """What is known of somebody; what is not is empty."""

    kind: str
    """checkpoint, fits or mean."""
    name: str
    file: str = ""
    sha256: str = ""
    step: int | None = None
    network: str = ""
    parameters: int | None = None
    megabytes: float | None = None
    """Of the network's weights and statistics as loaded; the optimizer's state is besides."""
    file_megabytes: float | None = None
    """Of the checkpoint's file."""
    frame: str = ""
    """From where its bodies are seen: camera or view; of fits each says it for itself."""
    precision: str = ""
    body: dict[str, str] = Field(default_factory=dict)
    data: tuple[dict[str, Any], ...] = ()
    """What it learned from; of fits, the sources."""
    licences: dict[str, str] = Field(default_factory=dict)
    """Of everything that went in."""
    recipe: dict[str, Any] = Field(default_factory=dict)
    """Options of its training, every default resolved."""
    versions: dict[str, str] = Field(default_factory=dict)
    start: dict[str, Any] = Field(default_factory=dict)
    """Whose weights it started from, and what that one learned from; empty where it started from a trunk or nothing."""
    weights: str = ""
    """``average`` where they are the average over the steps."""
    held_out: HeldOut | None = None
    """The last measurement while it trained."""
    best: Best | None = None
    """The best one so far, whose network ``best.pt`` holds."""
    evaluations: tuple[Evaluation, ...] = ()
    unread: dict[str, str] = Field(default_factory=dict)
    """Evaluations that cannot be read → why."""


def card(given: str) -> Card:
    """The card of a checkpoint, a run, or an evaluation's JSON.

    Raises:
        CheckpointError: there is none, or it is damaged or something else.
        EvaluationError: the JSON is not an evaluation's.
    """
    root, path = DataRoot.default(), as_meant(Path(given))
    return _of_evaluation(read_figures(path)) if path.suffix == ".json" else _of_checkpoint(given, root)


def _of_evaluation(evaluation: Evaluation) -> Card:
    subject, store = evaluation.subject, evaluation.store
    known = {
        "kind": subject["kind"],
        "name": subject["name"],
        "data": [*_dicts(subject.get("stores")), *_dicts(subject.get("sources"))],
        "licences": {**_dict(store.get("licences")), **_dict(subject.get("licences"))},
        "recipe": subject.get("options") or {},
        "body": {"name": subject["body"], "digest": subject.get("body_digest", "")} if "body" in subject else {},
        "versions": subject.get("versions") or {},
        "evaluations": (evaluation,),
    }
    for source in _dicts(subject.get("sources")):
        known["licences"] |= _dict(source.get("licences"))
    same = ("file", "sha256", "step", "network", "frame")
    return Card.parse(known | {key: subject[key] for key in same if key in subject}, "the evaluation's subject")


def _of_checkpoint(given: str, root: DataRoot) -> Card:
    path = checkpoint_path(given, root)
    content, digest = checkpoints.load_tensors(path), digest_file(path)
    evaluations, unread = _evaluations(root, digest)
    known: dict[str, Any] = {"kind": "checkpoint", "name": name_of(path, digest), "file": path.name, "sha256": digest}
    if content.get("format") == checkpoints.FORMAT:
        saved = checkpoints.parse(content, path)
        model = _dict(saved.options.get("model"))
        known |= {"step": saved.step, "precision": saved.precision, "body": saved.body, "data": saved.stores}
        known |= {"licences": saved.licences, "versions": saved.versions, "held_out": saved.figures or None}
        known |= {"start": saved.start}
        known |= {"best": saved.best or None, "weights": "average" if saved.average else ""}
        known |= {"network": str(model.get("network", "pymaf")), "frame": saved.options["frame"]}
        known["recipe"] = without_folders(saved.options)
        state = saved.weights
    else:
        known["network"], state = _released(content, path)
        known["frame"] = "camera"
    known["parameters"], known["megabytes"] = size_of(state)
    known["file_megabytes"] = path.stat().st_size / 1e6
    return Card.parse(known | {"evaluations": evaluations, "unread": unread}, str(path))


def _released(content: dict[str, Any], path: Path) -> tuple[str, dict[str, Tensor]]:
    """The network that a file of others is of, and its weights.

    Raises:
        CheckpointError: of none that is known.
    """
    for name, (wanted, parts) in RELEASED.items():
        state = find_state(content, parts, str(path))
        if network_of(state) == wanted:
            return name, state
    raise CheckpointError(
        f"{path} is no checkpoint of {' or '.join(RELEASED)}",
        expected="a run's checkpoint.pt, or a released one",
        action="name another file.",
    )


def _evaluations(root: DataRoot, digest: str) -> tuple[list[Evaluation], dict[str, str]]:
    """Those below the data root that are of this very file."""
    found, unread = [], {}
    for path in sorted(root.evaluations.glob("*/*.json")):
        try:
            evaluation = read_figures(path)
        except EvaluationError as error:
            unread[f"{path.parent.name}/{path.name}"] = error.found
            continue
        if evaluation.subject.get("sha256") == digest:
            found.append(evaluation)
    return found, unread


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list | tuple) else []
