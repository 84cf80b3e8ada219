"""Statistics of many figures: what the tests bound, and what a person who tunes families wants to see."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
import torch

from pymaf_data.body import BodyModel
from pymaf_data.fits.fitter.limits import worst_violation
from pymaf_data.geometry.joints import SMPL24
from pymaf_data.geometry.rotations import matrix_to_axis_angle
from pymaf_data.world.poses import Figure, draw_figure, penetration


class Census(NamedTuple):
    """Shares of families; share in which the left hand is the higher one; metres and degrees per figure."""

    families: dict[str, float]
    left_hand_higher: float
    lowest: np.ndarray
    depth: np.ndarray
    stature: np.ndarray
    violation: np.ndarray
    airborne: np.ndarray

    def __str__(self) -> str:
        shares = ", ".join(f"{name} {100 * share:.1f}" for name, share in sorted(self.families.items()))
        stature = ", ".join(f"{value:.2f}" for value in np.percentile(self.stature, [0, 5, 50, 95, 100]))
        standing = self.lowest[~self.airborne]
        return (
            f"families %: {shares}\nleft hand higher: {100 * self.left_hand_higher:.1f} %\n"
            f"inside itself mm: mean {1000 * self.depth.mean():.2f}, most {1000 * self.depth.max():.2f}\n"
            f"lowest vertex mm: {1000 * standing.min():.2f} … {1000 * standing.max():.2f}\n"
            f"stature m (0, 5, 50, 95, 100 %): {stature}\nbeyond joint limits °: {self.violation.max():.3f}"
        )


def census(body: BodyModel, figures: list[Figure]) -> Census:
    """Count and measure."""
    counts = Counter(figure.family for figure in figures)
    left, right = SMPL24.index("left_wrist"), SMPL24.index("right_wrist")
    pose = matrix_to_axis_angle(torch.from_numpy(np.stack([figure.rotations for figure in figures]))).reshape(-1, 72)
    betas = np.stack([figure.betas for figure in figures])
    # Stature of the T-pose, as the shape draws it.
    shaped = body.v_template.numpy()[:, 1] + np.einsum("vk,bk->bv", body.shapedirs.numpy()[:, 1], betas)
    return Census(
        {name: count / len(figures) for name, count in counts.items()},
        float(np.mean([figure.skeleton[left, 1] > figure.skeleton[right, 1] for figure in figures])),
        np.array([figure.vertices[:, 1].min() for figure in figures]),
        np.array([penetration(body, figure.betas, figure.rotations) for figure in figures]),
        np.ptp(shaped, axis=1),
        worst_violation(pose)[0].numpy(),
        np.array([figure.airborne for figure in figures]),
    )


def draw_many(body: BodyModel, count: int, seed: int, split: str) -> list[Figure]:
    """Figures of one seed."""
    return [draw_figure(np.random.default_rng([seed, i]), body, split) for i in range(count)]


if __name__ == "__main__":  # python tests/world/poses/census.py [COUNT] [SPLIT]
    import sys

    from pymaf_data.body import load_body

    count, split = int(sys.argv[1]) if len(sys.argv) > 1 else 2000, sys.argv[2] if len(sys.argv) > 2 else "train"
    torch.set_num_threads(1)
    free = load_body("free", dtype=torch.float64)
    print(census(free, draw_many(free, count, 1, split)))
