"""MHR posed by its published rig: what leads from parameters to the vertices that SAM 3D Body's estimator gives.

The rig is TorchScript, ``mhr/mhr_model.pt`` of the assets folder: shape (B, 45), parameters (B, 204) and expression
(B, 72) → vertices in cm, y up, and its skeleton. It is a program: it is taken from where MHR is published, or not at
all. Source: facebookresearch/MHR (Apache-2.0).
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pymaf_data.asset_files import find_asset
from pymaf_data.errors import AssetMismatch
from pymaf_data.fits.bodies import MhrBodies
from pymaf_data.fits.conversion.meshes import mhr_files
from pymaf_data.fits.rows_on_disk import RowsOnDisk

RIG = "mhr/mhr_model.pt"
_EXPRESSION = 72
_BATCH = 64
_TO_CAMERA = np.array([0.01, -0.01, -0.01])
"""From the rig's cm, y up and z backward, to metres of a camera."""


class PosedMhr:
    """MHR by its parameters.

    Args:
        parameters: (M, 204) translation in dm, root and joints in radians, scales. The translation is not applied.
        shape: (M, 45).

    Of half a million persons these are half a gigabyte, so they lie on disk.
    """

    model = "mhr"

    def __init__(self, parameters: RowsOnDisk, shape: RowsOnDisk) -> None:
        self._parameters, self._shape = parameters, shape

    def files(self, assets: Path | None) -> list[Path]:
        """See :class:`~pymaf_data.fits.readers.reader.OtherBodies`."""
        return [find_asset(RIG, assets), *mhr_files(assets)]

    def vertices(self, rows: np.ndarray, assets: Path | None) -> np.ndarray:
        """See :class:`~pymaf_data.fits.readers.reader.OtherBodies`."""
        path = find_asset(RIG, assets)
        rig = _rig(path, path.stat().st_mtime_ns)
        return MhrBodies(lambda of: self._posed(rig, of)).vertices(rows, assets)

    def _posed(self, rig: Any, rows: np.ndarray) -> np.ndarray:
        """(K, 18439, 3) metres without translation, seen by the camera."""
        parts = [
            _pose(rig, self._parameters[part], self._shape[part])
            for part in np.array_split(rows, -(-len(rows) // _BATCH))
        ]
        return np.concatenate(parts) * _TO_CAMERA


@torch.no_grad()
def _pose(rig: Any, parameters: np.ndarray, shape: np.ndarray) -> np.ndarray:
    still = np.concatenate([np.zeros((len(parameters), 3)), parameters[:, 3:]], 1)
    given = [torch.from_numpy(values.astype(np.float32)) for values in (shape, still)]
    posed: np.ndarray = rig(*given, torch.zeros(len(still), _EXPRESSION))[0].double().numpy()
    return posed


@lru_cache(maxsize=1)
def _rig(path: Path, _changed: int) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # it is what was published
            return torch.jit.load(str(path), map_location="cpu").eval()
    except (RuntimeError, ValueError) as error:
        raise AssetMismatch(
            f"{path} is no TorchScript: {str(error)[:200]}",
            expected="MHR's rig at level of detail 1",
            action="fetch mhr_model.pt again.",
        ) from None
