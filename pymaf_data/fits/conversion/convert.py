"""Rows of a table that hold bodies of another model, as bodies of the table's own."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from pymaf_data.body import BodyModel
from pymaf_data.fits.conversion.vertex_fit import VertexFit
from pymaf_data.fits.readers.reader import FitTable, OtherBodies
from pymaf_data.geometry.rotations import matrix_to_axis_angle

METHOD = 1
"""Raised when the same bodies become others."""
WORST = np.array([15.0, 5.0])
"""Millimetres and degrees that may be left of a conversion.

Other skinning and 10 mm of relief leave 4.7 and 0.9 (95 %), with 40 mm of relief 11.1 and 2.4. A body of half the size
leaves 18 and 14 (5 %), one whose forearm is elsewhere 6.6 and 8.
"""
_BATCH = 256


def convert(
    table: FitTable, other: OtherBodies, rows: np.ndarray, body: BodyModel, assets: Path | None
) -> tuple[FitTable, np.ndarray]:
    """Rows (K,) of a table as bodies of ``body``, and what is left of each row's conversion.

    Args:
        table: whose bodies are of another model.
        other: those bodies.
        rows: to convert.
        body: float64.
        assets: folder of licensed files.

    Returns:
        A table of K rows, whose poses and betas are NaN where numbers pose nothing, zeros where a surface is no body's;
        its extrinsics, or else its cameras, take up the translation. And (K, 2) millimetres and degrees, see
        :class:`~pymaf_data.fits.conversion.vertex_fit.Fitted`: infinite where a surface is no body's, NaN where nothing
        was converted.

    Raises:
        AssetMissing: files that it takes are not there.
    """
    K, fit, table = len(rows), _fit(body), table.at(rows)
    pose, betas, residual = np.full((K, 72), np.nan), np.full((K, 10), np.nan), np.full((K, 2), np.nan)
    shift = np.zeros((K, 3, 1))
    for first in range(0, len(rows), _BATCH):
        vertices = torch.from_numpy(other.vertices(rows[first : first + _BATCH], assets)).double()
        posed = vertices.isfinite().all(2).all(1)
        fitted, of = fit(vertices[posed]), first + np.flatnonzero(posed.numpy())
        pose[of] = matrix_to_axis_angle(fitted.pose).flatten(1).nan_to_num(0.0).numpy()
        betas[of], residual[of] = fitted.betas.nan_to_num(0.0).numpy(), fitted.residual.numpy()
        shift[of] = fitted.translation.nan_to_num(0.0)[..., None].numpy()
    # A body stands where the other one did: camera · (x + t) = (camera · [I | t]) x.
    name = "camera" if table.extrinsics is None else "extrinsics"
    place = getattr(table, name)
    if place is not None:
        place = np.concatenate([place[:, :, :3], place[:, :, 3:] + place[:, :, :3] @ shift], 2)
    return replace(table, pose=pose, betas=betas, **{name: place}), residual


@lru_cache(maxsize=2)
def _fit(body: BodyModel) -> VertexFit:
    return VertexFit(body)
