"""Rendering: a z-buffer of our own, dense-correspondence (IUV) maps, their warps, and images of meshes.

rasterize      which face each pixel shows, where on it, how far away
render_iuv     part and U, V of each pixel: the dense targets of PyMAF
render_stored  the same in the form that a store keeps
load_atlas     the chart that gives them their meaning, tied to one mesh
warp_maps      moves stored maps under an augmentation
shade, overlay images for eyes
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymaf_data.render.atlas import COARSE_OF_PART, LIMB_OF_PART, LIMBS, Atlas, atlas_of_body, load_atlas
    from pymaf_data.render.backends import BACKENDS
    from pymaf_data.render.iuv import IUV, TARGET_SIZE, render_iuv
    from pymaf_data.render.raster import NEAR, Raster, rasterize
    from pymaf_data.render.shading import PART_COLOURS, SKIN, draw_over, overlay, part_image, shade
    from pymaf_data.render.stored import MAP_SIZE, StoredMaps, render_stored
    from pymaf_data.render.warp import warp_maps

_HOMES = {
    "atlas": ("COARSE_OF_PART", "LIMBS", "LIMB_OF_PART", "Atlas", "atlas_of_body", "load_atlas"),
    "iuv": ("IUV", "TARGET_SIZE", "render_iuv"),
    "backends": ("BACKENDS",),
    "raster": ("NEAR", "Raster", "rasterize"),
    "shading": ("PART_COLOURS", "SKIN", "draw_over", "overlay", "part_image", "shade"),
    "stored": ("MAP_SIZE", "StoredMaps", "render_stored"),
    "warp": ("warp_maps",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "BACKENDS",
    "COARSE_OF_PART",
    "IUV",
    "LIMBS",
    "LIMB_OF_PART",
    "MAP_SIZE",
    "NEAR",
    "PART_COLOURS",
    "SKIN",
    "TARGET_SIZE",
    "Atlas",
    "Raster",
    "StoredMaps",
    "atlas_of_body",
    "draw_over",
    "load_atlas",
    "overlay",
    "part_image",
    "rasterize",
    "render_iuv",
    "render_stored",
    "shade",
    "warp_maps",
]


def __getattr__(name: str) -> Any:
    # Lazy: numba and cv2 load with the first use, not with the package.
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
