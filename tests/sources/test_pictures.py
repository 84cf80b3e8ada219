"""Pictures: only from below the root, only when intact, always as stored."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg

from pymaf_data.errors import UntrustedData
from pymaf_data.sources.pictures import HOLES, Hole, Pictures, decode


def smooth(height: int = 48, width: int = 64) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


JPEG = simplejpeg.encode_jpeg(smooth(), 95)
SIZE = (64, 48)


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    (tmp_path / "root" / "train2014").mkdir(parents=True)
    (tmp_path / "root" / "train2014" / "a.jpg").write_bytes(JPEG)
    (tmp_path / "outside.jpg").write_bytes(JPEG)
    return Pictures(tmp_path / "root", "train2014")


def reason(outcome: np.ndarray | Hole) -> str:
    assert isinstance(outcome, Hole), "a picture where a hole was expected"
    assert str(outcome).startswith(HOLES[outcome.reason])
    return outcome.reason


def test_an_intact_picture_is_read(pictures: Pictures) -> None:
    picture = pictures.load("train2014/a.jpg", SIZE)
    assert isinstance(picture, np.ndarray)
    assert picture.shape == (48, 64, 3) and np.abs(picture.astype(int) - smooth()).mean() < 2
    assert pictures.byte_count("train2014/a.jpg") == len(JPEG)


@pytest.mark.parametrize(
    "name",
    ["train2014/../../outside.jpg", "/etc/hostname", "train2014//etc/hostname", "../outside.jpg", "train2014/a\0.jpg"],
)
def test_a_name_that_leaves_the_root_is_refused(name: str, pictures: Pictures) -> None:
    assert reason(pictures.load(name, SIZE)) == "unsafe_path"
    assert pictures.byte_count(name) == -1
    with pytest.raises(UntrustedData, match="below"):
        pictures.resolve(name)


def test_a_link_that_leaves_the_root_is_refused(pictures: Pictures, tmp_path: Path) -> None:
    folder = tmp_path / "root" / "train2014"
    (folder / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    (folder / "deep").symlink_to(tmp_path)
    (folder / "inner.jpg").symlink_to(folder / "a.jpg")
    assert reason(pictures.load("train2014/link.jpg", SIZE)) == "unsafe_path"
    assert reason(pictures.load("train2014/deep/outside.jpg", SIZE)) == "unsafe_path"
    assert isinstance(pictures.load("train2014/inner.jpg", SIZE), np.ndarray)


def test_a_sibling_whose_name_begins_like_the_root_is_outside(tmp_path: Path, pictures: Pictures) -> None:
    (tmp_path / "root-2").mkdir()
    (tmp_path / "root-2" / "a.jpg").write_bytes(JPEG)
    (tmp_path / "root" / "link").symlink_to(tmp_path / "root-2")
    assert reason(pictures.load("link/a.jpg", SIZE)) == "unsafe_path"


def test_the_picture_folder_itself_may_lie_on_another_disk(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "a.jpg").write_bytes(JPEG)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "train2014").symlink_to(tmp_path / "disk")
    assert isinstance(Pictures(tmp_path / "root", "train2014").load("train2014/a.jpg", SIZE), np.ndarray)


def test_what_is_not_a_regular_file_is_a_hole(pictures: Pictures, tmp_path: Path) -> None:
    folder = tmp_path / "root" / "train2014"
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")  # reading it would wait for ever
    assert reason(pictures.load("train2014/folder.jpg", SIZE)) == "unreadable_picture"
    assert reason(pictures.load("train2014/pipe.jpg", SIZE)) == "unreadable_picture"
    assert reason(pictures.load("train2014/absent.jpg", SIZE)) == "missing_picture"
    assert reason(pictures.load("train2014/a.jpg/b.jpg", SIZE)) == "missing_picture"
    (folder / "round.jpg").symlink_to(folder / "round.jpg")
    assert reason(pictures.load("train2014/round.jpg", SIZE)) == "unreadable_picture"


@pytest.mark.parametrize("kept", [0, 1, 20, 200, len(JPEG) // 2, len(JPEG) - 2])
def test_a_picture_cut_off_anywhere_is_a_hole(kept: int) -> None:
    assert reason(decode(JPEG[:kept], SIZE)) in ("truncated_picture", "corrupt_picture")
    if kept == 0 or kept >= len(JPEG) // 2:
        assert reason(decode(JPEG[:kept], SIZE)) == "truncated_picture"


def test_what_the_decoder_would_repair_is_a_hole() -> None:
    middle = len(JPEG) // 2
    assert reason(decode(JPEG[:middle] + bytes(300) + JPEG[middle + 300 :], SIZE)) == "corrupt_picture"
    assert reason(decode(b"GIF89a" + bytes(500), SIZE)) == "corrupt_picture"
    assert reason(decode(cv2.imencode(".png", smooth())[1].tobytes(), SIZE)) == "corrupt_picture"


@pytest.mark.parametrize("size", [(64, 47), (48, 64), (63, 48), (640, 480)])
def test_another_size_than_annotated_is_a_hole(size: tuple[int, int]) -> None:
    hole = decode(JPEG, size)
    assert reason(hole) == "mis_sized_picture"
    assert "64 × 48" in str(hole)


def test_grey_and_cmyk_become_rgb() -> None:
    picture = smooth()
    grey = decode(simplejpeg.encode_jpeg(picture[..., :1].copy(), 95, "GRAY"), SIZE)
    assert isinstance(grey, np.ndarray)
    assert grey.shape == (48, 64, 3) and np.abs(grey.astype(int) - picture[..., :1]).mean() < 2
    # Adobe's inverted CMYK without black ink holds the RGB values themselves.
    inks = np.dstack([picture, np.full((48, 64, 1), 255, np.uint8)])
    cmyk = decode(simplejpeg.encode_jpeg(inks, 95, "CMYK"), SIZE)
    assert isinstance(cmyk, np.ndarray)
    assert cmyk.shape == (48, 64, 3) and np.abs(cmyk.astype(int) - picture).mean() < 3


def test_exif_orientation_is_ignored_as_the_annotations_ignore_it() -> None:
    tag = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)  # orientation: turn by 90°
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + tag + struct.pack("<I", 0)
    turned = JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + JPEG[2:]
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape == (64, 48, 3)  # others do turn
    assert np.array_equal(decode(turned, SIZE), decode(JPEG, SIZE))
