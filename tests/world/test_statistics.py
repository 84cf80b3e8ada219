"""What people of a sample are like: counted right, and as the sample promises."""

from __future__ import annotations

import numpy as np
import pytest

from pymaf_data.world.statistics import HEADINGS, statistics_of

pytestmark = pytest.mark.long  # of the world, which is finished

# Least value that twelve counts of one uniform direction exceed once in 10,000 times: χ² of eleven degrees of freedom.
CHI_SQUARE = 37.4


def columns(**changes):
    values = {
        "family": np.array(["standing", "standing", "lying", "sitting"]),
        "heading": np.array([10.0, 370.0, -1.0, 95.0], np.float32),
        "box": np.array([[0, 0, 10, 20], [5, 5, 40, 30], [1, 1, 60, 60], [0, 0, 80, 8]], np.float32),
        "occlusion": np.array([0.0, 0.05, 0.049, 0.9], np.float32),
        "outside": np.array([0.0, 0.009, 0.011, 0.5], np.float32),
    }
    return values | changes


def test_counts_of_hand_made_people():
    found = statistics_of(columns())
    assert found.persons == 4
    assert found.families == {"lying": 0.25, "sitting": 0.25, "standing": 0.5}
    assert found.heading == (0.0, 6.0), "10° and 370° lie in one sector, which has half of all"
    assert found.box == pytest.approx((26.0, 50.0, 74.0)), "of the longer sides 20, 40, 60, 80"
    assert found.occluded == 0.25 + 0.25, "5 % in single precision counts"
    assert found.cut == 0.5


def test_uniform_headings_are_one():
    N = 24
    headings = np.arange(N) * 360 / N + 1 - 720
    found = statistics_of({key: np.repeat(value[:1], N, 0) for key, value in columns().items()} | {"heading": headings})
    assert found.heading == pytest.approx((1.0, 1.0))


def test_a_reader_is_told_everything():
    lines = "\n".join(statistics_of(columns(family=np.array(["ball_sports"] * 4))).lines())
    for part in ("ball sports 100%", "26 … 74 px", "median 50", "50% partly hidden", "50% cut", "0.00 … 6.00"):
        assert part in lines


@pytest.fixture(scope="module")
def truth(products):
    keys = ("family", "variant", "heading", "box", "occlusion", "outside", "place")
    return {key: np.concatenate([product.truth[key] for product in products]) for key in keys}


def test_a_sample_is_what_it_promises(truth):
    """Pictures are of half the usual size, so boxes are doubled. Bounds leave 1.6 standard errors to chance."""
    found = statistics_of(truth | {"box": 2 * truth["box"]})
    print("\n".join(found.lines()), f"\n{found.persons} people")
    counts = np.bincount((truth["heading"] // 30).astype(int), minlength=HEADINGS)
    expected = found.persons / HEADINGS
    chi_square = ((counts - expected) ** 2 / expected).sum()
    print(f"χ² of headings {chi_square:.1f}")
    assert found.persons > 180
    assert chi_square < CHI_SQUARE
    assert 72 < found.box[0] < 115
    assert 350 < found.box[2] < 490
    for share, promised in ((found.occluded, 0.25), (found.cut, 0.10)):
        assert share + 1.64 * np.sqrt(share * (1 - share) / found.persons) >= promised


def test_a_sample_shows_many_postures_and_places(truth):
    assert len(np.unique(truth["family"])) >= 8
    assert len(np.unique(truth["variant"])) >= 25
    assert len(np.unique(truth["place"])) >= 6
    assert max(statistics_of(truth).families.values()) < 0.4


def test_shares_are_shares(truth):
    for key in ("occlusion", "outside"):
        assert (truth[key] > -1e-6).all() and (truth[key] < 1).all()
    assert truth["occlusion"].max() <= 0.78 + 1e-6, "who is hidden more is left out"
    assert (truth["occlusion"] < 1e-6).mean() > 0.2
