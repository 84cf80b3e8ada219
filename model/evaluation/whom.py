"""Whom ``evaluate`` was asked to measure: a network, a source of fits, or somebody whose results are on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pymaf_data.digest import digest_file
from pymaf_data.paths import DataRoot, as_meant
from pymaf_data.report.run_page import without_folders
from pymaf_data.runs import checkpoints
from pymaf_data.runs.evaluations import read_figures

from ..checkpoint import checkpoint_path, checkpoint_places, load_checkpoint, name_of
from ..networks.network import Network
from ..precision import autocast_dtype, channels_last, choose_device
from .options import EvaluateOptions
from .subjects import MEAN

_FITS = "fits:"
_OTHERWISE = ", or the JSON or folder of an evaluation; a source of fits is measured as fits:NAME"


@dataclass(frozen=True)
class Whom:
    """Somebody to be measured, or who was.

    Attributes:
        about: kind, name, and what is known of a network; of fits the benchmark's store knows the rest.
        model: of a network.
        saved: results to be read, a path each; nothing is measured then.
    """

    about: dict[str, Any]
    model: Network | None = None
    saved: tuple[Path, ...] = field(default=())

    @property
    def name(self) -> str:
        """The folder of the results."""
        return str(self.about["name"])


def whom(given: str, options: EvaluateOptions, root: DataRoot) -> Whom:
    """Who is meant: ``fits:NAME``, ``mean``, a checkpoint, a run, or the JSON or the folder of an evaluation.

    Raises:
        CheckpointError: nobody of that name is here.
        EvaluationError: results that cannot be read.
    """
    if given.startswith(_FITS):
        return Whom({"kind": "fits", "name": f"fits-{given.removeprefix(_FITS)}"})
    if given == MEAN:
        return Whom({"kind": MEAN, "name": MEAN})
    found = _saved(given, root)
    if found:
        return Whom(read_figures(found[0]).subject, saved=found)
    path = checkpoint_path(given, root, _OTHERWISE)
    model = load_checkpoint(path, root.assets, network=options.network)
    device = choose_device(options.device)
    model.autocast = autocast_dtype(options.precision)
    return Whom(about_checkpoint(path, model), channels_last(model.to(device)))


def _saved(given: str, root: DataRoot) -> tuple[Path, ...]:
    """Results by their JSON or their folder, unless a run has that name."""
    path = as_meant(Path(given))
    if path.suffix == ".json":
        return (path,)
    if any(place.is_file() for place in checkpoint_places(given, root)):
        return ()
    folders = [path, root.evaluations / given]
    return next((found for folder in folders if (found := tuple(sorted(folder.glob("*.json"))))), ())


def about_checkpoint(path: Path, model: Network) -> dict[str, Any]:
    """What is known of a network and of its file, from where it learned to what it may be used for."""
    digest = digest_file(path)
    known: dict[str, Any] = {}
    content = checkpoints.load_tensors(path)
    if content.get("format") == checkpoints.FORMAT:
        saved = checkpoints.parse(content, path)
        known = {"step": saved.step, "options": without_folders(saved.options), "stores": saved.stores}
        known |= {"licences": saved.licences, "versions": saved.versions}
    body = {"body": model.body.name, "body_digest": model.body.digest}
    network = type(model).__name__.lower()
    return {
        "kind": "checkpoint", "name": name_of(path, digest), "file": path.name, "sha256": digest, "network": network,
        "frame": model.frame, **body, **known,
    }  # fmt: skip
