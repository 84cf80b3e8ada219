"""Warps of stored IUV maps: what a map of the crop's frame becomes under an augmentation.

Parts. A target pixel takes the part of the stored pixel that its centre falls into: right to half a stored pixel.

U, V. Only samples that show that part are asked: charts do not mix, and the background does not pull U, V to zero.

    the four samples around show it   bilinear between them
    some of 4 × 4, else of 6 × 6 do   the plane through them, by least squares with the weights 1/(d² + 0.1)
    none does                         part and U, V of the nearest sample of the 36, whatever it shows, or background:
                                      never an invented pair; one pixel in 2,000

Limbs are thin at 56 px, so a quarter of the foreground is of the second kind. The plane, rather than a mean of the
neighbours, takes a third off the 95th percentile of the error; figures are in :mod:`pymaf_data.render.stored`.
A flip renames the parts to their partners and changes U, V as the atlas says (:mod:`pymaf_data.render.sides`).

Arrays are warped one by one (:mod:`pymaf_data.render.warp_arrays`), tensors on their device, all at once
(:mod:`pymaf_data.render.warp_tensors`). Both take float64 coordinates by the same steps, so they choose the same parts.

Shapes: B maps, Z × Z stored parts, Z/K × Z/K samples of U, V, S × S target pixels.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from pymaf_data.errors import ShapeError
from pymaf_data.geometry.affines import Floats, invert
from pymaf_data.render.atlas import Atlas
from pymaf_data.render.iuv import IUV, TARGET_SIZE
from pymaf_data.render.raster import as_numpy
from pymaf_data.render.stored import StoredMaps
from pymaf_data.render.warp_arrays import ArrayWarps, warp_arrays
from pymaf_data.render.warp_tensors import warp_tensors

Flags = NDArray[np.bool_]


def warp_maps(
    stored: StoredMaps,
    affine: ArrayLike | torch.Tensor,
    flip: ArrayLike | torch.Tensor,
    atlas: Atlas,
    size: int = TARGET_SIZE,
) -> IUV:
    """Warp stored maps into target maps.

    Args:
        stored: B maps, as arrays or as tensors.
        affine: (2, 3) or (B, 2, 3), stored pixels → target pixels, both continuous. It contains the mirroring where
            ``flip`` is set.
        flip: () or (B,) bool: whether the affine mirrors, so that parts change sides.
        atlas: whose charts the maps show.
        size: S, side of the targets.

    Returns:
        The targets, as :func:`~pymaf_data.render.iuv.render_iuv` would render them; tensors where the maps are.

    Raises:
        ShapeError: ``flip`` disagrees with the affine's determinant.
    """
    inverse, flips = _inverses(affine, flip, len(stored))
    if isinstance(stored.part, torch.Tensor):
        return IUV(*warp_tensors(stored.part, stored.uv, inverse, flips, atlas, size))
    return IUV(*warp_arrays(stored.part, stored.uv, inverse, flips, atlas, size))


def array_warps(affine: ArrayLike, flip: ArrayLike, atlas: Atlas) -> ArrayWarps:
    """B warps, each of a map that is an array and needs to be there only then: :func:`warp_maps` one by one.

    Args:
        affine: (B, 2, 3) as there.
        flip: (B,) as there.
        atlas: whose charts the maps show.

    Raises:
        ShapeError: as there.
    """
    return ArrayWarps(*_inverses(affine, flip, len(np.asarray(affine))), atlas)


def _inverses(affine: ArrayLike | torch.Tensor, flip: ArrayLike | torch.Tensor, B: int) -> tuple[Floats, Flags]:
    """Target → stored pixels (B, 2, 3), and whether they mirror (B,)."""
    forward = np.broadcast_to(np.asarray(as_numpy(affine), np.float64), (B, 2, 3))
    flips = np.broadcast_to(np.asarray(as_numpy(flip), bool), (B,)).copy()
    if not np.array_equal(np.linalg.det(forward[..., :2]) < 0, flips):
        raise ShapeError(
            "the affine mirrors where flip is not set, or the reverse",
            expected="a negative determinant exactly where flip is true",
        )
    return invert(forward), flips  # of all at once: one by one it would cost as much as the warps
