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
from pymaf_data.config import by_place
from pymaf_data.errors import StoreIncomplete, TrainingError, UsageError
from pymaf_data.loader import Loader, LoaderOptions
from pymaf_data.loader.decoders import decoder_of
from pymaf_data.loader.frame import unturned
from pymaf_data.paths import DataRoot
from pymaf_data.progress import Progress
from pymaf_data.render import Atlas, atlas_of_body
from pymaf_data.runs import checkpoints
from pymaf_data.runs.checkpoints import Checkpoint
from pymaf_data.runs.folder import BEST, CHECKPOINT, describe
from pymaf_data.runs.lock import sole_writer
from pymaf_data.storage import Store, open_store
from pymaf_data.storage.files import UNFINISHED, LocalFiles, writing_to

from .checkpoint import check_network, load_backbone, options_of
from .course import TrainReport
from .learned_from import (
    body_of,
    described,
    provenance,
    require_names,
    require_supervision,
    tell_who_is_seen,
    training_paths,
    wants_maps,
    with_held_out,
)
from .means import mean_parameters, start_at
from .memory import keep_freed_memory
from .networks.network import REDUCTION, Network, make_network
from .networks.options import OF_A_RUN
from .options import TrainOptions
from .precision import choose_precision
from .ranks import Ranks, processes
from .replay import ReplayReport, replay
from .shipped import START
from .start import Start
from .targets import render_targets
from .trainer import Trainer
from .watchers import HeldOut, Snapshots, Watcher, measurable, plain_batches, with_fit

logger = logging.getLogger(__name__)

# These may change from one call to the next without changing what the run learns.
_FREE_TO_CHANGE = {"stores", "steps", "epochs", "device", "precision", "workers", "log_every", "checkpoint_every"}
_FREE_TO_CHANGE |= {"name", "overwrite", "validation", "snapshots", "compile", "views"}


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
        TrainingError: every store is held out, or ``mean: data`` finds nobody with a fit.
        CheckpointError: what the run is to start from is not there, or of another network, frame or body.
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
    require_names(options.validation)
    stores = [open_store(path) for path in training_paths(options, root)]
    require_supervision(stores, options)
    tell_who_is_seen(stores, options.validation.stores)
    folder = root.runs / options.name
    with processes(options.device) as ranks, sole_writer(folder) if ranks.first else nullcontext():
        if ranks.first:
            with writing_to(folder):  # what a killed run left unfinished: nobody else is writing now
                LocalFiles(folder).remove(UNFINISHED)
        ranks.wait()
        return _trainer(options, stores, root, ranks).run(progress if ranks.first else None)


def _make_room(folder: Path, overwrite: bool) -> None:
    """Set aside, as ``earlier-*``, what a run without a checkpoint left: it is not of the one that begins here.

    With ``overwrite`` remove all that there is, and only once nothing of the new run can be refused any more.
    """
    with writing_to(folder):
        if overwrite:
            LocalFiles(folder.parent).remove(folder.name)
        for path in [*folder.glob(BEST), *folder.glob("failed-step-*.pt")]:
            path.replace(path.with_name(f"earlier-{path.name}"))  # weights that somebody may want


def _trainer(options: TrainOptions, stores: Sequence[Store], root: DataRoot, ranks: Ranks) -> Trainer:
    """A trainer at the step where the run stands."""
    folder, device = root.runs / options.name, ranks.device
    if device.type == "cpu":
        keep_freed_memory()
    saved = None if options.overwrite else _previous(folder)
    body = load_body(options.body or body_of(stores), root.assets)
    start = _start_of(options, root, body) if saved is None else None
    options = _as_started(options, saved, start)
    if saved is not None:
        _refuse_changes(saved, folder, options, stores)
    wanted = saved.precision if saved and options.precision == "auto" else options.precision
    precision = ranks.of_first(choose_precision(wanted, device))
    torch.manual_seed(options.seed)
    atlas = atlas_of_body(body.name, root.assets)
    loader = Loader(stores, body, atlas, _loader_options(options, ranks))
    if saved is None and not options.stores:
        persons = zip(stores, loader.rows_by_store(), strict=True)
        told = ", ".join(f"{store.path.name} ({len(rows):,} persons)" for store, rows in persons)
        logger.warning("no --store is named: the run learns from every store here, %s", told)
    model = make_network(options.model, body, options.frame)
    if start is not None:
        start.into(model, options.model)
    elif saved is None:
        _start_trunk(model, options)
        if options.mean == "data":
            start_at(model, mean_parameters(loader.labels, body, loader.options))
    origin = provenance(stores, start.about() if start else saved.start if saved else {})
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
    machine["views"] = loader.views_by
    known = origin | machine | {"frame": _frame(loader)}
    if ranks.first:
        if saved is None:
            _make_room(folder, options.overwrite)
        describe(folder, options.model_dump(mode="json"), known)
    logger.info("run %s: from step %d to %d on %s in %s", folder, trainer.step, trainer.total, device, precision)
    return trainer


def _start_of(options: TrainOptions, root: DataRoot, body: BodyModel) -> Start | None:
    """What a new run starts from: the checkpoint that is named, else the network that ships, if it fits."""
    if options.starts_from:
        return Start(options.starts_from, root)
    if options.start_from or "backbone" in options.model_fields_set or options.mean != "published":
        return None
    start = Start(START, root)
    if not start.fits(options, body):
        return None
    logger.warning(
        "the run starts from the network that ships (`pymaf-data card %s`); --from none starts from nothing", START
    )
    return start


def _start_trunk(model: Network, options: TrainOptions) -> None:
    """Load the backbone's weights, or say that there are none where nobody said that this is meant."""
    if options.backbone is not None:
        load_backbone(model.feature_extractor, options.backbone)
    elif "backbone" not in options.model_fields_set and options.start_from is None:
        logger.warning(
            "the trunk starts from nothing and needs far longer to learn: --backbone takes torchvision's ImageNet "
            "weights (`pymaf-data doctor` says where they come from), --from a checkpoint, such as %s, the small "
            "network that ships; --from none means it so",
            START,
        )


def _watchers(options: TrainOptions, loader: Loader, body: BodyModel, atlas: Atlas, folder: Path) -> list[Watcher]:
    """What looks at the network while it trains; empty where nothing is asked for."""
    sources = [_held_out(options, body, atlas)] if options.validation.stores else []
    found: list[Watcher] = [watcher for source in sources for watcher in _measuring(source, options)]
    for source in (*sources, loader.plain()):
        kept = plain_batches(source, with_fit(source, source.rows), options.snapshots.persons)
        if kept:
            shown = atlas if options.model.auxiliary != "none" else None
            return [*found, Snapshots(kept[0], source in sources, options.snapshots.every, folder, shown)]
    return found


def _held_out(options: TrainOptions, body: BodyModel, atlas: Atlas) -> Loader:
    """Plain views of all held-out stores."""
    size = options.model.view_size
    wanted = LoaderOptions(
        maps=False,
        view_size=size,
        map_size=size // REDUCTION,
        frame=options.frame,
        allow_partial=options.allow_partial,
    )
    return Loader([open_store(path) for path in options.validation.stores], body, atlas, wanted).plain()


def _measuring(source: Loader, options: TrainOptions) -> list[HeldOut]:
    """One watcher for each held-out store.

    Raises:
        StoreIncomplete: a store has nobody to measure on, or the one that decides about the best no fits for its PVE.
    """
    found, chosen = list[HeldOut](), options.validation
    for name, store, rows in zip(chosen.names, source.stores, source.rows_by_store(), strict=True):
        batches = plain_batches(source, measurable(source, rows), chosen.persons)
        of_mesh = chosen.best == "pve" and name == chosen.deciding
        if not batches or (of_mesh and not batches[0].has_fit.any()):
            raise StoreIncomplete(
                f"no person of {store.path} has an image and a chosen fit" + (" or measured joints" * (not of_mesh)),
                expected="held-out persons with fits",
                action="run `pymaf-data attach-fits` on it, or leave it out: --store names what to learn from.",
            )
        found.append(HeldOut(batches, chosen.every, name))
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
        device=_views_device(options, own.device),
        allow_partial=options.allow_partial,
    )


def _views_device(options: TrainOptions, device: torch.device) -> str | None:
    """Where views are made, None: by the workers."""
    if options.views == "auto":
        there = device.type == "cuda" and decoder_of(device).on_device
    else:
        there = options.views == "device"
    return str(device) if there else None


def _previous(folder: Path) -> Checkpoint | None:
    """The run's checkpoint to go on from; none for a new run."""
    path = folder / CHECKPOINT
    return checkpoints.read(path) if path.exists() else None


def _as_started(options: TrainOptions, saved: Checkpoint | None, start: Start | None) -> TrainOptions:
    """A run that starts from another's weights has that one's network and frame, unless it says which."""
    if not options.starts_from:
        return options
    if start is not None:
        network, frame = start.network(options.model), start.frame
    elif saved is not None:
        network, frame = options_of(saved, "the run's checkpoint"), saved.options["frame"]
    else:
        return options
    said = options.model.model_dump(exclude_unset=True)
    if said.get("network", network.network) != network.network:
        return options  # which is refused, by name
    theirs = {name: value for name, value in network.model_dump().items() if name not in {*said, *OF_A_RUN}}
    values = options.model_dump(exclude_unset=True)
    return TrainOptions.parse({"frame": frame} | values | {"model": theirs | said}, "what the run starts from")


def _refuse_changes(saved: Checkpoint, folder: Path, options: TrainOptions, stores: Sequence[Store]) -> None:
    """Refuse to go on with another run than the one that was begun.

    Raises:
        ConfigError: a later version began it, with options that this one does not know.
        CheckpointError: it trains another network.
        TrainingError: the run was begun with other options or data.
    """
    check_network(saved, options.model.network, str(folder))
    # What a run was begun with, by today's names: an option that came since had its default.
    whence = str(folder / CHECKPOINT)
    begun, wanted = (each.model_dump(mode="json") for each in (TrainOptions.parse(saved.options, whence), options))
    free = _FREE_TO_CHANGE - ({"steps", "epochs"} if options.optimizer.schedule == "cosine" else set())
    changed = _changed(*({key: value for key, value in each.items() if key not in free} for each in (begun, wanted)))
    if saved.stores != described(stores):
        changed.append("stores")
    if changed:
        raise TrainingError(
            f"run {folder} was begun with other {', '.join(changed)}",
            expected="the options and data that it was begun with",
            action="give another --name, or --overwrite to begin it anew.",
        )


def _changed(begun: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    before, now = by_place(begun), by_place(wanted)
    pairs = {place: (before.get(place, "nothing"), now.get(place, "nothing")) for place in {**before, **now}}
    return [f"{place} ({old} then, {new} now)" for place, (old, new) in pairs.items() if old != new]


def _frame(loader: Loader) -> dict[str, Any]:
    """The run's frame, and how many persons stay in their image's camera because no K of it is known."""
    frame = loader.options.frame
    return {"name": frame, "unturned": int(unturned(loader.labels).sum()) if frame == "view" else 0}
