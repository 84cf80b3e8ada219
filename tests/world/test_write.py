"""The stage ``sample``: what lies where, and that nothing but the options decides a byte of it."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pymaf_data.digest import canonical_json
from pymaf_data.errors import DiskFull, RawDataCorrupt, RawDataMissing, StoreLocked, UsageError
from pymaf_data.world import sample as stage
from pymaf_data.world import sample_files
from pymaf_data.world.dense import read_dense
from pymaf_data.world.layout import SplitLayout
from pymaf_data.world.produce import Job, Product, produce
from pymaf_data.world.sample import SampleOptions, write_sample

pytestmark = pytest.mark.slow
SIZE = (200, 160)
MADE = cache(produce)


def options(out: Path, **changes: Any) -> SampleOptions:
    return SampleOptions(**({"out": out, "persons": 4, "seed": 5, "size": SIZE} | changes))


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def annotations(out: Path, split: str = "train") -> dict:
    return json.loads((out / f"annotations/person_keypoints_{split}2014.json").read_text())


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("sample") / "out"
    write_sample(options(out))
    return out


@pytest.fixture
def made_before(monkeypatch):
    """Pictures that any test has made are not made again: these tests are of files."""
    monkeypatch.setattr(stage, "produce", MADE)


def test_layout(sample):
    content = annotations(sample)
    assert sorted(path.name for path in sample.iterdir()) == ["annotations", "sample.json", "train2014", "truth"]
    assert {path.name for path in (sample / "truth").iterdir()} == {"train.npz", "train_iuv"}
    names = {image["file_name"] for image in content["images"]}
    assert names == {path.name for path in (sample / "train2014").iterdir()}
    for image in content["images"]:
        picture = cv2.imread(str(sample / "train2014" / image["file_name"]))
        assert picture.shape == (image["height"], image["width"], 3) == (SIZE[1], SIZE[0], 3)


def test_exactly_as_many_complete_people_as_asked(sample):
    entries = annotations(sample)["annotations"]
    complete = [all(entry["keypoints"][3 * joint + 2] for joint in range(5, 17)) for entry in entries]
    assert sum(complete) == 4


def test_truth_rows_follow_the_annotations(sample):
    content = annotations(sample)
    with np.load(sample / "truth/train.npz", allow_pickle=False) as file:
        truth = dict(file)
    N = len(content["annotations"])
    assert truth["annotation_id"].tolist() == [entry["id"] for entry in content["annotations"]]
    assert truth["image_id"].tolist() == [entry["image_id"] for entry in content["annotations"]]
    assert len(set(truth["annotation_id"].tolist())) == N
    shapes = {
        "pose": (72,), "betas": (10,), "translation": (3,), "intrinsics": (3, 3), "joints24": (24, 3), "j24": (24, 3),
        "heading": (), "occlusion": (), "outside": (), "iuv_origin": (2,), "family": (), "variant": (), "place": (),
        "box": (4,),
    }  # fmt: skip
    assert {key: truth[key].shape for key in shapes} == {key: (N, *shape) for key, shape in shapes.items()}
    assert str(truth["body"]) == "free" and len(str(truth["body_fingerprint"])) == 64
    assert float(truth["annotation_noise"]) == 0.0
    # Ankles of the truth project onto the annotated ankles (skeleton and COCO ankle are one joint).
    for row, entry in enumerate(content["annotations"]):
        np.testing.assert_allclose(truth["box"][row], entry["bbox"])
        for coco, smpl in ((15, 7), (16, 8)):
            x, y, seen = entry["keypoints"][3 * coco : 3 * coco + 3]
            projected = truth["intrinsics"][row] @ truth["joints24"][row, smpl]
            if seen:
                np.testing.assert_allclose(projected[:2] / projected[2], [x + 0.5, y + 0.5], atol=0.0101)


def test_everybody_has_a_dense_map_that_covers_the_mask(sample):
    """Clothes and hair cover more than the body, so most of a mask's pixels have one of the map."""
    from pycocotools.coco import COCO

    coco = COCO(str(sample / "annotations/person_keypoints_train2014.json"))
    with np.load(sample / "truth/train.npz") as file:
        truth = dict(file)
    names = {f"{number:012d}.png" for number in truth["annotation_id"].tolist()}
    assert names == {path.name for path in (sample / "truth/train_iuv").iterdir()}
    for row, number in enumerate(truth["annotation_id"].tolist()):
        image = read_dense(SplitLayout(sample, "train").dense(number))
        left, top = truth["iuv_origin"][row]
        whole = np.zeros((SIZE[1], SIZE[0]), bool)
        whole[top : top + image.shape[0], left : left + image.shape[1]] = image[..., 0] > 0
        mask = coco.annToMask(coco.anns[number]) > 0
        assert (whole & mask).sum() > 0.7 * mask.sum()


def test_readable_by_pycocotools(sample):
    from pycocotools.coco import COCO

    coco = COCO(str(sample / "annotations/person_keypoints_train2014.json"))
    assert coco.loadCats([1])[0]["keypoints"][0] == "nose"
    for entry in coco.anns.values():
        assert coco.annToMask(entry).sum() == entry["area"]


def test_polygons_are_readable_by_pycocotools(tmp_path, made_before):
    from pycocotools.coco import COCO

    write_sample(options(tmp_path / "out", masks="polygon", noise=1.0))
    coco = COCO(str(tmp_path / "out/annotations/person_keypoints_train2014.json"))
    shares = [coco.annToMask(entry).sum() / entry["area"] for entry in coco.anns.values()]
    assert all(isinstance(entry["segmentation"], list) for entry in coco.anns.values())
    assert 0.9 < np.median(shares) < 1.1
    with np.load(tmp_path / "out/truth/train.npz") as truth:
        assert float(truth["annotation_noise"]) == 1.0


def test_the_annotation_file_is_canonical_json(sample):
    text = (sample / "annotations/person_keypoints_train2014.json").read_text()
    assert text == canonical_json(json.loads(text))
    assert list(json.loads(text)) == ["annotations", "categories", "images", "info", "licenses"]


def test_a_whole_sample_is_not_made_again(sample, monkeypatch):
    before = contents(sample)
    stamps = {path: path.stat().st_mtime_ns for path in sample.rglob("*") if path.is_file()}
    monkeypatch.setattr(stage, "produce", lambda job: pytest.fail("made a picture again"))
    report = write_sample(options(sample))
    content = annotations(sample)
    (part,) = report.splits
    assert (part.resumed, part.pictures) == (len(content["images"]),) * 2
    assert (part.persons, part.complete) == (len(content["annotations"]), 4)
    assert contents(sample) == before
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_a_report_says_the_same_whether_made_or_found(sample, tmp_path, made_before):
    first, second = (write_sample(options(tmp_path / "out")).splits[0] for _ in range(2))
    assert first.resumed == 0
    assert first.model_dump(exclude={"resumed"}) == second.model_dump(exclude={"resumed"})
    assert first.statistics.persons == len(annotations(sample)["annotations"])


@pytest.mark.parametrize("stop", [0, 1])
def test_stopped_runs_are_completed_to_the_same_bytes(sample, tmp_path, monkeypatch, stop):
    out, made = tmp_path / "out", []

    def stops(job: Job) -> Product:
        if len(made) == stop:
            raise KeyboardInterrupt
        made.append(job.number)
        return MADE(job)

    monkeypatch.setattr(stage, "produce", stops)
    with pytest.raises(KeyboardInterrupt):
        write_sample(options(out))
    assert not (out / "annotations/person_keypoints_train2014.json").exists()
    monkeypatch.setattr(stage, "produce", MADE)
    assert write_sample(options(out)).splits[0].resumed == stop, "Ctrl-C loses nothing that is finished"
    assert contents(out) == contents(sample)


def stopped_before_the_end(out: Path, monkeypatch, **changes: Any) -> None:
    """A sample all of whose pictures are there, and that is not put together."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sample_files.SplitFiles, "finish", stop)
        with pytest.raises(KeyboardInterrupt):
            write_sample(options(out, **changes))


@pytest.mark.parametrize("damage", ["cut", "emptied", "no archive", "gone", "picture gone"])
def test_damaged_remains_are_made_again(sample, tmp_path, monkeypatch, made_before, damage):
    out = tmp_path / "out"
    stopped_before_the_end(out, monkeypatch)
    part = sorted(path for path in (out / ".work/train").iterdir() if path.suffix == ".npz")[0]
    data = {"cut": part.read_bytes()[:100], "emptied": b"", "no archive": b"x" * 500}
    if damage == "picture gone":
        sorted((out / "train2014").iterdir())[0].unlink()
    elif damage == "gone":
        part.unlink()
    else:
        part.write_bytes(data[damage])
    assert write_sample(options(out)).splits[0].resumed == 0, "what follows a gap is made again"
    assert contents(out) == contents(sample)


@pytest.mark.long
def test_killed_at_every_step_and_run_again(kill, sample, tmp_path, monkeypatch, made_before):
    """Two pictures a batch, so that batches, the end and the clearing up are all interrupted."""
    monkeypatch.setattr(sample_files, "_BATCH", 2)
    monkeypatch.setattr("pymaf_data.storage.files._sync_all", lambda _: None)  # threads do not survive a fork
    whole, step = contents(sample), 0
    while True:
        out = tmp_path / f"{step}"
        if not kill.killed_at(step, lambda out=out: write_sample(options(out))):
            break
        write_sample(options(out))
        assert contents(out) == whole, f"killed before operation {step}"
        shutil.rmtree(out)
        step += 1
    print(f"killed at {step} steps")
    assert step > 30, "the work was really interrupted at every operation"


CHILD = """
import os, sys
os.fsync = lambda _: None
from pathlib import Path
from pymaf_data.world import sample_files
from pymaf_data.world.sample import SampleOptions, write_sample
sample_files._BATCH = 1
options = SampleOptions(out=Path(sys.argv[1]), persons=4, seed=5, size=(200, 160))
write_sample(options, lambda done, total, _: done and print(done, flush=True))
"""


@pytest.mark.long
def test_a_process_killed_while_it_makes_pictures(sample, tmp_path, made_before):
    out = tmp_path / "out"
    child = subprocess.Popen([sys.executable, "-c", CHILD, out], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    child.stdout.readline()
    child.kill()
    child.wait()
    child.stdout.close()
    assert not (out / "annotations").exists(), "a kill that comes too late tests nothing"
    assert write_sample(options(out)).splits[0].resumed >= 1
    assert contents(out) == contents(sample)


@pytest.mark.long
def test_workers_give_the_same_bytes(sample, tmp_path):
    write_sample(options(tmp_path / "out", workers=2))
    assert contents(tmp_path / "out") == contents(sample)


def test_two_at_once_are_refused_and_lose_nothing(sample, tmp_path, made_before):
    out = tmp_path / "out"
    out.mkdir()
    other = os.open(out, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(StoreLocked, match="another process"):
        write_sample(options(out))
    os.close(other)
    write_sample(options(out))
    assert contents(out) == contents(sample)


def test_parts_that_somebody_removed_are_said(tmp_path, monkeypatch, made_before):
    def gone(self: Any, number: int) -> None:
        return None

    monkeypatch.setattr(sample_files.SplitFiles, "kept", gone)
    with pytest.raises(RawDataMissing, match="image 0 is gone"):
        write_sample(options(tmp_path / "out"))


def test_splits_stand_side_by_side(tmp_path, made_before):
    out = tmp_path / "out"
    write_sample(options(out, persons=1, split="train"))
    alone = contents(out)
    report = write_sample(options(out, persons=1, split="both"))
    assert [part.split for part in report.splits] == ["train", "val"]
    train, val = annotations(out, "train"), annotations(out, "val")
    for key in ("images", "annotations"):
        assert not {entry["id"] for entry in train[key]} & {entry["id"] for entry in val[key]}
    assert train["annotations"][0]["keypoints"] != val["annotations"][0]["keypoints"]
    assert {name: digest for name, digest in contents(out).items() if name in alone and name != "sample.json"} == {
        name: digest for name, digest in alone.items() if name != "sample.json"
    }


@pytest.mark.parametrize(
    "change", [{"seed": 6}, {"persons": 5}, {"size": (200, 168)}, {"noise": 0.5}, {"masks": "polygon"}]
)
def test_other_options_are_refused(sample, change):
    before = contents(sample)
    with pytest.raises(UsageError, match=f"{next(iter(change))} of train"):
        write_sample(options(sample, **change))
    assert contents(sample) == before


@pytest.mark.parametrize("key", ["version", "body"])
def test_a_sample_of_another_program_is_refused(sample, tmp_path, key):
    out = shutil.copytree(sample, tmp_path / "out")
    mark = json.loads((out / "sample.json").read_text())
    (out / "sample.json").write_text(json.dumps(mark | {key: "other"}))
    with pytest.raises(UsageError, match=f"another {key}"):
        write_sample(options(out))


@pytest.fixture(scope="module")
def backgrounds(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("backgrounds")
    (folder / "more").mkdir()
    for number, name in enumerate(("b.png", "a.jpg", "more/c.png")):
        coarse = np.random.default_rng(number).integers(0, 256, (6, 8, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / name), cv2.resize(coarse, (240, 180)))
    (folder / "readme.txt").write_text("no picture")
    return folder


def test_a_folder_of_backgrounds_is_used_and_decides_the_bytes(sample, backgrounds, tmp_path):
    first, second = (tmp_path / name for name in ("first", "second"))
    for out in (first, second):
        write_sample(options(out, persons=2, backgrounds=backgrounds))
    assert contents(first) == contents(second)
    with np.load(first / "truth/train.npz") as truth:
        assert set(truth["place"].tolist()) == {"photograph"}
    with pytest.raises(UsageError, match="backgrounds of train"):
        write_sample(options(first, persons=2))
    with pytest.raises(UsageError, match="backgrounds of train"):
        write_sample(options(sample, backgrounds=backgrounds))


def test_a_folder_of_backgrounds_that_changed_is_refused(backgrounds, tmp_path, made_before):
    folder = shutil.copytree(backgrounds, tmp_path / "pictures")
    write_sample(options(tmp_path / "out", persons=1, backgrounds=folder))
    (folder / "b.png").unlink()
    with pytest.raises(UsageError, match="backgrounds of train"):
        write_sample(options(tmp_path / "out", persons=1, backgrounds=folder))


def test_the_same_backgrounds_elsewhere_are_the_same(backgrounds, tmp_path, made_before):
    folder = shutil.copytree(backgrounds, tmp_path / "elsewhere")
    for out, pictures in (("first", backgrounds), ("second", folder)):
        write_sample(options(tmp_path / out, persons=1, backgrounds=pictures))
    assert contents(tmp_path / "first") == contents(tmp_path / "second")


def test_a_folder_without_pictures_is_told(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(RawDataMissing, match="no image"):
        write_sample(options(tmp_path / "out", backgrounds=tmp_path / "empty"))
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="no sample"):
        write_sample(options(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(UsageError, match="no sample"):
        write_sample(options(tmp_path / "out"))


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 2}', "\xff"])
def test_a_damaged_mark_is_said(tmp_path, text):
    (tmp_path / "sample.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(RawDataCorrupt, match="damaged"):
        write_sample(options(tmp_path))


@pytest.mark.parametrize("size", [(64, 48), (159, 480), (5000, 480)])
def test_tiny_and_huge_pictures_are_refused(tmp_path, size):
    with pytest.raises(UsageError, match=f"{size[0]}x{size[1]}"):
        write_sample(options(tmp_path, size=size))


@pytest.mark.parametrize("room", [0, 1, 4, 7])
def test_a_full_disk_is_said_and_the_same_command_goes_on(sample, tmp_path, monkeypatch, made_before, room):
    """The disk takes ``room`` files and no more."""
    from pymaf_data.storage import files

    write, written = files._write_temporary, []

    def full(folder: Path, parts: Any) -> Path:
        if len(written) == room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(folder)
        return write(folder, parts)

    with monkeypatch.context() as patch:
        patch.setattr(files, "_write_temporary", full)
        with pytest.raises(DiskFull, match="is full"):
            write_sample(options(tmp_path / "out"))
    write_sample(options(tmp_path / "out"))
    assert contents(tmp_path / "out") == contents(sample)


def test_threads_are_given_back(tmp_path):
    import torch

    before = torch.get_num_threads(), cv2.getNumThreads()
    write_sample(options(tmp_path / "out", persons=1))
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before


COPIES = """
import os, pickle, sys
os.fsync = lambda _: None
from pathlib import Path
import numpy as np
from pymaf_data.world.layout import SplitLayout
from pymaf_data.world.sample_files import SplitFiles
out, product = Path(sys.argv[1]), pickle.loads(Path(sys.argv[2]).read_bytes())
def peak():
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["VmHWM"].split()[0])
for name, count in (("first", 100), ("few", 100), ("many", 1000)):
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
    constants, header = {"body": np.array("free")}, {"info": {}, "licenses": []}
    files = SplitFiles(SplitLayout(out / name, "train"), constants, header, (200, 160))
    for number in range(count):
        files.keep(number, product)
    rows = len(files.finish(count)["box"])
    print(name, rows, peak(), flush=True)
"""


@pytest.mark.long
def test_memory_does_not_grow_with_the_people(tmp_path):
    """The same process puts 100 pictures together, again 100, then 1,000: the last needs no more."""
    made = [MADE(Job(5, "train", number, SIZE)) for number in range(3)]
    product = min(made, key=lambda p: len(p.annotations))
    people = len(product.annotations)
    small = Product(b"jpeg", (b"png",) * people, product.annotations, 1, product.truth)
    (tmp_path / "product").write_bytes(pickle.dumps(small))
    (tmp_path / "out").mkdir()
    command = [sys.executable, "-c", COPIES, tmp_path / "out", tmp_path / "product"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = {name: (int(count), int(peak) / 1024) for name, count, peak in map(str.split, result.stdout.splitlines())}
    print(rows)
    assert [count for count, _ in rows.values()] == [100 * people, 100 * people, 1000 * people]
    assert rows["many"][1] - rows["few"][1] < 8, "had every picture been held, it would be 19 MB"
