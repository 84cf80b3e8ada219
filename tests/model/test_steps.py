"""One step of learning: however its persons are shared out, to micro-batches or processes, it is the same step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from pymaf_data.loader import Batch
from pymaf_data.model import ModelOptions, OptimizerOptions, PyMAF, TrainOptions
from pymaf_data.model.learning import Learner, Step

pytestmark = pytest.mark.usefixtures("small")
OPTIONS = TrainOptions(model=ModelOptions(view_size=64, dropout=0.0), optimizer=OptimizerOptions(fixed_statistics=True))


def joined(batches: Sequence[Batch]) -> Batch:
    return Batch(*(torch.cat([getattr(one, field.name) for one in batches]) for field in fields(Batch)))


@pytest.fixture(scope="module")
def people(make_batch: Callable[..., Batch]) -> list[Batch]:
    """Two persons and one, whose labels support terms unevenly: two fits, one map with a fit, two with 3D joints."""
    each = [make_batch(2, 1, 64), make_batch(1, 2, 64)]
    each = [one._each(lambda value: value.double() if value.is_floating_point() else value) for one in each]
    joints = each[0].joints3d.clone()
    joints[1, :, 3] = 0
    has_fit = torch.tensor([False, True])
    return [replace(each[0], joints3d=joints, has_fit=has_fit), replace(each[1], has_iuv=torch.tensor([False]))]


def learned(batches: Sequence[Batch], **given: Any) -> tuple[Step, dict[str, Tensor]]:
    """A step, and the gradients that it was made by."""
    from pymaf_data.body import load_body

    torch.manual_seed(0)
    model = PyMAF(load_body("free", dtype=torch.float64), OPTIONS.model).double()
    step = Learner(model, OPTIONS, **given).learn(batches, 1e-4)
    return step, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.fixture(scope="module")
def at_once(small: None, people: list[Batch]) -> tuple[Step, dict[str, Tensor]]:
    return learned([joined(people)])


def same(found: tuple[Step, dict[str, Tensor]], wanted: tuple[Step, dict[str, Tensor]]) -> None:
    assert set(found[0].terms) == set(wanted[0].terms) and set(found[1]) == set(wanted[1])
    for name, value in wanted[0].terms.items():
        assert float(found[0].terms[name]) == pytest.approx(float(value), rel=1e-10)
    for name, gradient in wanted[1].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-8, atol=1e-8)


def test_micro_batches_are_one_batch(people: list[Batch], at_once: tuple[Step, dict[str, Tensor]]) -> None:
    assert all(float(value) > 0 for value in at_once[0].terms.values())
    same(learned(people), at_once)
