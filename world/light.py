"""Light of a scene: one direction and a sky, in linear RGB."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Light:
    """What lights a scene. A white horizontal surface in full light shows ``sun · −direction.y + sky``.

    Args:
        direction: (3,) unit vector in the world in which the direct light falls (its y is negative).
        sun: (3,) linear RGB of the direct light on a surface that faces it.
        sky: (3,) linear RGB of the ambient light on a surface that faces up.
        bounce: (3,) the same on a surface that faces down: what the ground throws back.
    """

    direction: np.ndarray
    sun: np.ndarray
    sky: np.ndarray
    bounce: np.ndarray
