"""Prefect flows over the plain stages.

    from pymaf_data.flows import ingest_flow
    ingest_flow(IngestOptions(dataset="coco"))

Rooms: ``settings`` (Prefect kept a library), ``progress`` (how a flow reaches a progress bar), ``stages`` (a flow per
stage), ``road`` (a recipe as one flow). Only this package knows Prefect.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_MODULE_OF = {
    "attach_fits_flow": "stages",
    "ingest_flow": "stages",
    "render_iuv_flow": "stages",
    "road_flow": "road",
    "sample_flow": "stages",
    "take_road": "road",
    "train_flow": "stages",
}


def __getattr__(name: str) -> Any:
    # Lazy: Prefect takes a second to import, and its settings must be in place first.
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .settings import prepare_prefect

    prepare_prefect()
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
