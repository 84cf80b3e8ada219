"""The search for one body per person: many starts, their rivals, one choice by energy.

    1. every start takes a few steps; the best few that differ go on
    2. each is joined by its mirrored trunk
    3. each limb of each survivor tries its mirrored bones; the best of every limb are put together
    4. the finalists converge; the lowest total energy (pose posterior + visibility cues) is the fit

Every stage has a fixed number of bodies per person and of steps: the cost is known, and persons stay independent.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pymaf_data.fits.fitter.cues import Cues
from pymaf_data.fits.fitter.flips import LIMBS, MIRRORS, flip_limb, mirror_trunk
from pymaf_data.fits.fitter.initial import initial_states, place
from pymaf_data.fits.fitter.objective import Objective, Observation, State
from pymaf_data.fits.fitter.options import SearchOptions
from pymaf_data.fits.fitter.prior import PosePrior
from pymaf_data.fits.fitter.rig import KeypointRig
from pymaf_data.fits.fitter.solver import solve


@dataclass(frozen=True)
class Found:
    """B fitted bodies, their total energies (B,), and the margin (B,) by which a rival heading lost."""

    state: State
    energy: Tensor
    margin: Tensor


class Search:
    """Fits the rig of a body to observations."""

    def __init__(self, rig: KeypointRig, options: SearchOptions) -> None:
        self.objective, self.options, self.cues = Objective(rig, PosePrior()), options, Cues()

    def __call__(self, seen: Observation) -> Found:
        """Search for B persons at once."""
        options = self.options
        start = self.objective.prior.mean()
        state, person = initial_states(self.objective, seen, start)
        state, energy = self._solved(state, seen.rows(person), options.start_steps)
        state, energy, person = self._best(state, energy, person, options.survivors)

        rivals = place(self.objective, mirror_trunk(self.objective, state), seen.rows(person))
        state, person = State.cat([state, rivals]), torch.cat([person, person])
        state, energy = self._solved(state, seen.rows(person), options.rival_steps)
        state, energy, person = self._best(state, energy, person, options.finalists)

        for _ in range(options.flip_rounds):
            state, energy = self._flipped(state, energy, seen.rows(person))
        state, energy = self._solved(state, seen.rows(person), options.final_steps)
        return self._chosen(state, energy, len(seen.target))

    def total(self, state: State, seen: Observation) -> Tensor:
        """(B,) posterior energy and cues."""
        posed = self.objective.posed(state)
        return self.objective.energy(state, seen, posed) + self.options.cues * self.cues.energy(posed, seen)

    def _solved(self, state: State, seen: Observation, steps: int) -> tuple[State, Tensor]:
        state, _ = solve(self.objective, state, seen, steps)
        return state, self.total(state, seen)

    def _best(self, state: State, energy: Tensor, person: Tensor, keep: int) -> tuple[State, Tensor, Tensor]:
        """The ``keep`` lowest of each person that face at least ``distinct`` apart, sorted; rivals fill up."""
        persons = int(person.max()) + 1
        members = person.argsort(stable=True).reshape(persons, -1)
        energies = energy[members]
        roots = state.root[members]
        taken: list[Tensor] = []
        blocked = torch.zeros_like(energies, dtype=torch.bool)
        for _ in range(keep):
            # Too close to one already taken: only when nothing else is left.
            price = torch.where(blocked, energies + 1e6, energies)
            if taken:
                price.scatter_(1, torch.stack(taken, 1), torch.inf)
            best = price.argmin(1)
            taken.append(best)
            chosen = roots[torch.arange(persons), best]
            cosine = ((roots * chosen[:, None]).sum((-1, -2)) - 1) / 2
            blocked |= cosine > self.options.distinct_cosine
        index = members.gather(1, torch.stack(taken, 1)).reshape(-1)
        return state.rows(index), energy[index], person[index]

    def _flipped(self, state: State, energy: Tensor, seen: Observation) -> tuple[State, Tensor]:
        """Try every limb's mirrored bones, then all winners together; nothing gets worse."""
        B = len(energy)
        trials = [flip_limb(self.objective, state, limb, mirrors) for limb in LIMBS for mirrors in MIRRORS]
        everyone = torch.arange(B).repeat(len(trials))
        tried, cost = self._solved(State.cat(trials), seen.rows(everyone), self.options.flip_steps)
        cost = cost.reshape(len(LIMBS), len(MIRRORS), B)
        angles = tried.angles.reshape(len(LIMBS), len(MIRRORS), B, -1)
        together = state.angles.clone()
        for index, limb in enumerate(LIMBS):
            low, which = cost[index].min(0)
            columns = list(limb.columns)
            winner = angles[index, which, torch.arange(B)][:, columns]
            together[:, columns] = torch.where((low < energy)[:, None], winner, together[:, columns])
        joined = State(state.root, state.position, together, state.betas)
        single = cost.reshape(-1, B).argmin(0) * B + torch.arange(B)
        best_single = tried.rows(single)
        joined, joined_cost = self._solved(joined, seen, self.options.flip_steps)
        best_cost = cost.reshape(-1, B).amin(0)
        use_joined = joined_cost <= best_cost
        best, best_energy = joined.where(use_joined, best_single), torch.minimum(joined_cost, best_cost)
        return best.where(best_energy < energy, state), torch.minimum(best_energy, energy)

    def _chosen(self, state: State, energy: Tensor, persons: int) -> Found:
        energies = energy.reshape(persons, -1)
        best = energies.argmin(1)
        index = torch.arange(persons) * energies.shape[1] + best
        forward = state.root[:, :, 2].reshape(persons, -1, 3)
        apart = (forward * forward[torch.arange(persons), best][:, None]).sum(-1) < self.options.distinct_cosine
        rival = torch.where(apart, energies, torch.inf).amin(1)
        return Found(state.rows(index), energy[index], rival - energy[index])
