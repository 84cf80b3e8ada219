"""Which adults the shape space is learned from: phenotypes drawn for the study, and others held out."""

from __future__ import annotations

import numpy as np

TRAINING, HELD_OUT = 400, 100


def draw_phenotypes(count: int, seed: int) -> dict[str, np.ndarray]:
    """``count`` adults as Anny's phenotype values in [0, 1], each an array (count,).

    Ages from a grown adult (.62) on. A height of .365 gives about 1.69 m. One in seven is obese, which Anny
    shows only where weight is high and muscle low.
    """
    rng = np.random.default_rng(seed)

    def bell(mean: float, spread: float) -> np.ndarray:
        return np.clip(rng.normal(mean, spread, count), 0.0, 1.0)

    gender = np.clip(rng.integers(0, 2, count) + rng.normal(0.0, 0.2, count), 0.0, 1.0)
    heavy = rng.random(count) < 1 / 7
    weight = np.where(heavy, rng.uniform(0.75, 1.0, count), bell(0.5, 0.2))
    muscle = np.where(heavy, rng.uniform(0.0, 0.35, count), bell(0.5, 0.2))
    races = rng.dirichlet([1.0, 1.0, 1.0], count)
    return {
        "gender": gender,
        "age": rng.uniform(0.62, 1.0, count),
        "height": bell(0.365, 0.075),
        "weight": weight,
        "muscle": muscle,
        "proportions": bell(0.5, 0.2),
        "cupsize": bell(0.5, 0.2),
        "firmness": bell(0.5, 0.2),
        "african": races[:, 0],
        "asian": races[:, 1],
        "caucasian": races[:, 2],
    }
