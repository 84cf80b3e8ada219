"""Warps of stored IUV maps as operations on torch tensors, of a whole batch at once, on any device.

What is computed is told in :mod:`pymaf_data.render.warp`. Coordinates are float64, in the same order of operations
as there: a centre that lies on the border of two stored pixels must fall to the same side.

Cost. Only target pixels that show a part go on (P of them), and of these only those that four samples do not
surround look at 36 samples (Q × 36 numbers of 8 bytes, about 6 MB for 64 maps). Each selection waits for the device.

Shapes: B maps, Z × Z stored parts, R × R samples of U, V (R = Z/K), S × S target pixels, P and Q pixels of all maps.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pymaf_data.render.atlas import Atlas
from pymaf_data.render.sides import change_sides
from pymaf_data.render.stored import blocks, sample_pixels
from pymaf_data.render.warp_arrays import RIDGE, SOFTNESS

_REACH = 3  # blocks to either side in the widest neighbourhood


class _Samples(NamedTuple):
    """The samples of U, V, flat over B·R·R blocks, and how many there are per map."""

    shown: Tensor  # (B·R·R,) uint8 part, 0 where the block is background
    dx: Tensor  # (B·R·R,) float64 from the block's centre, in blocks
    dy: Tensor
    u: Tensor  # (B·R·R,) uint8
    v: Tensor
    rows: int
    columns: int


class _Points(NamedTuple):
    """Where target centres land, in blocks: map, x and y, each (P,)."""

    map: Tensor
    x: Tensor
    y: Tensor


def warp_tensors(
    parts: Tensor, uv: Tensor, inverse: np.ndarray, flips: np.ndarray, atlas: Atlas, size: int
) -> tuple[Tensor, Tensor]:
    """Warp stored maps.

    Args:
        parts: (B, Z, Z) uint8.
        uv: (B, 2, R, R) uint8 on the same device.
        inverse: (B, 2, 3) target pixels → stored pixels.
        flips: (B,) bool, whether the target is mirrored.
        atlas: whose charts the maps show.
        size: S.

    Returns:
        Part (B, S, S) uint8 and U, V (B, 2, S, S) float32.
    """
    device, B = parts.device, len(parts)
    K = parts.shape[1] // uv.shape[2]
    batch, i, j, shown, x, y = _landings(parts, torch.from_numpy(inverse).to(device), size)
    points = _Points(batch, x / K - 0.5, y / K - 0.5)
    shown, values = _interpolate(_samples(parts, uv), points, shown)
    flipped = torch.from_numpy(flips).to(device)[batch]
    shown, u, v = change_sides(shown, values[0] / 255, values[1] / 255, flipped, atlas)
    part = torch.zeros((B, size, size), dtype=torch.uint8, device=device)
    part[batch, i, j] = shown.to(torch.uint8)
    target = torch.zeros((B, 2, size, size), device=device)
    target[batch, :, i, j] = torch.stack([u, v], 1).float()
    return part, target


def _landings(parts: Tensor, inverse: Tensor, size: int) -> tuple[Tensor, ...]:
    """Of the P target pixels that show a part: map, row, column, part, and where they land (x, y) in stored pixels."""
    centre = torch.arange(size, dtype=torch.float64, device=parts.device) + 0.5
    column, row = centre[None, None, :], centre[None, :, None]
    a = inverse[:, :, :, None, None]
    x = a[:, 0, 0] * column + a[:, 0, 1] * row + a[:, 0, 2]
    y = a[:, 1, 0] * column + a[:, 1, 1] * row + a[:, 1, 2]
    height, width = parts.shape[1:]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    c, r = x.floor().long().clamp(0, width - 1), y.floor().long().clamp(0, height - 1)
    first = torch.arange(len(parts), device=parts.device)[:, None, None] * (height * width)
    found = parts.reshape(-1)[first + r * width + c] * inside
    batch, i, j = found.nonzero(as_tuple=True)
    return batch, i, j, found[batch, i, j].long(), x[batch, i, j], y[batch, i, j]


def _samples(parts: Tensor, uv: Tensor) -> _Samples:
    """What the samples of stored maps show and where they lie."""
    K = parts.shape[1] // uv.shape[2]
    chosen = sample_pixels(parts, K).reshape(-1, 1)
    shown = blocks(parts, K).reshape(-1, K * K).gather(1, chosen)[:, 0]
    dx, dy = (chosen[:, 0] % K - K // 2).double() / K, (chosen[:, 0] // K - K // 2).double() / K
    return _Samples(shown, dx, dy, uv[:, 0].reshape(-1), uv[:, 1].reshape(-1), uv.shape[2], uv.shape[3])


def _interpolate(samples: _Samples, points: _Points, shown: Tensor) -> tuple[Tensor, Tensor]:
    """Parts (P,) and 255·U, 255·V (2, P) at the points, whose stored parts are ``shown``."""
    values = torch.zeros((2, len(shown)), dtype=torch.float64, device=shown.device)
    index, inside = _blocks(samples, points, 1)  # (P, 4) in reading order
    centred = (samples.dx[index] == 0) & (samples.dy[index] == 0)
    surrounded = (inside & centred & (samples.shown[index] == shown[:, None])).all(1)
    fx, fy = points.x - points.x.floor(), points.y - points.y.floor()
    weight = torch.stack([(1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx], 1)
    for value, plane in zip(values, (samples.u, samples.v), strict=True):
        value.copy_((weight * plane[index]).sum(1))
    rest = (~surrounded).nonzero()[:, 0]
    shown = shown.clone()
    shown[rest], values[:, rest] = _fit(samples, _Points(*(each[rest] for each in points)), shown[rest])
    return shown, values


def _blocks(samples: _Samples, points: _Points, reach: int) -> tuple[Tensor, Tensor]:
    """Flat indices (P, 4·reach²) of the blocks around each point, and whether they are there."""
    step = torch.arange(1 - reach, 1 + reach, device=points.x.device)
    row = points.y.floor().long()[:, None] + step.repeat_interleave(2 * reach)
    column = points.x.floor().long()[:, None] + step.repeat(2 * reach)
    inside = (row >= 0) & (row < samples.rows) & (column >= 0) & (column < samples.columns)
    row, column = row.clamp(0, samples.rows - 1), column.clamp(0, samples.columns - 1)
    return (points.map[:, None] * samples.rows + row) * samples.columns + column, inside


def _fit(samples: _Samples, points: _Points, shown: Tensor) -> tuple[Tensor, Tensor]:
    """Parts (Q,) and 255·U, 255·V (2, Q) where four samples do not surround a point."""
    index, inside = _blocks(samples, points, _REACH)
    found = samples.shown[index].long() * inside
    column, row = index % samples.columns, index // samples.columns % samples.rows
    dx, dy = column + samples.dx[index] - points.x[:, None], row + samples.dy[index] - points.y[:, None]
    distance = dx * dx + dy * dy
    u, v = samples.u[index].double(), samples.v[index].double()
    same = found == shown[:, None]
    middle = torch.zeros((2 * _REACH, 2 * _REACH), dtype=torch.bool, device=index.device)
    middle[1:-1, 1:-1] = True
    close = same & middle.reshape(-1)
    same = torch.where(close.any(1, keepdim=True), close, same)
    values = _planes(same / (distance + SOFTNESS), dx, dy, torch.stack([u, v]))
    nearest = torch.where(found > 0, distance, torch.inf).argmin(1, keepdim=True)
    told = same.any(1)
    nearest_values = torch.stack([u.gather(1, nearest)[:, 0], v.gather(1, nearest)[:, 0]])
    # Where no sample shows anything the nearest is background, and its U, V are 0.
    return torch.where(told, shown, found.gather(1, nearest)[:, 0]), torch.where(told, values, nearest_values)


def _planes(weight: Tensor, dx: Tensor, dy: Tensor, values: Tensor) -> Tensor:
    """Values (2, Q) at the origin of the planes through values (2, Q, 36) at (dx, dy) (Q, 36)."""
    weight = weight / weight.sum(1, keepdim=True)
    mx, my = (weight * dx).sum(1), (weight * dy).sum(1)
    x, y = dx - mx[:, None], dy - my[:, None]
    xx, yy = (weight * x * x).sum(1) + RIDGE, (weight * y * y).sum(1) + RIDGE
    xy = (weight * x * y).sum(1)
    determinant = xx * yy - xy * xy
    a, b = (mx * yy - my * xy) / determinant, (my * xx - mx * xy) / determinant
    mean = (weight * values).sum(2)
    slopes = a * (weight * x * values).sum(2) + b * (weight * y * values).sum(2)
    return (mean - slopes).clamp(0, 255)
