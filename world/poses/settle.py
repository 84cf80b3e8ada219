"""Settling: from a plan (angles as drawn, and goals) to a body that rests, touches, balances and is not in its own way.

Damped least squares over all freedoms at once. Inner steps move the surface's points rigidly with their bones; between
them the real surface is skinned and the points are taken anew, so that what touches in the end is the surface.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from statistics import median

import numpy as np

from pymaf_data.body import BodyModel
from pymaf_data.geometry.joints import SMPL24
from pymaf_data.world.poses.clash import Probes, no_clashes, rows_of_pairs, seat_probes
from pymaf_data.world.poses.descent import Bones, descend, find_clashes, forward
from pymaf_data.world.poses.follow import find_contacts, find_lowest, follow
from pymaf_data.world.poses.freedoms import CHAIN, FREEDOMS
from pymaf_data.world.poses.goals import UP, Goal
from pymaf_data.world.poses.mannequin import Build, Mannequin, mannequin_of
from pymaf_data.world.poses.rows import Rows, Supports, Touching
from pymaf_data.world.poses.segments import TOLERANCES
from pymaf_data.world.poses.skin import skin
from pymaf_data.world.poses.skin_contact import ASKED
from pymaf_data.world.poses.words import Arm, Leg, Trunk, freedoms_of, upright_of
from pymaf_data.world.things import Thing

_ROUNDS = 6
_COARSE = 1  # rounds before contacts are taken from the skin itself
_STILL, _CALM, _CLEAN = 6e-3, 0.06, 0.002  # radians turned in a round that ends it; or metres of what is left
_NEAR_FLOOR, _FLOOR_SPREAD = 0.05, 0.003  # metres

Furnish = Callable[["Settled"], Sequence[Thing]]


@dataclass(frozen=True)
class Plan:
    """A posture as drawn, and what it is asked for.

    Args:
        trunk, arms, legs: the words; (left, right) limbs.
        goals: see :mod:`~pymaf_data.world.poses.goals`.
        furnish: makes what carries the body or what it handles, from the settled surface.
        floor: whether y = 0 is a floor that nothing may sink into.
        airborne: metres between the lowest point and the ground on purpose, 0 on the ground.
        grounded: whether the lowest point of the body lies on the ground (not: on a seat or ladder alone).
        loose: factor on the stiffness of named freedoms (prefix match), > 1 gives way more easily.
    """

    trunk: Trunk = field(default_factory=Trunk)
    arms: tuple[Arm, Arm] = field(default_factory=lambda: (Arm(), Arm()))
    legs: tuple[Leg, Leg] = field(default_factory=lambda: (Leg(), Leg()))
    goals: Sequence[Goal] = ()
    furnish: Furnish | None = None
    floor: bool = True
    airborne: float = 0.0
    grounded: bool = True
    loose: dict[str, float] = field(default_factory=dict)


@dataclass
class Settled:
    """A settled figure, and how well it went.

    Args:
        mannequin: whose patches and markers are meant.
        bones: its joints and rotations.
        vertices: (V, 3) metres.
        q: (46,) the freedoms.
        depth: metres by which the body is inside itself beyond what soft parts allow.
        gap: the largest distance between the body and what firmly carries it, or by which it sinks, metres.
        strain: root mean square of the goals' errors in units of their spread.
    """

    mannequin: Mannequin
    bones: Bones
    vertices: np.ndarray
    q: np.ndarray
    depth: float
    gap: float
    strain: float

    def at(self, name: str) -> np.ndarray:
        """World place (3,) of a marker."""
        return self.vertices[self.mannequin.markers[name]]

    def patch(self, name: str) -> np.ndarray:
        """World places (K, 3) of a patch."""
        return self.vertices[self.mannequin.patches[name]]

    def joint(self, name: str) -> np.ndarray:
        """World place (3,) of a skeleton joint."""
        return self.bones.place[SMPL24.index(name)]

    def bone(self, name: str) -> np.ndarray:
        """World rotation (3, 3) of a bone."""
        return self.bones.world[SMPL24.index(name)]


class Settler:
    """Works on one shape; holds the arrays that kernels fill."""

    def __init__(self, build: Build) -> None:
        self.build, self.mannequin = build, build.mannequin
        J, P = len(build.rest), len(self.mannequin.probes)
        self._bones = Bones(np.empty((J, 3, 3)), np.empty((J, 3, 3)), np.empty((J, 3)), np.zeros((J, 3, 3)))
        self._vertices = np.empty_like(build.shaped)
        self._probes = Probes(self.mannequin.probe_starts, np.empty((P, 3)), np.empty((J, 4)), np.empty((P, 3)))
        self._clashes, self._apart = no_clashes(), rows_of_pairs()
        self._contacts, self._pairs = np.empty((J, J)), np.zeros((J, J, 2), np.int64)

    def settle(self, plan: Plan) -> Settled:
        """Solve a plan."""
        reference, upright = freedoms_of(plan.trunk, plan.arms, plan.legs), upright_of(plan.trunk)
        stiffness, rows = _stiffness(plan), self._rows(plan)
        table, anchors, supports = rows.table(_ROUNDS), rows.anchors(), rows.supports(_ROUNDS)
        touching = Touching.none()
        self._clashes.held[:] = False
        q = reference.copy()
        self._pose(q, upright)
        find_lowest(supports, self._vertices)
        self._lift(q, self._rise(supports))
        find_lowest(supports, self._vertices)
        strain = depth = gap = 0.0
        for number in range(_ROUNDS):
            count = follow(
                table, anchors, supports, touching, self.mannequin.skin, self._contacts, self._pairs,
                number >= _COARSE, self._bones.world, self._bones.place, self._vertices,
            )  # fmt: skip
            error, moved = descend(
                q, reference, stiffness, upright, self.build.rest, CHAIN, self._bones, table, count, self._probes,
                self.build.maps, TOLERANCES, self._clashes, self._apart,
            )  # fmt: skip
            self._skin()
            strain = math.sqrt(error / max(count, 1))
            depth, gap = self._depth(), find_lowest(supports, self._vertices)
            settled = moved < _STILL or (moved < _CALM and max(depth, gap) < _CLEAN)
            if number >= _COARSE and settled:
                break
        bones = Bones(*(array.copy() for array in self._bones))
        return Settled(self.mannequin, bones, self._vertices.copy(), q, depth, gap, strain)

    def depth_of(self, rotations: np.ndarray) -> float:
        """How deep the body is inside itself in local rotations (24, 3, 3), metres."""
        local, world, place, _ = self._bones
        local[:], rest = rotations, self.build.rest
        world[0], place[0] = rotations[0], rest[0]
        for j, above in enumerate(CHAIN.parents[1:], start=1):
            world[j] = world[above] @ rotations[j]
            place[j] = place[above] + world[above] @ (rest[j] - rest[above])
        self._skin()
        return self._depth()

    def _rows(self, plan: Plan) -> Rows:
        """What the plan's goals ask for, and the floor of every bone."""
        rows = Rows()
        for goal in plan.goals:
            goal.write(self.mannequin, rows)
        if plan.floor and not plan.airborne:
            for vertices in self.mannequin.bone_vertices:
                rows.support(vertices, UP, 0.0, _FLOOR_SPREAD, lower=True, near=_NEAR_FLOOR)
        return rows

    def _rise(self, supports: Supports) -> float:
        """Metres by which the drawn posture is lifted to start near what carries it."""
        carrying = ~supports.lower & (supports.normals[:, 1] > 0.9)
        if not carrying.any():
            return -float(self._vertices[:, 1].min())
        return median((supports.ats - supports.heights)[carrying].tolist())

    def _lift(self, q: np.ndarray, rise: float) -> None:
        q[1] += rise
        self._bones.place[:, 1] += rise
        self._vertices[:, 1] += rise

    def _pose(self, q: np.ndarray, upright: np.ndarray) -> None:
        """Bones and surface; probes ride on their bones until the next time."""
        local, world, place, turning = self._bones
        forward(
            q, upright, self.build.rest, CHAIN.parents, CHAIN.freedom, CHAIN.share, CHAIN.axes, local, world, place,
            turning,
        )  # fmt: skip
        self._skin()

    def _skin(self) -> None:
        local, world, place, _ = self._bones
        skin(self.build.shaped, self.build.rest, local, world, place, *self.mannequin.skinning, self._vertices)
        seat_probes(self._probes, self._vertices, self.mannequin.probes, world, place)

    def _depth(self) -> float:
        """Find where the body is inside itself and where limbs touch other skin; the deepest, metres."""
        inside = find_clashes(
            self._probes, self.build.maps, TOLERANCES, self._bones.world, self._bones.place, self._clashes
        )
        m = self.mannequin
        return max(
            inside,
            find_contacts(self._vertices, m.skin, m.clusters, m.fine_probes, ASKED, self._contacts, self._pairs),
        )


def _stiffness(plan: Plan) -> np.ndarray:
    stiffness = CHAIN.stiffness.copy()
    for prefix, factor in plan.loose.items():
        stiffness[_named(prefix)] *= factor
    return stiffness


@cache
def _named(prefix: str) -> list[int]:
    """The freedoms that a prefix means, on both sides."""
    meant = (name.startswith(prefix) or name.partition("_")[2].startswith(prefix) for name in FREEDOMS)
    return [index for index, named in enumerate(meant) if named]


def penetration(body: BodyModel, betas: np.ndarray, rotations: np.ndarray) -> float:
    """How deep a posed body lies inside itself, metres beyond what soft parts allow; the generator's own fast check.

    Args:
        body: a float64 body that knows its mirror partners.
        betas: (10,).
        rotations: (24, 3, 3) relative to the parents.
    """
    settler = Settler(Build(mannequin_of(body), betas))
    return settler.depth_of(rotations)
