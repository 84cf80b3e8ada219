"""``predict``: whom it looks at, where the bodies stand in the image, what is written, what is skipped by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from pymaf_data.body import BodyModel
from pymaf_data.cli.app import app
from pymaf_data.errors import AssetMissing, RawDataError, RawDataMissing, UsageError
from pymaf_data.finder import Found
from pymaf_data.fits.readers.table import READER
from pymaf_data.model.networks.network import Network, make_network
from pymaf_data.model.networks.options import ModelOptions
from pymaf_data.model.prediction.bodies import bodies_of
from pymaf_data.model.prediction.inputs import gather
from pymaf_data.model.prediction.options import PredictOptions
from pymaf_data.model.prediction.persons import Person, plan
from pymaf_data.model.prediction.run import predict
from pymaf_data.model.prediction.seen import Seen
from pymaf_data.model.prediction.videos import AnnotatedVideo
from pymaf_data.runs import checkpoints
from pymaf_data.runs.checkpoints import Checkpoint
from tests.factories.videos import number_of, write_video


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = tmp_path / "photos"
    images.mkdir()
    rng = np.random.default_rng(0)
    for name, size in (("a_01.jpg", (40, 60)), ("b_02.png", (40, 60)), ("c.jpg", (1, 1)), ("d.jpg", (40, 60))):
        cv2.imwrite(str(images / name), rng.integers(0, 256, (*size, 3), np.uint8))
    (images / "broken.jpg").write_bytes((images / "a_01.jpg").read_bytes()[:300])
    (images / "notes.txt").write_text("nothing")
    return images


def coco(path: Path, boxes: dict[str, list[Any]]) -> Path:
    images = [{"id": k, "file_name": name, "width": 60, "height": 40} for k, name in enumerate(boxes)]
    persons = [{"image_id": k, "bbox": box} for k, each in enumerate(boxes.values()) for box in each]
    path.write_text(json.dumps({"images": images, "annotations": persons}))
    return path


@pytest.fixture
def checkpoint(small: None, tmp_path: Path, free_body: BodyModel) -> Path:
    torch.manual_seed(0)
    options = ModelOptions(view_size=64)
    network: Network = make_network(options, free_body, "view")
    body = {"name": "free", "digest": free_body.digest, "fingerprint": free_body.fingerprint}
    content = Checkpoint(
        model=network.state_dict(), optimizer={}, rng={}, step=1, precision="fp32", body=body, stores=[],
        options={"frame": "view", "model": options.model_dump(mode="json"), "stores": []}, versions={},
        licences={"photographs of mine": "CC0"},
    )  # fmt: skip
    return checkpoints.save(content, tmp_path / "run")


def test_images_are_looked_at_and_what_cannot_be_is_named(
    checkpoint: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    boxes: dict[str, list[Any]] = {
        "a_01.jpg": [[10, 5, 20, 30], [30, 5, 10, 20]], "b_02.png": [[500, 500, 9, 9]], "c.jpg": [[0, 0, 1, 1]],
        "broken.jpg": [[1, 1, 9, 9]], "elsewhere.jpg": [[1, 1, 9, 9]], "d.jpg": [["x", 1, 1, 1], [5, 5, 0, 0]],
    }  # fmt: skip
    found, out = coco(tmp_path / "found.json", boxes), tmp_path / "out"
    arguments = ["predict", str(checkpoint), str(folder), "--persons", str(found), "--out", str(out)]
    assert app([*arguments, "--save", "glb", "--save", "overlay", "--save", "obj"], standalone_mode=False) in (None, 0)
    told = capsys.readouterr().out
    assert "3 persons on 2 images" in told
    assert "skipped: broken.jpg: the image is" in told and "skipped: b_02.png: nobody's box" in told
    assert "1 persons of images that are not here" in told and "1 images without a person" in told
    said = json.loads((out / "predictions.json").read_text())
    assert [(one["image"], one["person"]) for one in said["persons"]] == [
        ("a_01.jpg", 0),
        ("a_01.jpg", 1),
        ("c.jpg", 0),
    ]
    assert (said["frame"], said["body"]) == ("view", "free")
    files = {name for one in said["persons"] for name in one["files"]}
    assert files == {path.relative_to(out).as_posix() for path in out.rglob("*.*") if path.parent != out}
    assert {path.name for path in out.glob("*.*")} == {f"predictions.{ending}" for ending in ("html", "json", "npz")}
    table = READER.read(out / "predictions.npz")
    for k, one in enumerate(said["persons"]):
        np.testing.assert_allclose(table.camera[k], one["camera"], rtol=1e-5, atol=1e-3)
        np.testing.assert_allclose(table.pose[k], one["pose"], atol=1e-5)
    with np.load(out / "predictions.npz") as arrays:
        assert arrays["licence"].item() == "photographs of mine: CC0"
    assert [f"written: {out}/{name}/" in told for name in ("overlay", "side", "mesh")] == [True, False, True]
    with pytest.raises(UsageError, match="is to be looked at"):
        app([*arguments[:-1], str(folder)], standalone_mode=False)
    assert not (folder / "predictions.json").exists() and not (folder / "overlay").exists()
    with pytest.raises(UsageError, match=r"overlay/a_01\.jpg is to be looked at"):
        app(
            ["predict", str(checkpoint), str(out / "overlay" / "a_01.jpg"), *arguments[3:], "--overwrite"],
            standalone_mode=False,
        )
    assert (out / "predictions.json").exists()
    with pytest.raises(UsageError, match="holds predictions already"):
        app(arguments, standalone_mode=False)
    (out / "mine.txt").write_text("kept")
    app([*arguments, "--overwrite", "--save", "none", "--page", "0"], standalone_mode=False)
    assert {path.name for path in out.rglob("*.*")} == {"mine.txt", "predictions.json", "predictions.npz"}


def test_images_that_differ_in_their_ending_or_folder_alone_do_not_share_a_drawing(
    checkpoint: Path, folder: Path, tmp_path: Path
) -> None:
    (folder / "d.png").write_bytes((folder / "b_02.png").read_bytes())
    other = tmp_path / "others"
    other.mkdir()
    (other / "d.jpg").write_bytes((folder / "d.jpg").read_bytes())
    out = tmp_path / "out"
    given = (folder / "d.jpg", folder / "d.png", other / "d.jpg")
    options = PredictOptions(
        subject=str(checkpoint), inputs=given, whole=True, out=out, save=("overlay", "side"), shown=0
    )
    assert predict(options).persons == 3
    names = {"others__d", "photos__d", "photos__d.png"}
    assert {path.name for path in (out / "overlay").iterdir()} == {f"{name}.jpg" for name in names}
    assert {path.name for path in (out / "side").iterdir()} == {f"{name}-0.jpg" for name in names}


def test_large_images_do_not_wait_for_a_whole_batch(
    checkpoint: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = list[int]()

    def counted(model: Any, seen: list[Seen], *rest: Any) -> Any:
        batches.append(len(seen))
        return bodies_of(model, seen, *rest)

    monkeypatch.setattr("pymaf_data.model.prediction.run.bodies_of", counted)
    given: dict[str, Any] = {"subject": str(checkpoint), "inputs": (folder,), "whole": True, "save": (), "shown": 0}
    predict(PredictOptions(**given, out=tmp_path / "one"))
    monkeypatch.setattr("pymaf_data.model.prediction.run._MOST_BYTES", 3 * 40 * 60 + 1)
    predict(PredictOptions(**given, out=tmp_path / "two"))
    assert batches == [4, 2, 2]


def test_frames_of_a_video_are_those_that_the_detections_name(checkpoint: Path, tmp_path: Path) -> None:
    clip, found = write_video(tmp_path / "clip.mp4", 12), tmp_path / "clip.json"
    entries = [{"image_id": frame, "bbox": [10, 10, 40, 60], "track_id": 4} for frame in (9, 2, 4, 40)]
    found.write_text(json.dumps(entries))
    options = PredictOptions(
        subject=str(checkpoint), inputs=(clip,), persons=found, out=tmp_path / "out", save=(), every=2, batch_size=1
    )
    report = predict(options)
    assert (report.images, report.persons, [*report.skipped]) == (2, 2, ["clip.mp4/000040.jpg"])
    persons = json.loads((tmp_path / "out" / "predictions.json").read_text())["persons"]
    assert [(one["frame"], one["track"]) for one in persons] == [(2, 4), (4, 4)]
    assert report.lines()[0] == "1 person on 2 frames, 2 bodies in all"


def frames_of(path: Path) -> list[np.ndarray]:
    video, found = cv2.VideoCapture(str(path)), []
    while (read := video.read())[0]:
        found.append(read[1])
    return found


def test_an_annotated_video_has_every_frame_and_bodies_where_somebody_is(checkpoint: Path, tmp_path: Path) -> None:
    clip, found = write_video(tmp_path / "in" / "clip.mp4", 10, size=(160, 120)), tmp_path / "clip.json"
    boxes = [[30, 20, 80, 80], [130, 20, 20, 80]]
    found.write_text(json.dumps([{"image_id": f, "bbox": boxes[(f + k) % 2]} for f in (2, 3, 4, 5) for k in (0, 1)]))
    given: dict[str, Any] = {"subject": str(checkpoint), "inputs": (clip,), "persons": found, "batch_size": 3}
    report = predict(PredictOptions(**given, out=tmp_path / "out", smooth=True, shown=4))
    assert (report.images, report.persons, report.skipped) == (4, 8, {})
    assert report.lines()[0] == "2 different persons on 4 frames, 8 bodies in all"
    plain, drawn = frames_of(clip), frames_of(tmp_path / "out" / "overlay" / "clip.mp4")
    assert len(drawn) == 10
    changed = [np.abs(a.astype(int) - b).max() > 60 for a, b in zip(drawn, plain, strict=True)]
    assert [k for k, one in enumerate(changed) if one] == [2, 3, 4, 5]
    assert cv2.VideoCapture(str(tmp_path / "out" / "overlay" / "clip.mp4")).get(cv2.CAP_PROP_FPS) == 50
    said = json.loads((tmp_path / "out" / "predictions.json").read_text())["persons"]
    assert {name for one in said for name in one["files"]} == {"overlay/clip.mp4"}
    assert {(one["track"], one["box"][0]) for one in said} == {(0, 70), (1, 140)}  # listed in turn
    page = (tmp_path / "out" / "predictions.html").read_text()
    assert page.count('id="i') == 6  # two frames of two persons each
    assert "2 different persons on 4 frames" in page and page.count('"track 0"') == page.count('"track 1"') == 2
    predict(PredictOptions(**given, out=tmp_path / "two", every=2, save=("overlay",), shown=0))
    halved = tmp_path / "two" / "overlay" / "clip.mp4"
    assert len(frames_of(halved)) == 5 and cv2.VideoCapture(str(halved)).get(cv2.CAP_PROP_FPS) == 25
    assert not (tmp_path / "two" / "predictions.html").exists()


def test_of_videos_that_are_cut_off_or_none_the_rest_is_looked_at(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips, found = tmp_path / "in", tmp_path / "found"
    whole = write_video(clips / "a.avi", 30, "MJPG").read_bytes()
    (clips / "a.avi").write_bytes(whole[: int(0.6 * len(whole))])
    write_video(clips / "b.mp4", 3)
    (clips / "c.mp4").write_bytes(b"no video")
    found.mkdir()
    boxes = json.dumps([{"image_id": frame, "bbox": [10, 10, 40, 60]} for frame in range(30)])
    for name in "abc":
        (found / f"{name}.json").write_text(boxes)
    out = tmp_path / "out"
    words = ["predict", str(checkpoint), str(clips), "--persons", str(found), "--out", str(out), "--save", "none"]
    assert app([*words, "--page", "0"], standalone_mode=False) in (None, 0)
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("skipped")]
    frames = [one["image"].split("/") for one in json.loads((out / "predictions.json").read_text())["persons"]]
    usable = sum(name == "a.avi" for name, _ in frames)
    assert 5 < usable < 18 and sum(name == "b.mp4" for name, _ in frames) == 3 and len(frames) == usable + 3
    assert len(told) == 3, "a line a video"
    assert (
        f"{30 - usable} frames of a.avi: the video ends before the image (a.avi is cut off, and ends after" in told[0]
    )
    assert "27 frames of b.mp4: the video ends" in told[1]
    assert "30 frames of c.mp4: the video cannot be decoded" in told[2]


def test_nothing_unfinished_is_left_of_a_run_that_fails(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, found = write_video(tmp_path / "in" / "clip.mp4", 6), tmp_path / "clip.json"
    found.write_text(json.dumps([{"image_id": frame, "bbox": [3, 2, 80, 80]} for frame in range(6)]))
    add, seen = AnnotatedVideo.add, list[int]()

    def stop_at_the_fourth(video: AnnotatedVideo, image: np.ndarray) -> None:
        seen.append(1)
        if len(seen) == 4:
            raise KeyboardInterrupt
        add(video, image)

    monkeypatch.setattr(AnnotatedVideo, "add", stop_at_the_fourth)
    options = PredictOptions(subject=str(checkpoint), inputs=(clip,), persons=found, out=tmp_path / "out", batch_size=1)
    with pytest.raises(KeyboardInterrupt):
        predict(options)
    assert [*(tmp_path / "out").rglob("*.*")] == []
    monkeypatch.undo()
    assert predict(options).persons == 6  # the same command, and nothing is in its way


def names_of(
    folder: Path, entries: list[dict[str, Any]], least: float = 0.2
) -> tuple[dict[str, list[Person]], dict[str, int]]:
    path = folder.parent / "found.json"
    path.write_text(json.dumps(entries))
    found = plan(gather([folder]), PredictOptions(subject="x", inputs=(folder,), persons=path, least=least))
    return found.stills, {what: n for what, n in found.told.items() if n}


@pytest.mark.parametrize(
    ("said", "meant"),
    [("a_01.jpg", "a_01.jpg"), ("photos/a_01.jpg", "a_01.jpg"), ("/x/y/a_01.jpg", "a_01.jpg"), ("a_01", "a_01.jpg"),
     (1, "a_01.jpg"), (2, "b_02.png"), ("x_01.jpg", None), (7, None), ("c:\\photos\\d.jpg", "d.jpg")],
)  # fmt: skip
def test_an_image_is_known_by_its_name_or_by_its_number(folder: Path, said: Any, meant: str | None) -> None:
    stills, told = names_of(folder, [{"image_id": said, "bbox": [1, 1, 10, 10]}])
    assert [*stills] == ([meant] if meant else [])
    absent = [what for what in told if what.startswith("persons of images that are not here")]
    assert bool(absent) == (meant is None) and all("a_01.jpg, b_02.png" in what for what in absent)


def test_two_images_of_one_name_are_told_apart_by_their_folders_or_not_at_all(tmp_path: Path, folder: Path) -> None:
    other = tmp_path / "others"
    other.mkdir()
    (other / "d.jpg").write_bytes((folder / "d.jpg").read_bytes())
    path = tmp_path / "found.json"
    path.write_text(json.dumps([{"image_id": name, "bbox": [1, 1, 9, 9]} for name in ("d.jpg", "others/d.jpg")]))
    found = plan(gather([folder, other]), PredictOptions(subject="x", inputs=(folder, other), persons=path))
    assert [*found.stills] == ["others/d.jpg"] and found.told["persons of several images of one name"] == 1


def test_boxes_come_from_the_detector_else_from_joints_it_is_sure_of(folder: Path) -> None:
    joints = [10.0, 10, 0.9, 30, 20, 0.5, 200, 200, 0.1]
    entries = [
        {"image_id": "d.jpg", "keypoints": joints},
        {"image_id": "d.jpg", "bbox": [4, 6, 10, 20], "keypoints": joints},
    ]
    (persons,) = names_of(folder, entries)[0].values()
    assert persons[0].box == pytest.approx((20.5, 15.5, 24.0)) and persons[1].box == pytest.approx((9.0, 16.0, 24.0))
    (persons,) = names_of(folder, entries[:1], least=0.05)[0].values()
    assert persons[0].box == pytest.approx((105.5, 105.5, 228.0))


def test_an_image_is_seen_as_it_is_shown(checkpoint: Path, folder: Path, tmp_path: Path) -> None:
    """Turned as its EXIF orientation says, and through the user's own links."""
    other = tmp_path / "elsewhere"
    other.mkdir()
    plain, exif = (
        (folder / "a_01.jpg").read_bytes(),
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0",
    )
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    (other / "turned.jpg").write_bytes(plain[:2] + segment + plain[2:])
    (folder / "e.jpg").symlink_to(other / "turned.jpg")
    given: dict[str, Any] = {"subject": str(checkpoint), "inputs": (folder,), "whole": True, "save": (), "shown": 0}
    assert "e.jpg" not in predict(PredictOptions(**given, out=tmp_path / "out")).skipped
    said = json.loads((tmp_path / "out" / "predictions.json").read_text())["persons"]
    boxes = {one["image"]: one["box"] for one in said}
    assert boxes["a_01.jpg"] == [30, 20, 60] and boxes["e.jpg"] == [20, 30, 60]


def test_options_without_effect_are_refused(folder: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"subject": "x", "inputs": (folder,)}
    with pytest.raises(UsageError, match="--smooth and --every of images"):
        predict(PredictOptions(**given, persons=tmp_path / "p.json", smooth=True, every=2))
    with pytest.raises(ValueError, match="leave out all but one"):
        PredictOptions(**given, persons=tmp_path / "p.json", whole=True)
    with pytest.raises(ValueError, match="'objj' is none of overlay"):
        PredictOptions(**given, save=("objj",))


def test_nobody_to_look_at_is_said(
    folder: Path, tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYMAF_DATA_ROOT", str(tmp_path / "data"))
    with pytest.raises(AssetMissing, match="nobody says who is where: name detections with --persons"):
        predict(PredictOptions(subject="x", inputs=(folder,)))
    with pytest.raises(RawDataMissing, match="no image and no video"):
        gather([tmp_path / "run"])
    found = coco(tmp_path / "found.json", {"broken.jpg": [[1, 1, 9, 9]]})
    with pytest.raises(RawDataError, match=r"nobody to look at: broken\.jpg: the image is"):
        predict(PredictOptions(subject=str(checkpoint), inputs=(folder,), persons=found, out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    found = coco(tmp_path / "found.json", {"000000000139.jpg": [[1, 1, 9, 9]]})
    told = r"(?s)broken.jpg: .*none of the known.*not here \(000000000139\.jpg; here: a_01\.jpg.*detections of these"
    (folder / "broken.jpg").write_bytes(b"no image")
    with pytest.raises(RawDataError, match=told):
        predict(PredictOptions(subject=str(checkpoint), inputs=(folder,), persons=found, out=tmp_path / "out"))


def test_persons_are_found_where_nobody_says_who_is_where(
    checkpoint: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On stills, and in every second frame of a video: those whose number is burnt in, from frame 4 on."""

    def find(image: np.ndarray) -> list[Found]:
        if image.shape[0] == 80:  # a frame
            return [Found(0.9, (10.0, 20.0, 30.0, 40.0), np.zeros((17, 3)), b"")] * (number_of(image) >= 4)
        return [Found(0.9, (k, 2.0, 20.0, 10.0), np.zeros((17, 3)), b"") for k in range(image.shape[1] // 30)]

    monkeypatch.setattr("pymaf_data.model.prediction.run.open_finder", lambda path, _: find)
    clip = write_video(tmp_path / "clip.mp4", 9)
    (tmp_path / "cut.mp4").write_bytes(b"no video")
    inputs, told = (folder, clip, tmp_path / "cut.mp4"), list[str]()
    given: dict[str, Any] = {"subject": str(checkpoint), "inputs": inputs, "save": ("overlay",), "every": 2}
    report = predict(PredictOptions(**given, out=tmp_path / "out"), lambda done, total, remark: told.append(remark))
    said = json.loads((tmp_path / "out" / "predictions.json").read_text())["persons"]
    assert [(one["image"], one["person"]) for one in said] == [
        *((f"photos/{name}", k) for name in ("a_01.jpg", "b_02.png", "d.jpg") for k in (0, 1)),
        *((f"clip.mp4/{frame:06d}.jpg", 0) for frame in (4, 6, 8)),
    ]
    assert said[1]["box"] == [11, 7, 24] and said[-1]["box"] == [25, 40, 48]
    assert [one.get("track") for one in said] == [None] * 6 + [0] * 3
    assert report.lines()[0] == "6 persons on 3 images; 1 person on 3 frames, 3 bodies in all"
    assert report.skipped.keys() == {"photos/broken.jpg", "cut.mp4/000000.jpg"}
    assert report.told == {"images without a person": 1, "frames without a person": 2} and report.images == 6
    assert "persons looked for on 10 images and frames" in told
    with pytest.raises(ValueError, match="leave out all but one of --whole, --finder"):
        PredictOptions(**given, whole=True, finder=clip)


def test_two_hundred_persons_of_one_image_and_whole_images(checkpoint: Path, folder: Path, tmp_path: Path) -> None:
    found = coco(tmp_path / "found.json", {"a_01.jpg": [[k % 30, k % 20, 20, 20] for k in range(200)]})
    given: dict[str, Any] = {"subject": str(checkpoint), "inputs": (folder / "a_01.jpg",), "save": (), "batch_size": 64}
    assert predict(PredictOptions(**given, persons=found, out=tmp_path / "many")).persons == 200
    assert predict(PredictOptions(**given, whole=True, out=tmp_path / "whole")).persons == 1
    with np.load(tmp_path / "whole" / "predictions.npz") as table:
        np.testing.assert_array_equal(table["box"], [[30, 20, 60]])


@pytest.fixture(autouse=True)
def few_threads() -> Iterator[None]:
    yield
    cv2.setNumThreads(-1)
