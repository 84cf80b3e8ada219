"""Prefect flows over the plain stages.

    from pymaf_data.flows import ingest_flow, pipeline_flow
    ingest_flow(IngestOptions(dataset="coco"))               # or ingest_flow({"dataset": "coco"})
    prefect.serve(ingest_flow.to_deployment("ingest"), pipeline_flow.to_deployment("pipeline"))

Called in a script, a flow reports to the API that ``PREFECT_API_URL`` names, else to a server of its own that ends with
the call. Rooms: ``settings`` (Prefect kept a library), ``api`` and ``server`` (what flows report to), ``progress`` (how
a run tells how far it is), ``stages`` (a flow per stage), ``pipeline`` (a recipe as one flow), ``command`` (a
command's steps as one). Only this package knows Prefect.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from pymaf_data.stages.registry import stage_of_flow

_MODULE_OF = {"pipeline_flow": "pipeline", "start_server": "api", "take_pipeline": "command"}


def available() -> bool:
    """Whether Prefect is installed (the extra ``flows``)."""
    return find_spec("prefect") is not None


def __getattr__(name: str) -> Any:
    # Lazy: Prefect takes a second to import, and a server of our own is to load meanwhile.
    module = _MODULE_OF.get(name) or ("stages" if stage_of_flow(name) else "")
    if not module:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .settings import import_prefect, keep_private

    keep_private()
    if name not in ("take_pipeline", "start_server"):
        import_prefect()
    return getattr(import_module(f"{__name__}.{module}"), name)
