"""``train``: from stores and options to a run folder (:mod:`pymaf_data.runs`).

The same command goes on where the run stopped; a run that has done its steps is left as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from pymaf_data.body import BodyModel, load_body
from pymaf_data.datasets import is_held_out
from pymaf_data.errors import StoreIncomplete, TrainingError
from pymaf_data.fits.chosen import ChosenReader
from pymaf_data.loader import Loader, LoaderOptions
from pymaf_data.loader.frame import unturned
from pymaf_data.paths import DataRoot
from pymaf_data.progress import Progress
from pymaf_data.render import Atlas, atlas_of_body
from pymaf_data.runs import checkpoints
from pymaf_data.runs.checkpoints import Checkpoint
from pymaf_data.runs.folder import CHECKPOINT, describe
from pymaf_data.runs.lock import sole_writer
from pymaf_data.storage import Store, open_store
from pymaf_data.storage.files import UNFINISHED, LocalFiles, writing_to
from pymaf_data.storage.inspect import licences

from .checkpoint import check_network, load_backbone
from .course import TrainReport
from .networks.network import REDUCTION, Network, make_network
from .options import TrainOptions
from .precision import choose_device, choose_precision
from .targets import render_targets
from .trainer import Trainer
from .watchers import HeldOut, Snapshots, Watcher, plain_batches

logger = logging.getLogger(__name__)

_DEFAULT_BODY = "free"
_VERSIONS = ("pymaf-data", "torch", "numpy")
# These may change from one call to the next without changing what the run learns.
_FREE_TO_CHANGE = {"stores", "steps", "epochs", "device", "precision", "workers", "log_every", "checkpoint_every"}
_FREE_TO_CHANGE |= {"overwrite", "validation", "snapshots"}


def train(options: TrainOptions, progress: Progress | None = None) -> TrainReport:
    """Train a network, or go on training it.

    Args:
        options: see :class:`TrainOptions`.
        progress: called as ``progress(done, total, remark)`` after every step.

    Raises:
        NotAStore: there is no store.
        TrainingError: every store is held out.
        StoreIncomplete: a store lacks fits or maps and ``allow_partial`` is not set.
        TrainingError: the run was begun with other options or data, another process trains it, or the loss stopped
            being finite.
        ConfigError: a later version of pymaf-data began the run.
        KeyboardInterrupt: Ctrl-C or SIGTERM, after a checkpoint was written.
    """
    root = DataRoot.default()
    options = with_held_out(options, root)
    stores = [open_store(path) for path in training_paths(options, root)]
    require_supervision(stores, options)
    folder = root.runs / options.name
    with sole_writer(folder):
        # Only now is nobody else writing: what a killed run left unfinished can go.
        with writing_to(folder):
            LocalFiles(folder).remove(UNFINISHED)
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
    atlas = atlas_of_body(body.name, root.assets)
    loader = Loader(stores, body, atlas, _loader_options(options))
    model = make_network(options.model, body, options.frame)
    if saved is None:
        _start_trunk(model, options)
    provenance = _provenance(stores)
    trainer = Trainer(
        model.to(device),
        loader,
        options,
        folder,
        precision=precision,
        provenance=provenance,
        watchers=_watchers(options, loader, body, atlas, folder),
        prepare=(lambda batch: render_targets(batch, model.body, atlas)) if _renders(options) else None,
    )
    if saved is not None:
        trainer.restore(saved)
    machine = {"body": body.name, "body_digest": body.digest, "precision": precision, "device": device.type}
    known = provenance | machine | {"frame": _frame(loader)}
    describe(folder, options.model_dump(mode="json"), known)
    logger.info("run %s: from step %d to %d on %s in %s", folder, trainer.step, trainer.total, device, precision)
    return trainer


def with_held_out(options: TrainOptions, root: DataRoot) -> TrainOptions:
    """Options with the stores named that a run without names takes: held-out ones to measure on, the others to learn.

    What is held out, the manifests say. Stores that are named stay as they are named; held-out stores without fits are
    left out, and so are all that are not named where ``validation`` names some.

    Raises:
        TrainingError: every store is held out.
    """
    stores = [] if options.stores else root.stores()
    given = {path.resolve() for path in options.validation.stores}
    found = [path for path in stores if path.resolve() not in given]
    kept_aside = [path for path in found if is_held_out(open_store(path).head)]
    learned = tuple(path for path in found if path not in kept_aside)
    if stores and not learned:
        raise TrainingError(
            f"there is no store to learn from: {', '.join(path.name for path in stores)} held out",
            expected="a store of a split to learn from",
            action="ingest one (--split train), or name a held-out store with --store to learn from it after all.",
        )
    if not kept_aside:
        return options
    measured = () if given else tuple(path for path in kept_aside if open_store(path).has("choice"))
    logger.warning(
        "held out by manifest, not learned from: %s; %s (--store names what to learn from)",
        ", ".join(path.name for path in kept_aside),
        f"measured on: {', '.join(path.name for path in measured)}" if measured else "not measured on",
    )
    validation = options.validation.model_copy(update={"stores": options.validation.stores or measured})
    return options.model_copy(update={"validation": validation, "stores": learned})


def _start_trunk(model: Network, options: TrainOptions) -> None:
    """Load the backbone's weights, or say that there are none where nobody said that this is meant."""
    if options.backbone is not None:
        load_backbone(model.feature_extractor, options.backbone)
    elif "backbone" not in options.model_fields_set:
        logger.warning(
            "the trunk starts from nothing and needs far longer to learn: --backbone takes torchvision's ImageNet "
            "weights (`pymaf-data doctor` says where they come from); `backbone: null` in a recipe means it so"
        )


def training_paths(options: TrainOptions, root: DataRoot) -> list[Path]:
    """The stores to learn from: those named, else all but the ones held out.

    Raises:
        NotAStore: there is none.
        TrainingError: a store is to be learned from and held out.
    """
    held_out = {path.resolve() for path in options.validation.stores}
    both = sorted(str(path) for path in options.stores if path.resolve() in held_out)
    if both:
        raise TrainingError(
            f"{', '.join(both)} is given for training and for validation",
            expected="validation on persons that are not trained on",
            action="name other stores for one of the two.",
        )
    return root.require_stores(options.stores or [path for path in root.stores() if path.resolve() not in held_out])


def _watchers(options: TrainOptions, loader: Loader, body: BodyModel, atlas: Atlas, folder: Path) -> list[Watcher]:
    """What looks at the network while it trains; empty where nothing is asked for."""
    held_out = [open_store(path) for path in options.validation.stores]
    found: list[Watcher] = []
    source = loader.plain()
    if held_out:
        size = options.model.view_size
        wanted = LoaderOptions(maps=False, view_size=size, frame=options.frame, allow_partial=options.allow_partial)
        source = Loader(held_out, body, atlas, wanted).plain()
        batches = plain_batches(source, options.validation.persons)
        if not batches:
            raise StoreIncomplete(
                f"no person of {', '.join(str(store.path) for store in held_out)} has an image and a chosen fit",
                expected="held-out persons with fits",
                action="run `pymaf-data attach-fits` on it, or leave it out: --store names what to learn from.",
            )
        found.append(HeldOut(batches, options.validation.every))
    kept = plain_batches(source, options.snapshots.persons)
    if kept:
        found.append(Snapshots(kept[0], bool(held_out), options.snapshots.every, folder))
    return found


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
        elif _wants_maps(options) and not store.has("iuv"):
            lacking, command = "IUV maps", "render-iuv"
        else:
            continue
        raise StoreIncomplete(
            f"{store.path} has no {lacking}",
            expected="a store with proved fits and IUV maps",
            action=f"run `pymaf-data {command}` on it, or pass --allow-partial to train without."
            + (" --targets rendered needs no maps." if command == "render-iuv" else ""),
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


def _wants_maps(options: TrainOptions) -> bool:
    return options.model.auxiliary != "none" and options.targets == "stored"


def _renders(options: TrainOptions) -> bool:
    return options.model.auxiliary != "none" and options.targets == "rendered"


def _loader_options(options: TrainOptions) -> LoaderOptions:
    return LoaderOptions(
        batch_size=options.batch_size,
        mixture=options.mixture,
        epoch_length=options.epoch_length,
        augmentation=options.augmentation,
        seed=options.seed,
        view_size=options.model.view_size,
        map_size=options.model.view_size // REDUCTION,
        maps=_wants_maps(options),
        joints3d=options.joints3d,
        frame=options.frame,
        workers=options.workers,
        allow_partial=options.allow_partial,
    )


def _previous(folder: Path, options: TrainOptions, stores: Sequence[Store]) -> Checkpoint | None:
    """The run's checkpoint to go on from; none for a new run.

    Raises:
        ConfigError: a later version began it, with options that this one does not know.
        CheckpointError: it trains another network.
        TrainingError: the run was begun with other options or data.
    """
    path = folder / CHECKPOINT
    if options.overwrite:
        with writing_to(folder):  # what cannot be removed must not be gone on from
            LocalFiles(folder.parent).remove(folder.name)
    if not path.exists():
        return None
    saved = checkpoints.read(path)
    check_network(saved, options.model.network, str(folder))
    # What a run was begun with, by today's names: an option that came since had its default.
    begun, wanted = (each.model_dump(mode="json") for each in (TrainOptions.parse(saved.options, str(path)), options))
    free = _FREE_TO_CHANGE - ({"steps", "epochs"} if options.optimizer.schedule == "cosine" else set())
    changed = [key for key in wanted if key not in free and wanted[key] != begun[key]]
    if saved.stores != _describe(stores):
        changed.append("stores")
    if changed:
        key = changed[0]
        raise TrainingError(
            f"run {folder} was begun with other {', '.join(changed)}"
            + (f" ({key}: {begun[key]} then, {wanted[key]} now)" if key != "stores" else ""),
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


def _frame(loader: Loader) -> dict[str, Any]:
    """The run's frame, and how many persons stay in their image's camera because no K of it is known."""
    frame = loader.options.frame
    return {"name": frame, "unturned": int(unturned(loader.labels).sum()) if frame == "view" else 0}


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
