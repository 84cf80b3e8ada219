"""Fits that others published: read from a file, joined to a store's persons."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pymaf_data.body import BodyModel
from pymaf_data.digest import digest_file, digest_json
from pymaf_data.errors import FitError, RawDataCorrupt
from pymaf_data.fits.conversion.convert import METHOD, WORST, convert
from pymaf_data.fits.evidence import other_scale
from pymaf_data.fits.exported import as_exported
from pymaf_data.fits.join import NONE, join, match, none_of, put, put_on_points, take
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers import find_reader
from pymaf_data.fits.readers.reader import ByAnnotation, FitTable, OtherBodies
from pymaf_data.fits.reprojection import measure
from pymaf_data.fits.request import FitRequest
from pymaf_data.fits.sniffing import sniff
from pymaf_data.fits.source import Progress
from pymaf_data.fits.table import CAMERA, Fits
from pymaf_data.geometry.cameras import full_frame
from pymaf_data.geometry.joints import SMPL24
from pymaf_data.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from pymaf_data.near import absent

logger = logging.getLogger(__name__)

_OF_PI = 8.0  # view pixels that π may leave of fits which, under their own cameras, leave none
_TOGETHER = 1 << 13  # whole batches of a conversion
_ASKED = 200
"""Persons that are asked what is wrong with a file."""
_TURNS = {
    "180°, y up for down": (np.pi, 0.0, 0.0), "180° in the image": (0.0, 0.0, np.pi),
    "90° in the image": (0.0, 0.0, np.pi / 2), "-90° in the image": (0.0, 0.0, -np.pi / 2),
}  # fmt: skip
_NO_CLOSER = 0.8
"""Of what others lie away: whose own fits do not lie closer are anybody's."""


class JoinedSource:
    """Fits of one body out of a file; its content is read by :func:`read_fits`."""

    worst_reprojection: float | None = None

    def __init__(self, request: FitRequest, table: FitTable, identity: dict[str, Any], body: str) -> None:
        self.origin, self.table, self.body, self._identity = str(request.path), table, body, identity
        self.format, self.camera = request.format, table.kind
        self.placed = table.camera is None and bool((table.frame == CAMERA).any())
        self.tolerance: Tolerance | None = table.tolerance
        self.body_fingerprint, self.licences = table.body_fingerprint, dict(table.licences)
        self.converted_from = table.other.model if table.other else ""
        self._assets: Path | None = None

    def prepare(self, assets: Path) -> None:
        """See :class:`~pymaf_data.fits.source.Source`."""
        self._assets = assets
        if self.table.other is not None:
            files = [[path.name, digest_file(path)] for path in self.table.other.files(assets)]
            self._identity = {**self._identity, "conversion": {"method": METHOD, "files": digest_json(files)}}

    def identity(self) -> dict[str, Any]:
        """Format and content of the file, and of its companion; of what its bodies are converted by."""
        return self._identity

    def fits(self, persons: Persons, body: BodyModel | None, progress: Progress | None = None) -> Fits:
        """The fits of these persons, who are all of a store: see :func:`~pymaf_data.fits.join.join`."""
        if self.table.other is not None:
            return self._of_others(self.table.other, persons, body)
        fits = join(_seen(self.table, body), persons, self.origin, self.body, body)
        if body is None and self.table.extrinsics is not None:
            fits.drop(fits.valid, "camera not solvable")  # where the body turns, only the body knows
        return fits

    def _of_others(self, other: OtherBodies, persons: Persons, body: BodyModel | None) -> Fits:
        """Bodies of another model, those of these persons converted."""
        row = match(self.table, persons, self.origin, self.body)
        table, left = self.table, np.full((len(persons), 2), np.nan)
        fits, everybody = none_of(persons), np.flatnonzero(row != NONE)
        for first in range(0, len(everybody), _TOGETHER):  # a table of all of them would be large
            some = everybody[first : first + _TOGETHER]
            if body is None:
                part = table.at(row[some])
            else:
                part, left[some] = convert(table, other, row[some], body, self._assets)
                done = first + len(some)
                logger.info("%d of %d bodies of %s are converted", done, len(everybody), other.model)
            put(fits, some, _seen(part, body), np.arange(len(some)), persons)
        if table.points is not None:
            put_on_points(fits, table.points, row, body)
        fits.drop(np.isnan(left).any(1), "body not converted")
        fits.drop(np.any(left > WORST, axis=1), "conversion residual too large")
        return replace(fits, conversion=left)

    def looks(self, persons: Persons, body: BodyModel) -> str:
        """Whether the fits would be these persons' in other images, by other cameras or rows, mirrored or turned."""
        some = persons[:: max(len(persons) // _ASKED, 1)]
        row = match(self.table, some, self.origin)
        table = self.table
        if table.other is not None:
            near = np.unique((row[row != NONE, None] + np.arange(-2, 3)).clip(0, len(table) - 1))
            table = convert(table, table.other, near, body, self._assets)[0]
            row = np.where(row == NONE, NONE, np.searchsorted(near, row))
        table = _seen(table, body)
        if table.camera is not None:
            kind = table.orthographic, table.origin == "centre"
            scaled = other_scale(body, take(table, row, some, body), some, *kind, table.tolerance.view)
            if scaled:
                return f"; {scaled}"
        table = replace(table, points=None)
        mirrored = table.pose.reshape(-1, 24, 3)[:, SMPL24.flip_permutation] * [1.0, -1.0, -1.0]
        others = {"cameras look like others'": table}  # first: in a video the next row is nearly the same body
        others |= {f"rows look shifted by {by}": _moved(table, by) for by in (1, -1, 2, -2)}
        others["bodies look mirrored"] = replace(table, pose=mirrored.reshape(-1, 72))
        others |= {f"bodies look turned by {said}": _turned(table, turn) for said, turn in _TURNS.items()}
        away = []
        for said, other in others.items():
            away.append(_away(body, take(other, row, some), some))
            if away[-1] <= max(table.tolerance.view, _OF_PI):
                plain = other is not table or table.camera is not None
                return f"; {said}: otherwise {away[-1]:.0f} px" * plain
        strangers = _away(body, take(table, np.roll(row, len(row) // 2), some), some)
        shuffled = len(some) > 1 and _NO_CLOSER * strangers <= away[0] < np.inf
        return f"; rows look shuffled: others' fits lie no farther away, {strangers:.0f} px" * shuffled


def _away(body: BodyModel, fits: Fits, persons: Persons) -> float:
    """View pixels between fits and their persons in the median, π being free; infinite where there is no fit."""
    distance = measure(body, fits, persons, "none").reprojection[fits.valid]
    return float(np.median(distance)) if len(distance) else np.inf


def _turned(table: FitTable, turn: tuple[float, float, float]) -> FitTable:
    """A table whose bodies are turned about their root, by an axis-angle of the camera's space."""
    turning = axis_angle_to_matrix(torch.tensor(turn, dtype=torch.float64))
    turned = matrix_to_axis_angle(turning @ axis_angle_to_matrix(torch.from_numpy(table.pose[:, :3]).double())).numpy()
    return replace(table, pose=np.concatenate([turned, table.pose[:, 3:]], 1))


def _moved(table: FitTable, by: int) -> FitTable:
    """A table whose keys have the fits that stand so many rows further on in the file; NaN where none does."""
    rows = np.arange(len(table)) if table.rows is None else table.rows
    place = np.searchsorted(rows, rows + by).clip(max=len(rows) - 1)
    there = (rows[place] == rows + by)[:, None]
    return replace(table, pose=np.where(there, table.pose[place], np.nan), betas=table.betas[place])


def _seen(table: FitTable, body: BodyModel | None) -> FitTable:
    """A table whose roots are turned in the world, as the camera sees it.

    A body turns about its root joint J0, which the translation does not move:
    R·(x − J0) + J0 + t' = R·x + t, so t' = R·J0 + t − J0.
    """
    if body is None or table.extrinsics is None or table.camera is None:
        return table
    pose, betas, K, world = map(torch.from_numpy, (table.pose, table.betas, table.camera[:, :, :3], table.extrinsics))
    R, t = world[:, :, :3].double(), world[:, :, 3].double()
    root = body.rest_joints(betas.to(body.v_template.dtype))[:, 0].double()
    turned = matrix_to_axis_angle(R @ axis_angle_to_matrix(pose[:, :3].double()))
    place = (R @ root[..., None])[..., 0] + t - root
    return replace(
        table,
        pose=torch.cat([turned, pose[:, 3:].double()], 1).numpy(),
        camera=full_frame(K.double(), place).matrix.numpy(),
    )


def _whole(table: FitTable) -> np.ndarray:
    """(M,) whether all numbers of a row are finite."""
    parts = (table.pose, table.betas, table.camera, table.extrinsics)
    found: np.ndarray = np.all(
        [np.isfinite(part.reshape(len(table), -1)).all(1) for part in parts if part is not None], axis=0
    )
    return found


def read_fits(request: FitRequest, made_from: Collection[str] = ()) -> tuple[FitTable, dict[str, Any]]:
    """What the files of a request say, and what they are: format, digests, version of the reader.

    Args:
        request: names them.
        made_from: digests of the files that the persons come from, whose ids are then their rows.

    Raises:
        FitError: a file is not there, or not what its format says.
    """
    reader = find_reader(request.format)
    paths = {"sha256": request.path, "companion": request.companion}
    given = {key: path for key, path in paths.items() if path is not None}
    action = f"name such a file; {reader.get}."
    for path in given.values():
        if not path.exists():
            raise FitError(f"there is no {absent(path)}", expected=reader.file, action=action)
    identity: dict[str, Any] = {"format": request.format}
    try:
        table = as_exported(given["sha256"], reader.read(given["sha256"], request.companion))
        if not len(table):
            raise RawDataCorrupt("it holds no fits")
        if not _whole(table).any():
            raise RawDataCorrupt(
                f"none of its {len(table):,} rows is a fit: numbers are missing or not finite, or cameras see nothing"
            )
        identity |= {key: digest_file(path) for key, path in given.items() if key == "companion" or not reader.files}
        if reader.files:
            identity["sha256"] = digest_json([[path.name, digest_file(path)] for path in reader.files(given["sha256"])])
        if table.rows is not None and not {*made_from}.isdisjoint(identity.values()):
            table = replace(table, keys=ByAnnotation(table.rows))
    except RawDataCorrupt as error:
        found = error.found if str(request.path) in error.found else f"{request.path}: {error.found}"
        others = [name for name in sniff(given["sha256"]) if name != request.format]
        if len(others) == 1:
            behind = ":COMPANION" if find_reader(others[0]).companion else ""
            action = f"it looks like a file of the format {others[0]}: --fits {others[0]}:{request.path}{behind}"
        raise FitError(found, expected=error.expected or reader.file, action=action) from None
    return table, identity if reader.version == 1 else {**identity, "version": reader.version}
