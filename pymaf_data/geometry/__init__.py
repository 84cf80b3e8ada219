"""Geometry: boxes, affines, views, cameras, rotations and joint conventions; the contract is ``docs/geometry.md``.

Image planes (boxes, affines, keypoints) are NumPy float64; bodies, rotations and cameras are torch. The names below
load their module when first used, so that boxes and joints never wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymaf_data.geometry.boxes import CROP_RATIO as CROP_RATIO
    from pymaf_data.geometry.boxes import box_from_xywh as box_from_xywh
    from pymaf_data.geometry.cameras import FOCAL as FOCAL
    from pymaf_data.geometry.cameras import Camera as Camera
    from pymaf_data.geometry.cameras import full_frame as full_frame
    from pymaf_data.geometry.cameras import orthographic_view as orthographic_view
    from pymaf_data.geometry.cameras import weak_to_camera as weak_to_camera
    from pymaf_data.geometry.frames import box_ray as box_ray
    from pymaf_data.geometry.frames import turn_of_ray as turn_of_ray
    from pymaf_data.geometry.joints import Convention as Convention
    from pymaf_data.geometry.joints import index_map as index_map
    from pymaf_data.geometry.joints import pick as pick
    from pymaf_data.geometry.rotations import axis_angle_to_matrix as axis_angle_to_matrix
    from pymaf_data.geometry.rotations import matrix_to_axis_angle as matrix_to_axis_angle
    from pymaf_data.geometry.rotations import matrix_to_rotation_6d as matrix_to_rotation_6d
    from pymaf_data.geometry.rotations import rotation_6d_to_matrix as rotation_6d_to_matrix
    from pymaf_data.geometry.views import Augmentation as Augmentation
    from pymaf_data.geometry.weak_fit import WeakFit as WeakFit
    from pymaf_data.geometry.weak_fit import fit_weak_camera as fit_weak_camera

_MODULE_OF = {
    **dict.fromkeys(("CROP_RATIO", "box_from_xywh"), "boxes"),
    **dict.fromkeys(("FOCAL", "Camera", "full_frame", "orthographic_view", "weak_to_camera"), "cameras"),
    **dict.fromkeys(("box_ray", "turn_of_ray"), "frames"),
    **dict.fromkeys(("Convention", "index_map", "pick"), "joints"),
    **dict.fromkeys(("axis_angle_to_matrix", "matrix_to_axis_angle"), "rotations"),
    **dict.fromkeys(("matrix_to_rotation_6d", "rotation_6d_to_matrix"), "rotations"),
    "Augmentation": "views",
    **dict.fromkeys(("WeakFit", "fit_weak_camera"), "weak_fit"),
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_MODULE_OF)
