"""Images in archives as downloaded: the shards are those of the folder, whoever packed it and however."""

from __future__ import annotations

import pickle
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import simplejpeg
import yaml

from pymaf_data.datasets import MissingImage, Raw, load_manifest
from pymaf_data.datasets.archives import ArchivedImages, archives_of
from pymaf_data.datasets.dataset import ReaderOfStills, one_image
from pymaf_data.datasets.images import Images
from pymaf_data.errors import ConfigError, RawDataCorrupt, RawDataMissing, StoreChanged
from pymaf_data.stages.held import Opened
from pymaf_data.stages.ingest import IngestOptions, IngestReport, ingest
from pymaf_data.storage import open_store


@pytest.fixture(autouse=True)
def no_wait_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)


def pack(path: Path, folder: Path, inside: str, method: int = zipfile.ZIP_STORED) -> None:
    """Pack a folder's files, in an order that is not theirs, below another folder in the archive; then it is gone."""
    files = sorted((file for file in folder.rglob("*") if file.is_file()), key=lambda file: file.name[::-1])
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("__MACOSX/._1.jpg", b"what macOS knows")
            for file in files:
                archive.write(file, f"{inside}{file.relative_to(folder)}")
    else:
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
            for file in files:
                archive.add(file, f"{inside}{file.relative_to(folder)}")
    shutil.rmtree(folder)


def unpack(path: Path, root: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        archive.extractall(root)
    shutil.rmtree(root / "__MACOSX")
    path.unlink()


def run(root: Path, out: Path, **options: Any) -> IngestReport:
    return ingest(IngestOptions(**{"root": root, "out": out, "crop_size": 64, "shard": 4, "workers": 1} | options))


def tree(store: Path) -> dict[str, bytes]:
    passing = {store / "_pymaf" / "locks", store / "_pymaf" / "tmp"}
    files = (path for path in sorted(store.rglob("*")) if path.is_file() and not passing & set(path.parents))
    return {str(path.relative_to(store)): path.read_bytes() for path in files}


def damaged_set(coco: ModuleType, root: Path) -> Any:
    """Of seven images one is missing, one cut off, one spelled as Windows does, one leaves the folder."""
    made = coco.small_set(root, pictures=7, persons=2)
    path = made.folder / made.images[2]["file_name"]
    path.write_bytes(path.read_bytes()[:700])
    (made.folder / made.images[3]["file_name"]).unlink()
    (made.folder / "sub").mkdir()
    (made.folder / made.images[4]["file_name"]).rename(made.folder / "sub" / "a b.jpg")
    made.images[4]["file_name"] = "sub\\a%20b.jpg"
    made.images[5]["file_name"] = f"../{made.images[5]['file_name']}"
    return made.save()


PACKED: dict[str, Callable[[Path], None]] = {
    "zip": lambda root: pack(root / "train2014.zip", root / "train2014", "train2014/"),
    "deflated": lambda root: pack(root / "train2014.zip", root / "train2014", "train2014/", zipfile.ZIP_DEFLATED),
    "tar": lambda root: pack(root / "train2014.tar", root / "train2014", "./train2014/"),
    "tar.gz": lambda root: pack(root / "train2014.tar.gz", root / "train2014", "train2014/"),
    "without its folder": lambda root: pack(root / "train2014.zip", root / "train2014", ""),
    "in a folder more": lambda root: pack(root / "train2014.tar", root / "train2014", "coco/train2014/"),
}


@pytest.mark.parametrize("how", PACKED)
def test_shards_are_those_of_the_folder(how: str, coco: ModuleType, tmp_path: Path) -> None:
    damaged_set(coco, tmp_path / "raw")
    before = run(tmp_path / "raw", tmp_path / "folder.zarr")
    PACKED[how](tmp_path / "raw")
    after = run(tmp_path / "raw", tmp_path / "archive.zarr", workers=3)
    assert tree(before.store) == tree(after.store)
    assert before.holes == after.holes and len(before.holes.pictures) == 3
    assert open_store(after.store).array("present")[:].sum() == 8


def test_what_was_begun_from_the_one_goes_on_from_the_other(coco: ModuleType, tmp_path: Path) -> None:
    coco.small_set(tmp_path / "raw")
    store = run(tmp_path / "raw", tmp_path / "s.zarr").store
    whole = tree(store)
    archive, folder = tmp_path / "raw" / "train2014.zip", tmp_path / "raw" / "train2014"
    for shard, change in (
        (1, lambda: pack(archive, folder, "train2014/")),
        (2, lambda: unpack(archive, folder.parent)),
    ):
        next(store.glob(f"_pymaf/commits/ingest/*/0000{shard}.json")).unlink()
        change()
        report = run(tmp_path / "raw", store)
        assert report.shards_written == 1 and tree(store) == whole
    (folder / "000000000001.jpg").write_bytes(b"another size")
    pack(archive, folder, "train2014/")
    with pytest.raises(StoreChanged, match="another size"):
        run(tmp_path / "raw", store)


def test_an_archive_in_the_images_folder_is_found_and_a_folder_with_images_comes_first(tmp_path: Path) -> None:
    folder = tmp_path / "train2014"
    folder.mkdir()

    def found(*named: Path) -> list[str]:
        return [path.name for path in archives_of(tmp_path, "train2014", named)]

    assert found() == []
    for name in ("train2014.tar.gz", "more.ZIP", ".listing", "part2.tgz"):
        (folder / name).touch()
    assert found() == ["train2014.tar.gz", "more.ZIP", "part2.tgz"]
    (folder / "train2014.tar").touch()  # unpacked by gunzip -k: it is the faster one
    (tmp_path / "train2014.zip").touch()
    (tmp_path / "other.zip").touch()
    assert found(tmp_path / "other.zip", tmp_path / "train2014.zip", tmp_path / "absent.zip") == [
        *("other.zip", "train2014.zip", "train2014.tar", "more.ZIP", "part2.tgz")
    ]
    (folder / "1.jpg").touch()
    assert found(tmp_path / "other.zip") == []
    assert archives_of(tmp_path, "") == [], "beside a root lies what is not its own"
    assert archives_of(tmp_path, "", [tmp_path / "other.zip"]) == [tmp_path / "other.zip"]


def test_an_archive_may_be_called_as_a_folder_above_the_images(coco: ModuleType, tmp_path: Path) -> None:
    """As LSP's: lsp_dataset_original.zip holds images/im0001.jpg, and joints, which lie unpacked in their folder."""
    root = tmp_path / "raw"
    made = coco.small_set(root / "lsp_dataset_original", pictures=3, persons=1)
    made.folder.rename(root / "lsp_dataset_original" / "images")
    files = {
        "annotations": "lsp_dataset_original/annotations/person_keypoints_train2014.json",
        "images": "lsp_dataset_original/images",
    }
    path = str(mine(tmp_path / "lsp.yaml", files=files))
    whole = tree(run(root, tmp_path / "folder.zarr", dataset=path).store)
    archive = root / "lsp_dataset_original.zip"
    pack(archive, root / "lsp_dataset_original" / "images", "images/")
    assert tree(run(root, tmp_path / "beside.zarr", dataset=path).store) == whole
    archive.rename(root / "lsp_dataset_original" / archive.name)
    assert tree(run(root, tmp_path / "inside.zarr", dataset=path).store) == whole


def mine(path: Path, name: str = "coco", **split: Any) -> Path:
    content = load_manifest(name).model_dump(mode="json", exclude_defaults=True)
    content["splits"] = {"train": content["splits"]["train"] | split}
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_manifest_names_archives_of_other_names(coco: ModuleType, tmp_path: Path) -> None:
    """By `archives`, or in the place of the folder; neither changes what the rows are made by."""
    made = coco.small_set(tmp_path / "raw")
    digest = load_manifest("coco").rules_digest("train")
    (tmp_path / "raw" / "half").mkdir()
    for number in (4, 5):
        (made.folder / f"{number:012d}.jpg").rename(tmp_path / "raw" / "half" / f"{number:012d}.jpg")
    pack(tmp_path / "raw" / "part1.tar", made.folder, "train2014/")
    pack(tmp_path / "raw" / "part2.zip", tmp_path / "raw" / "half", "train2014/")
    path = mine(tmp_path / "a.yaml", archives=["part*", "none.zip"])
    assert load_manifest(path).rules_digest("train") == digest
    report = run(tmp_path / "raw", tmp_path / "a.zarr", dataset=str(path))
    assert not report.holes.counts
    (tmp_path / "raw" / "part1.tar").rename(tmp_path / "raw" / "images.tar")
    for named in ("./images.tar", str(tmp_path / "raw" / "images.tar")):
        files = {"annotations": "annotations/person_keypoints_train2014.json", "images": named}
        path = mine(tmp_path / "b.yaml", files=files, archives=["part2.zip"])
        assert load_manifest(path).below(tmp_path / "raw").split("train").files["images"] == "images"
        report = run(tmp_path / "raw", tmp_path / "b.zarr", dataset=str(path))
        assert not report.holes.counts
        assert open_store(report.store).rows[0][0] == "images/000000000001.jpg"
    with pytest.raises(ConfigError, match="leaves"):
        load_manifest(mine(tmp_path / "c.yaml", archives=["../x.zip"]))


LAYOUTS = {
    "the whole path": ("lsp/original/images", "lsp/original/images/", True),
    "the end of it": ("lsp/original/images", "images/", True),
    "more of the end": ("lsp/original/images", "original/images/", True),
    "below a folder of its own": ("lsp/images", "lsp_dataset-1.0/images/", True),
    "alone": ("lsp/images", "", True),
    "in any folder": ("lsp/images", "pictures/", True),
    "the root": ("", "", True),
    "another folder beside others": ("lsp/images", "pictures/", False),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_folder_is_found_in_the_archive(layout: str, tmp_path: Path) -> None:
    folder, inside, alone = LAYOUTS[layout]
    others = {f"{inside}sub/b.jpg": b"22"} | ({} if alone else {"labels/a.jpg": b"333", "readme.txt": b""})
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, data in {f"{inside}a.jpg": b"1", **others}.items():
            archive.writestr(name, data)
    images, start = ArchivedImages([tmp_path / "a.zip"], folder), f"{folder}/" if folder else ""
    assert images.stamp(f"{start}a.jpg") == (1 if alone else -1), "one of another folder is not guessed"
    assert images.stamp(f"{start}sub/b.jpg") == (2 if alone else -1)
    assert images.stamp(f"{start}c.jpg") == images.stamp(f"{start}labels/../a.jpg") == images.stamp("") == -1


@pytest.fixture
def packed_set(coco: ModuleType, tmp_path: Path) -> Path:
    coco.small_set(tmp_path / "raw", pictures=3, persons=1)
    PACKED["zip"](tmp_path / "raw")
    return tmp_path / "raw"


def test_a_worker_opens_its_own(packed_set: Path) -> None:
    name = "train2014/000000000002.jpg"
    with ReaderOfStills().images(Raw(packed_set, load_manifest("coco"), "train")) as images:
        assert isinstance(images, ArchivedImages)
        here = one_image(images, name, (96, 72))
        sent = pickle.loads(pickle.dumps(Opened(images)))
        with ArchivedImages([packed_set / "train2014.zip"], "train2014") as other:
            pickle.loads(pickle.dumps(Opened(other))).get()
        there = one_image(sent.get(), name, (96, 72))
    assert isinstance(here, np.ndarray) and np.array_equal(here, there)
    assert np.array_equal(one_image(images, name, (96, 72)), here), "opened anew when it is asked after it was closed"


def test_what_is_wrong_with_one_image_is_said(packed_set: Path) -> None:
    path = packed_set / "train2014.zip"
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        places = {info.filename: info.header_offset for info in archive.infolist()}
    data[places["train2014/000000000001.jpg"] + 900] ^= 1
    listed = data.rfind(b"train2014/000000000003.jpg") - 46
    data[listed + 8] |= 1
    path.write_bytes(data)
    images = ArchivedImages([path], "train2014")
    told = {
        name: images_of(images, name)
        for name in ("train2014/000000000001.jpg", "train2014/000000000003.jpg", "train2014/4.jpg", "/etc/hostname")
    }
    assert [hole.reason for hole in told.values()] == [
        "corrupt_picture",
        "unreadable_picture",
        "missing_picture",
        "unsafe_path",
    ]
    assert "not those that were packed" in str(told["train2014/000000000001.jpg"])
    assert "encrypted" in str(told["train2014/000000000003.jpg"])
    assert "not in train2014.zip" in str(told["train2014/4.jpg"])
    for other in ("train2014/000000000002.png", "000000000002.JPG", "train2014/train2014/000000000002.jpg"):
        assert "train2014/000000000002.jpg is there" in str(images_of(images, other))
    assert images_of(images, "http://a.b/c.jpg").reason == "missing_picture", "as in a folder"


def images_of(images: ArchivedImages, name: str) -> MissingImage:
    found = one_image(images, name, (96, 72))
    assert isinstance(found, MissingImage)
    return found


def test_a_huge_member_is_not_unpacked(packed_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymaf_data.datasets.images._MAX_BYTES", 1000)
    monkeypatch.setattr("pymaf_data.untrusted.archived.Archive.read", None)
    images = ArchivedImages([packed_set / "train2014.zip"], "train2014")
    assert "more than this program will read" in str(images_of(images, "train2014/000000000001.jpg"))


def test_a_damaged_archive_and_a_wrong_one_stop_before_anything_is_written(packed_set: Path, tmp_path: Path) -> None:
    path = packed_set / "train2014.zip"
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    with pytest.raises(RawDataCorrupt, match=r"train2014\.zip is cut short or damaged[^\0]*fetch it again"):
        run(packed_set, tmp_path / "s.zarr")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("val2014/1.jpg", b"1")
    with pytest.raises(RawDataMissing, match=r"looked for, in .*train2014\.zip"):
        run(packed_set, tmp_path / "s.zarr")
    path.unlink()
    with pytest.raises(RawDataMissing, match="or an archive"):
        run(packed_set, tmp_path / "s.zarr")
    assert not (tmp_path / "s.zarr").exists()
    assert isinstance(ReaderOfStills().images(Raw(packed_set, load_manifest("coco"), "train")), Images)


def test_mpii_is_read_as_it_is_downloaded(mpii: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A tar.gz of another name than its folder; a large one says what is waited for."""
    points = mpii.points([(20 + 3 * i, 30 + 4 * i) for i in range(16)])
    images = [mpii.image(f"00000000{i}.jpg", mpii.struct(mpii.rect(points))) for i in range(3)]
    mpii.save(tmp_path / "raw", images, [1, 1, 1])
    for i in range(3):
        data = simplejpeg.encode_jpeg(np.full((150, 140, 3), 60 * i + 40, np.uint8), 95)
        (tmp_path / "raw" / "images" / f"00000000{i}.jpg").write_bytes(data)
    whole = tree(run(tmp_path / "raw", tmp_path / "folder.zarr", dataset="mpii").store)
    pack(tmp_path / "raw" / "mpii_human_pose_v1.tar.gz", tmp_path / "raw" / "images", "images/")
    assert tree(run(tmp_path / "raw", tmp_path / "archive.zarr", dataset="mpii").store) == whole
    assert "gunzip" not in caplog.text
    with (tmp_path / "raw" / "mpii_human_pose_v1.tar.gz").open("ab") as file:
        file.truncate(2 << 30)
    ReaderOfStills().images(Raw(tmp_path / "raw", load_manifest("mpii"), "train"))
    assert "`gunzip -k` makes it a tar" in caplog.text
