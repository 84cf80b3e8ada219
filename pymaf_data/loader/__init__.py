"""The loader: batches of augmented views from stores, ready for the training device.

One transform of the 224 px view moves image, keypoints, 3D joints, pose, camera and IUV map of a person. Rooms:
``options`` (what may be chosen), ``augment`` (what is drawn), ``images`` (pixels), ``labels`` (everything else, in
memory), ``assemble`` (rows → batch), ``loader`` (order, workers).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymaf_data.loader.batch import Batch as Batch
    from pymaf_data.loader.loader import Loader as Loader
    from pymaf_data.loader.options import AugmentationOptions as AugmentationOptions
    from pymaf_data.loader.options import LoaderOptions as LoaderOptions

_MODULE_OF = {"AugmentationOptions": "options", "LoaderOptions": "options", "Batch": "batch", "Loader": "loader"}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_MODULE_OF)
