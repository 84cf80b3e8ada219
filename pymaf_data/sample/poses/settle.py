"""Settling: from a plan (angles as drawn, and goals) to a body that rests, touches, balances and is not in its own way.

Damped least squares over all freedoms at once. Inner steps move the surface's points rigidly with their bones; between
them the real surface is skinned and the points are taken anew, so that what touches in the end is the surface.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pymaf_data.body import BodyModel
from pymaf_data.sample.poses import clash, kinematics, skin_contact
from pymaf_data.sample.poses.freedoms import CHAIN, FREEDOMS, PLACE
from pymaf_data.sample.poses.goals import Goal, Rest, Rows, State
from pymaf_data.sample.poses.mannequin import Build, mannequin_of
from pymaf_data.sample.poses.skin import skin
from pymaf_data.sample.poses.words import Arm, Leg, Trunk, freedoms_of, upright_of
from pymaf_data.sample.things import Thing

_ROUNDS, _STEPS = 6, 5
_COARSE = 1  # rounds before contacts are taken from the skin itself
_LONGEST = 0.35  # radians that one step may turn a joint
_DONE = 4e-3  # radians of a step after which the rest is below what contacts are measured by
_STILL, _CALM, _CLEAN = 6e-3, 0.06, 0.002  # radians turned in a round that ends it; or metres of what is left
_CLASH_SPREAD = 0.002
_NEAR_SKIN, _BESIDE = 0.012, 0.03  # metres: when a limb touches skin, and while a vertex speaks for its plane
_NEAR_FLOOR = 0.05
_FIRM = 0.006  # metres of spread up to which a support is meant exactly
_APART = np.tile([1.0, -1.0], 24 * len(clash.SEGMENTS))  # the probe minus the point it lies in

_Rows = tuple[np.ndarray, ...]  # as Rows.arrays gives them
Furnish = Callable[["Settled"], Sequence[Thing]]


@dataclass(frozen=True)
class Plan:
    """A posture as drawn, and what it is asked for.

    Args:
        trunk, arms, legs: the words; (left, right) limbs.
        goals: see :mod:`~pymaf_data.sample.poses.goals`.
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
class Settled(State):
    """A settled figure: the state, its local rotations (24, 3, 3), and how well it went.

    Args:
        depth: metres by which the body is inside itself beyond what soft parts allow.
        gap: the largest distance between the body and what firmly carries it, or by which it sinks, metres.
        strain: root mean square of the goals' errors in units of their spread.
    """

    rotations: np.ndarray
    q: np.ndarray
    build: Build
    depth: float = 0.0
    gap: float = 0.0
    strain: float = 0.0


class Settler:
    """Works on one shape; holds the arrays that kernels fill."""

    def __init__(self, build: Build) -> None:
        J, S = len(CHAIN.parents), len(clash.SEGMENTS)
        self.build, self.mannequin = build, build.mannequin
        self._local, self._world, self._turning = np.empty((J, 3, 3)), np.empty((J, 3, 3)), np.zeros((J, 3, 3))
        self._place, self._vertices = np.empty((J, 3)), np.empty_like(build.shaped)
        self._depths, self._normals = np.empty((J, S)), np.empty((J, S, 3))
        self._touching = np.zeros((J, S), np.int64)
        self._points = np.empty((len(self.mannequin.probes), 3))
        self._pair_bones, self._pair_locals = np.zeros(2 * J * S, np.int64), np.zeros((2 * J * S, 3))
        self._pair_places = np.zeros((J * S, 2), np.int64)
        self._contacts, self._pairs = np.empty((J, J)), np.zeros((J, J, 2), np.int64)
        self._held = np.zeros((J, S), np.bool_)  # pairs that clashed and are kept just apart

    def settle(self, plan: Plan) -> Settled:
        """Solve a plan."""
        reference = freedoms_of(plan.trunk, plan.arms, plan.legs)
        upright = upright_of(plan.trunk)
        self._held[:] = False
        self._seen: dict[object, list[int]] = {}
        self._lying: dict[tuple[int, int], None] = {}
        stiffness = _stiffness(plan)
        q = reference.copy()
        self._pose(q, upright)
        rise = self._rise(plan)
        q[1] += rise
        self._place[:, 1] += rise
        self._vertices[:, 1] += rise
        strain = depth = gap = 0.0
        for number in range(_ROUNDS):
            rows = self._rows(plan, fine=number >= _COARSE)
            error, moved = self._descend(q, reference, upright, stiffness, rows)
            self._pose(q, upright)
            strain = float(np.sqrt(error / max(len(rows[5]), 1)))
            depth, gap = max(self._clashes(), self._touch()), self._gap(plan)
            settled = moved < _STILL or (moved < _CALM and max(depth, gap) < _CLEAN)
            if number >= _COARSE and settled:
                break
        return Settled(
            self.mannequin, self._world.copy(), self._place.copy(), self._vertices.copy(), {}, self._local.copy(), q,
            self.build, depth, gap, strain,
        )  # fmt: skip

    def _descend(
        self, q: np.ndarray, reference: np.ndarray, upright: np.ndarray, stiffness: np.ndarray, rows: _Rows
    ) -> tuple[float, float]:
        """Steps of one round; q changes in place. The rows' last cost, and how many radians joints turned at most."""
        error = moved = 0.0
        for _ in range(_STEPS):
            hessian, gradient = np.zeros((len(q), len(q))), np.zeros(len(q))
            error = self._gather(rows, hessian, gradient)
            self._push_apart(hessian, gradient)
            size = kinematics.step(q, reference, stiffness, CHAIN.low, CHAIN.high, hessian, gradient, _LONGEST)
            moved += size
            self._move(q, upright)
            if size < _DONE:
                break
        return error, moved

    def _rise(self, plan: Plan) -> float:
        """Metres by which the drawn posture is lifted to start near what carries it."""
        supports = [goal for goal in plan.goals if isinstance(goal, Rest) and not goal.lower and goal.normal[1] > 0.9]
        if not supports:
            return -float(self._vertices[:, 1].min())
        patches = self.mannequin.patches
        return float(np.median([goal.at - self._vertices[patches[goal.patch], 1].min() for goal in supports]))

    def _gap(self, plan: Plan) -> float:
        """The largest distance between a firm support and what it carries, or by which something sinks, metres."""
        worst = -float(self._vertices[:, 1].min()) if plan.floor and not plan.airborne else 0.0
        for goal in plan.goals:
            if isinstance(goal, Rest) and goal.spread <= _FIRM:
                reached = self._vertices[self.mannequin.patches[goal.patch]] @ np.asarray(goal.normal)
                error = float(reached.min()) - goal.at
                worst = max(worst, -error if goal.lower else abs(error))
        return worst

    def _move(self, q: np.ndarray, upright: np.ndarray) -> None:
        kinematics.forward(
            q, upright, self.build.rest, CHAIN.parents, CHAIN.freedom, CHAIN.share, CHAIN.axes, self._local,
            self._world, self._place, self._turning,
        )  # fmt: skip

    def _pose(self, q: np.ndarray, upright: np.ndarray) -> None:
        """Bones and surface; probes ride on their bones until the next time."""
        self._move(q, upright)
        self._skin()

    def depth_of(self, rotations: np.ndarray) -> float:
        """How deep the body is inside itself in local rotations (24, 3, 3), metres."""
        self._local[:], rest = rotations, self.build.rest
        self._world[0], self._place[0] = rotations[0], rest[0]
        for j, above in enumerate(CHAIN.parents[1:], start=1):
            self._world[j] = self._world[above] @ rotations[j]
            self._place[j] = self._place[above] + self._world[above] @ (rest[j] - rest[above])
        self._skin()
        return max(self._clashes(), self._touch())

    def _skin(self) -> None:
        m = self.mannequin
        skin(self.build.shaped, self.build.rest, self._local, self._world, self._place, *m.skin,
             self._vertices)  # fmt: skip
        offset = self._vertices[m.probes] - self._place[m.probe_bones]
        self._probe_locals = np.einsum("pij,pi->pj", self._world[m.probe_bones], offset)

    def _rows(self, plan: Plan, fine: bool) -> _Rows:
        state = State(self.mannequin, self._world, self._place, self._vertices, self._seen)
        rows = Rows()
        for goal in plan.goals:
            goal.write(state, rows)
        if plan.floor and not plan.airborne:
            self._stay_above(state, rows)
        if fine:
            self._lie_on(state, rows)
        return rows.arrays()

    def _lie_on(self, state: State, rows: Rows) -> None:
        """Limbs that touch the body stay outside the planes of the skin that they touch."""
        for own, other in zip(*np.nonzero(self._contacts > -_NEAR_SKIN), strict=True):
            pair = (int(self._pairs[own, other, 0]), int(self._pairs[own, other, 1]))
            self._lying[pair] = None
        for probe, met in self._lying:  # those of earlier rounds too: a hand must not tip over the one it stands on
            if np.linalg.norm(self._vertices[probe] - self._vertices[met]) > _BESIDE:
                continue
            normal = skin_contact.normal_at(met, self._vertices, self.mannequin.faces, self.mannequin.clusters.faces)
            points = [(1.0, *state.local(probe)), (-1.0, *state.local(met))]
            rows.add(points, normal, 0.001, _CLASH_SPREAD, lower=True)

    def _touch(self) -> float:
        """Find where limbs touch other skin; the deepest, metres."""
        m = self.mannequin
        skin_contact.find_contacts(
            self._vertices, m.faces, m.fine_probes, m.owner, *m.clusters, skin_contact.ASKED, self._contacts,
            self._pairs,
        )  # fmt: skip
        return max(float(self._contacts.max()), 0.0)

    def _stay_above(self, state: State, rows: Rows) -> None:
        """The lowest vertex of each bone that is near the floor stays above it."""
        m = self.mannequin
        height = self._vertices[m.by_bone, 1]
        lowest = np.minimum.reduceat(height, m.bone_starts)
        for bone in np.flatnonzero(lowest < _NEAR_FLOOR):
            ids = m.by_bone[m.bone_starts[bone] :][: np.count_nonzero(m.owner == bone)]
            vertex, others = state.lowest(int(bone), ids, self._vertices[ids, 1])
            for point in (vertex, *others):
                rows.add([(1.0, *state.local(point))], (0.0, 1.0, 0.0), 0.0, 0.003, lower=True)

    def _gather(self, rows: _Rows, hessian: np.ndarray, gradient: np.ndarray) -> float:
        starts, factors, bones, points, normals, targets, weights, lower = rows
        return float(
            kinematics.gather(
                self._world, self._place, self._turning, CHAIN.parents, CHAIN.freedom, starts, factors, bones, points,
                normals, targets, weights, lower, hessian, gradient,
            )
        )  # fmt: skip

    def _clashes(self) -> float:
        """Find where the body is inside itself; the deepest, metres."""
        m = self.mannequin
        bones = m.probe_bones
        clash.ride(self._world, self._place, bones, self._probe_locals, self._points)
        origins, axes, first, second, lengths, radii = self.build.segments
        clash.find_clashes(
            self._points, bones, self._world, self._place, clash.SEGMENT_BONES, origins, axes, first, second, lengths,
            radii, clash.TOLERANCES, self._depths, self._normals, self._touching,
        )  # fmt: skip
        return max(float(self._depths.max()), 0.0)

    def _push_apart(self, hessian: np.ndarray, gradient: np.ndarray) -> None:
        """Rows that lead clashing parts out of each other."""
        self._clashes()
        n = clash.rows_apart(
            self._held, self._depths, self._touching, self._world, self._place, clash.SEGMENT_BONES, self._points,
            self._probe_locals, self._pair_bones, self._pair_locals, self._pair_places,
        )  # fmt: skip
        if not n:
            return
        own, segment = self._pair_places[:n, 0], self._pair_places[:n, 1]
        rows = (
            2 * np.arange(n + 1), _APART[: 2 * n], self._pair_bones, self._pair_locals, self._normals[own, segment],
            self._depths[own, segment] + 0.001, np.full(n, 1 / _CLASH_SPREAD), np.zeros(n, np.int64),
        )  # fmt: skip
        self._gather(rows, hessian, gradient)


def _stiffness(plan: Plan) -> np.ndarray:
    stiffness = CHAIN.stiffness.copy()
    for prefix, factor in plan.loose.items():
        for name in FREEDOMS:
            if name.startswith(prefix) or name.partition("_")[2].startswith(prefix):
                stiffness[PLACE[name]] *= factor
    return stiffness


def penetration(body: BodyModel, betas: np.ndarray, rotations: np.ndarray) -> float:
    """How deep a posed body lies inside itself, metres beyond what soft parts allow; the generator's own fast check.

    Args:
        body: a float64 body that knows its mirror partners.
        betas: (10,).
        rotations: (24, 3, 3) relative to the parents.
    """
    settler = Settler(Build(mannequin_of(body), betas))
    return settler.depth_of(rotations)
