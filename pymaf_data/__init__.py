"""pymaf-data: raw human-pose data to trained, evaluated 3D human mesh recovery.

    store = pymaf_data.open_store("data/stores/sample-train.zarr")
    len(store), store.array("image")[0].shape               # persons, (S, S, 3)
    body = pymaf_data.body.load_body("free")

Rooms, from the ground up: ``errors``, ``config``, ``digest``, ``paths``, ``geometry``, ``body``, ``crop``, ``storage``,
``finder``, ``render``, ``datasets``, ``fits``, ``stages``, ``loader``, ``metrics``, ``runs``, ``report``, ``model``,
``recipe``, ``flows``, ``cli`` and ``world``. A room imports only what stands before it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymaf_data import body as body
    from pymaf_data import fits as fits
    from pymaf_data import flows as flows
    from pymaf_data import geometry as geometry
    from pymaf_data import loader as loader
    from pymaf_data import metrics as metrics
    from pymaf_data import model as model
    from pymaf_data import render as render
    from pymaf_data import report as report
    from pymaf_data import storage as storage
    from pymaf_data.storage import open_store as open_store

__version__ = "0.1.0"

_ROOMS = {"body", "fits", "flows", "geometry", "loader", "metrics", "model", "render", "report", "storage"}


def __getattr__(name: str) -> Any:
    # Lazy: a room's libraries load with its first use.
    if name == "open_store":
        return import_module("pymaf_data.storage").open_store
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({"__version__", "open_store", *_ROOMS})
