"""Which stores a run learns from and is measured on, what they must hold, and what is said of them afterwards."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pymaf_data.datasets import is_held_out
from pymaf_data.datasets.columns import stored_column
from pymaf_data.errors import StoreIncomplete, TrainingError
from pymaf_data.fits.chosen import ChosenReader
from pymaf_data.paths import DataRoot
from pymaf_data.storage import Store, open_store
from pymaf_data.storage.inspect import licences

from .losses import has_origin
from .options import TrainOptions, ValidationOptions

logger = logging.getLogger(__name__)

_DEFAULT_BODY = "free"
_VERSIONS = ("pymaf-data", "torch", "numpy")


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
    measured = () if given else tuple(path for path in kept_aside if _tells_bodies(open_store(path)))
    logger.warning(
        "held out by manifest, not learned from: %s; %s (--store names what to learn from)",
        ", ".join(path.name for path in kept_aside),
        f"measured on: {', '.join(path.name for path in measured)}" if measured else "not measured on",
    )
    validation = options.validation.model_copy(update={"stores": options.validation.stores or measured})
    return options.model_copy(update={"validation": validation, "stores": learned})


def _tells_bodies(store: Store) -> bool:
    """Whether a store may say how its persons stand: by fits, or by joints that were measured in 3D."""
    if store.has("choice"):
        return True
    try:
        joints = stored_column(store, "joints3d").rows(np.arange(len(store)))
    except StoreIncomplete:
        return False
    return bool(has_origin(torch.from_numpy(joints)).any())


def require_names(validation: ValidationOptions) -> None:
    """Refuse held-out stores that their names do not tell apart, and one to decide about the best that there is not.

    Raises:
        TrainingError: it is so.
    """
    names, wanted = validation.names, validation.deciding
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise TrainingError(
            f"two held-out stores are named {twice[0]}",
            expected="stores of different names",
            action="rename one of them, or leave one out.",
        )
    if wanted and wanted not in names:
        raise TrainingError(
            f"no held-out store is named {wanted}",
            expected=f"one of {', '.join(names)}" if names else "held-out stores to choose from",
            action="set validation.best_of to its file's name without .zarr, or leave it out: the first one decides.",
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


def tell_who_is_seen(stores: Sequence[Store], held_out: Sequence[Path]) -> None:
    """Warn of persons that are both learned from and measured on: of one split, image and annotation."""
    for path in held_out:
        measured = open_store(path)
        for store in stores:
            if any(store.head[name] != measured.head[name] for name in ("dataset", "split")):
                continue  # images of two folders may have the same names
            # Opened anew: rows stay with a store as long as it is open, and the loader's own are open to the end.
            seen = len({*open_store(store.path).rows} & {*measured.rows})
            if seen:
                told = (path.name, f"{seen:,}", f"{len(measured):,}", store.path.name)
                logger.warning("held out: %s, but %s of its %s persons are learned from, in %s", *told)


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
        elif wants_maps(options) and not store.has("iuv"):
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


def wants_maps(options: TrainOptions) -> bool:
    """Whether the dense targets are the stores'."""
    return options.model.auxiliary != "none" and options.targets == "stored"


def provenance(stores: Sequence[Store], start: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint says of its stores, of what it started from, of the licences of both, and versions."""
    parts = [(f"{store.head['dataset']} {store.head['split']}", licences(store)) for store in stores]
    found = _of_all([*parts, (str(start.get("name", "")), start.get("licences", {}))])
    versions = {name: version(name) for name in _VERSIONS}
    return {"stores": described(stores), "licences": found, "versions": versions, "start": start}


def _of_all(parts: Sequence[tuple[str, dict[str, str]]]) -> dict[str, str]:
    """What is covered → its licence, of several parts: with a part's name where they have different ones for it."""
    found: dict[str, dict[str, str]] = {}
    for name, own in parts:
        for covered, licence in own.items():
            found.setdefault(covered, {}).setdefault(licence, name)
    return {
        f"{covered} ({name})" if len(told) > 1 else covered: licence
        for covered, told in found.items()
        for licence, name in told.items()
    }


def described(stores: Sequence[Store]) -> list[dict[str, Any]]:
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
