"""The square about a person, turned so that they stand upright in it, and the image that is cut out of it.

A region is known by two points, as BlazePose learned them: the middle of the hips, and one on a circle about it that
holds the person, above their head. An upright person's region is not turned:

    Region.about((100, 200), (100, 150), 1.25)  →  centre (100, 200), side 2·50·1.25 = 125, angle 0
"""

from __future__ import annotations

import math
from typing import NamedTuple, Self

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from pymaf_data.crop import Image, make_crop
from pymaf_data.geometry.affines import Floats, compose, crop_affine, invert, to_cv2
from pymaf_data.geometry.boxes import CROP_RATIO

_DIAGONAL = math.sqrt(2.0)
_CLOSE, _TURNED, _LARGER = 0.1, 0.3, 1.2  # shares of a side, radians, times: less is much the same


class Region(NamedTuple):
    """A square of an image.

    Attributes:
        x, y: its centre, continuous px.
        side: px.
        angle: by which it is turned clockwise as one sees it (y points down), radians.
    """

    x: float
    y: float
    side: float
    angle: float = 0.0

    @classmethod
    def about(cls, centre: ArrayLike, end: ArrayLike, margin: float) -> Self:
        """The region of a person by the points that tell it, (2,) each, px; ``margin`` times the circle's diameter."""
        (x, y), (dx, dy) = np.asarray(centre, float).tolist(), np.subtract(end, centre).tolist()
        return cls(x, y, 2 * margin * math.hypot(dx, dy), _normal(math.atan2(dy, dx) + math.pi / 2))

    def affine(self, size: int) -> Floats:
        """Image → region at ``size`` px (2, 3), continuous pixels."""
        c, s = math.cos(self.angle), math.sin(self.angle)
        linear = size / self.side * np.array([[c, s], [-s, c]])
        return np.concatenate([linear, (size / 2 - linear @ [self.x, self.y])[:, None]], 1)

    def is_close(self, other: Region) -> bool:
        """Whether another region would show much the same."""
        far = math.hypot(self.x - other.x, self.y - other.y) > _CLOSE * self.side
        turned = abs(_normal(self.angle - other.angle)) > _TURNED
        return not (far or turned) and max(self.side, other.side) <= _LARGER * min(self.side, other.side)

    def cut(self, image: Image, size: int) -> Image:
        """(size, size, 3) uint8; black past the image. Reduced with an area filter, as :func:`make_crop` does."""
        if self.angle == 0:
            return make_crop(image, (self.x, self.y, self.side / CROP_RATIO), size)
        around = math.ceil(size * _DIAGONAL)
        box = self.x, self.y, self.side * around / size / CROP_RATIO
        turned = compose(self.affine(size), invert(crop_affine(box, around)))
        return np.asarray(cv2.warpAffine(make_crop(image, box, around), to_cv2(turned), (size, size)), np.uint8)


def tiles(width: int, height: int, levels: int) -> list[Region]:
    """Squares that an image is looked at in: the whole, then such as are half as large, a quarter …, half overlapping.

    Args:
        width, height: of the image, px.
        levels: 1 for the whole alone.
    """
    side, found = float(max(width, height)), list[Region]()
    for _ in range(levels):
        found += [Region(x, y, side) for y in _centres(height, side) for x in _centres(width, side)]
        side /= 2
    return found


def _centres(extent: int, side: float) -> NDArray[np.float64]:
    """Evenly spread, at most half a side apart, so that squares of this side reach from one end to the other."""
    if extent <= side:
        return np.array([extent / 2])
    count = math.ceil((extent - side) / (side / 2)) + 1
    return np.linspace(side / 2, extent - side / 2, count)


def _normal(angle: float) -> float:
    """The same angle in [−π, π)."""
    return (angle + math.pi) % (2 * math.pi) - math.pi
