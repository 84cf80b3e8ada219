"""``train``: from stores and options to a run folder.

    runs/<name>/checkpoint.pt      see :mod:`pymaf_data.model.checkpoint`
    runs/<name>/options.json       what the run was started with, every default resolved
    runs/<name>/tensorboard/       scalars

The same command goes on where the run stopped; a run that has done its steps is left as it is.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from pymaf_data.body import load_body
from pymaf_data.errors import StoreIncomplete, TrainingError
from pymaf_data.fits.chosen import ChosenReader
from pymaf_data.loader import Loader, LoaderOptions
from pymaf_data.paths import DataRoot
from pymaf_data.progress import Progress
from pymaf_data.render import atlas_of_body
from pymaf_data.storage import Store, open_store
from pymaf_data.storage.files import LocalFiles
from pymaf_data.storage.inspect import licences

from . import checkpoint as checkpoints
from .checkpoint import Checkpoint
from .options import TrainOptions
from .precision import choose_device, choose_precision
from .pymaf import PyMAF
from .run_lock import sole_writer
from .trainer import Trainer, TrainReport

logger = logging.getLogger(__name__)

OPTIONS_FILE = "options.json"
_DEFAULT_BODY = "free"
_VERSIONS = ("pymaf-data", "torch", "numpy")
# These may change from one call to the next without changing what the run learns.
_FREE_TO_CHANGE = {"stores", "steps", "epochs", "device", "precision", "workers", "log_every", "checkpoint_every"}
_FREE_TO_CHANGE |= {"overwrite"}


def train(options: TrainOptions, progress: Progress | None = None) -> TrainReport:
    """Train PyMAF, or go on training it.

    Args:
        options: see :class:`TrainOptions`.
        progress: called as ``progress(done, total, remark)`` after every step.

    Raises:
        NotAStore: there is no store.
        StoreIncomplete: a store lacks fits or maps and ``allow_partial`` is not set.
        TrainingError: the run was begun with other options or data, another process trains it, or the loss stopped
            being finite.
        KeyboardInterrupt: Ctrl-C, after a checkpoint was written.
    """
    root = DataRoot.default()
    stores = [open_store(path) for path in root.require_stores(options.stores)]
    require_supervision(stores, options)
    with sole_writer(root.runs / options.name):
        return _trainer(options, stores, root).run(progress)


def _trainer(options: TrainOptions, stores: Sequence[Store], root: DataRoot) -> Trainer:
    """A trainer at the step where the run stands."""
    folder = root.runs / options.name
    saved = _previous(folder, options, stores)
    device = choose_device(options.device)
    wanted = saved.precision if saved and options.precision == "auto" else options.precision
    precision = choose_precision(wanted, device)
    torch.manual_seed(options.seed)
    body = load_body(options.body or body_of(stores), root.assets)
    loader = Loader(stores, body, atlas_of_body(body.name, root.assets), _loader_options(options))
    model = PyMAF(body, options.model)
    if options.backbone is not None and saved is None:
        model.feature_extractor.load_imagenet(checkpoints.load_tensors(options.backbone))
    trainer = Trainer(model.to(device), loader, options, folder, precision=precision, provenance=_provenance(stores))
    if saved is not None:
        trainer.restore(saved)
    _write_options(folder, options)
    logger.info("run %s: from step %d to %d on %s in %s", folder, trainer.step, trainer.total, device, precision)
    return trainer


def require_supervision(stores: Sequence[Store], options: TrainOptions) -> None:
    """Refuse stores that lack what the network is to learn from.

    Raises:
        StoreIncomplete: a store has no chosen fits, or no IUV maps though they are wanted.
    """
    if options.allow_partial:
        return
    for store in stores:
        # Fits that nothing was chosen from are unproved: the loader shows none of them.
        if not store.has("choice"):
            lacking, command = "chosen fits", "attach-fits"
        elif options.model.auxiliary == "iuv" and not store.has("iuv"):
            lacking, command = "IUV maps", "render-iuv"
        else:
            continue
        raise StoreIncomplete(
            f"{store.path} has no {lacking}",
            expected="a store with proved fits and IUV maps",
            action=f"run `pymaf-data {command}` on it, or pass --allow-partial to train without.",
        )


def body_of(stores: Sequence[Store]) -> str:
    """The name of the body that the stores' chosen fits belong to, the free body where there are none.

    Raises:
        TrainingError: they belong to several bodies.
    """
    names = sorted({name for store in stores if store.has("choice") for name in ChosenReader(store).bodies()})
    if len(names) > 1:
        raise TrainingError(
            f"the stores hold fits of several bodies: {', '.join(names)}",
            expected="fits of one body",
            action="name the stores of one body, or choose it with --body.",
        )
    return names[0] if names else _DEFAULT_BODY


def _loader_options(options: TrainOptions) -> LoaderOptions:
    return LoaderOptions(
        batch_size=options.batch_size,
        augmentation=options.augmentation,
        seed=options.seed,
        maps=options.model.auxiliary == "iuv",
        workers=options.workers,
        allow_partial=options.allow_partial,
    )


def _previous(folder: Path, options: TrainOptions, stores: Sequence[Store]) -> Checkpoint | None:
    """The run's checkpoint to go on from; none for a new run.

    Raises:
        TrainingError: the run was begun with other options or data.
    """
    path = folder / checkpoints.FILE
    if options.overwrite:
        shutil.rmtree(folder, ignore_errors=True)
    if not path.exists():
        return None
    saved = checkpoints.read(path)
    wanted = options.model_dump(mode="json")
    free = _FREE_TO_CHANGE - ({"steps", "epochs"} if options.optimizer.schedule == "cosine" else set())
    changed = [key for key in wanted if key not in free and wanted[key] != saved.options.get(key)]
    if saved.stores != _describe(stores):
        changed.append("stores")
    if changed:
        key = changed[0]
        raise TrainingError(
            f"run {folder} was begun with other {', '.join(changed)}"
            + (f" ({key}: {saved.options.get(key)} then, {wanted[key]} now)" if key != "stores" else ""),
            expected="the options and data that it was begun with",
            action="give another --name, or --overwrite to begin it anew.",
        )
    return saved


def _provenance(stores: Sequence[Store]) -> dict[str, Any]:
    found: dict[str, str] = {}
    for store in stores:
        found |= licences(store)
    versions = {name: version(name) for name in _VERSIONS}
    return {"stores": _describe(stores), "licences": found, "versions": versions}


def _describe(stores: Sequence[Store]) -> list[dict[str, Any]]:
    """What each store holds, by digest: equal descriptions mean equal batches."""
    return [
        {
            "dataset": store.head["dataset"],
            "split": store.head["split"],
            "persons": len(store),
            "generations": {info.stage: info.generation for info in store.stages() if info.current},
        }
        for store in stores
    ]


def _write_options(folder: Path, options: TrainOptions) -> None:
    text = json.dumps(options.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"
    LocalFiles(folder).write({OPTIONS_FILE: [text.encode()]}, temporary="")
