"""How likely a pose is before its image is seen.

The pose priors of the literature are trained on licensed motion capture. This one is written down: each part of the
body (spine, neck, the legs together, each arm) is in one of a few *habits*, a Gaussian over its anatomical angles,
with the share of time people in photographs spend in it. Legs stand, walk, wait ready, sit, crouch or run; arms hang,
work in front of the body, reach up or spread. Parts are independent but for what the habits carry, which keeps the
table readable.

The energy of a part is −log of its most likely habit (a max-mixture: smooth enough for Gauss-Newton, and it never
averages sitting with standing). Numbers are mean ± standard deviation in degrees, set from textbook gait and posture
ranges and by eye on rendered poses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pymaf_data.fits.fitter.limits import ANGLES

# How much of a habit's normalisation (log of its volume) counts. At 1 a narrow habit is so dense that whatever can
# be explained by leaning and standing straight is, rather than by bent knees; at 0 the broadest habit is free.
_VOLUME = 0.35

Table = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Habit:
    """One way to hold a part of the body: share of time, then mean and deviation in degrees for each angle."""

    name: str
    share: float
    angles: Table


def _leg(hip: Table, knee: tuple[float, float]) -> Table:
    return {**{f"hip.{name}": value for name, value in hip.items()}, "knee.flexion": knee}


def _legs(name: str, share: float, left: Table, right: Table) -> Habit:
    sides = (("left_", left), ("right_", right))
    return Habit(name, share, {side + key: value for side, table in sides for key, value in table.items()})


def _arm(collar: Table, shoulder: Table, elbow: tuple[float, float]) -> Table:
    return {
        **{f"collar.{name}": value for name, value in collar.items()},
        **{f"shoulder.{name}": value for name, value in shoulder.items()},
        "elbow.flexion": elbow,
    }


_LOW_COLLAR: Table = {"elevation": (0, 6), "protraction": (1, 6)}
_HIGH_COLLAR: Table = {"elevation": (14, 8), "protraction": (3, 7)}

SPINE = (
    Habit("upright", 0.65, {"flexion": (6, 11), "lateral": (0, 7), "twist": (0, 10)}),
    Habit("stooped", 0.35, {"flexion": (28, 20), "lateral": (0, 11), "twist": (0, 15)}),
)
NECK = (Habit("any", 1.0, {"flexion": (4, 17), "lateral": (0, 10), "twist": (0, 26)}),)
_STAND = _leg({"flexion": (5, 11), "abduction": (4, 7), "external": (4, 11)}, (7, 9))
_STEP = _leg({"flexion": (18, 20), "abduction": (5, 8), "external": (4, 13)}, (25, 20))
_READY = _leg({"flexion": (48, 20), "abduction": (12, 11), "external": (6, 14)}, (50, 22))
_LIFT = _leg({"flexion": (60, 28), "abduction": (8, 12), "external": (6, 16)}, (70, 32))
_TRAIL = _leg({"flexion": (-8, 12), "abduction": (6, 10), "external": (5, 13)}, (40, 32))
_SIT = _leg({"flexion": (82, 17), "abduction": (10, 12), "external": (5, 15)}, (80, 24))
_CROUCH = _leg({"flexion": (98, 22), "abduction": (18, 15), "external": (10, 18)}, (118, 22))

LEGS = (
    _legs("stand", 0.36, _STAND, _STAND),
    _legs("walk", 0.18, _STEP, _STEP),
    _legs("ready", 0.12, _READY, _READY),
    _legs("sit", 0.13, _SIT, _SIT),
    _legs("crouch", 0.05, _CROUCH, _CROUCH),
    _legs("lift left", 0.04, _LIFT, _STAND),
    _legs("lift right", 0.04, _STAND, _LIFT),
    _legs("run left", 0.04, _LIFT, _TRAIL),
    _legs("run right", 0.04, _TRAIL, _LIFT),
)
ARM = (
    Habit(
        "hang",
        0.40,
        _arm(_LOW_COLLAR, {"elevation": (-68, 13), "forward": (6, 17), "internal": (0, 25)}, (25, 20)),
    ),
    Habit(
        "work",
        0.35,
        _arm(_LOW_COLLAR, {"elevation": (-55, 20), "forward": (35, 27), "internal": (8, 35)}, (75, 32)),
    ),
    Habit(
        "spread",
        0.13,
        _arm(_LOW_COLLAR, {"elevation": (-15, 25), "forward": (15, 30), "internal": (0, 35)}, (35, 30)),
    ),
    Habit(
        "raise",
        0.12,
        _arm(_HIGH_COLLAR, {"elevation": (40, 28), "forward": (22, 30), "internal": (-5, 35)}, (50, 38)),
    ),
)


def _parts() -> list[tuple[str, tuple[Habit, ...]]]:
    return [("spine.", SPINE), ("neck.", NECK), ("", LEGS), ("left_", ARM), ("right_", ARM)]


class PosePrior:
    """Energies and residuals of the table above, as matrices over the 26 angles."""

    def __init__(self) -> None:
        self.parts: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        for prefix, habits in _parts():
            columns = [ANGLES.index(prefix + name) for name in habits[0].angles]
            mean = np.radians([[value[0] for value in habit.angles.values()] for habit in habits])
            deviation = np.radians([[value[1] for value in habit.angles.values()] for habit in habits])
            constant = _VOLUME * np.log(deviation).sum(1) - np.log([habit.share for habit in habits])
            best = constant.min()
            mean_, precision, offset = (torch.from_numpy(a) for a in (mean, 1 / deviation, constant - best))
            self.parts.append((torch.tensor(columns), mean_, precision, offset))

    def mean(self) -> Tensor:
        """(26,) the mean of every part's first habit: standing upright, arms down."""
        angles = torch.zeros(len(ANGLES), dtype=torch.float64)
        for columns, mean, _, _ in self.parts:
            angles[columns] = mean[0]
        return angles

    def residuals(self, angles: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of the likeliest habit of each part.

        Args:
            angles: (B, 26) radians.

        Returns:
            residuals (B, 26) in standard deviations, their derivatives (B, 26) by the same angle, and the habits'
            constants (B,), so that energy = ½ Σ residuals² + constants.
        """
        residual, slope = torch.zeros_like(angles), torch.zeros_like(angles)
        constant = torch.zeros_like(angles[:, 0])
        for columns, mean, precision, offset in self.parts:
            scaled = (angles[:, columns][:, None] - mean) * precision  # (B, habits, n)
            habit = (0.5 * scaled.square().sum(-1) + offset).argmin(-1)
            residual[:, columns] = scaled.gather(1, habit[:, None, None].expand(-1, 1, len(columns)))[:, 0]
            slope[:, columns] = precision[habit]
            constant = constant + offset[habit]
        return residual, slope, constant

    def energy(self, angles: Tensor) -> Tensor:
        """−log likelihood (B,) up to a constant."""
        residual, _, constant = self.residuals(angles)
        return 0.5 * residual.square().sum(-1) + constant
