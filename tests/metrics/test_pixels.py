"""Counts of pixels, and shape but for size, against NumPy from the definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pymaf_data.errors import ShapeError
from pymaf_data.metrics import accuracy, confusion, f1, iou, pve_t_sc


def test_counts_and_what_follows_from_them() -> None:
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, 3, (2, 9, 7)).astype(np.uint8)
    counts = confusion(true, predicted, (3, 3))
    scores = []
    for c in range(3):
        tp, fp, fn = ((true == c) & (predicted == c)).sum(), ((true != c) & (predicted == c)).sum(), 0
        fn = ((true == c) & (predicted != c)).sum()
        assert (counts[c, c], counts[:, c].sum(), counts[c].sum()) == (tp, tp + fp, tp + fn)
        scores.append(2 * tp / (2 * tp + fp + fn))
    assert accuracy(counts) == (true == predicted).mean() and f1(counts) == pytest.approx(np.mean(scores))
    with pytest.raises(ShapeError):
        confusion(true, predicted[:1], (3, 3))


def test_nothing_divides_by_an_empty_set() -> None:
    empty = np.zeros((3, 3), np.int64)
    assert math.isnan(accuracy(empty)) and math.isnan(f1(empty))
    one = np.diag([5, 0, 0])  # two classes are nowhere
    assert accuracy(one) == 1 and f1(one) == 1
    nothing, something = np.zeros((2, 2), bool), np.eye(2, dtype=bool)
    assert math.isnan(iou(nothing, nothing)) and iou(nothing, something) == 0
    assert iou(something, np.array([[True, True], [False, False]])) == 1 / 3


def test_shape_but_for_size_and_place() -> None:
    rng = np.random.default_rng(1)
    target, predicted = rng.normal(size=(2, 4, 50, 3))
    errors = []
    for mine, goal in zip(predicted, target, strict=True):
        mine, goal = mine - mine.mean(0), goal - goal.mean(0)
        mine = mine * math.sqrt((goal**2).sum() / (mine**2).sum())
        errors.append(np.linalg.norm(mine - goal, axis=1).mean())
    found = pve_t_sc(torch.from_numpy(predicted), torch.from_numpy(target))
    np.testing.assert_allclose(found, errors, rtol=1e-12)
    moved = 3 * torch.from_numpy(target) + 5
    assert pve_t_sc(moved, torch.from_numpy(target)).max() < 1e-12
    assert pve_t_sc(-moved, torch.from_numpy(target)).min() > 0.5  # neither turned nor mirrored
    assert pve_t_sc(0 * moved, torch.from_numpy(target)).isnan().all()
