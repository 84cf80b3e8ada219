"""What SAM 3D Body's estimator gives (Meta, 2025), saved as :mod:`pymaf_data.fits.saved` reads it: of each person

    bbox (4) px x1, y1, x2, y2 · pred_vertices (18439, 3) m, y down, without pred_cam_t (3) m · focal_length px
    pred_keypoints_3d (70, 3) m, without pred_cam_t · pred_keypoints_2d (70, 2) px

Keypoints tell the camera exactly, its principal point too, and no focal_length is needed; without them the principal
point is the image's centre. Bodies are MHR's: their vertices stay in the files until somebody is to be posed. Vertices
in cm, which MHR's own tools want, become metres.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.bodies import MhrBodies
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers.reader import ByImage, FitReader, FitTable
from pymaf_data.fits.saved import files_of, numbers_of, persons_of
from pymaf_data.fits.table import CAMERA
from pymaf_data.geometry.cameras import full_frame

logger = logging.getLogger(__name__)

_MESH = "pred_vertices"
_SHAPES: dict[str, tuple[int, ...]] = {
    _MESH: (18439, 3), "pred_cam_t": (3,), "bbox": (4,), "focal_length": (1,),
    "pred_keypoints_3d": (70, 3), "pred_keypoints_2d": (70, 2),
}  # fmt: skip
_UNITS = ((0.3, 3.0, 1.0, "m"), (30.0, 300.0, 100.0, "cm"), (300.0, 3000.0, 1000.0, "mm"))
_EXACT = 0.5
"""Pixels within which keypoints follow a camera that projected them."""


def _read(path: Path, companion: Path | None = None) -> FitTable:
    rows = [(file, place, *said) for file in files_of(path) for place, said in enumerate(_numbers(path, file))]
    if not rows:
        raise RawDataCorrupt(f"{path} holds no person of SAM 3D Body's", expected=f"dicts with {', '.join(_SHAPES)}")
    files, places, names, parts = zip(*rows, strict=True)
    box, trans, solved, focal, size, depth = np.split(np.stack(parts), [4, 7, 10, 11, 12], axis=1)
    unit, deep = _unit(path, size), np.isfinite(depth[:, 0])
    apart = np.nanmedian(np.abs(np.hstack([depth, depth - unit * trans[:, 2:]])[deep]), axis=0)
    placed = bool(apart[1] < apart[0])
    if placed:
        logger.warning("%s: vertices stand where pred_cam_t puts them already; it is taken off", path)
    centred = bool((np.isnan(solved[:, 0]) & np.isfinite(trans).all(1)).any())
    K = np.tile(np.eye(3), (len(rows), 1, 1))
    K[:, [0, 1], [0, 1]] = np.where(np.isnan(solved[:, :1]), focal, solved[:, :1])
    K[:, :2, 2] = 0 if centred else solved[:, 1:]
    K[~((K[:, 0, 0] > 0) & (trans[:, 2] > 0))] = np.nan  # it sees nothing

    def vertices(of: np.ndarray) -> np.ndarray:
        persons = [persons_of(path, files[row], _SHAPES)[places[row]][1] for row in of.tolist()]
        posed = np.stack([numbers_of(person, _MESH, _SHAPES[_MESH]) for person in persons]) / unit
        return posed - trans[of, None] if placed else posed

    return FitTable(
        keys=ByImage(np.array(names, str), (box[:, :2] + box[:, 2:]) / 2),
        pose=np.zeros((len(rows), 72)),
        betas=np.zeros((len(rows), 10)),
        camera=full_frame(torch.from_numpy(K), torch.from_numpy(trans)).matrix.numpy(),
        frame=np.full(len(rows), CAMERA, np.uint8),
        body=np.full(len(rows), "smpl-neutral"),
        licences={"SAM 3D Body predictions": "SAM License"},
        tolerance=Tolerance(view=15.0, image=1.5, share=0.05),  # as EFT's
        origin="centre" if centred else "corner",
        other=MhrBodies(vertices),
    )


def _unit(path: Path, size: np.ndarray) -> float:
    """Units of vertices in a metre, by the extents (M, 1) of bodies."""
    extent = float(np.nanmedian(size)) if np.isfinite(size).any() else np.nan
    for low, high, unit, name in _UNITS:
        if low <= extent < high:
            if unit != 1:
                logger.warning("%s: bodies are %.0f units tall; their vertices are taken for %s", path, extent, name)
            return unit
    raise RawDataCorrupt(f"{path}: bodies are {extent:.3g} units tall", expected="vertices in metres")


def _numbers(root: Path, file: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Image and, of each person, bbox, pred_cam_t, camera, focal length, extent, mean depth; NaN where one is amiss."""
    for image, person in persons_of(root, file, _SHAPES):
        mesh, trans, box, focal, points, pixels = (numbers_of(person, *one) for one in _SHAPES.items())
        extent = [np.ptp(mesh, axis=0).max(), mesh[:, 2].mean()]
        yield image, np.concatenate([box, trans, _camera(points + trans, pixels), focal, extent])


def _camera(points: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(3,) f, cx, cy of the pinhole that projects points (70, 3) to pixels (70, 2); NaN where none does exactly."""
    with np.errstate(all="ignore"):
        plane = points[:, :2] / points[:, 2:]
    if not (np.isfinite(plane).all() and np.isfinite(pixels).all()):
        return np.full(3, np.nan)
    equations = np.zeros((2, len(plane), 3))
    equations[0, :, 0], equations[1, :, 0] = plane.T
    equations[0, :, 1] = equations[1, :, 2] = 1
    found = np.linalg.lstsq(equations.reshape(-1, 3), pixels.T.ravel(), rcond=None)[0]
    return np.where(np.abs(equations @ found - pixels.T).max() <= _EXACT, found, np.nan)


READER = FitReader(
    _read,
    file="SAM 3D Body's outputs, .npz, .npy or .pkl, or a folder of them, below which files are called after images",
    licence="SAM License",
    get="run https://github.com/facebookresearch/sam-3d-body and save what process_one_image returns",
    files=files_of,
    signs=(("pred_vertices", "pred_cam_t"),),
)
