"""What a posture is asked for beyond its angles: to rest on planes, touch, reach, aim, balance.

A goal writes linear rows (see :mod:`~pymaf_data.world.poses.rows`). Metres, the figure's world (y up, facing +z).
``spread`` says how exactly a goal is meant: metres, or degrees for directions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pymaf_data.geometry.joints import SMPL24
from pymaf_data.world.poses.freedoms import SIDES
from pymaf_data.world.poses.mannequin import Mannequin
from pymaf_data.world.poses.rows import Point, Rows, Vector

UP = (0.0, 1.0, 0.0)
_AXES = ((1.0, 0.0, 0.0), UP, (0.0, 0.0, 1.0))
# Mass between two joints, as a share of the body (Winter, "Biomechanics", table 4.1; hands and feet with their limbs).
_MASSES: tuple[tuple[str, str, float], ...] = (
    ("pelvis", "neck", 0.497), ("neck", "head", 0.081),
    *((f"{s}_{a}", f"{s}_{b}", m) for s in SIDES for a, b, m in (
        ("shoulder", "elbow", 0.028), ("elbow", "wrist", 0.022), ("hip_smpl", "knee", 0.100),
        ("knee", "ankle", 0.0465), ("ankle", "foot", 0.0145),
    )),
)  # fmt: skip
_MASS = np.zeros(len(SMPL24))
for _a, _b, _m in _MASSES:
    _MASS[[SMPL24.index(_a), SMPL24.index(_b)]] += _m / 2
MASS = _MASS / _MASS.sum()
"""(24,) share of the body's mass at each joint."""
_MASSES_AT = tuple(Point(float(mass), joint) for joint, mass in enumerate(MASS) if mass)


class Goal(Protocol):
    """Anything that gives rows."""

    def write(self, mannequin: Mannequin, rows: Rows) -> None:
        """Add this goal's rows for a body."""


@dataclass(frozen=True)
class Rest:
    """The point of a patch that lies deepest along ``normal`` touches the plane normal · x = at; or stays above."""

    patch: str
    at: float = 0.0
    normal: Vector = UP
    spread: float = 0.003
    lower: bool = False

    def write(self, mannequin: Mannequin, rows: Rows) -> None:
        """See :class:`Goal`."""
        rows.support(mannequin.patches[self.patch], self.normal, self.at, self.spread, self.lower)


@dataclass(frozen=True)
class Reach:
    """A marker comes to a place; axes whose place is nan are free. ``lift`` moves the point along the palm's normal."""

    marker: str
    place: Vector
    spread: float = 0.008
    lift: float = 0.0

    def write(self, mannequin: Mannequin, rows: Rows) -> None:
        """See :class:`Goal`."""
        points = [_point(mannequin, self.marker, shift=(0.0, -self.lift, 0.0))]
        for axis, value in zip(_AXES, self.place, strict=True):
            if not math.isnan(value):
                rows.add(points, axis, value, self.spread)


@dataclass(frozen=True)
class Touch:
    """Two markers come together, ``apart`` from each other in the world (first minus second); nan leaves an axis.

    ``lift`` moves both off their palms, ``shift`` the first one in its bone's own frame.
    """

    one: str
    other: str
    apart: Vector = (0.0, 0.0, 0.0)
    spread: float = 0.006
    lift: float = 0.0
    shift: Vector = (0.0, 0.0, 0.0)

    def write(self, mannequin: Mannequin, rows: Rows) -> None:
        """See :class:`Goal`."""
        x, y, z = self.shift
        points = [
            _point(mannequin, self.one, shift=(x, y - self.lift, z)),
            _point(mannequin, self.other, -1.0, (0.0, -self.lift, 0.0)),
        ]
        for axis, value in zip(_AXES, self.apart, strict=True):
            if not math.isnan(value):
                rows.add(points, axis, value, self.spread)


@dataclass(frozen=True)
class Aim:
    """A direction of a bone's own frame (T-pose axes) points along ``toward``, in the world or in another bone."""

    bone: str
    own: Vector
    toward: Vector
    spread: float = 6.0
    against: str = ""

    def write(self, mannequin: Mannequin, rows: Rows) -> None:
        """See :class:`Goal`."""
        bone, target = SMPL24.index(self.bone), self.toward
        points = [Point(1.0, bone, shift=self.own), Point(-1.0, bone)]
        if self.against:
            other = SMPL24.index(self.against)
            points += [Point(-1.0, other, shift=target), Point(1.0, other)]
            target = (0.0, 0.0, 0.0)
        for axis, value in zip(_AXES, target, strict=True):
            rows.add(points, axis, value, math.radians(self.spread))


@dataclass(frozen=True)
class Balance:
    """The centre of mass lies over the middle of what carries the body, shifted by ``shift`` (x, z) metres."""

    over: Sequence[str]
    shift: tuple[float, float] = (0.0, 0.0)
    spread: float = 0.012

    def write(self, mannequin: Mannequin, rows: Rows) -> None:
        """See :class:`Goal`."""
        points = [*_MASSES_AT, *(_point(mannequin, name, -1.0 / len(self.over)) for name in self.over)]
        for axis, shift in zip((_AXES[0], _AXES[2]), self.shift, strict=True):
            rows.add(points, axis, shift, self.spread)


def _point(mannequin: Mannequin, marker: str, factor: float = 1.0, shift: Vector = (0.0, 0.0, 0.0)) -> Point:
    """A marker, moved in its bone's frame (in a hand's, the palm's normal is −y)."""
    vertex = mannequin.markers[marker]
    return Point(factor, int(mannequin.owner[vertex]), vertex, shift)


def feet_flat(sides: Sequence[str] = SIDES, at: float = 0.0) -> list[Goal]:
    """Whole soles on a plane."""
    return [Rest(f"{side}_{part}", at) for side in sides for part in ("heel", "ball_in", "ball_out")]
