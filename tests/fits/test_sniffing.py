"""A request without a format: it is told from what the file holds, or the formats that may be meant are listed."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pymaf_data.errors import FitError, UsageError
from pymaf_data.fits.joined import read_fits
from pymaf_data.fits.request import FitRequest, require_named
from pymaf_data.fits.sniffing import sniff


@pytest.fixture
def files(published: ModuleType, eft: ModuleType, npz: ModuleType, tmp_path: Path) -> Any:
    """Format → files of it, whose names say nothing."""
    two = published.People(
        *(np.array(["a/1.jpg", "a/2.jpg"]), np.arange(2), np.ones((2, 3)), np.zeros((2, 72)), np.zeros((2, 10))),
        *(np.tile(np.eye(3), (2, 1, 1)), np.ones((2, 3)), np.ones((2, 44, 2))),
    )
    truth = {key: np.zeros(1) for key in ("annotation_id", "pose", "betas", "translation", "intrinsics", "body")}
    np.savez(tmp_path / "t", **truth, body_fingerprint=np.array("x"))
    fits = {"pose": two.pose, "shape": two.betas}
    return {
        "truth": [tmp_path / "t.npz"],
        "eft": [eft.write_eft(tmp_path / "e", [{"parm_pose": [], "parm_cam": []}])],
        "npz": [npz.save(tmp_path / "p.npz", [npz.person("a/1.jpg", (1, 1), 1)] * 2, **fits)],
        "hmr2": [
            published.hmr2_npz(tmp_path / "h.npz", two),
            published.hmr2_tars(tmp_path / "tars", two),
            tmp_path / "tars" / "000000.tar",
        ],
        "camerahmr": [
            published.camera_hmr(tmp_path / "c.npz", two),
            published.camera_hmr(tmp_path / "d.npz", two, pose=None, pose_cam=two.pose),
        ],
        "neuralannot": [published.neural_annot(tmp_path / "n", two)],
    }


def test_a_file_tells_its_format(files: dict[str, list[Path]]) -> None:
    for format_, paths in files.items():
        for path in paths:
            assert sniff(path) == [format_], path
            request = FitRequest.of(str(path))
            assert (request.name, request.format, request.path) == (format_, format_, path)
            named = FitRequest.of(f"mine={path}")
            assert (named.name, named.format, named.path) == ("mine", format_, path)


def test_a_name_that_is_part_of_the_path_belongs_to_it(files: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a=b.json", "odd:name.json"):
        (tmp_path / name).write_bytes(files["eft"][0].read_bytes())
        request = FitRequest.of(name)
        assert (request.name, request.format, str(request.path)) == ("eft", "eft", str(Path(name)))
    assert FitRequest.of("e").format == "eft", "no format, but a file of this name"


def test_static_fits_are_told_with_their_companion(files: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "x_fits.npy", np.zeros((2, 82)))
    request = FitRequest.of(f"{tmp_path / 'x_fits.npy'}:{files['npz'][0]}")
    assert (request.format, request.companion) == ("spin", files["npz"][0])
    for name, more in (("final", ("betas", "valid_fit")), ("mview", ("shape", "has_smpl"))):
        np.savez(tmp_path / f"{name}.npz", pose=np.zeros((2, 72)), **dict.fromkeys(more, np.zeros(2)))
        assert FitRequest.of(f"{tmp_path / name}.npz:{files['npz'][0]}").format == "spin"
    with np.load(files["npz"][0]) as persons:  # PyMAF's of EFT's fits: it has all that the one of many views has
        np.savez(tmp_path / "eft.npz", **persons, has_smpl=np.ones(2))
    assert FitRequest.of(str(tmp_path / "eft.npz")).format == "npz"
    np.save(tmp_path / "other.npy", np.zeros((2, 83)))
    assert sniff(tmp_path / "other.npy") == []


def test_who_names_another_format_is_told_which_it_is(files: Any, tmp_path: Path) -> None:
    for named, of in (("camerahmr", "npz"), ("neuralannot", "eft"), ("npz", "hmr2"), ("tokenhmr", "hmr2")):
        path = files[of][-1]
        with pytest.raises(FitError, match=rf"looks like a file of the format {of}: --fits {of}:{path}"):
            read_fits(FitRequest.of(f"{named}:{path}"))
    np.savez(tmp_path / "mine.npz", pose=np.zeros(1))
    with pytest.raises(FitError, match=r"name such a file; https://camera"):
        read_fits(FitRequest.of(f"camerahmr:{tmp_path / 'mine.npz'}"))


def test_what_no_format_fits_is_told_by_what_it_is(tmp_path: Path) -> None:
    np.savez(tmp_path / "npz", poses=np.zeros(1), trans=np.zeros(1))
    contents = {
        "empty": b"",
        "page": b"<html>log in</html>",
        "parquet": b"PAR1",
        "npz": (tmp_path / "npz.npz").read_bytes(),
    }
    said = {
        "empty": "empty (0 bytes)",
        "page": "a web page",
        "parquet": "a Parquet file",
        "npz": "which holds poses, trans",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError, match=rf"fits {re.escape(str(tmp_path / name))}: .*{re.escape(said[name])}"):
            FitRequest.of(str(tmp_path / name))
    with pytest.raises(UsageError, match="a folder"):
        FitRequest.of(str(tmp_path))


def test_several_formats_or_none_are_told(files: Any, tmp_path: Path) -> None:
    both = tmp_path / "both.json"
    both.write_text('{"parm_pose": 1, "parm_cam": 2, "smpl_param": 3, "cam_param": 4}')
    with pytest.raises(UsageError, match=r"may be of the formats eft, neuralannot(.|\n)*--fits x=eft:/"):
        FitRequest.of(f"x={both}")
    for content in (b"", b"{}", b"PK\x03\x04 cut", b"\x93NUMPY"):
        (tmp_path / "none").write_bytes(content)
        with pytest.raises(UsageError, match="no format of fits fits"):
            FitRequest.of(str(tmp_path / "none"))
    with pytest.raises(UsageError, match="names no source of fits"):
        FitRequest.of(str(tmp_path / "absent.npz"))
    with pytest.raises(UsageError, match="no format of fits fits"):
        FitRequest.of(f"{files['eft'][0]}:{both}")


def test_what_names_no_source_is_refused_by_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything of weight is imported: with the name that it is near."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "predictions.npz").touch()
    for good in (
        "keypoints",
        "3dpw",
        "a=table:mine/predictions.npz",
        "mine/predictions.npz:c.npz",
        "a=mine/predictions.npz",
    ):
        require_named(good)
    for bad in ("keypoint", "mine=keypont"):
        with pytest.raises(UsageError, match="is it keypoints"):
            require_named(bad)
    there = re.escape(
        f"there is no {tmp_path.resolve()}/mine/prediction.npz; {tmp_path.resolve()}/mine has predictions.npz"
    )
    for bad in ("table:mine/../mine/prediction.npz", "mine/../mine/prediction.npz"):
        with pytest.raises((FitError, UsageError), match=there):
            require_named(bad)
