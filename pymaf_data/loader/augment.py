"""Random augmentations that depend on seed, epoch and row alone.

Each row of each epoch has its own place in the stream of a counter-based generator (Philox), so a batch is the same
whichever worker makes it, in whatever order, and for however many workers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from pymaf_data.geometry.views import Augmentation
from pymaf_data.loader.options import AugmentationOptions

_NUMBERS = 7  # flip, three channels, upright, rotation, scale


@dataclass(frozen=True)
class Draw:
    """What happens to B views.

    Attributes:
        view: where everything moves.
        gain: (B, 3) factors of the colour channels.
    """

    view: Augmentation
    gain: NDArray[np.float64]


def draw(options: AugmentationOptions, seed: int, epoch: int, rows: NDArray[np.int64]) -> Draw:
    """The augmentations of ``rows`` (B,) in an epoch."""
    flip, red, green, blue, upright, turn, zoom = _uniform(seed, epoch, rows).T
    channels = np.stack([red, green, blue], -1)
    degrees = np.clip(options.rotation_std * ndtri(turn), -options.rotation_limit, options.rotation_limit)
    degrees = np.where(upright < options.upright_probability, 0.0, degrees)
    scale = 1.0 + np.clip(options.scale_std * ndtri(zoom), -options.scale_limit, options.scale_limit)
    view = Augmentation.of(scale, np.deg2rad(degrees), flip < options.flip_probability)
    return Draw(view, 1.0 + options.channel_noise * (2.0 * channels - 1.0))


def epoch_order(seed: int, epoch: int, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """``rows`` in the order of an epoch."""
    return np.random.default_rng((seed, epoch)).permutation(rows)


def _uniform(seed: int, epoch: int, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """(B, 7) numbers in (0, 1)."""
    # The lowest word of the counter moves while numbers are drawn; epoch and row stand above it.
    words = [np.random.Philox(key=seed, counter=[0, 0, epoch, row]).random_raw(_NUMBERS) for row in rows.tolist()]
    mantissa = np.array(words, dtype=np.uint64).reshape(-1, _NUMBERS) >> np.uint64(12)
    return (mantissa.astype(np.float64) + 0.5) * 2.0**-52
