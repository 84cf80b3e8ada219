"""What the proof refuses is kept by force, and says so wherever it goes."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pymaf_data.body import BodyModel
from pymaf_data.errors import FitError, UsageError
from pymaf_data.fits.joined import read_fits
from pymaf_data.fits.proof import prove_standing
from pymaf_data.fits.request import FitRequest
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.stages.export_fits import export_fits
from pymaf_data.stages.options import ExportOptions
from pymaf_data.stages.told import attach_lines
from pymaf_data.storage import Store, open_store


def test_a_refused_source_is_kept_whole_and_marked(
    tmp_path: Path, factory: ModuleType, known: Any, body: BodyModel, caplog: pytest.LogCaptureFixture
) -> None:
    store = factory.make_store(tmp_path / "s.zarr", known.persons[:8], 4)
    ids = known.persons.annotation_id.copy()
    ids[[2, 3]] = ids[[3, 2]]
    swapped = factory.write_truth(tmp_path / "swapped.npz", known, body, annotation_id=ids)
    with pytest.raises(
        FitError, match=r"bodies may be that poor, (.|\n)*--force then keeps all (.|\n)*--max-reprojection 2 "
    ):
        attach(store, swapped)
    report = attach(store, swapped, force=True)
    source, forced = report.sources[0], open_store(store.path).current("fits/mine")
    assert (source.valid, source.shards_written, report.failed) == (8, 2, False)
    assert forced.attributes["forced"] == source.forced and str(tmp_path) not in source.forced
    assert source.forced.startswith("fits/mine does not belong to this store, or is poor: 2 of 8 fits do not reproject")
    assert open_store(store.path).current("choice").attributes["forced"] == ["mine"]
    lines = attach_lines(report)
    assert f"    FORCED, although {source.forced}" in lines
    assert any("8 from mine (forced), 0 without" in line for line in lines)
    exported = export_fits(ExportOptions(store=store.path, out=tmp_path / "out.npz", to="spin"))
    with np.load(tmp_path / "out.npz") as file:
        assert file["fit_forced"].tolist() == [True] * 8
    assert (
        read_fits(FitRequest.of(f"npz:{tmp_path / 'out.npz'}"))
        and "8 of its fits are of sources that --force kept" in caplog.text
    )
    assert exported.forced == {"mine": 8} and "        8 from mine, which was FORCED" in exported.lines()
    with pytest.raises(UsageError, match="is a folder"):
        export_fits(ExportOptions(store=store.path, out=tmp_path, to="spin", overwrite=True))
    again = attach(store, swapped, force=True)
    assert (again.sources[0].shards_written, again.sources[0].forced) == (0, source.forced)
    with pytest.raises(FitError, match="do not reproject"):
        attach(store, swapped)


def test_force_changes_nothing_of_a_source_that_is_proved(
    tmp_path: Path, factory: ModuleType, known: Any, body: BodyModel
) -> None:
    store = factory.make_store(tmp_path / "s.zarr", known.persons[:8], 8)
    truth = factory.write_truth(tmp_path / "truth.npz", known, body)
    report = attach(store, truth, force=True)
    info = open_store(store.path).current("fits/mine")
    assert (report.sources[0].forced, "forced" in info.attributes) == ("", False)
    assert "forced" not in open_store(store.path).current("choice").attributes
    assert attach(store, truth).sources[0].shards_written == 0
    assert open_store(store.path).current("fits/mine").generation == info.generation


def attach(store: Store, path: Path, **options: Any) -> Any:
    return attach_fits(AttachOptions(store=store.path, fits=(f"mine=truth:{path}",), **options))


def test_bodies_most_of_which_stand_nowhere_are_refused() -> None:
    prove_standing("file", 5, 10)
    with pytest.raises(FitError, match=r"6 of 10 bodies stand nowhere .*; so what"):
        prove_standing("file", 6, 10, lambda: "; so what")
