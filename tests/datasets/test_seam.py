"""The seam of raw data sets: a reader that nobody here knows is found, given its files and options, and ingested."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest
import yaml

from pymaf_data.config import StrictModel
from pymaf_data.datasets import (
    Dropped,
    ImageRef,
    Manifest,
    PersonRecord,
    Raw,
    Told,
    dataset,
    load_manifest,
    select,
    stored_column,
)
from pymaf_data.datasets.images import MissingImage
from pymaf_data.errors import ConfigError, RawDataMissing, StoreChanged, UsageError
from pymaf_data.geometry.joints import J49
from pymaf_data.stages.ingest import IngestOptions, ingest, require_raw_data
from pymaf_data.storage import open_store


class Settings(StrictModel):
    step: int = 1


class Clips:
    """Persons of text files, one clip each; images are frames that only move forward."""

    options = Settings
    asked: ClassVar[list[tuple[str, list[int]]]] = []

    def read(self, raw: Raw, told: Told) -> Iterator[PersonRecord | Dropped]:
        step = raw.options(Settings).step
        for path in raw.files("clips"):
            for frame in range(0, int(path.read_text()), step):
                yield PersonRecord(
                    image_name=f"{path.stem}_{frame:03d}.jpg",
                    annotation_id=frame,
                    box=(20.0, 16.0, 30.0),
                    keypoints={"nose": (20.0, 16.0, 2)},
                )
            yield Dropped("no_box", path.stem)

    def images(self, raw: Raw) -> Any:
        return Frames(raw)


class Frames:
    def __init__(self, raw: Raw) -> None:
        self.raw, self.open = raw, False

    def __enter__(self) -> Frames:
        self.open = True
        return self

    def __exit__(self, *_: object) -> None:
        self.open = False

    def place(self, name: str) -> ImageRef:
        stem, _, frame = name.removesuffix(".jpg").rpartition("_")
        return ImageRef(f"{stem}.txt", int(frame))

    def stamp(self, file: str) -> int:
        return (self.raw.root / "clips" / file).stat().st_size

    def decode(self, file: str, frames: Sequence[int], size: tuple[int, int]) -> Iterator[Any]:
        assert self.open and size == (0, 0)
        Clips.asked.append((file, list(frames)))
        for frame in frames:
            yield MissingImage("corrupt_picture", "") if frame == 4 else np.full((32, 40, 3), 10 * frame, np.uint8)


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set of another package: three clips of 5, 3 and 0 frames."""
    entry = EntryPoint("clips", f"{__name__}:Clips", dataset.GROUP)
    monkeypatch.setattr(dataset, "entry_points", lambda group: [entry] if group == dataset.GROUP else [])
    monkeypatch.setattr(dataset, "import_module", lambda name: __import__("sys").modules[name])
    (tmp_path / "raw" / "clips").mkdir(parents=True)
    for name, frames in (("b", 3), ("a", 5), ("c", 0)):
        (tmp_path / "raw" / "clips" / f"{name}.txt").write_text(str(frames))
    Clips.asked.clear()
    return tmp_path / "raw"


def manifest(path: Path, reader: str = "clips", **split: Any) -> Path:
    content = load_manifest("coco").model_dump(mode="json") | {"name": "mine", "reader": reader}
    content |= {
        "default_selection": "any",
        "splits": {"train": {"files": {"clips": "clips/*.txt", "images": "."}} | split},
    }
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_reader_of_another_package_is_ingested(clips: Path, tmp_path: Path) -> None:
    mine = manifest(tmp_path / "mine.yaml", options={"step": 2})
    options = IngestOptions(dataset=str(mine), root=clips, out=tmp_path / "s.zarr", crop_size=32, shard=4, workers=2)
    report = ingest(options)
    assert report.counts == {"total": 8, "kept": 5, "dropped": 3, "no_box": 3}
    assert sorted(Clips.asked) == [("a.txt", [0, 2, 4]), ("b.txt", [0]), ("b.txt", [2])], (
        "a file is one thread's, in order"
    )
    store = open_store(report.store)
    assert [name for name, _ in store.rows] == ["a_000.jpg", "a_002.jpg", "a_004.jpg", "b_000.jpg", "b_002.jpg"]
    assert list(store.head["inputs"]) == ["clips/a.txt", "clips/b.txt", "clips/c.txt"]
    assert store.array("present")[:].tolist() == [True, True, False, True, True]
    assert store.array("image_size")[:].tolist() == [[40, 32], [40, 32], [0, 0], [40, 32], [40, 32]]
    assert abs(int(store.array("image")[1][16, 16, 0]) - 20) < 3


def test_a_column_that_is_not_always_there_is_there_where_it_is_brought(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(self: Clips, raw: Raw, told: Told) -> Iterator[PersonRecord]:
        for record in plain(self, raw, told):
            if isinstance(record, PersonRecord):
                more = {"gender": "male", "box_source": "detector", "confidence": {"nose": 0.25}}
                yield record.model_copy(update=more if record.image_name == "b_001.jpg" else {})

    plain, path = Clips.read, str(manifest(tmp_path / "mine.yaml"))
    options = IngestOptions(dataset=path, root=clips, out=tmp_path / "s.zarr", crop_size=32, shard=4, workers=2)
    without = open_store(ingest(options.model_copy(update={"out": tmp_path / "t.zarr"})).store)
    monkeypatch.setattr(Clips, "read", read)
    store, row = open_store(ingest(options).store), 6
    assert store.rows[row][0] == "b_001.jpg"
    arrays, others = (set(each.current("ingest").record.specs) for each in (store, without))
    assert arrays - others == {"gender", "box_source"} and others < arrays
    assert store.head["options"]["columns"] == ["gender", "box_source"] and "columns" not in without.head["options"]
    assert store.array("gender")[:].tolist() == [0] * 6 + [2, 0]
    assert store.array("box_source")[:].tolist() == [0] * 6 + [4, 0]
    assert store.array("keypoints")[row][J49.index("nose")].tolist() == [20, 16, 0.25]
    rows = np.array([row, 0])
    assert stored_column(store, "gender").rows(rows).tolist() == [2, 0]
    assert stored_column(store, "camera").rows(rows).tolist() == [-1, -1]
    for name in others - {"image", "keypoints"}:
        files = [each.path / name / "c" / "1" for each in (store, without)]
        shards = [next(path for path in (file, *file.rglob("0")) if path.is_file()).read_bytes() for file in files]
        assert shards[0] == shards[1], "what others bring changes nothing here"
    monkeypatch.setattr(Clips, "read", plain)
    with pytest.raises(StoreChanged, match=r'options\.columns: the store has \["gender", "box_source"\], .* nothing'):
        ingest(options)


def test_a_split_says_by_whom_and_how_it_is_read(clips: Path, tmp_path: Path) -> None:
    plain = load_manifest(manifest(tmp_path / "a.yaml"))
    other = load_manifest(manifest(tmp_path / "b.yaml", options={"step": 2}))
    assert select(Raw(clips, plain, "train")).kept == 8 and select(Raw(clips, other, "train")).kept == 5
    assert plain.rules_digest("train") != other.rules_digest("train")
    wrong = load_manifest(manifest(tmp_path / "c.yaml", options={"stride": 2}))
    with pytest.raises(ConfigError, match="stride"):
        Raw(clips, wrong, "train").require()
    strange = load_manifest(manifest(tmp_path / "d.yaml", reader="clops"))
    with pytest.raises(ConfigError, match=r"'clops'[^\0]*clips, coco"):
        Raw(clips, strange, "train").require()


def test_the_folder_that_all_lies_in_is_a_root_too(clips: Path, tmp_path: Path) -> None:
    """As of a release that was unpacked elsewhere: `--root` names what holds the files, or what holds that."""
    shutil.copytree(clips / "clips", tmp_path / "all" / "set" / "clips")
    path = manifest(tmp_path / "a.yaml", files={"clips": "set/clips/*.txt", "images": "set"})
    for number, root in enumerate((tmp_path / "all", tmp_path / "all" / "set")):
        options = IngestOptions(dataset=str(path), root=root, out=tmp_path / f"{number}.zarr", crop_size=48)
        raw = require_raw_data(options)
        assert (raw.folder, select(raw).kept) == (["set", ""][number], 8)
    with pytest.raises(RawDataMissing, match="set/clips"):
        require_raw_data(options.model_copy(update={"root": tmp_path}))
    one = manifest(tmp_path / "b.yaml", files={"clips": "a.txt", "images": "a.txt"})
    with pytest.raises(RawDataMissing, match=r"a\.txt"):
        require_raw_data(options.model_copy(update={"dataset": str(one), "root": tmp_path}))


def test_an_option_is_said_on_the_command_line(clips: Path, tmp_path: Path) -> None:
    """It stands in the plan as if the manifest had said it; one that the reader does not know is refused."""
    path = manifest(tmp_path / "a.yaml", options={"step": 1})
    more: dict[str, Any] = {"dataset": str(path), "root": clips, "crop_size": 48, "shard": 4}
    plans = [
        ingest(IngestOptions(**more, out=tmp_path / f"{number}.zarr", option=given)).store
        for number, given in enumerate([(), ("step=2",), ("step=3", "step=2")])
    ]
    assert [len(open_store(plan)) for plan in plans] == [8, 5, 5]
    digests = [open_store(plan).head["manifest_digest"] for plan in plans]
    assert digests[0] != digests[1] == digests[2]
    assert digests[1] == load_manifest(manifest(tmp_path / "b.yaml", options={"step": 2})).rules_digest("train")
    for given, error, match in (
        ("stride=2", ConfigError, "stride"),
        ("step", UsageError, "KEY=VALUE"),
        ("step=[", ConfigError, "YAML"),
    ):
        with pytest.raises(error, match=match):
            ingest(IngestOptions(**more, out=tmp_path / "x.zarr", option=(given,)))


def test_a_folder_of_files_is_an_input(clips: Path, tmp_path: Path) -> None:
    """By names and sizes, so that one that goes or comes is seen by the next run."""
    mine = manifest(tmp_path / "a.yaml", files={"clips": "clips/*.txt", "masks": "clips", "images": "."})
    options = IngestOptions(dataset=str(mine), root=clips, out=tmp_path / "a.zarr", crop_size=48)
    ingest(options)
    (clips / "clips" / "of_masks.png").write_bytes(b"1")
    with pytest.raises(StoreChanged, match="clips"):
        ingest(options)


def test_files_of_a_role_are_sorted_and_never_none(clips: Path, tmp_path: Path) -> None:
    raw = Raw(clips, load_manifest(manifest(tmp_path / "a.yaml")), "train")
    assert [path.name for path in raw.files("clips")] == ["a.txt", "b.txt", "c.txt"]
    with pytest.raises(ConfigError, match="names no files for 'masks'"):
        raw.files("masks")
    with pytest.raises(ConfigError, match="3 files are clips"):
        raw.file("clips")
    none = load_manifest(manifest(tmp_path / "b.yaml", files={"clips": "clips/*.csv", "images": "."}))
    for ask in (Raw.require, lambda raw: raw.files("clips")):
        with pytest.raises(RawDataMissing, match=r"clips/\*\.csv"):
            ask(Raw(clips, none, "train"))


def test_a_name_with_brackets_is_a_name(clips: Path, tmp_path: Path) -> None:
    (clips / "clips" / "a[1].txt").write_text("1")
    mine = load_manifest(manifest(tmp_path / "a.yaml", files={"clips": "clips/a[1].txt", "images": "."}))
    assert [path.name for path in Raw(clips, mine, "train").files("clips")] == ["a[1].txt"]


@pytest.mark.parametrize("pattern", ["../*.txt", "clips/../../x/*.txt"])
def test_a_pattern_stays_below_the_root(pattern: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--root"):
        load_manifest(manifest(tmp_path / "a.yaml", files={"clips": pattern, "images": "."}))


def test_keys_of_manifests_before_are_the_two_roles(coco: ModuleType, tmp_path: Path) -> None:
    coco.small_set(tmp_path, pictures=2, persons=1)
    now = load_manifest("coco")
    content = now.model_dump(mode="json")
    before = {
        "annotations": "annotations//person_keypoints_train2014.json",
        "pictures": "./train2014/",
        "held_out": True,
    }
    old = Manifest.model_validate(content | {"splits": {"train": before}})
    assert old.splits["train"].files == now.splits["train"].files and old.splits["train"].held_out
    assert old.rules_digest("train") == now.rules_digest("train")
    assert select(Raw(tmp_path, old, "train")).kept == 2
    for wrong in (before | {"files": {"annotations": "a", "images": "b"}}, {"pictures": "a"}, {"annotations": "a"}):
        with pytest.raises(ConfigError, match=r"splits\.train"):
            Manifest.parse(content | {"splits": {"train": wrong}}, "mine")
