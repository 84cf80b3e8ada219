from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pymaf_data.errors import DiskFull, RawDataCorrupt, UsageError
from pymaf_data.sample import produce as produce_module
from pymaf_data.stages import sample as stage
from pymaf_data.stages.sample import SampleOptions, write_sample

SIZE = (200, 160)


def options(out: Path, **changes) -> SampleOptions:
    return SampleOptions(**({"out": out, "persons": 4, "seed": 5, "size": SIZE} | changes))


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("sample") / "out"
    write_sample(options(out))
    return out


def annotations(out: Path, split: str = "train") -> dict:
    return json.loads((out / f"annotations/person_keypoints_{split}2014.json").read_text())


def test_layout(sample):
    content = annotations(sample)
    assert sorted(path.name for path in sample.iterdir()) == ["annotations", "sample.json", "train2014", "truth"]
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
    with np.load(sample / "truth/train.npz", allow_pickle=False) as truth:
        assert truth["annotation_id"].tolist() == [entry["id"] for entry in content["annotations"]]
        assert truth["image_id"].tolist() == [entry["image_id"] for entry in content["annotations"]]
        N = len(content["annotations"])
        shapes = {
            "pose": (N, 72),
            "betas": (N, 10),
            "translation": (N, 3),
            "intrinsics": (N, 3, 3),
            "joints24": (N, 24, 3),
        }
        assert {key: truth[key].shape for key in shapes} == shapes
        assert str(truth["body"]) == "free" and len(str(truth["body_fingerprint"])) == 64
        assert truth["occlusion"].dtype == np.float32
        # Ankles of the truth project onto the annotated ankles (skeleton and COCO ankle are one joint).
        for row, entry in enumerate(content["annotations"]):
            for coco, smpl in ((15, 7), (16, 8)):
                x, y, seen = entry["keypoints"][3 * coco : 3 * coco + 3]
                projected = truth["intrinsics"][row] @ truth["joints24"][row, smpl]
                if seen:
                    np.testing.assert_allclose(projected[:2] / projected[2], [x + 0.5, y + 0.5], atol=0.006)


def test_readable_by_pycocotools(sample):
    from pycocotools.coco import COCO

    coco = COCO(str(sample / "annotations/person_keypoints_train2014.json"))
    for entry in coco.anns.values():
        assert coco.annToMask(entry).sum() == entry["area"]


def test_a_whole_sample_is_not_made_again(sample, monkeypatch):
    before = contents(sample)
    monkeypatch.setattr(stage, "produce", lambda job: pytest.fail("made a picture again"))
    report = write_sample(options(sample))
    assert report.splits[0].resumed == report.splits[0].pictures
    assert contents(sample) == before


def test_stopped_runs_are_completed_to_the_same_bytes(sample, tmp_path, monkeypatch):
    out = tmp_path / "out"
    made = []

    def stops(job):
        if made:
            raise KeyboardInterrupt
        made.append(job.number)
        return produce_module.produce(job)

    monkeypatch.setattr(stage, "produce", stops)
    with pytest.raises(KeyboardInterrupt):
        write_sample(options(out))
    assert not (out / "annotations/person_keypoints_train2014.json").exists()
    monkeypatch.undo()
    assert write_sample(options(out)).splits[0].resumed == 1
    assert contents(out) == contents(sample)


def test_damaged_remains_are_made_again(sample, tmp_path, monkeypatch):
    out = tmp_path / "out"
    monkeypatch.setattr(stage, "_finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_sample(options(out))
    monkeypatch.undo()
    part = sorted((out / ".work/train").iterdir())[0]
    part.write_bytes(part.read_bytes()[:100])
    write_sample(options(out))
    assert contents(out) == contents(sample)


@pytest.mark.slow
def test_workers_give_the_same_bytes(sample, tmp_path):
    write_sample(options(tmp_path / "out", workers=2))
    assert contents(tmp_path / "out") == contents(sample)


def test_splits_stand_side_by_side(tmp_path):
    out = tmp_path / "out"
    write_sample(options(out, persons=1, split="train"))
    write_sample(options(out, persons=1, split="both"))
    train, val = annotations(out, "train"), annotations(out, "val")
    assert not {i["id"] for i in train["images"]} & {i["id"] for i in val["images"]}
    assert train["annotations"][0]["keypoints"] != val["annotations"][0]["keypoints"]


@pytest.mark.parametrize("change", [{"seed": 6}, {"persons": 5}, {"size": (200, 168)}])
def test_other_options_are_refused(sample, change):
    before = contents(sample)
    with pytest.raises(UsageError, match=next(iter(change))):
        write_sample(options(sample, **change))
    assert contents(sample) == before


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="no sample"):
        write_sample(options(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(UsageError, match="no sample"):
        write_sample(options(tmp_path / "out"))


def test_a_damaged_mark_is_said(tmp_path):
    (tmp_path / "sample.json").write_text("{")
    with pytest.raises(RawDataCorrupt, match="damaged"):
        write_sample(options(tmp_path))


def test_tiny_pictures_are_refused(tmp_path):
    with pytest.raises(UsageError, match="64x48"):
        write_sample(options(tmp_path, size=(64, 48)))


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    def full(folder, parts):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pymaf_data.storage.files._write_temporary", full)
        with pytest.raises(DiskFull, match="is full"):
            write_sample(options(tmp_path / "out", persons=1))
    assert write_sample(options(tmp_path / "out", persons=1)).splits[0].complete == 1


def test_threads_are_given_back(tmp_path):
    import torch

    before = torch.get_num_threads(), cv2.getNumThreads()
    write_sample(options(tmp_path / "out", persons=1))
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before
