"""Goals as rows: written once per plan, and made to follow the surface from round to round.

A row wants a weighted sum of points that ride on bones to have a value along a direction (see
:mod:`~pymaf_data.world.poses.descent`). Most rows keep their points, markers of the skin, and only ask where these
lie on their bones now. Supports choose theirs anew: the vertex that lies lowest. Metres, the figure's world.

Shape letters: N rows, K points, S supports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

Vector = Sequence[float]


_MOST_TOUCHING = 256  # pairs that are remembered; a posture has some ten


class Point(NamedTuple):
    """``factor`` times a point that rides on a bone: a vertex, or without one the joint; moved in the bone's frame."""

    factor: float
    bone: int
    vertex: int = -1
    shift: Vector = (0.0, 0.0, 0.0)


class Table(NamedTuple):
    """Rows as the kernels take them.

    Args:
        starts: (N + 1,) where the points of each row begin.
        factors, bones, locals: (K,), (K,), (K, 3) points in their bones' frames.
        normals, targets: (N, 3), (N,) what they are to come to.
        weights: (N,) one over the spread.
        lower: (N,) 0, or 1 where more than the target does as well; see :func:`~.descent.gather`.
    """

    starts: np.ndarray
    factors: np.ndarray
    bones: np.ndarray
    locals: np.ndarray
    normals: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    lower: np.ndarray


class Supports(NamedTuple):
    """Patches of which the lowest vertex matters.

    Args:
        ids, starts: vertices of all patches one after another, and where each begins, (S + 1,).
        normals, ats: (S, 3), (S,) planes normal · x = at.
        spreads: (S,) metres.
        near: (S,) metres above the plane from which on it does not matter.
        lower: (S,) whether the patch may be above the plane.
        lowest, heights: (S,) the vertex that lies lowest now, and how high along the normal.
        seen, counts: (S, R), (S,) vertices that lay lowest in earlier rounds.
    """

    ids: np.ndarray
    starts: np.ndarray
    normals: np.ndarray
    ats: np.ndarray
    spreads: np.ndarray
    near: np.ndarray
    lower: np.ndarray
    lowest: np.ndarray
    heights: np.ndarray
    seen: np.ndarray
    counts: np.ndarray


class Anchors(NamedTuple):
    """Where the points of the first rows sit.

    Args:
        vertices: (K,) −1 for the joint.
        shifts: (K, 3) metres that they are moved in their bones' frames.
        rows: how many rows these are.
    """

    vertices: np.ndarray
    shifts: np.ndarray
    rows: int


class Touching(NamedTuple):
    """Limbs that have touched skin: pairs (L, 2) of a probe and the vertex that it met, and their number (1,)."""

    pairs: np.ndarray
    number: np.ndarray

    @classmethod
    def none(cls) -> Touching:
        """Nothing yet."""
        return cls(np.zeros((_MOST_TOUCHING, 2), np.int64), np.zeros(1, np.int64))


@dataclass
class Rows:
    """What a plan asks for, under construction."""

    points: list[Point] = field(default_factory=list)
    starts: list[int] = field(default_factory=lambda: [0])
    wanted: list[tuple[Vector, float, float]] = field(default_factory=list)
    patches: list[np.ndarray] = field(default_factory=list)
    planes: list[tuple[Vector, float, float, float, bool]] = field(default_factory=list)

    def add(self, points: Sequence[Point], normal: Vector, target: float, spread: float) -> None:
        """One row: Σ factor · point along ``normal`` is to be ``target``."""
        self.points += points
        self.starts.append(len(self.points))
        self.wanted.append((normal, target, spread))

    def support(self, ids: np.ndarray, normal: Vector, at: float, spread: float, lower: bool,
                near: float = np.inf) -> None:  # fmt: skip
        """A patch whose lowest vertex touches the plane normal · x = at, or with ``lower`` stays above it."""
        self.patches.append(ids)
        self.planes.append((normal, at, spread, near, lower))

    def table(self, rounds: int) -> Table:
        """The rows of markers, and room for what supports and touching limbs add in so many rounds."""
        fixed, moving = len(self.wanted), rounds * len(self.planes) + _MOST_TOUCHING
        K, N = len(self.points) + 2 * moving, fixed + moving
        table = Table(
            np.zeros(N + 1, np.int64), np.empty(K), np.zeros(K, np.int64), np.empty((K, 3)), np.empty((N, 3)),
            np.empty(N), np.empty(N), np.zeros(N, np.int64),
        )  # fmt: skip
        table.starts[: fixed + 1] = self.starts
        table.factors[: len(self.points)] = [point.factor for point in self.points]
        table.bones[: len(self.points)] = [point.bone for point in self.points]
        for i, (normal, target, spread) in enumerate(self.wanted):
            table.normals[i], table.targets[i], table.weights[i] = normal, target, 1.0 / spread
        return table

    def anchors(self) -> Anchors:
        """Where the points of these rows sit."""
        return Anchors(
            np.array([point.vertex for point in self.points], np.int64),
            np.array([point.shift for point in self.points], np.float64).reshape(-1, 3),
            len(self.wanted),
        )

    def supports(self, rounds: int) -> Supports:
        """All supports, nothing seen yet."""
        S = len(self.planes)
        planes = np.array([(*normal, at, spread, near) for normal, at, spread, near, _ in self.planes]).reshape(-1, 6)
        ats, spreads, near = planes[:, 3:].T.copy()
        return Supports(
            np.concatenate(self.patches) if S else np.empty(0, np.int64), np.cumsum([0, *map(len, self.patches)]),
            planes[:, :3].copy(), ats, spreads, near, np.array([lower for *_, lower in self.planes], np.bool_),
            np.zeros(S, np.int64), np.zeros(S), np.zeros((S, rounds), np.int64), np.zeros(S, np.int64),
        )  # fmt: skip
