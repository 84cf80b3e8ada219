"""How far apart the fits of two sources are, on the persons whom both have.

    angle      between the rotations of each body joint against its parent, degrees; the mean over the 23 but the root
    root       between the root rotations, both turned into the view's own frame; where one cannot be turned, as both
               stand in the image's camera, or not known
    distance   mean of the 24 joints after the best similarity transform, mm; each posed by its own body

The second source is moved onto the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray

from pymaf_data.body import BodyModel
from pymaf_data.datasets.columns import stored_column
from pymaf_data.fits.chosen import ChosenFits
from pymaf_data.geometry.frames import box_ray, turn_of_ray
from pymaf_data.geometry.joints import J24
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.loader.frame import rays_of_fits
from pymaf_data.metrics import pa_mpjpe
from pymaf_data.report.sources.columns import Sources
from pymaf_data.report.sources.measures import ANGLE, DISTANCE
from pymaf_data.storage import Store

MOST = 10_000
"""Persons on whom two sources are compared, at most: an even spread over those whom both have."""

_BLOCK = 2048
_BATCH = 64  # bodies posed at a time: more do not fit the caches
_GOLDEN = (5**0.5 - 1) / 2
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Agreement:
    """Two sources on the K persons that were compared, of ``both`` whom both have.

    Attributes:
        first, second: places among the sources.
        rows: (K,) of the store.
        angle: (K, 23) degrees of the joints but the root.
        root: (K,) degrees, NaN where the frames cannot be made the same.
        distance: (K,) mm, NaN where a body is not here.
    """

    first: int
    second: int
    both: int
    rows: Indices
    angle: Floats
    root: Floats
    distance: Floats


@dataclass(frozen=True)
class _Posed:
    """Fits of B rows: rotations (B, 24, 3, 3), whether and how the root turns into the view, J24 in metres or none."""

    fits: ChosenFits
    rotations: Floats
    turned: Floats
    known: NDArray[np.bool_]
    joints: Floats


def compare(
    store: Store, sources: Sources, bodies: Mapping[int, BodyModel | None], most: int = MOST
) -> list[Agreement]:
    """Compare each two sources.

    Args:
        bodies: place of a source → its body, ``None`` where that is not here.
        most: persons for each two, at most.

    Raises:
        StoreDamaged: bytes differ from what was committed.
    """
    pairs = list(combinations(sources.compared, 2))
    both = {(a, b): np.flatnonzero(sources.of[a].valid & sources.of[b].valid) for a, b in pairs}
    rows = {pair: _some(found, most) for pair, found in both.items()}
    parts: dict[tuple[int, int], list[tuple[Floats, Floats, Floats]]] = {pair: [] for pair in pairs}
    every = np.unique(np.concatenate([np.empty(0, np.int64), *rows.values()]))
    for first in range(0, len(every), _BLOCK):
        block = every[first : first + _BLOCK]
        rays = _measured_rays(store, block)
        posed = {place: _posed(sources, place, block, bodies[place], rays) for place in sources.compared}
        for a, b in pairs:
            mine = np.flatnonzero(np.isin(block, rows[a, b]))
            parts[a, b].append(_apart(posed[a], posed[b], mine))
    empty = (np.empty((0, 23)), np.empty(0), np.empty(0))
    return [
        Agreement(a, b, len(both[a, b]), rows[a, b], *map(np.concatenate, zip(empty, *parts[a, b], strict=True)))
        for (a, b) in pairs
    ]


def _some(rows: Indices, most: int) -> Indices:
    """Up to ``most`` of the rows, evenly spread, sorted.

    By multiples of the golden section, so that two sources are compared on the rows that two others are compared on,
    as far as all have them: each is posed once.
    """
    return np.sort(rows[np.argsort(rows * _GOLDEN % 1, kind="stable")[:most]])


def add_to(sources: Sources, agreements: list[Agreement]) -> None:
    """Give each source how far it is from the others, by person: the mean over them; NaN where nobody compared."""
    N = len(sources.chosen)
    for place in sources.compared if agreements else []:
        for key in (DISTANCE, ANGLE):
            total, count = np.zeros(N), np.zeros(N)
            for one in agreements:
                if place in (one.first, one.second):
                    value = one.distance if key == DISTANCE else one.angle.mean(1)
                    known = np.isfinite(value)
                    np.add.at(total, one.rows[known], value[known])
                    np.add.at(count, one.rows[known], 1)
            with np.errstate(invalid="ignore"):
                sources.of[place].values[key] = (total / count).astype(np.float32)


def _posed(
    sources: Sources, place: int, rows: Indices, body: BodyModel | None, measured: tuple[Floats, Floats]
) -> _Posed:
    reader, index = sources.reader, sources.of[place].index
    assert reader is not None, "only sources of a choice are compared"
    fits = reader.read_source(index, rows, allow_partial=True)
    rotation = axis_angle_to_matrix(torch.from_numpy(fits.pose).double().reshape(-1, 24, 3))
    rays, _ = rays_of_fits(fits, reader.camera(index), *measured)
    joints = np.full((len(rows), len(J24), 3), np.nan)
    if body is not None:
        arguments = rotation.to(body.v_template), torch.from_numpy(fits.betas).to(body.v_template)
        for first in range(0, len(rows), _BATCH):
            posed = body.keypoints(*(values[first : first + _BATCH] for values in arguments))[1]
            joints[first : first + _BATCH] = posed[:, -len(J24) :].numpy()
    turned, known = turn_of_ray(rays) @ rotation[:, 0].numpy(), ~np.isnan(rays[:, 2])
    return _Posed(fits, rotation.numpy(), turned, known, joints)


def _measured_rays(store: Store, rows: Indices) -> tuple[Floats, Floats]:
    """(B, 3) rays by the data set's own K, NaN where it states none, and boxes."""
    box = stored_column(store, "box").rows(rows).astype(np.float64)
    known = stored_column(store, "has_intrinsics").rows(rows).astype(bool)
    rays = np.full((len(rows), 3), np.nan)
    rays[known] = box_ray(stored_column(store, "intrinsics").rows(rows[known]), box[known])
    return rays, box


def _apart(a: _Posed, b: _Posed, rows: Indices) -> tuple[Floats, Floats, Floats]:
    """Angles (K, 23), roots (K,) and distances (K,) of some of the rows; NaN where either fit is not finite."""
    there = a.fits.valid[rows] & b.fits.valid[rows]
    angle = _between(a.rotations[rows, 1:], b.rotations[rows, 1:])
    same = a.fits.frame[rows] == b.fits.frame[rows]
    root = np.where(same, _between(a.rotations[rows, 0], b.rotations[rows, 0]), np.nan)
    root = np.where(a.known[rows] & b.known[rows], _between(a.turned[rows], b.turned[rows]), root)
    distance = np.full(len(rows), np.nan)
    posed = np.flatnonzero(there & np.isfinite(a.joints[rows] + b.joints[rows]).all((1, 2)))
    if len(posed):
        ours, theirs = (torch.from_numpy(one.joints[rows[posed]]) for one in (a, b))
        distance[posed] = 1000 * pa_mpjpe(theirs, ours).numpy()
    return np.where(there[:, None], angle, np.nan), np.where(there, root, np.nan), distance


def _between(a: Floats, b: Floats) -> Floats:
    """Degrees between rotations (..., 3, 3); by the chord, which small angles do not drown in rounding."""
    chord = np.linalg.norm(a - b, axis=(-2, -1)) / np.sqrt(8)
    return np.degrees(2 * np.arcsin(np.clip(chord, 0, 1)))
