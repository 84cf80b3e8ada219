"""Mixtures of stores: by shares, whoever asks, and each person augmented anew when drawn again."""

from __future__ import annotations

import numpy as np
import pytest

from pymaf_data.errors import UsageError
from pymaf_data.loader.mixture import Everybody, mixture

NAMES = [("h36m", "h36m-train"), ("coco", "coco-train"), ("lsp", "lsp-train"), ("mpi-inf-3dhp", "mpi-inf-3dhp-train")]
ROWS = [np.arange(0, 4000), np.arange(4000, 5000, 2), np.arange(5000, 5100), np.arange(5100, 5101)]
RELEASED = {"h36m": 50.0, "coco+lsp": 30.0, "mpi-inf-3dhp": 20.0}


def test_shares_are_those_asked_for_and_a_group_is_gone_through_evenly() -> None:
    chosen = mixture(RELEASED, NAMES, ROWS, None)
    assert len(chosen) == 4000, "an epoch is as long as the largest store"
    rows = np.concatenate([chosen(3, epoch).rows for epoch in range(20)])
    share = [np.isin(rows, own).mean() for own in ROWS]
    assert share == pytest.approx([0.5, 0.3 * 500 / 600, 0.3 * 100 / 600, 0.2], abs=0.01)
    one = chosen(3, 0).rows
    for own in (ROWS[0], np.concatenate(ROWS[1:3])):
        counts = np.bincount(np.searchsorted(own, one[np.isin(one, own)]), minlength=len(own))
        assert counts.max() - counts.min() <= 1, "nobody twice before everybody once"


def test_an_epoch_is_a_function_of_seed_and_number_and_keys_are_places_of_the_stream() -> None:
    chosen = mixture(RELEASED, NAMES, ROWS, 700)
    first, again, other, seed = chosen(3, 1), chosen(3, 1), chosen(3, 2), chosen(4, 1)
    assert (first.rows == again.rows).all()
    assert (first.rows != other.rows).any() and (first.rows != seed.rows).any()
    assert first.keys.tolist() == list(range(700)) and first.stream == 700
    twice = np.flatnonzero(first.rows == 5100)
    assert len(twice) > 1, "the only person of the last store is drawn again and again, with other keys"


def test_without_a_mixture_everybody_is_drawn_once_with_keys_of_their_own() -> None:
    order = Everybody(ROWS[1], 9000, True)(0, 0)
    assert sorted(order.rows) == ROWS[1].tolist()
    assert (order.keys == order.rows).all() and order.stream == 9000
    assert (Everybody(ROWS[1], 9000, False)(0, 0).rows == ROWS[1]).all()


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"h36m": 0.5, "coco+lsp": 0.5}, "mpi-inf-3dhp-train is in no group"),
        ({**RELEASED, "coco-train": 1.0}, "coco-train is in several groups"),
        ({**RELEASED, "mpii": 1.0}, "mpii, of which there is no store"),
        ({**RELEASED, "h36m": 0.0}, "gives 0 to h36m"),
    ],
)
def test_mixtures_that_cannot_be_are_refused(wanted: dict[str, float], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        mixture(wanted, NAMES, ROWS, None)
