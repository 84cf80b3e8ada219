"""The table of a store says what the store says, of what it lacks too."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from pymaf_data.fits.chosen import ChosenReader
from pymaf_data.report.gather import FIT, NO_FIT, NO_IMAGE, NOT_CHOSEN, NOT_INGESTED, gather
from pymaf_data.report.measures import MEASURES
from pymaf_data.report.selection import select, spread
from pymaf_data.storage import Store, open_store


def test_values_are_those_of_the_rows(invented: Store) -> None:
    table = gather(invented)
    assert len(table) == len(invented)
    assert set(table.values) == {measure.key for measure in MEASURES}
    fits = ChosenReader(invented).read(np.arange(len(invented)))
    stored = invented.array("fits/invented/reprojection")[:]
    there = fits.valid
    np.testing.assert_array_equal(table.values["reprojection"][0, there], stored[there])
    np.testing.assert_array_equal(table.values["beta3"][0, there], fits.betas[there, 3])
    np.testing.assert_allclose(table.values["box"][0], invented.array("box")[:][:, 2], rtol=1e-6)
    for measure in MEASURES:
        if measure.group != "Image":
            assert np.isnan(table.values[measure.key][:, ~there]).all(), f"{measure.key} of persons without a fit"
    visibility = invented.array("visibility")[:]
    np.testing.assert_array_equal(table.values["seen"][0], (visibility == 2).sum(1))
    assert table.marks.sum() == visibility.size
    assert (table.values["outside"] >= 0).all() and (table.values["outside"] <= 100).all()


def test_missing_images_are_named_by_their_reason(invented: Store) -> None:
    table = gather(invented)
    named = [table.states[code] for code in table.state]
    assert named[49] == NO_IMAGE + "missing picture"
    assert named[39] == NO_FIT + "too few keypoints"
    assert named[0] == FIT + "invented"
    assert np.flatnonzero(table.lacking).tolist() == [39, 49, 79, 99, 119]
    assert np.flatnonzero(~table.with_image).tolist() == [49, 99]
    assert table.mapped.sum() == 120 - 5


def test_a_store_that_is_not_finished_is_told_as_far_as_it_is(invented: Store, tmp_path: Path) -> None:
    path = shutil.copytree(invented.path, tmp_path / "partial.zarr")
    for commits in (path / "_pymaf").rglob("*"):
        if commits.is_file() and "commits" in commits.parts and "ingest" in str(commits) and "1" in commits.stem:
            commits.unlink()
    partial = open_store(path)
    assert partial.current("ingest").missing == [1]
    table = gather(partial)
    assert {table.states[code] for code in table.state[32:64]} == {NOT_INGESTED}
    assert np.isnan(table.values["box"][0, 32:64]).all()
    assert np.isfinite(table.values["box"][0, 64:]).all()


def test_without_fits_persons_are_no_less_there(invented: Store, tmp_path: Path) -> None:
    path = shutil.copytree(invented.path, tmp_path / "bare.zarr")
    for entry in sorted(path.rglob("*"), reverse=True):
        if any(stage in entry.relative_to(path).as_posix() for stage in ("fits", "choice", "iuv")):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    table = gather(open_store(path))
    assert set(table.states) == {NOT_CHOSEN, NO_IMAGE + "missing picture"}
    assert np.isnan(table.values["heading"]).all()
    assert not table.mapped.any()


def test_a_large_store_gives_an_even_spread(invented: Store) -> None:
    table = gather(invented, limit=30)
    assert len(table) == 30
    assert (table.row[0], table.row[-1]) == (0, 119)
    assert set(np.diff(table.row)) <= {4, 5}
    whole = gather(invented)
    np.testing.assert_array_equal(table.values["box"], whole.values["box"][:, table.row])


def test_images_are_of_the_worst_the_best_the_missing_images_and_some_between(invented: Store) -> None:
    table = gather(invented)
    places = select(table, 40)
    assert len(places) == len(set(places.tolist())) == 40
    error = table.values["reprojection"][0]
    worst = np.argsort(-np.nan_to_num(error, nan=-1), kind="stable")[:10].tolist()
    assert places[:10].tolist() == worst, "the worst come first"
    best = np.nanargmin(error)
    assert best in places
    assert {39, 79, 119} <= set(places.tolist()), "persons without a fit"
    assert not {49, 99} & set(places.tolist()), "who has no image has nothing to show"
    assert np.diff(np.sort(places)).max() < 30


@pytest.mark.parametrize("count", [0, 1, 7, 1000])
def test_never_more_than_asked_for(invented: Store, count: int) -> None:
    table = gather(invented)
    assert len(select(table, count)) == min(count, int(table.with_image.sum()))
    assert len(spread(np.arange(5), count)) == min(count, 5)
