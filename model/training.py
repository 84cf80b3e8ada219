"""``train``: from stores and options to a run folder (:mod:`pymaf_data.runs`).

The same command goes on where the run stopped; a run that has done its steps is left as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from pymaf_data.body import BodyModel, load_body
from pymaf_data.errors import StoreIncomplete, TrainingError, UsageError
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

from .checkpoint import check_network, load_backbone
from .course import TrainReport
from .learned_from import (
    body_of,
    described,
    provenance,
    require_supervision,
    training_paths,
    wants_maps,
    with_held_out,
)
from .memory import keep_freed_memory
from .networks.network import REDUCTION, Network, make_network
from .options import TrainOptions
from .precision import choose_precision
from .ranks import Ranks, processes
from .replay import ReplayReport, replay
from .targets import render_targets
from .trainer import Trainer
from .watchers import HeldOut, Snapshots, Watcher, plain_batches

logger = logging.getLogger(__name__)

# These may change from one call to the next without changing what the run learns.
_FREE_TO_CHANGE = {"stores", "steps", "epochs", "device", "precision", "workers", "log_every", "checkpoint_every"}
_FREE_TO_CHANGE |= {"overwrite", "validation", "snapshots", "compile"}


def train_or_replay(options: TrainOptions, progress: Progress | None = None) -> TrainReport | ReplayReport:
    """The command ``train``: :func:`train`, or with ``replay`` :func:`~pymaf_data.model.replay.replay`."""
    return train(options, progress) if options.replay is None else replay(options.replay, options.device)


def told(report: TrainReport | ReplayReport) -> list[str]:
    """Either report for a reader."""
    return report.lines()


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
        UsageError: ``replay`` is set, which trains nothing.
    """
    if options.replay is not None:
        raise UsageError("`replay` trains nothing", action="call `pymaf_data.model.replay.replay(FILE)`.")
    root = DataRoot.default()
    options = with_held_out(options, root)
    stores = [open_store(path) for path in training_paths(options, root)]
    require_supervision(stores, options)
    folder = root.runs / options.name
    with processes(options.device) as ranks, sole_writer(folder) if ranks.first else nullcontext():
        if ranks.first:
            _clean(folder, options)
        ranks.wait()
        return _trainer(options, stores, root, ranks).run(progress if ranks.first else None)


def _clean(folder: Path, options: TrainOptions) -> None:
    """Remove what a killed run left unfinished, for nobody else is writing now; with ``overwrite`` all of it."""
    with writing_to(folder):  # what cannot be removed must not be gone on from
        LocalFiles(folder).remove(UNFINISHED)
        if options.overwrite:
            LocalFiles(folder.parent).remove(folder.name)


def _trainer(options: TrainOptions, stores: Sequence[Store], root: DataRoot, ranks: Ranks) -> Trainer:
    """A trainer at the step where the run stands."""
    folder, device = root.runs / options.name, ranks.device
    if device.type == "cpu":
        keep_freed_memory()
    saved = _previous(folder, options, stores)
    wanted = saved.precision if saved and options.precision == "auto" else options.precision
    precision = ranks.of_first(choose_precision(wanted, device))
    torch.manual_seed(options.seed)
    body = load_body(options.body or body_of(stores), root.assets)
    atlas = atlas_of_body(body.name, root.assets)
    loader = Loader(stores, body, atlas, _loader_options(options, ranks))
    model = make_network(options.model, body, options.frame)
    if saved is None:
        _start_trunk(model, options)
    origin = provenance(stores)
    trainer = Trainer(
        model.to(device),
        loader,
        options,
        folder,
        precision=precision,
        provenance=origin,
        watchers=_watchers(options, loader, body, atlas, folder) if ranks.first else (),
        prepare=(lambda batch: render_targets(batch, model.body, atlas)) if _renders(options) else None,
        ranks=ranks,
    )
    if saved is not None:
        trainer.restore(saved)
    elif ranks.rank:
        torch.manual_seed(options.seed + ranks.rank)  # what one drops out another need not
    machine = {"body": body.name, "body_digest": body.digest, "precision": precision, "device": device.type}
    known = origin | machine | {"frame": _frame(loader)}
    if ranks.first:
        describe(folder, options.model_dump(mode="json"), known)
    logger.info("run %s: from step %d to %d on %s in %s", folder, trainer.step, trainer.total, device, precision)
    return trainer


def _start_trunk(model: Network, options: TrainOptions) -> None:
    """Load the backbone's weights, or say that there are none where nobody said that this is meant."""
    if options.backbone is not None:
        load_backbone(model.feature_extractor, options.backbone)
    elif "backbone" not in options.model_fields_set:
        logger.warning(
            "the trunk starts from nothing and needs far longer to learn: --backbone takes torchvision's ImageNet "
            "weights (`pymaf-data doctor` says where they come from); `backbone: null` in a recipe means it so"
        )


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


def _renders(options: TrainOptions) -> bool:
    return options.model.auxiliary != "none" and options.targets == "rendered"


def _loader_options(options: TrainOptions, ranks: Ranks | None = None) -> LoaderOptions:
    own = ranks or Ranks()
    return LoaderOptions(
        rank=own.rank,
        ranks=own.count,
        batch_size=options.batch_size,
        mixture=options.mixture,
        epoch_length=options.epoch_length,
        augmentation=options.augmentation,
        seed=options.seed,
        view_size=options.model.view_size,
        map_size=options.model.view_size // REDUCTION,
        maps=wants_maps(options),
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
    if not path.exists():
        return None
    saved = checkpoints.read(path)
    check_network(saved, options.model.network, str(folder))
    # What a run was begun with, by today's names: an option that came since had its default.
    begun, wanted = (each.model_dump(mode="json") for each in (TrainOptions.parse(saved.options, str(path)), options))
    free = _FREE_TO_CHANGE - ({"steps", "epochs"} if options.optimizer.schedule == "cosine" else set())
    changed = [key for key in wanted if key not in free and wanted[key] != begun[key]]
    if saved.stores != described(stores):
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


def _frame(loader: Loader) -> dict[str, Any]:
    """The run's frame, and how many persons stay in their image's camera because no K of it is known."""
    frame = loader.options.frame
    return {"name": frame, "unturned": int(unturned(loader.labels).sum()) if frame == "view" else 0}
