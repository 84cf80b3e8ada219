"""Random augmentations that depend on seed, epoch and row alone.

Each row has its own place in the random stream of an epoch, so a batch is the same whichever worker makes it, in
whatever order, and for however many workers. A worker makes the stream once an epoch (6 ms for 100,000 rows).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

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


def draw(options: AugmentationOptions, seed: int, epoch: int, keys: NDArray[np.int64], stream: int) -> Draw:
    """The augmentations in an epoch by ``keys`` (B,), rows as a rule, below ``stream``, on which they do not depend."""
    flip, red, green, blue, upright, turn, zoom = _uniform(seed, epoch, stream)[keys].T
    channels = np.stack([red, green, blue], -1)
    degrees = np.clip(options.rotation_std * ndtri(turn), -options.rotation_limit, options.rotation_limit)
    degrees = np.where(upright < options.upright_probability, 0.0, degrees)
    scale = 1.0 + np.clip(options.scale_std * ndtri(zoom), -options.scale_limit, options.scale_limit)
    view = Augmentation.of(scale, np.deg2rad(degrees), flip < options.flip_probability)
    return Draw(view, 1.0 + options.channel_noise * (2.0 * channels - 1.0))


def epoch_order(seed: int, epoch: int, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """``rows`` in the order of an epoch."""
    return np.random.default_rng((seed, epoch)).permutation(rows)


@lru_cache(maxsize=2)  # workers are at most one epoch apart
def _uniform(seed: int, epoch: int, persons: int) -> NDArray[np.float64]:
    """(persons, 7) numbers in (0, 1); those of a row are the same for any number of persons."""
    words = np.random.Philox(np.random.SeedSequence((seed, epoch))).random_raw(persons * _NUMBERS)
    return ((words >> np.uint64(12)).astype(np.float64) + 0.5).reshape(persons, _NUMBERS) * 2.0**-52
