from __future__ import annotations

import numpy as np
import pytest

from pymaf_data.errors import ConfigError
from pymaf_data.loader import AugmentationOptions
from pymaf_data.loader.augment import draw, epoch_order

SPIN = AugmentationOptions()
MANY = np.arange(20000)


def test_a_row_is_drawn_alike_whoever_its_neighbours_are() -> None:
    together = draw(SPIN, 7, 3, MANY[:100], len(MANY))
    shuffled = np.random.default_rng(0).permutation(100)
    apart = draw(SPIN, 7, 3, shuffled, 100)
    np.testing.assert_array_equal(apart.view.scale, together.view.scale[shuffled])
    np.testing.assert_array_equal(apart.view.rotation, together.view.rotation[shuffled])
    np.testing.assert_array_equal(apart.view.flip, together.view.flip[shuffled])
    np.testing.assert_array_equal(apart.gain, together.gain[shuffled])


@pytest.mark.parametrize(("seed", "epoch"), [(8, 3), (7, 4)])
def test_another_seed_or_epoch_draws_otherwise(seed: int, epoch: int) -> None:
    assert (draw(SPIN, 7, 3, MANY[:50], 50).gain != draw(SPIN, seed, epoch, MANY[:50], 50).gain).all()


def test_the_defaults_are_spins_distributions() -> None:
    drawn = draw(SPIN, 0, 0, MANY, len(MANY))
    degrees, scale = np.rad2deg(drawn.view.rotation), drawn.view.scale
    assert np.mean(drawn.view.flip) == pytest.approx(0.5, abs=0.015)
    assert np.mean(degrees == 0) == pytest.approx(0.6, abs=0.015)
    turned = degrees[degrees != 0]
    # Of a normal distribution 4.55 % lie beyond two deviations, 31.7 % beyond one.
    assert np.mean(np.isclose(np.abs(turned), 60)) == pytest.approx(0.0455, abs=0.006)
    assert np.mean(np.abs(turned) > 30) == pytest.approx(0.317, abs=0.01)
    assert np.abs(degrees).max() == pytest.approx(60)
    assert (scale.min(), scale.max()) == (0.75, 1.25)
    assert np.mean(scale == 1.25) == pytest.approx(0.1587, abs=0.006)
    assert np.median(scale) == pytest.approx(1, abs=0.01)
    assert drawn.gain.min() == pytest.approx(0.6, abs=0.001)
    assert drawn.gain.max() == pytest.approx(1.4, abs=0.001)
    correlation = np.corrcoef([drawn.view.flip, degrees, scale, *drawn.gain.T])
    assert np.abs(correlation - np.eye(6)).max() < 0.03


def test_no_augmentation_is_none() -> None:
    drawn = draw(AugmentationOptions.none(), 0, 0, MANY, len(MANY))
    assert (drawn.view.scale == 1).all()
    assert (drawn.view.rotation == 0).all()
    assert not drawn.view.flip.any()
    assert (drawn.gain == 1).all()


def test_scales_beyond_the_stored_crop_are_refused() -> None:
    with pytest.raises(ConfigError, match="scale_limit"):
        AugmentationOptions.parse({"scale_limit": 0.3}, "recipe")


def test_epochs_visit_every_row_once_in_their_own_order() -> None:
    first, second = epoch_order(0, 0, MANY), epoch_order(0, 1, MANY)
    assert sorted(first) == sorted(second) == MANY.tolist()
    assert (first != second).any()
    np.testing.assert_array_equal(first, epoch_order(0, 0, MANY))
