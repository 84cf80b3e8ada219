"""Images: only from below the root, however they are named."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pymaf_data.datasets.images import Images, MissingImage, image_name
from pymaf_data.errors import UntrustedData
from tests.factories.images import JPEG, SIZE, reason, smooth


def test_an_intact_image_is_read(pictures: Images) -> None:
    picture = pictures.load("train2014/a.jpg", SIZE)
    assert isinstance(picture, np.ndarray)
    assert picture.shape == (48, 64, 3) and np.abs(picture.astype(int) - smooth()).mean() < 2
    assert pictures.stamp("train2014/a.jpg") == len(JPEG)


@pytest.mark.parametrize(
    "name",
    ["train2014/../../outside.jpg", "/etc/hostname", "train2014//etc/hostname", "../outside.jpg", "train2014/a\0.jpg"],
)
def test_a_name_that_leaves_the_root_is_refused(name: str, pictures: Images) -> None:
    assert reason(pictures.load(name, SIZE)) == "unsafe_path"
    assert pictures.stamp(name) == -1
    with pytest.raises(UntrustedData, match="below"):
        pictures.resolve(name)


def test_a_link_that_leaves_the_root_is_refused(pictures: Images, tmp_path: Path) -> None:
    folder = tmp_path / "root" / "train2014"
    (folder / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    (folder / "deep").symlink_to(tmp_path)
    (folder / "inner.jpg").symlink_to(folder / "a.jpg")
    assert reason(pictures.load("train2014/link.jpg", SIZE)) == "unsafe_path"
    assert reason(pictures.load("train2014/deep/outside.jpg", SIZE)) == "unsafe_path"
    assert isinstance(pictures.load("train2014/inner.jpg", SIZE), np.ndarray)


def test_a_sibling_whose_name_begins_like_the_root_is_outside(tmp_path: Path, pictures: Images) -> None:
    (tmp_path / "root-2").mkdir()
    (tmp_path / "root-2" / "a.jpg").write_bytes(JPEG)
    (tmp_path / "root" / "link").symlink_to(tmp_path / "root-2")
    assert reason(pictures.load("link/a.jpg", SIZE)) == "unsafe_path"


def test_the_image_folder_itself_may_lie_on_another_disk(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "a.jpg").write_bytes(JPEG)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "train2014").symlink_to(tmp_path / "disk")
    assert isinstance(Images(tmp_path / "root", "train2014").load("train2014/a.jpg", SIZE), np.ndarray)


def test_what_is_not_a_regular_file_is_missing(pictures: Images, tmp_path: Path) -> None:
    folder = tmp_path / "root" / "train2014"
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")  # reading it would wait for ever
    assert reason(pictures.load("train2014/folder.jpg", SIZE)) == "unreadable_picture"
    assert reason(pictures.load("train2014/pipe.jpg", SIZE)) == "unreadable_picture"
    assert reason(pictures.load("train2014/absent.jpg", SIZE)) == "missing_picture"
    assert reason(pictures.load("train2014/a.jpg/b.jpg", SIZE)) == "missing_picture"
    (folder / "round.jpg").symlink_to(folder / "round.jpg")
    assert reason(pictures.load("train2014/round.jpg", SIZE)) == "unreadable_picture"


@pytest.mark.parametrize(
    "name", ["train2014/in side/b c.jpg", "train2014/in%20side/b%20c.jpg", "train2014\\in side\\b c.jpg"]
)
def test_names_as_other_tools_write_them_are_found(name: str, pictures: Images) -> None:
    folder = pictures.root / "train2014" / "in side"
    folder.mkdir()
    (folder / "b c.jpg").write_bytes(JPEG)
    assert isinstance(pictures.load(name, SIZE), np.ndarray)
    assert pictures.stamp(name) == len(JPEG)


def test_a_name_that_is_there_as_written_is_taken_as_written(pictures: Images) -> None:
    folder = pictures.root / "train2014"
    for name, number in (("a%41.jpg", 1), ("aA.jpg", 2), ("b\\c.jpg", 3)):
        (folder / name).write_bytes(JPEG + bytes(number))
    assert pictures.stamp("train2014/a%41.jpg") == len(JPEG) + 1
    assert pictures.stamp("train2014/b\\c.jpg") == len(JPEG) + 3


@pytest.mark.parametrize(
    "name",
    ["train2014/..\\..\\outside.jpg", "train2014/%2e%2e/%2e%2e/outside.jpg", "..%5c..%5coutside.jpg", "%2Foutside.jpg"],
)
def test_no_other_spelling_leaves_the_root(name: str, pictures: Images, tmp_path: Path) -> None:
    for follow in (False, True):
        there = Images(tmp_path / "root", "train2014", follow_links=follow)
        assert reason(there.load(name, SIZE)) == "missing_picture"


def test_links_out_of_the_root_are_taken_when_asked_for(pictures: Images, tmp_path: Path) -> None:
    folder = pictures.root / "train2014"
    (folder / "b.jpg").symlink_to(tmp_path / "outside.jpg")
    (folder / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (folder / "deep").symlink_to(tmp_path)
    assert "--follow-links" in str(pictures.load("train2014/b.jpg", SIZE))
    following = Images(pictures.root, "train2014", follow_links=True)
    for name in ("train2014/b.jpg", "train2014/deep/outside.jpg"):
        assert isinstance(following.load(name, SIZE), np.ndarray)
        assert following.stamp(name) == len(JPEG)
    hole = following.load("train2014/gone.jpg", SIZE)
    assert reason(hole) == "missing_picture" and "nowhere.jpg, which is not there" in str(hole)
    for name in ("train2014/../../outside.jpg", "/etc/hostname", "train2014/" + str(tmp_path / "outside.jpg")):
        assert reason(following.load(name, SIZE)) == "unsafe_path"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("train2014/A.JPG", "a.jpg is there"),
        ("train2014/a.png", "a.jpg is there"),
        ("train2014/train2014/a.jpg", "train2014/a.jpg is there"),
        ("train2014/deeper/a.jpg", "train2014/a.jpg is there"),
        ("train2014//data/upload/1/a.jpg", "train2014/a.jpg is there"),
        ("train2014/http://images.example/train2014/a.jpg", "a URL"),
        ("train2014/C:\\Users\\me\\b.jpg", "Windows machine"),
        ("val2014\\a.jpg", "backslashes"),
        ("train2014/c\\b.jpg", "no folder"),
        ("val2014/a.jpg", "a.jpg"),
        ("train2014/" + "x" * 300, ""),
    ],
)
def test_an_absent_image_is_told_with_its_likely_cause(name: str, told: str, pictures: Images) -> None:
    hole = pictures.load(name, SIZE)
    assert isinstance(hole, MissingImage)
    assert told in str(hole)


@pytest.mark.parametrize(
    ("folder", "name", "expected"),
    [
        ("images", "a.jpg", "images/a.jpg"),
        ("", "a.jpg", "a.jpg"),
        ("images", "b//a.jpg", "images/b/a.jpg"),
        ("images", "{root}/other/a.jpg", "other/a.jpg"),
        ("images", "{root}/other/../../a.jpg", "images/{root}/other/../../a.jpg"),
        ("images", "/etc/hostname", "images//etc/hostname"),
        ("images", "http://x/a.jpg", "images/http://x/a.jpg"),
    ],
)
def test_names_are_kept_relative_to_the_root(folder: str, name: str, expected: str, tmp_path: Path) -> None:
    filled = name.replace("{root}", str(tmp_path))
    assert image_name(folder, filled, tmp_path) == expected.replace("{root}", str(tmp_path))


def test_a_root_that_is_a_link_counts_by_both_its_names(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for start in ("real", "link"):
        assert image_name("images", f"{tmp_path / start}/b/a.jpg", tmp_path / "link") == "b/a.jpg"
