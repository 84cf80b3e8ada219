"""MPII from the original file: every quirk of the release, SPIN's selection and box, and real persons."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from pymaf_data.datasets import Manifest, Raw, Selection, load_manifest, select
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.geometry.joints import J24
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import open_store

# SPIN's list: the joint of J24 that each joint of MPII becomes.
SPIN_J24 = [0, 1, 2, 3, 4, 5, 14, 15, 12, 13, 6, 7, 8, 9, 10, 11]
HELD_OUT = "005808361.jpg"
ALL = [(10.0 + i, 20.0 + 2 * i) for i in range(16)]


def manifest(**options: Any) -> Manifest:
    content = load_manifest("mpii").model_dump(mode="json")
    content["splits"]["train"]["options"] |= options
    return Manifest.model_validate(content)


def read(root: Path, chosen: str | None = None, **options: Any) -> Selection:
    return select(Raw(root, manifest(**options), "train", chosen))


@pytest.fixture
def release(mpii: ModuleType, tmp_path: Path) -> Path:
    """Each quirk once; what stands behind a key is said by the tests."""
    m, whole = mpii, mpii.points(ALL)
    without = m.rect(m.NOTHING)
    del without["annopoints"]
    last = [*ALL[:15], (25.9, 0.9)]  # int(y) is 0
    images = [
        m.image("000000010.jpg", m.struct(m.rect(whole))),  # one rect
        m.image("000000002.jpg", m.struct(m.rect(m.points(ALL[:1])), m.rect(m.points(ALL, None)))),  # one point
        m.image("000000003.jpg", m.NOTHING),  # nobody
        m.image("000000004.jpg", m.struct(without)),  # as test images have it
        m.image("000000005.jpg", m.struct(m.rect(m.NOTHING), m.rect(whole, scale=m.NOTHING))),
        m.image("000000006.jpg", m.struct(m.rect(whole, objpos=m.NOTHING), m.rect(m.points(ALL, 0)))),
        m.image("000000007.jpg", m.struct(m.rect(m.points(last)), m.rect(m.points(ALL, m.NOTHING)))),
        m.image(HELD_OUT, m.struct(m.rect(whole), m.rect(whole))),  # everybody on it
        m.image("000000008.jpg", m.struct(m.rect(whole))),  # not for training
        m.image("000000009.jpg", m.struct(m.rect(m.points([*ALL[:15], (-3.5, 9.0)])), m.rect(m.points(ALL, "0")))),
    ]
    m.save(tmp_path, images, [1, 1, 1, 1, 1, 1, 1, 1, 0, 1])
    return tmp_path


def test_every_quirk_of_the_release(release: Path) -> None:
    selection = read(release)
    keys = [(record.image_name, record.annotation_id) for record in selection.records]
    assert keys == [
        ("images/000000002.jpg", 1001),
        ("images/000000006.jpg", 5001),
        ("images/000000007.jpg", 6001),
        ("images/000000009.jpg", 9001),
        ("images/000000010.jpg", 0),
    ]
    assert selection.account() == {
        **{"total": 14, "kept": 5, "dropped": 9},
        **{"no_keypoints": 2, "incomplete": 3, "no_box": 2, "held_out": 2},
    }
    assert selection.adjusted == {"joint_outside": 2} and not selection.damaged
    assert selection.listed == (10, 10)
    seen = [{seen for _, _, seen in record.keypoints.values()} for record in selection.records]
    assert seen == [{2}, {1}, {2}, {1}, {2}], "not said: visible; as number, as text"
    some = {record.annotation_id: len(record.keypoints) for record in read(release, "any").records}
    assert some[1000] == 1 and some[6000] == some[9000] == 15


def test_places_are_continuous_and_the_box_is_spins_or_the_annotated(release: Path) -> None:
    record = read(release).records[-1]
    keypoints = [record.keypoints[J24.joints[joint]] for joint in SPIN_J24]
    assert keypoints == [(x - 0.5, y - 0.5, 2) for x, y in ALL], "Matlab's pixel 1 has its centre at 0.5"
    assert record.box == (99.5, 149.5, 500.0) and record.image_size == (0, 0)
    assert read(release, box="raw").records[-1].box == (99.5, 119.5, 400.0)
    assert read(release, held_out="000000010").account()["held_out"] == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"scale": -1.0}, "malformed"),
        ({"scale": float("nan")}, "not_finite"),
        ({"scale": "two"}, "malformed"),
        ({"annopoints": "point"}, "no_keypoints"),
        ({"objpos": (1.0, float("inf"))}, "not_finite"),
        ({"x": float("nan")}, "not_finite"),
        ({"id": 16}, "malformed"),
        ({"id": -1}, "malformed"),
        ({"id": 4}, "malformed"),
        ({"is_visible": 3}, "malformed"),
        ({"is_visible": "yes"}, "malformed"),
        ({"y": "?"}, "malformed"),
        ({"x": NotImplemented}, "malformed"),
    ],
    ids=str,
)
def test_a_damaged_person_is_counted_and_named(
    change: dict[str, Any], reason: str, mpii: ModuleType, tmp_path: Path
) -> None:
    rect = {name: change[name] for name in ("scale", "objpos") if name in change}
    made = change.get("annopoints", mpii.points(ALL))
    for name in ("x", "y", "id", "is_visible"):
        if name in change:
            made[0, 0]["point"][0, 3][name] = mpii.NOTHING if change[name] is NotImplemented else change[name]
    both = mpii.struct(mpii.rect(made, **rect), mpii.rect(mpii.points(ALL)))
    mpii.save(tmp_path, [mpii.image("1.jpg", both)], [1])
    selection = read(tmp_path)
    assert selection.account() == {"total": 2, "kept": 1, "dropped": 1, reason: 1}
    assert reason == "no_keypoints" or "person 0 of image 0" in str(selection.damaged[0])


@pytest.mark.parametrize("content", ["no release", "lengths", "numbers"])
def test_a_file_that_is_not_the_release_is_refused(content: str, mpii: ModuleType, tmp_path: Path) -> None:
    path = mpii.save(tmp_path, [mpii.image("1.jpg", mpii.NOTHING)], [1, 1] if content == "lengths" else [1])
    if content != "lengths":
        savemat(path, {"joints": 1.0} if content == "no release" else {"RELEASE": np.ones((2, 2))})
    with pytest.raises(RawDataCorrupt, match=r"u12_1\.mat"):
        read(tmp_path)


def test_the_memory_that_its_structs_take_is_granted(
    mpii: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred bytes for each of its own: what every file is granted is too little for one of the release's size."""
    rng, names = np.random.default_rng(0), [f"{number:09d}.jpg" for number in range(30)]
    rects = [mpii.rect(mpii.points(rng.integers(1, 1900, (16, 2))), *rng.uniform(1, 9, (1, 1))) for _ in names]
    mpii.save(tmp_path, [mpii.image(*one) for one in zip(names, map(mpii.struct, rects), strict=True)], [1] * 30)
    monkeypatch.setattr("pymaf_data.untrusted.bounds._GROUND", 0)
    assert read(tmp_path).kept == 30


def test_the_manifest_is_spins() -> None:
    shipped = load_manifest("mpii")
    name, rule = shipped.selection(None)
    split = shipped.splits["train"]
    assert len(rule.requires) == 16 and split.expected[name].count == 14810
    held_out = split.options["held_out"].split()
    assert len(held_out) == len(set(held_out)) == 2729
    assert all(len(name) == 9 and name.isdigit() for name in held_out)


def test_real_persons_become_rows_and_images_say_their_size(mpii: ModuleType, shared: Path, tmp_path: Path) -> None:
    raw = shared / "data" / "raw-fixtures" / "mpii"
    real = json.loads((raw / "test_mpii.json").read_text())
    by_image: dict[str, list[dict[str, Any]]] = {}
    for person in real:
        by_image.setdefault(person["image"], []).append(person)
    images = []
    for name, people in by_image.items():
        rects = [mpii.rect(mpii.points(one["joints"]), one["scale"], tuple(one["center"])) for one in people]
        images.append(mpii.image(name, mpii.struct(*rects)))
    mpii.save(tmp_path / "raw", images, [1] * len(images))
    here = {path.name: path.read_bytes() for path in raw.glob("*.jpg")}
    for name, data in here.items():
        (tmp_path / "raw" / "images" / name).write_bytes(data)
    assert read(tmp_path / "raw").account()["held_out"] == 5, "they are of the validation split"
    (tmp_path / "mine.yaml").write_text(manifest(held_out="").model_dump_json())
    options = IngestOptions(dataset=str(tmp_path / "mine.yaml"), root=tmp_path / "raw", select="any", crop_size=64)
    report = ingest(options.model_copy(update={"out": tmp_path / "s.zarr"}))
    assert report.counts["kept"] == len(real) == 5
    assert set(report.holes.pictures) == {f"images/{name}" for name in by_image.keys() - here.keys()}
    store = open_store(report.store)
    for row, (name, key) in enumerate(store.rows):
        file = Path(name).name
        person = by_image[file][key % 1000]
        size = cv2.imread(str(raw / file)).shape[1::-1] if file in here else (0, 0)
        assert store.array("image_size")[row].tolist() == list(size)
        (x, y), scale = person["center"], person["scale"]
        assert store.array("box")[row] == pytest.approx([x - 0.5, y - 0.5 + 15 * scale, 250 * scale])
        found = store.array("keypoints")[row][[25 + joint for joint in SPIN_J24]]
        inside = np.array(person["joints"]).min(1) >= 1
        np.testing.assert_array_equal(found[:, 2] > 0, inside)
        np.testing.assert_allclose(found[inside, :2], np.array(person["joints"])[inside] - 0.5, atol=1e-4)
