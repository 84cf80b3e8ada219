"""Names near one that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pymaf_data.near import absent, is_it, nearest_first


def test_all_are_listed_the_likest_first() -> None:
    assert nearest_first("strat", ["world", "stratum", "start"]) == ["stratum", "start", "world"]
    assert nearest_first("x", ["b", "a"]) == ["b", "a"]


def test_one_is_asked_for_where_one_is_like_it() -> None:
    assert is_it("keypoint", ["truth", "keypoints"]) == "; is it keypoints?"
    assert is_it("nothing", ["truth", "keypoints"]) == ""


def test_a_path_is_written_out_with_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path.resolve()
    (root / "photos").mkdir()
    (root / "photos" / "predictions.npz").touch()
    monkeypatch.chdir(root / "photos")
    assert absent(Path("../photo")) == f"{root}/photo; {root} has photos"
    assert absent(Path("../photos/prediction.npz")).endswith("/photos has predictions.npz")
    assert absent(Path("a/b/c.jpg")) == f"{root}/photos/a/b/c.jpg; {root}/photos has no a"
    assert absent(Path("zzz")) == f"{root}/photos/zzz"
    assert absent(Path("predictions.npz/a.jpg")).endswith("/photos has predictions.npz"), "a file is no folder"
