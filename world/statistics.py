"""What a sample's people are like, from its truth: the figures that the sample promises."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pymaf_data.config import StrictModel

HEADINGS = 12
_OCCLUDED, _CUT = 0.05, 0.01


class Statistics(StrictModel):
    """Of one split.

    Args:
        persons: how many.
        families: share of each family of postures.
        heading: least and largest share among twelve sectors of 30°, times twelve; uniform is 1.
        box: 10th, 50th and 90th percentile of the visible box's longer side, pixels.
        occluded: share of people of whose silhouette others or things hide at least 5 %.
        cut: share of people of whose surface at least 1 % lies outside the frame.
    """

    persons: int
    families: dict[str, float]
    heading: tuple[float, float]
    box: tuple[float, float, float]
    occluded: float
    cut: float

    def lines(self) -> list[str]:
        """For a reader."""
        families = ", ".join(
            f"{name.replace('_', ' ')} {share:.0%}"
            for name, share in sorted(self.families.items(), key=lambda i: -i[1])
        )
        return [
            f"families: {families}",
            f"box sides: {self.box[0]:.0f} … {self.box[2]:.0f} px (10–90 %), median {self.box[1]:.0f}",
            f"{self.occluded:.0%} partly hidden, {self.cut:.0%} cut by the frame; "
            f"headings {self.heading[0]:.2f} … {self.heading[1]:.2f} of uniform per 30°",
        ]


def statistics_of(truth: Mapping[str, np.ndarray]) -> Statistics:
    """Count.

    Args:
        truth: columns with N rows: family (N,), heading (N,) degrees, box (N, 4) x, y, width, height in pixels,
            occlusion (N,), outside (N,).
    """
    names, counts = np.unique(truth["family"], return_counts=True)
    count = len(truth["family"])
    sectors = np.bincount((truth["heading"] % 360 // (360 / HEADINGS)).astype(int), minlength=HEADINGS) / count
    sides = truth["box"][:, 2:].max(1)
    low, middle, high = (float(value) for value in np.percentile(sides, (10, 50, 90)))
    return Statistics(
        persons=count,
        families={str(name): float(number / count) for name, number in zip(names, counts, strict=True)},
        heading=(float(sectors.min() * HEADINGS), float(sectors.max() * HEADINGS)),
        box=(low, middle, high),
        occluded=float((truth["occlusion"] >= _OCCLUDED).mean()),
        cut=float((truth["outside"] >= _CUT).mean()),
    )
