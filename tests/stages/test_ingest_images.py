"""The stage ``ingest``: what a manifest of one's own says, and images behind links, turned or absent."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from pymaf_data.datasets import is_held_out, load_manifest
from pymaf_data.errors import ConfigError, RawDataCorrupt, RawDataMissing, StoreChanged
from pymaf_data.storage import open_store
from tests.stages.small_ingest import run

pytestmark = pytest.mark.usefixtures("no_wait_for_the_disk")
FOLDERS = ["images", "images/", "./images", "./images//", "images\\", "{root}/images", "{root}/images/"]
AT_ROOT = ["", ".", "./", "{root}"]


@pytest.mark.parametrize("written", FOLDERS + AT_ROOT)
def test_a_manifests_image_folder_is_read_however_it_is_written(written: str, coco: ModuleType, tmp_path: Path) -> None:
    folder = "." if written in AT_ROOT else "images"
    made = coco.small_set(tmp_path / "raw", pictures=2, persons=1)
    made.images[1]["file_name"] = str(tmp_path / "raw" / folder / made.images[1]["file_name"])  # absolute, and inside
    made.save()
    for path in list(made.folder.iterdir()):
        (tmp_path / "raw" / folder).mkdir(exist_ok=True)
        path.rename(tmp_path / "raw" / folder / path.name)
    text = yaml.safe_dump(own_manifest(pictures=written.format(root=tmp_path / "raw")))
    (tmp_path / "mine.yaml").write_text(text)
    report = run(tmp_path / "raw", tmp_path / "s.zarr", dataset=str(tmp_path / "mine.yaml"))
    assert report.holes.counts == {}
    store = open_store(report.store)
    start = "" if folder == "." else "images/"
    assert [name for name, _ in store.rows] == [f"{start}{number:012d}.jpg" for number in (1, 2)]
    assert str(tmp_path) not in json.dumps(store.head) + json.dumps(store.attrs), "no path of this machine"


@pytest.mark.parametrize("written", ["../images", "images/../../x", "/elsewhere/images"])
def test_a_manifests_image_folder_outside_the_root_is_refused(written: str, coco: ModuleType, tmp_path: Path) -> None:
    coco.small_set(tmp_path / "raw", pictures=1)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(own_manifest(pictures=written)))
    with pytest.raises(ConfigError, match="--root"):
        run(tmp_path / "raw", tmp_path / "s.zarr", dataset=str(tmp_path / "mine.yaml"))


def own_manifest(**split: Any) -> dict[str, Any]:
    """COCO's manifest under another name, its split ``train`` changed."""
    content = load_manifest("coco").model_dump(mode="json")
    train = {"annotations": "annotations/person_keypoints_train2014.json", "pictures": "train2014"} | split
    return content | {"name": "mine", "splits": {"train": train}}


def test_a_link_out_of_the_root_is_taken_when_asked_for(
    coco: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = coco.small_set(tmp_path / "raw", pictures=4, persons=2)
    (tmp_path / "blobs").mkdir()
    for image in made.images[1:]:
        path = made.folder / image["file_name"]
        path.rename(tmp_path / "blobs" / path.stem)
        path.symlink_to(tmp_path / "blobs" / path.stem)
    assert run(tmp_path / "raw", tmp_path / "s.zarr").holes.counts == {"unsafe_path": 6}
    told = [record.message for record in caplog.records if "unsafe_path" in record.message]
    assert len(told) == 1, "one warning for all of them"
    assert "3 images of 6 persons" in told[0] and "--follow-links" in told[0]
    followed = run(tmp_path / "raw", tmp_path / "f.zarr", follow_links=True)
    assert followed.holes.counts == {}
    with pytest.raises(StoreChanged, match="is there now"):
        run(tmp_path / "raw", tmp_path / "s.zarr", follow_links=True)


def test_where_no_image_is_there_nothing_is_made_and_the_same_command_goes_on(coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path / "raw", pictures=3, persons=1)
    made.folder.rename(tmp_path / "raw" / "elsewhere")
    made.folder.mkdir()
    with pytest.raises(RawDataMissing, match="not one of the 3 images") as caught:
        run(tmp_path / "raw", tmp_path / "s.zarr")
    assert str(made.folder) in str(caught.value)
    assert not (tmp_path / "s.zarr").exists()
    made.folder.rmdir()
    (tmp_path / "raw" / "elsewhere").rename(made.folder)
    report = run(tmp_path / "raw", tmp_path / "s.zarr")
    assert report.holes.counts == {}
    report.require_images()


def test_a_store_without_one_image_says_so_every_time(coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path / "raw", pictures=2, persons=1)
    whole = {path: path.read_bytes() for path in made.folder.iterdir()}
    for path in whole:
        path.write_bytes(b"<html>404</html>")
    for _ in range(2):
        with pytest.raises(RawDataCorrupt, match="not one of the 2 persons"):
            run(tmp_path / "raw", tmp_path / "s.zarr").require_images()
    for path, data in whole.items():
        path.write_bytes(data)
    with pytest.raises(StoreChanged, match="--overwrite"):
        run(tmp_path / "raw", tmp_path / "s.zarr")
    run(tmp_path / "raw", tmp_path / "s.zarr", overwrite=True).require_images()


def test_exif_orientation_is_the_manifests_choice(coco: ModuleType, tmp_path: Path) -> None:
    made = coco.CocoSet(tmp_path / "raw")
    image = made.picture(96, 72)
    made.person(image)
    path = made.folder / image["file_name"]
    stored = cv2.imread(str(path), cv2.IMREAD_COLOR)
    tag = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # 6: shown turned by 90° clockwise
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(tag) + 2).to_bytes(2, "big") + tag + data[2:])
    image["width"], image["height"] = 72, 96
    made.save()
    assert run(tmp_path / "raw", tmp_path / "s.zarr").holes.counts == {"exif_turned_picture": 1}
    content = own_manifest() | {"images": {"orientation": "apply"}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    applied = open_store(run(tmp_path / "raw", tmp_path / "a.zarr", dataset=str(tmp_path / "mine.yaml")).store)
    # The same pixels, turned before they were stored and annotated in that frame, give the same crop.
    cv2.imwrite(str(path), cv2.rotate(stored, cv2.ROTATE_90_CLOCKWISE), [cv2.IMWRITE_JPEG_QUALITY, 100])
    turned = open_store(run(tmp_path / "raw", tmp_path / "t.zarr").store)
    assert np.abs(applied.array("image")[0].astype(int) - turned.array("image")[0]).mean() < 3


@pytest.mark.parametrize("held_out", [False, True])
def test_a_store_remembers_whether_its_split_is_held_out(held_out: bool, coco: ModuleType, tmp_path: Path) -> None:
    coco.small_set(tmp_path / "raw", pictures=1, persons=1)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(own_manifest(held_out=held_out)))
    store = open_store(run(tmp_path / "raw", tmp_path / "s.zarr", dataset=str(tmp_path / "mine.yaml")).store)
    assert is_held_out(store.head) is held_out
