"""Requests, truth files, proofs of joins, choices."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pymaf_data.body import BodyModel
from pymaf_data.errors import FitError, UsageError
from pymaf_data.fits.choice import choose
from pymaf_data.fits.fitter.options import KeypointOptions
from pymaf_data.fits.opening import open_sources
from pymaf_data.fits.proof import Tolerance, prove_body, prove_join
from pymaf_data.fits.request import FitRequest
from pymaf_data.fits.rule import Rule
from pymaf_data.fits.table import REASONS


def opened(path: Path) -> Any:
    """The source of a truth file."""
    return open_sources(FitRequest.of(f"truth:{path}"), KeypointOptions())["truth"]


@pytest.mark.parametrize(
    ("text", "name", "format_", "path"),
    [
        ("keypoints", "keypoints", "keypoints", None),
        ("truth:a/b.npz", "truth", "truth", "a/b.npz"),
        ("mine=truth:a/b=c:d.npz", "mine", "truth", "a/b=c:d.npz"),
        ("smooth-2=keypoints", "smooth-2", "keypoints", None),
    ],
)
def test_requests(text: str, name: str, format_: str, path: str | None) -> None:
    request = FitRequest.of(text)
    assert (request.name, request.format, request.path) == (name, format_, Path(path) if path else None)


@pytest.mark.parametrize(
    "text", ["", "truth", "keypoints:x", "eft", "spin:x.npz", "reader:x", "A=keypoints", "=keypoints", "truth:"]
)
def test_requests_that_mean_nothing(text: str) -> None:
    with pytest.raises(UsageError):
        FitRequest.of(text)


def test_truth_is_joined_by_id_in_any_order(tmp_path: Path, factory: ModuleType, known: Any, body: BodyModel) -> None:
    order = np.random.default_rng(0).permutation(len(known.persons))
    order = order[order != 3]
    shuffled = factory.Known(known.persons[order], _rows(known.truth, order), known.joints[order])
    path = factory.write_truth(tmp_path / "truth.npz", shuffled, body)
    fits = opened(path).fits(known.persons, body)
    assert REASONS[fits.reason[3]] == "no fit in the source"
    kept = np.arange(len(known.persons)) != 3
    assert fits.valid[kept].all()
    assert np.array_equal(fits.pose[kept], known.truth.pose[kept])
    assert np.allclose(fits.native[kept], known.truth.native[kept])
    assert not fits.pose[3].any()


def _rows(fits: Any, rows: np.ndarray) -> Any:
    return type(fits)(*(getattr(fits, name)[rows] for name in ("pose", "betas", "native", "frame", "reason")))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annotation_id": np.full(24, 7)}, "twice"),
        ({"pose": np.zeros((24, 71))}, "pose"),
        ({"betas": np.array([b"x"] * 24)}, "betas"),
        ({"body": np.array({"a": 1}, dtype=object)}, "pickle|Object arrays"),
    ],
)
def test_truth_files_that_are_none(
    tmp_path: Path, factory: ModuleType, known: Any, body: BodyModel, changes: dict[str, Any], message: str
) -> None:
    path = factory.write_truth(tmp_path / "truth.npz", known, body, **changes)
    with pytest.raises(FitError, match=message):
        opened(path)


def test_the_tolerance_follows_the_noise_of_the_annotations(
    tmp_path: Path, factory: ModuleType, known: Any, body: BodyModel
) -> None:
    def view(**changes: Any) -> float:
        return opened(factory.write_truth(tmp_path / "t.npz", known, body, **changes)).tolerance.view

    assert view() == view(annotation_noise=np.array(0.0)) == 2.0
    exact, half, whole = (view(annotation_noise=np.array(noise)) - 2 for noise in (0.0, 0.5, 1.0))
    assert exact < half < whole < 100, "somebody else's keypoints are hundreds of pixels away"
    assert whole == pytest.approx(2 * half)
    # Nothing is beyond it of many persons who have all keypoints, or one hip alone, and fill their box as people do.
    rng, side = np.random.default_rng(0), 224 / 1.2
    distance = np.linalg.norm(rng.normal(size=(20_000, 2)), axis=1) / 2**0.5 * 0.107 * 0.6**0.5 * side
    assert distance.max() < whole
    assert distance.mean() > 0.1 * whole


@pytest.mark.parametrize("noise", [-1.0, np.nan, np.inf, [1.0], "much"])
def test_a_noise_that_is_none_is_refused(
    tmp_path: Path, factory: ModuleType, known: Any, body: BodyModel, noise: Any
) -> None:
    path = factory.write_truth(tmp_path / "truth.npz", known, body, annotation_noise=np.array(noise))
    with pytest.raises(FitError, match="annotation_noise"):
        opened(path)


def test_a_missing_or_foreign_truth_file(tmp_path: Path) -> None:
    with pytest.raises(FitError, match=r"there is no .*none\.npz"):
        opened(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(FitError, match="not a zip"):
        opened(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", pose=np.zeros((2, 72)))
    with pytest.raises(FitError, match="lacks"):
        opened(tmp_path / "other.npz")


def test_truth_that_is_not_finite_is_no_fit(tmp_path: Path, factory: ModuleType, known: Any, body: BodyModel) -> None:
    pose = known.truth.pose.copy()
    pose[2, 5] = np.nan
    fits = opened(factory.write_truth(tmp_path / "t.npz", known, body, pose=pose)).fits(known.persons, body)
    assert REASONS[fits.reason[2]] == "coordinates not finite"
    assert np.isfinite(fits.pose[~(np.arange(24) == 2)]).all()


def test_proofs(known: Any) -> None:
    tolerance = Tolerance(view=3.0, image=0.0, share=0.1)
    good = np.full(24, 1.0)
    assert not prove_join("file", known.persons, good, tolerance).any()
    some = good.copy()
    some[:2], some[2] = 50.0, np.inf
    assert prove_join("file", known.persons, some, tolerance).tolist() == [True, True] + [False] * 22
    some[5] = 60.0
    with pytest.raises(FitError, match=r"0005.jpg #105 \(60 px\)"):
        prove_join("file", known.persons, some, tolerance)


TWO = st.integers(1, 4).flatmap(
    lambda k: st.tuples(
        arrays.arrays(bool, (k, 7)),
        arrays.arrays(np.float32, (k, 7), elements=st.one_of(st.floats(0, 100, width=32), st.just(float("inf")))),
    )
)


@given(TWO)
def test_the_choice_is_the_lowest_among_valid(case: tuple[np.ndarray, np.ndarray]) -> None:
    valid, reprojection = case
    chosen = choose(valid, reprojection)
    for person, source in enumerate(chosen.tolist()):
        options = [k for k in range(len(valid)) if valid[k, person]]
        expected = min(options, key=lambda k: (reprojection[k, person], k)) if options else -1
        assert source == expected


def test_a_preferred_source_wins_where_it_is_valid() -> None:
    valid = np.array([[True, True, False], [True, False, False]])
    reprojection = np.array([[1.0, 1.0, 1.0], [9.0, 9.0, 9.0]])
    assert choose(valid, reprojection, prefer=[1]).tolist() == [1, 0, -1]


def test_a_choice_is_named_by_rule_and_sources() -> None:
    sources = {"a": "0" * 64, "b": "1" * 64}
    names = {
        Rule().generation(sources),
        Rule(prefer=("a",)).generation(sources),
        Rule().generation({"a": "0" * 64}),
        Rule().generation(sources | {"b": "2" * 64}),
    }
    assert len(names) == 4
    assert Rule().generation(dict(reversed(sources.items()))) in names


def test_bodies_are_compared_with_measured_joints_wherever_they_stand() -> None:
    random = np.random.default_rng(0)
    joints, flag = random.normal(size=(40, 24, 3)), np.ones((40, 24, 1))
    measured = np.concatenate([joints + random.normal(size=(40, 1, 3)), flag], 2)
    measured[0, 3] = measured[1, 4, 3] = 0  # not known
    measured[1, 4, :3] = 100.0
    measured[2, 5, 0] = np.nan
    measured[3, :, 3] = 0  # nothing is
    assert not prove_body("file", "free", joints, measured, 1e-9).any()
    taller = joints * np.where(np.arange(40) < 2, 1.1, 1.0)[:, None, None]
    assert np.flatnonzero(prove_body("file", "free", taller, measured, 0.01)).tolist() == [0, 1]
    taller = joints * np.where(np.arange(40) < 3, 1.1, 1.0)[:, None, None]
    with pytest.raises(FitError, match="as it is here: 3 of 40 lie"):
        prove_body("file", "free", taller, measured, 0.01)
