"""What a posture is asked for beyond its angles: to rest on planes, touch, reach, aim, balance.

A goal gives linear rows (see :mod:`~pymaf_data.sample.poses.kinematics`) for the surface as it is now. Metres, the
figure's world (y up, facing +z). ``spread`` says how exactly a goal is meant: metres, or degrees for directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from pymaf_data.geometry.joints import SMPL24
from pymaf_data.sample.poses.freedoms import SIDES
from pymaf_data.sample.poses.mannequin import Mannequin

UP = (0.0, 1.0, 0.0)
Vector = Sequence[float]
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


@dataclass
class State:
    """A figure on its way: bones in the world and the surface they carry.

    Args:
        mannequin: whose patches and markers are meant.
        world, place: (24, 3, 3) rotations and (24, 3) joints.
        vertices: (V, 3).
        seen: for each support the vertices that lay lowest in earlier rounds.
    """

    mannequin: Mannequin
    world: np.ndarray
    place: np.ndarray
    vertices: np.ndarray
    seen: dict[object, list[int]]

    def lowest(self, key: object, ids: np.ndarray, heights: np.ndarray) -> tuple[int, list[int]]:
        """The vertex of least height, and those that were it before: they must not sink when it is lifted."""
        vertex = int(ids[np.argmin(heights)])
        before = self.seen.setdefault(key, [])
        others = [other for other in before if other != vertex]
        if vertex not in before:
            before.append(vertex)
        return vertex, others

    def local(self, vertex: int) -> tuple[int, np.ndarray]:
        """A vertex as a point that rides on its bone: (bone, local place (3,))."""
        bone = int(self.mannequin.owner[vertex])
        return bone, (self.vertices[vertex] - self.place[bone]) @ self.world[bone]

    def marker(self, name: str) -> tuple[int, np.ndarray]:
        """A marker as a point that rides on its bone."""
        return self.local(self.mannequin.markers[name])

    def at(self, name: str) -> np.ndarray:
        """World place (3,) of a marker."""
        return self.vertices[self.mannequin.markers[name]]

    def patch(self, name: str) -> np.ndarray:
        """World places (K, 3) of a patch."""
        return self.vertices[self.mannequin.patches[name]]

    def joint(self, name: str) -> np.ndarray:
        """World place (3,) of a skeleton joint."""
        return self.place[SMPL24.index(name)]

    def bone(self, name: str) -> np.ndarray:
        """World rotation (3, 3) of a bone."""
        return self.world[SMPL24.index(name)]


@dataclass
class Rows:
    """Rows under construction."""

    factors: list[float] = field(default_factory=list)
    bones: list[int] = field(default_factory=list)
    locals: list[np.ndarray] = field(default_factory=list)
    starts: list[int] = field(default_factory=lambda: [0])
    normals: list[Vector] = field(default_factory=list)
    targets: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    lower: list[bool] = field(default_factory=list)

    def add(self, points: Sequence[tuple[float, int, np.ndarray]], normal: Vector, target: float, spread: float,
            lower: bool = False) -> None:  # fmt: skip
        """One row: Σ factor · point along ``normal`` is to be ``target``."""
        for factor, bone, local in points:
            self.factors.append(factor)
            self.bones.append(bone)
            self.locals.append(local)
        self.starts.append(len(self.factors))
        self.normals.append(normal)
        self.targets.append(target)
        self.weights.append(1.0 / spread)
        self.lower.append(lower)

    def arrays(self) -> tuple[np.ndarray, ...]:
        """As the kernel takes them."""
        return (
            np.array(self.starts), np.array(self.factors), np.array(self.bones, np.int64),
            np.array(self.locals, np.float64).reshape(-1, 3), np.array(self.normals, np.float64).reshape(-1, 3),
            np.array(self.targets, np.float64), np.array(self.weights, np.float64), np.array(self.lower, np.int64),
        )  # fmt: skip


class Goal(Protocol):
    """Anything that gives rows."""

    def write(self, state: State, rows: Rows) -> None:
        """Add this goal's rows for the state."""


@dataclass(frozen=True)
class Rest:
    """The point of a patch that lies deepest along ``normal`` touches the plane normal · x = at; or stays above."""

    patch: str
    at: float = 0.0
    normal: Vector = UP
    spread: float = 0.003
    lower: bool = False

    def write(self, state: State, rows: Rows) -> None:
        """See :class:`Goal`."""
        ids = state.mannequin.patches[self.patch]
        vertex, others = state.lowest(self, ids, state.vertices[ids] @ np.asarray(self.normal))
        rows.add([(1.0, *state.local(vertex))], self.normal, self.at, self.spread, self.lower)
        for other in others:
            rows.add([(1.0, *state.local(other))], self.normal, self.at, self.spread, lower=True)


@dataclass(frozen=True)
class Reach:
    """A marker comes to a place; axes whose place is nan are free. ``lift`` moves the point along the palm's normal."""

    marker: str
    place: Vector
    spread: float = 0.008
    lift: float = 0.0

    def write(self, state: State, rows: Rows) -> None:
        """See :class:`Goal`."""
        point = _lifted(state, self.marker, self.lift)
        for axis, value in enumerate(self.place):
            if not np.isnan(value):
                rows.add([(1.0, *point)], np.eye(3)[axis], float(value), self.spread)


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

    def write(self, state: State, rows: Rows) -> None:
        """See :class:`Goal`."""
        a, b = _lifted(state, self.one, self.lift), _lifted(state, self.other, self.lift)
        a = a[0], a[1] + np.asarray(self.shift)
        for axis, value in enumerate(self.apart):
            if not np.isnan(value):
                rows.add([(1.0, *a), (-1.0, *b)], np.eye(3)[axis], float(value), self.spread)


@dataclass(frozen=True)
class Aim:
    """A direction of a bone's own frame (T-pose axes) points along ``toward``, in the world or in another bone."""

    bone: str
    own: Vector
    toward: Vector
    spread: float = 6.0
    against: str = ""

    def write(self, state: State, rows: Rows) -> None:
        """See :class:`Goal`."""
        bone, origin = SMPL24.index(self.bone), np.zeros(3)
        points = [(1.0, bone, np.asarray(self.own, np.float64)), (-1.0, bone, origin)]
        target = np.asarray(self.toward, np.float64)
        if self.against:
            other = SMPL24.index(self.against)
            points += [(-1.0, other, target), (1.0, other, origin)]
            target = np.zeros(3)
        for axis in range(3):
            rows.add(points, np.eye(3)[axis], float(target[axis]), float(np.deg2rad(self.spread)))


@dataclass(frozen=True)
class Balance:
    """The centre of mass lies over the middle of what carries the body, shifted by ``shift`` (x, z) metres."""

    over: Sequence[str]
    shift: tuple[float, float] = (0.0, 0.0)
    spread: float = 0.012

    def write(self, state: State, rows: Rows) -> None:
        """See :class:`Goal`."""
        points = [(float(m), j, np.zeros(3)) for j, m in enumerate(MASS) if m]
        for name in self.over:
            bone, local = state.marker(name)
            points.append((-1.0 / len(self.over), bone, local))
        for axis, shift in zip((0, 2), self.shift, strict=True):
            rows.add(points, np.eye(3)[axis], shift, self.spread)


def _lifted(state: State, marker: str, lift: float) -> tuple[int, np.ndarray]:
    """A hand's marker moved off the palm (the palm's normal is −y of the hand's frame)."""
    bone, local = state.marker(marker)
    return bone, local - np.array([0.0, lift, 0.0])


def feet_flat(sides: Sequence[str] = SIDES, at: float = 0.0) -> list[Goal]:
    """Whole soles on a plane."""
    return [Rest(f"{side}_{part}", at) for side in sides for part in ("heel", "ball_in", "ball_out")]
