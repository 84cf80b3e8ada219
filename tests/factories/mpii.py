"""A small release of MPII, written by SciPy as Matlab writes it: arrays of structs within structs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

NOTHING = np.zeros((0, 0))


def struct(*entries: dict[str, Any]) -> np.ndarray:
    """A 1 × n struct; all entries have the fields of the first."""
    made = np.empty((1, len(entries)), [(name, object) for name in entries[0]])
    for i, entry in enumerate(entries):
        for name, value in entry.items():
            made[0, i][name] = value
    return made


def points(joints: Any, visible: Any = "1") -> np.ndarray:
    """annopoints of [(x, y)] in the order of ids; ``visible`` one value for all, or none at all."""
    said = {} if visible is None else {"is_visible": visible}
    listed = [{"x": float(x), "y": float(y), "id": np.uint8(i), **said} for i, (x, y) in enumerate(joints)]
    return struct({"point": struct(*listed)})


def rect(annopoints: Any, scale: Any = 2.0, objpos: Any = (100.0, 120.0)) -> dict[str, Any]:
    """One person."""
    place = struct({"x": objpos[0], "y": objpos[1]}) if isinstance(objpos, tuple) else objpos
    return {"x1": 1.0, "y1": 2.0, "x2": 3.0, "y2": 4.0, "annopoints": annopoints, "scale": scale, "objpos": place}


def image(name: str, annorect: Any) -> dict[str, Any]:
    """One image."""
    return {"image": struct({"name": name}), "annorect": annorect, "frame_sec": NOTHING, "vididx": NOTHING}


def save(root: Path, images: list[dict[str, Any]], training: list[int], compress: bool = True) -> Path:
    """Write the annotation file of the release below ``root``."""
    people = np.empty((len(images), 1), object)
    people[:] = [[NOTHING] for _ in images]
    release = {"annolist": struct(*images), "img_train": np.array([training], np.uint8), "version": "12"}
    release |= {"single_person": people, "act": struct({"act_name": "a"}), "video_list": people}
    path = root / "mpii_human_pose_v1_u12_2" / "mpii_human_pose_v1_u12_1.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    (root / "images").mkdir(exist_ok=True)
    savemat(path, {"RELEASE": struct(release)}, do_compression=compress)
    return path
