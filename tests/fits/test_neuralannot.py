"""NeuralAnnot's fits: cameras are those that were written, and an entry that cannot be meant is one person without."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pymaf_data.errors import FitError
from pymaf_data.fits.joined import read_fits
from pymaf_data.fits.readers.neuralannot import READER
from pymaf_data.fits.readers.reader import ByAnnotation
from pymaf_data.fits.request import FitRequest
from pymaf_data.fits.table import CAMERA


def entry(**changes: Any) -> dict[str, Any]:
    body = {"pose": [0.1] * 72, "shape": [0.2] * 10, "trans": [0.5, -0.25, 4.0]}
    camera = {"focal": [1000.0, 1100.0], "princpt": [300.0, 200.0]}
    return {
        "smpl_param": {key: changes.get(key, value) for key, value in body.items()},
        "cam_param": {key: changes.get(key, value) for key, value in camera.items()},
    }


def table_of(folder: Path, content: Any) -> Any:
    (folder / "a.json").write_text(json.dumps(content))
    return READER.read(folder / "a.json", None)


def test_the_camera_is_the_one_that_was_written(tmp_path: Path) -> None:
    table = table_of(tmp_path, {"900100581904": entry()})
    X = np.array([0.3, -0.2, 0.1])
    seen = table.camera[0] @ [*X, 1]
    assert np.allclose(seen[:2] / seen[2], [1000 * 0.8 / 4.1 + 300, 1100 * -0.45 / 4.1 + 200])
    assert isinstance(table.keys, ByAnnotation) and table.keys.ids.tolist() == [900100581904]
    assert table.frame.tolist() == [CAMERA] and table.body.tolist() == ["smpl-neutral"]
    assert (table.pose == 0.1).all() and (table.betas == 0.2).all()


@pytest.mark.parametrize(
    "broken",
    [
        entry(pose=[0.1] * 69),
        entry(shape=None),
        entry(trans=[0.5, "a", 4.0]),
        entry(trans=[0.5, 10**400, 4.0]),
        entry(focal=[1000.0]),
        entry(focal=[0.0, 1000.0]),
        entry(princpt=[float("nan"), 0.0]),
        {"smpl_param": entry()["smpl_param"]},
        {"smpl_param": 7, "cam_param": entry()["cam_param"]},
        {"smpl_param": {}, "cam_param": {}},
        {"smpl_param": entry()["cam_param"], "cam_param": entry()["smpl_param"]},
    ],
)
def test_an_entry_that_cannot_be_meant_is_one_person_without(broken: Any, tmp_path: Path) -> None:
    table = table_of(tmp_path, {"1": entry(), "2": broken, "3": entry()})
    assert table.keys.ids.tolist() == [1, 2, 3]
    assert np.isfinite(table.camera).all((1, 2)).tolist() == [True, False, True]


def test_what_is_no_fit_is_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    odd = {"x": entry(), "-1": entry(), "9" * 19: entry(), "5": {"bbox": [0]}, "6": 7, "٧": entry()}
    with caplog.at_level(logging.WARNING):
        table = table_of(tmp_path, {"1": entry()} | odd)
    assert table.keys.ids.tolist() == [1] and "6 entries are no fit" in caplog.text


def test_one_annotation_twice_is_told_from_two(tmp_path: Path) -> None:
    """ "7" and "07" are one annotation; a key that stands there twice is no JSON to us."""
    table = table_of(tmp_path, {"7": entry(), "07": entry(pose=[0.3] * 72), "8": entry()})
    assert table.keys.ids.tolist() == [7, 7, 8]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "7", '{"1": {}}', '{"1": [1]}', '{"a": {"smpl_param": {}}}', '{"data": [{"pose": 1}]}']
)  # fmt: skip
def test_files_that_are_no_fits(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(FitError, match=r"a\.json"):
        read_fits(FitRequest.of(f"neuralannot:{tmp_path / 'a.json'}"))
