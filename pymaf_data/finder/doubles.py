"""Who was seen several times: in several tiles of the image, or once whole and once more as a part (a hand, a leg).

Tiles see a person again and again, and a hand that looks like one hardly twice: whom more looks agree on comes first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pymaf_data.geometry.affines import Floats

#: How far joints of two lie apart in the median who are one person, of the longer side of the larger one's joints.
NEAR = 0.1
#: From which share of the smaller one's mask within the other's on it is a part of them.
INSIDE = 0.7


def singles(joints: Floats, masks: NDArray[np.bool_], sure: Floats, least: float) -> list[int]:
    """Of persons seen, each once, by the surest look: those first on whom most looks agree.

    Args:
        joints: (N, J, 2) px.
        masks: (N, h, w), all of the same plane.
        sure: (N,) how sure each look is.
        least: of the sum of these over the looks at somebody, for them to be there at all.
    """
    apart = np.median(np.linalg.norm(joints[:, None] - joints[None], axis=-1), axis=-1)
    extent, area = np.ptp(joints, axis=1).max(1), masks.sum((1, 2))
    same = apart <= NEAR * np.maximum(extent[:, None], extent[None])
    votes, kept = same @ sure, list[int]()
    for one in np.lexsort((-sure, -votes)).tolist():
        part = (masks[kept] & masks[one]).sum((1, 2)) > INSIDE * np.minimum(area[kept], area[one])
        if votes[one] >= least and not (same[kept, one] | part).any():
            kept.append(one)
    return kept
