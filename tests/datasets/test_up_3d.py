"""UP-3D: lists, joints with a confidence, and the box of what is rendered."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pymaf_data.datasets import Raw, Selection, load_manifest, select
from pymaf_data.errors import RawDataCorrupt, RawDataMissing
from pymaf_data.geometry.joints import J24
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import open_store

NAMES = J24.joints[:14]
SIZE = (90, 110)


def read(root: Path, split: str = "train", *options: str) -> Selection:
    return select(Raw(root, load_manifest("up-3d").with_options(split, options), split))


def joints(seed: int = 0) -> np.ndarray:
    places = np.random.default_rng(seed).uniform(5, 80, (2, 14))
    return np.concatenate([places, np.ones((1, 14))])


@pytest.fixture
def release(up_3d: ModuleType, tmp_path: Path) -> Path:
    """Four persons; the second with joints that are sure, unsure, not labelled and outside."""
    for number in (22, 7, 300, 301):
        person = joints(number)
        if number == 7:
            person[2, :3], person[0, 3], person[1, 4] = (0, 0.25, 0.75), 0, -2
        up_3d.save_person(tmp_path, number, person, (10, 5, 51, 105), SIZE)
    up_3d.save_list(tmp_path, "train.txt", [22, 7, ""])
    up_3d.save_list(tmp_path, "trainval.txt", [22, "/00007_image.png 1.0\r", 300])
    up_3d.save_list(tmp_path, "test.txt", ["00301_image.png"])
    return tmp_path


def test_what_is_written_is_read(release: Path) -> None:
    selection = read(release)
    assert selection.kept == 2 and selection.adjusted == {"joint_outside": 2} and selection.listed == (2, 2)
    second, first = selection.records  # in the order of their names
    assert (first.image_name, first.annotation_id) == ("00022_image.png", 22)
    assert first.box == (30.5, 55.0, 120.0) and first.box_source == "silhouette" and not first.confidence
    assert list(first.keypoints) == list(NAMES)
    np.testing.assert_allclose([(x, y) for x, y, _ in first.keypoints.values()], joints(22)[:2].T, atol=1e-5)
    assert list(second.keypoints) == [*NAMES[1:3], *NAMES[5:]]
    assert second.confidence == {NAMES[1]: 0.25, NAMES[2]: 0.75}
    assert [len(read(release, split).records) for split in ("trainval", "test")] == [3, 1]
    assert load_manifest("up-3d").split("test").held_out


def test_the_box_may_be_that_of_the_joints(release: Path) -> None:
    first = read(release, "train", "box=joints").records[-1]
    low, high = joints(22)[:2].min(1), joints(22)[:2].max(1)
    assert (
        first.box == pytest.approx([*((low + high) / 2), 1.2 * (high - low).max()]) and first.box_source == "keypoints"
    )


@pytest.mark.parametrize(
    ("line", "text"),
    [("../../etc/passwd", "no line such as"), ("/00022_image.png", "twice"), ("/a_image.png", "no line such as")],
)
def test_a_line_that_names_nobody(line: str, text: str, release: Path, up_3d: ModuleType) -> None:
    up_3d.save_list(release, "train.txt", [22, line])
    selection = read(release)
    assert selection.account() == {"total": 2, "kept": 1, "dropped": 1, "malformed": 1}
    assert text in str(selection.damaged[0])


def _of_joints(content: Any) -> Any:
    return lambda root: np.save(root / "00007_joints.npy", content)


@pytest.mark.parametrize(
    ("break_", "reason", "text"),
    [
        (_of_joints(joints()[:2]), "malformed", "joints of float64"),
        (_of_joints(np.full((3, 14), "a")), "malformed", "joints of <U1"),
        (_of_joints(joints() * [[1], [1], [-1]]), "malformed", "confidence"),
        (_of_joints(joints() * [[np.nan], [1], [1]]), "not_finite", ""),
        (_of_joints(joints() * [[1], [1], [np.nan]]), "malformed", "confidence"),
        (_of_joints(joints() * 0), "no_keypoints", ""),
        (lambda root: (root / "00007_joints.npy").write_bytes(b"no"), "malformed", "00007_joints.npy is not a NumPy"),
        (lambda root: (root / "00007_joints.npy").unlink(), "malformed", "cannot read 00007_joints.npy"),
        (lambda root: (root / "00007_render_light.png").unlink(), "bad_box", "is not there"),
        (lambda root: (root / "00007_render_light.png").write_bytes(b"no"), "bad_box", "not an intact"),
    ],
)
def test_a_damaged_person_is_counted_and_named(break_: Any, reason: str, text: str, release: Path) -> None:
    break_(release)
    selection = read(release)
    assert selection.account() == {"total": 2, "kept": 1, "dropped": 1, reason: 1}
    if text:
        assert text in str(selection.damaged[0]) and "00007" in str(selection.damaged[0])
        assert str(release) not in str(selection.damaged[0]), "no path of this machine goes into a store"


def test_a_person_who_is_not_rendered_has_no_box(release: Path, up_3d: ModuleType) -> None:
    up_3d.save_person(release, 7, joints(), None, SIZE)
    assert read(release).account()["bad_box"] == 1
    assert read(release, "train", "box=joints").kept == 2


def test_files_that_are_no_lists_or_not_there(release: Path) -> None:
    (release / "train.txt").write_bytes(b"\xff\xfe\0")
    with pytest.raises(RawDataCorrupt, match=r"train\.txt is no text"):
        read(release)
    with pytest.raises(RawDataMissing, match=r"val\.txt"):
        read(release, "val")


def test_persons_become_rows(release: Path, tmp_path: Path) -> None:
    options = IngestOptions(dataset="up-3d", root=release, split="trainval", out=tmp_path / "s.zarr", crop_size=64)
    (release / "00300_image.png").unlink()
    report = ingest(options)
    store = open_store(report.store)
    assert report.counts["kept"] == 3 and report.holes.counts == {"missing_picture": 1}
    assert store.array("image_size")[:2].tolist() == [list(SIZE)] * 2
    assert store.array("keypoints")[0][26, 2] == 0.25
