"""Views of whole batches as operations on tensors, on any device: what :mod:`pymaf_data.loader.images` does one by one.

The steps are OpenCV's: sampling positions in 1/32 px, weights in 1/32768, in whole numbers. So of equal crops a view is
the same on every device, and the one that a worker makes: to the bit, but for ties that the filter rounds otherwise.

Shapes: B crops of S × S pixels, views of W × W.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from pymaf_data.geometry.affines import Floats
from pymaf_data.loader.images import FILTER_FROM, filter_kernel

_FINE, _STEPS = 1024, 32  # of a pixel: of the products that make a position, of the position
_ONE = 1 << 15  # the weight of a sample that a position falls onto


def warp_views(crops: Tensor, matrix: Floats, reduction: Floats, gain: Tensor, size: int) -> Tensor:
    """The views (B, W, W, 3) uint8 of crops.

    Args:
        crops: (B, S, S, 3) uint8; filtered where they lie.
        matrix: (B, 2, 3) stored crop → augmented view in pixel indices (``to_cv2``).
        reduction: (B,) crop pixels per view pixel.
        gain: (B, 3) factors of the channels in units of 1/128.
        size: W.
    """
    coarse = reduction > FILTER_FROM
    if coarse.any():
        reduced = torch.from_numpy(np.flatnonzero(coarse)).to(crops.device)
        crops[reduced] = _filtered(crops[reduced], reduction[coarse])
    return _scaled(_sampled(crops, _positions(matrix, size), size), gain)


def _filtered(crops: Tensor, reduction: Floats) -> Tensor:
    """Crops (K, S, S, 3) under their box filters; the outermost pixels are repeated beyond them."""
    side, middle, _ = filter_kernel(reduction)
    side, middle = (torch.from_numpy(w).to(crops.device).float()[:, None, None, None] for w in (side, middle))
    planes = pad(crops.permute(0, 3, 1, 2).float(), (1, 1, 1, 1), mode="replicate")
    rows = side * (planes[..., :-2] + planes[..., 2:]) + middle * planes[..., 1:-1]
    both = side * (rows[..., :-2, :] + rows[..., 2:, :]) + middle * rows[..., 1:-1, :]
    return both.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def _positions(matrix: Floats, size: int) -> np.ndarray:
    """Of each view its four products, (B, 4, W) int64 in 1/1024 px: x by column and row, y by column and row."""
    a, b, c, d, e, f = np.moveaxis(matrix.reshape(-1, 6), 1, 0)
    over = 1.0 / (a * e - b * d)
    by_x, by_y = np.stack([e * over, -d * over], 1), np.stack([-b * over, a * over], 1)  # (B, 2): of x, of y
    at = -by_x * c[:, None] - by_y * f[:, None]
    step = np.arange(size)
    column = np.rint(by_x[:, :, None] * step * _FINE)
    row = np.rint((by_y[:, :, None] * step + at[:, :, None]) * _FINE)
    return np.stack([column[:, 0], row[:, 0], column[:, 1], row[:, 1]], 1).astype(np.int64)


def _sampled(crops: Tensor, positions: np.ndarray, size: int) -> Tensor:
    """(B, W, W, 3) int32 between the four pixels around each position; black where there are none."""
    device, B, S = crops.device, len(crops), crops.shape[1]
    px, py, qx, qy = torch.from_numpy(positions).to(device).int().unbind(1)
    half, shift = _FINE // _STEPS // 2, (_FINE // _STEPS).bit_length() - 1
    x = (px[:, None, :] + py[:, :, None] + half) >> shift
    y = (qx[:, None, :] + qy[:, :, None] + half) >> shift
    bits = _STEPS.bit_length() - 1
    column, row, fx, fy = x >> bits, y >> bits, x & (_STEPS - 1), y & (_STEPS - 1)
    flat = crops.reshape(B * S * S, 3)
    first = (torch.arange(B, device=device) * (S * S))[:, None, None]
    found = torch.full((B, size, size, 3), _ONE // 2, dtype=torch.int32, device=device)
    for down, weight_y in ((0, _STEPS - fy), (1, fy)):
        for right, weight_x in ((0, _STEPS - fx), (1, fx)):
            i, j = row + down, column + right
            inside = (i >= 0) & (i < S) & (j >= 0) & (j < S)
            index = first + i.clamp(0, S - 1) * S + j.clamp(0, S - 1)
            weight = weight_x * weight_y * (_ONE // _STEPS**2) * inside
            found += flat[index.reshape(-1)].reshape(B, size, size, 3) * weight[..., None]
    return found >> (_ONE.bit_length() - 1)


def _scaled(views: Tensor, gain: Tensor) -> Tensor:
    """Channels times their factors, rounded and cut at 255."""
    return ((views * gain.to(views)[:, None, None, :] + 64) >> 7).clamp(max=255).to(torch.uint8)
