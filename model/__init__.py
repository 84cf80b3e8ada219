"""Networks (PyMAF, HMR), their losses, their trainer.

    model = load_checkpoint("data/runs/pymaf/checkpoint.pt")
    result = model(normalise(images)).predictions[-1]         # vertices, joints, keypoints of each image

Rooms: ``options`` (what may be chosen); ``networks``, ``inference``; ``losses``, ``measures``, ``watchers``,
``drawing``; ``optimisation``, ``precision``, ``compiled``, ``memory``, ``average``, ``generators``, ``ranks``;
``state_dicts`` and ``checkpoint`` (from files to weights), ``start`` and ``means`` (where a run begins); ``learning``
(a step), ``interrupt``, ``failure``, ``course``, ``pace``, ``trainer`` (the loop); ``learned_from`` and ``training``
(from stores to a run folder), ``replay``; ``benchmarks``, ``evaluation``; ``prediction`` (on anyone's images).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checkpoint import load_checkpoint as load_checkpoint
    from .course import TrainReport as TrainReport
    from .images import normalise as normalise
    from .inference import for_inference as for_inference
    from .networks.options import ModelOptions as ModelOptions
    from .networks.pymaf import PyMAF as PyMAF
    from .options import LossOptions as LossOptions
    from .options import OptimizerOptions as OptimizerOptions
    from .options import SnapshotOptions as SnapshotOptions
    from .options import TrainOptions as TrainOptions
    from .options import ValidationOptions as ValidationOptions
    from .predict import predict_rows as predict_rows
    from .training import train as train

_MODULE_OF = {
    "load_checkpoint": "checkpoint",
    "normalise": "images",
    "for_inference": "inference",
    **dict.fromkeys(("LossOptions", "OptimizerOptions", "SnapshotOptions"), "options"),
    **dict.fromkeys(("TrainOptions", "ValidationOptions"), "options"),
    "ModelOptions": "networks.options",
    "PyMAF": "networks.pymaf",
    "predict_rows": "predict",
    "TrainReport": "course",
    "train": "training",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(_MODULE_OF)
