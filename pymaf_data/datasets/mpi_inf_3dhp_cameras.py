"""The cameras of MPI-INF-3DHP.

training   camera.calibration: name, sensor, size, animated, intrinsic 4 × 4, extrinsic 4 × 4, radial of each camera
test       test_util/camera_calibration/ts1-4cameras.calib, ts5-6cameras.calib: sensorSize, focalLength,
           pixelAspect, centerOffset of one camera, lengths in mm
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pymaf_data.datasets.mpi_inf_3dhp_files import TEST_JOINTS, Floats, corrupt
from pymaf_data.untrusted.bounds import read_whole

Matrix = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]

#: Whose places in annot2 are not the projections of those in annot3, by up to two pixels.
_APART = ("right_hip", "left_hip", "spine")
_AGREES, _FITS = 0.1, 1.0  # px, in the median
_TEXT = 1 << 20  # bytes of a calibration; that of 14 cameras has 8,000


class Camera(NamedTuple):
    """A calibrated camera.

    Attributes:
        intrinsics: 3 × 3, px.
        size: width and height, px.
    """

    intrinsics: Matrix
    size: tuple[int, int]


def read_cameras(path: Path) -> dict[int, Camera]:
    """The cameras of a camera.calibration by their numbers; lines go by their first word.

    Raises:
        RawDataCorrupt: it is none.
    """
    blocks: list[dict[str, list[float]]] = []
    try:
        for key, values in _lines(path):
            if key == "name":
                blocks.append({})
            if key in ("name", "size", "intrinsic"):
                blocks[-1][key] = [float(value) for value in values]
        cameras = {int(block["name"][0]): _camera(block["intrinsic"], block["size"]) for block in blocks}
        if not cameras or len(cameras) < len(blocks):
            raise ValueError(f"{len(cameras)} cameras of {len(blocks)} names")
    except (ValueError, LookupError, OverflowError) as error:
        raise corrupt(path, error, "camera.calibration as released") from None
    return cameras


def read_lens(path: Path, size: tuple[int, int]) -> Matrix:
    """The camera matrix of a test set's calibration, for images of this size. Annotations are without distortion.

    Raises:
        RawDataCorrupt: it is none.
    """
    try:
        said = {key: [float(value) for value in values[:2]] for key, values in _lines(path) if key in _LENS}
        (wide, high), (focal,), (aspect,), (right, down) = (said[key][:n] for key, n in _LENS.items())
        per_mm = size[0] / wide, size[1] / high
        flat = [focal * per_mm[0], 0, (wide / 2 + right) * per_mm[0], 0]
        flat += [0, focal * per_mm[1] * aspect, (high / 2 + down) * per_mm[1], 0, 0, 0, 1, 0]
        return _camera(flat, size).intrinsics
    except (ValueError, LookupError, ZeroDivisionError, OverflowError) as error:
        raise corrupt(path, error, "a calibration of the test set's test_util as released") from None


_LENS = {"sensorSize": 2, "focalLength": 1, "pixelAspect": 1, "centerOffset": 2}


def intrinsics_of(points: Floats, solid: Floats, calibrated: Matrix | None) -> Matrix | None:
    """The camera of a test sequence: as calibrated, or else the one by which the 3D joints project to the 2D ones.

    TS2 was filmed by another camera than the file says: its joints lie five pixels off.

    Args:
        points: (N, 17, 2) px.
        solid: (N, 17, 3) metres.
        calibrated: what its file says, if there is one; taken, too, where no camera shows the joints so.
    """
    same = [joint for joint, name in enumerate(TEST_JOINTS) if name not in _APART]
    flat, deep = points[:, same].reshape(-1, 2), solid[:, same].reshape(-1, 3)
    sound = np.isfinite(flat).all(1) & np.isfinite(deep).all(1) & (deep[:, 2] > 0.1)
    flat, rays = flat[sound], deep[sound, :2] / deep[sound, 2:]
    if len(flat) < 4:
        return calibrated
    if calibrated and _median_error(flat, rays, calibrated) <= _AGREES:
        return calibrated
    (fx, cx), (fy, cy) = (
        np.linalg.lstsq(np.column_stack([rays[:, axis], np.ones(len(rays))]), flat[:, axis], rcond=None)[0].tolist()
        for axis in (0, 1)
    )
    fitted = (fx, 0.0, cx), (0.0, fy, cy), (0.0, 0.0, 1.0)
    return fitted if min(fx, fy) > 0 and _median_error(flat, rays, fitted) <= _FITS else calibrated


def _median_error(flat: Floats, rays: Floats, K: Matrix) -> float:
    off = rays @ np.diag([K[0][0], K[1][1]]) + [K[0][2], K[1][2]] - flat
    return float(np.median(np.linalg.norm(off, axis=1)))


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Of each line its first word and the others; what follows # is a comment."""
    for line in read_whole(path, _TEXT).decode("utf-8", "replace").splitlines():
        words = line.partition("#")[0].split()
        if words:
            yield words[0], words[1:]


def _camera(intrinsic: Sequence[float], size: Sequence[float]) -> Camera:
    """Of the rows of a 3 × 4 or 4 × 4 matrix."""
    width, height = (int(side) for side in size)
    K: Any = tuple(tuple(intrinsic[4 * row : 4 * row + 3]) for row in range(3))
    if len(intrinsic) not in (12, 16) or not np.isfinite(K).all() or min(K[0][0], K[1][1], width, height) <= 0:
        raise ValueError(f"intrinsic {intrinsic}, size {width} × {height}")
    return Camera(K, (width, height))
