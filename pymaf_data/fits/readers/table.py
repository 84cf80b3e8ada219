"""A table of fits, an .npz of plain arrays for fits of anyone's: what a model predicts, what a laboratory fitted.

    annotation_id (N) int, or image (N) text with box (N, 3): x, y of its centre and its side, px    whose they are
    pose (N, 72) axis-angle radians, root first, or rotmat (N, 24, 3, 3) · betas (N, 10)
    K (N, 3, 3) px with translation (N, 3) m, smplx's transl; or pi (N, 3) of the 224 view of box; or no camera
    frame "camera" or "view" · body "smpl-neutral", … · licence; frame and body may be (N) text
    pixels "continuous" or "index", where there is a box or K: where px (0, 0) is

What stands beside these is refused: it may be one of them, misspelt. See docs/fits-table.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from pymaf_data.datasets.npz_rows import read_texts
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.reader import ByAnnotation, ByImage, FitReader, FitTable
from pymaf_data.geometry.affines import invert, view_affine
from pymaf_data.geometry.cameras import full_frame, weak_to_camera
from pymaf_data.geometry.frames import FRAMES
from pymaf_data.geometry.rotations import matrix_to_axis_angle
from pymaf_data.near import is_it
from pymaf_data.untrusted.npz import npz_keys, read_npz, require_numbers
from pymaf_data.untrusted.unpickle import load_pickled_npz

_NUMBERS: dict[str, tuple[int, ...]] = {
    "annotation_id": (), "box": (3,), "pose": (72,), "rotmat": (24, 3, 3), "betas": (10,), "K": (3, 3),
    "translation": (3,), "pi": (3,),
}  # fmt: skip
_TEXTS = ("image", "frame", "body", "licence", "pixels")
_TOGETHER = {"box": ("pixels",), "K": ("pixels", "translation"), "translation": ("K",), "pi": ("box",)}
_BLOCK = 4096
_ORIGINS = {"continuous": 0.0, "index": 0.5}


def _read(path: Path, companion: Path | None = None) -> FitTable:
    keys = npz_keys(path)
    _require(path, {*keys})
    numbers = read_npz(path, [key for key in keys if key in _NUMBERS])
    count = len(np.atleast_1d(numbers["betas"]))
    require_numbers(numbers, {key: _NUMBERS[key] for key in numbers}, count)
    pose = numbers.pop("pose").astype(np.float64) if "pose" in numbers else _axis_angle(numbers.pop("rotmat"))
    texts = {key: _texts(path, key, count) for key in keys if key in _TEXTS}
    for key, allowed in (("frame", FRAMES), ("pixels", tuple(_ORIGINS))):
        if odd := {*texts.get(key, ())} - {*allowed}:
            raise RawDataCorrupt(f"{path}: {key} {min(odd)[:40]!r}", expected=" or ".join(allowed))
    if not all(text.strip() for text in texts["licence"]):
        raise RawDataCorrupt(f"{path}: a licence is empty", expected='its name, or "not stated"')
    ids = numbers.get("annotation_id")
    if ids is not None and ids.dtype.kind not in "iu":
        raise RawDataCorrupt(f"{path}: annotation_id of {ids.dtype}", expected="integers")
    columns = {key: array.astype(np.float64) for key, array in numbers.items() if key != "annotation_id"}
    offset = np.array([_ORIGINS[text] for text in texts.get("pixels", ())])[:, None]
    for key, place in (("box", np.s_[:, :2]), ("K", np.s_[:, :2, 2])):
        if key in columns:
            columns[key][place] += offset
    return FitTable(
        keys=ByImage(np.array(texts["image"], str), columns["box"][:, :2]) if ids is None else ByAnnotation(ids),
        pose=pose,
        betas=columns["betas"],
        camera=_camera(columns) if {"K", "pi"} & {*keys} else None,
        frame=np.array([FRAMES.index(name) for name in texts["frame"]], np.uint8),
        body=np.array(texts["body"], str),
        licences={f"fits under {licence}": licence for licence in texts["licence"]},
        tolerance=Tolerance(view=15.0, image=1.5, share=0.05),  # as EFT's
    )


def _require(path: Path, keys: set[str]) -> None:
    """Refuse a file with a key that is none, or without those that belong together."""
    for key in sorted(keys.difference(_NUMBERS, _TEXTS)):
        near = is_it(key, (*_NUMBERS, *_TEXTS))
        raise RawDataCorrupt(f"{path} has an unknown key {key[:40]!r}{near}", expected=", ".join((*_NUMBERS, *_TEXTS)))
    wanted = ["betas", "frame", "body", "licence", "pose" if "rotmat" not in keys else "rotmat"]
    for when, needs in _TOGETHER.items():
        wanted += [key for key in needs if when in keys]
    wanted += ["image", "box", "pixels"] * ("annotation_id" not in keys)
    if absent := [key for key in dict.fromkeys(wanted) if key not in keys]:
        raise RawDataCorrupt(f"{path} has no {', '.join(absent)}", expected=", ".join(dict.fromkeys(wanted)))
    for one, other in (("pose", "rotmat"), ("K", "pi")):
        if {one, other} <= keys:
            raise RawDataCorrupt(f"{path} has both {one} and {other}", expected="one of them")


def _texts(path: Path, key: str, count: int) -> list[str]:
    """One text for each row, or one for all."""
    array = load_pickled_npz(path, [key])[key]
    one = array.item() if array.shape == () and key != "image" else None
    return [one] * count if isinstance(one, str) else [text or "" for text in read_texts(path, key, count)]


def _axis_angle(matrices: np.ndarray) -> np.ndarray:
    """(N, 72); NaN where a matrix is no rotation. Some at a time: quaternions on the way take twice the matrices."""
    pose = np.empty((len(matrices), 24, 3))
    for first in range(0, len(pose), _BLOCK):
        some = matrices[first : first + _BLOCK].astype(np.float64)
        with np.errstate(all="ignore"):  # a file's numbers may be anything
            apart = np.abs(some @ some.swapaxes(2, 3) - np.eye(3)).max((2, 3))
            sound = ((apart < 1e-3) & (np.linalg.det(some) > 0))[..., None]
        turned = matrix_to_axis_angle(torch.from_numpy(np.where(sound[..., None], some, np.eye(3)))).numpy()
        pose[first : first + _BLOCK] = np.where(sound, turned, np.nan)
    return pose.reshape(len(pose), 72)


def _camera(columns: dict[str, np.ndarray]) -> np.ndarray:
    """(N, 3, 4); NaN where one sees nothing."""
    if "pi" in columns:
        seen = (columns["pi"][:, :1] > 0) & (columns["box"][:, 2:] > 0)
        view = weak_to_camera(torch.from_numpy(np.where(seen, columns["pi"], np.nan)))
        return view.warped(invert(view_affine(np.where(seen, columns["box"], 1.0)))).matrix.numpy()
    K, place = columns["K"], columns["translation"]
    seen = (K[:, [0, 1], [0, 1]] > 0).all(1) & (K[:, 2] == [0, 0, 1]).all(1) & (place[:, 2] > 0)
    K = np.where(seen[:, None, None], K, np.nan)
    return full_frame(torch.from_numpy(K), torch.from_numpy(place)).matrix.numpy()


READER = FitReader(
    _read,
    file="an .npz of the keys that docs/fits-table.md lists",
    licence="as the file says",
    get="write one: docs/fits-table.md has ten lines that do",
    signs=tuple((pose, "betas", "frame", "body", "licence") for pose in ("pose", "rotmat")),
)
