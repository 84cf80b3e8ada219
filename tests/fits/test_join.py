"""Whose fit is it: joining by id, by image and box, through a companion; readers of other packages."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from pymaf_data.body import BodyModel, load_body
from pymaf_data.digest import digest_json
from pymaf_data.errors import FitError, RawDataCorrupt, UsageError
from pymaf_data.fits import formats, joined, reprojection
from pymaf_data.fits import join as joining
from pymaf_data.fits import readers as registry
from pymaf_data.fits.chosen import ChosenReader
from pymaf_data.fits.fitter.options import KeypointOptions
from pymaf_data.fits.join import join, match
from pymaf_data.fits.opening import open_sources
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.proof import Tolerance
from pymaf_data.fits.readers import truth as truth_reader
from pymaf_data.fits.readers.reader import ByAnnotation, ByImage, FitReader, FitTable
from pymaf_data.fits.request import FitRequest
from pymaf_data.fits.table import CAMERA, REASONS, VIEW
from pymaf_data.geometry.joints import J49
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.stages.attach_source import SourceJob, find_body
from pymaf_data.storage import open_store

CLOSE = Tolerance(view=2.0, image=1.5, share=0.0)


def table_of(known: Any, keys: Any = None, rows: Any = slice(None), **changes: Any) -> FitTable:
    """The truth of some persons as a file would hold it."""
    fits = known.truth
    values: dict[str, Any] = {
        "keys": keys or ByAnnotation(known.persons.annotation_id[rows]),
        "pose": fits.pose[rows],
        "betas": fits.betas[rows],
        "camera": fits.native[rows],
        "frame": fits.frame[rows],
        "body": np.full(len(fits.pose[rows]), "free"),
        "licences": {"fits": "CC0 1.0"},
        "tolerance": CLOSE,
    }
    return FitTable(**values | changes)


def by_image(persons: Persons, rows: Any = slice(None), names: Any = None) -> ByImage:
    return ByImage(persons.names[rows] if names is None else np.array(names), persons.box[rows, :2])


@pytest.fixture
def crowd(known: Any) -> Persons:
    """The persons, three on each image, whose folders alone tell some images apart."""
    names = np.array([f"s{i // 12}/cam/{(i // 3) % 4:04d}.jpg" for i in range(24)])
    return replace(known.persons, names=names)


def test_persons_of_an_image_are_told_apart_by_their_boxes(known: Any, crowd: Persons) -> None:
    rows = np.random.default_rng(0).permutation(24)
    keys = by_image(crowd, rows)
    moved = ByImage(keys.names, keys.centres + 0.02 * crowd.box[rows, 2:])
    found = match(table_of(known, moved, rows), crowd, "file")
    assert np.array_equal(rows[found], np.arange(24))


def test_images_of_another_size_are_told_by_those_of_one_person(known: Any, crowd: Persons) -> None:
    few = replace(crowd, names=np.array([*crowd.names[:12], *(f"alone/{i}.jpg" for i in range(12))]))

    def matched(persons: Persons, centres: np.ndarray) -> None:
        match(table_of(known, ByImage(persons.names, centres)), persons, "file")

    centres = few.box[:, :2]
    with pytest.raises(FitError, match=r"another size: those of this store look scaled by 0\.50"):
        matched(few, 2 * centres)
    elsewhere = np.random.default_rng(0).uniform(1000, 2000, (24, 2))
    for persons, places in ((crowd, 4 * centres), (few, elsewhere), (few, np.full((24, 2), np.nan))):
        with pytest.raises(FitError, match="none of the persons"):
            matched(persons, places)
    matched(few, np.concatenate([centres[:11], np.full((13, 2), 9000.0)]))  # too few are here, and those are


@pytest.mark.parametrize("form", ["/raw/set/{}", "./{}", "C:\\raw\\{}", "{}"])
def test_an_image_is_known_by_the_end_of_its_path(known: Any, crowd: Persons, form: str) -> None:
    names = [form.format(name.replace("/", "\\") if "\\" in form else name) for name in crowd.names.tolist()]
    found = match(table_of(known, by_image(crowd, names=names)), crowd, "file")
    assert np.array_equal(found, np.arange(24))


def test_a_bare_name_will_do_where_it_is_the_only_one(known: Any, crowd: Persons) -> None:
    bare = [name.split("/")[-1] for name in crowd.names.tolist()]
    with pytest.raises(FitError, match="none of the persons"):
        match(table_of(known, by_image(crowd, names=bare)), crowd, "file")
    one = crowd[:12]
    found = match(table_of(known, by_image(one, names=bare[:12]), slice(12)), one, "file")
    assert np.array_equal(found, np.arange(12))


def test_an_image_may_have_had_another_ending(known: Any, crowd: Persons) -> None:
    """Sets of .png are turned into .jpg; where both are there each is meant by its own."""
    names = [name.replace(".jpg", ".PNG") for name in crowd.names.tolist()]
    assert names[0] != crowd.names[0]
    assert np.array_equal(match(table_of(known, by_image(crowd, names=names)), crowd, "file"), np.arange(24))
    twins = replace(crowd[:2], names=np.array(["a/1.png", "a/1.jpg"]), box=np.tile(crowd.box[:1], (2, 1)))
    keys = ByImage(np.array(["a/1.jpg", "a/1.png", "a/1.bmp"]), np.tile(crowd.box[:1, :2], (3, 1)))
    assert match(table_of(known, keys, slice(3)), twins, "file").tolist() == [1, 0]


def test_another_folder_of_the_same_name_is_another_image(known: Any, crowd: Persons) -> None:
    names = ["s9" + name[2:] for name in crowd.names.tolist()]
    names[:3] = crowd.names[:3].tolist()
    found = match(table_of(known, by_image(crowd, names=names)), crowd, "file")
    assert found.tolist() == [0, 1, 2] + [-1] * 21


def test_nobody_gets_the_fit_of_a_far_box_or_of_two(known: Any, crowd: Persons) -> None:
    centres = crowd.box[:, :2].copy()
    centres[0] += 0.3 * crowd.box[0, 2]
    centres[1] = np.nan
    found = match(table_of(known, ByImage(crowd.names, centres)), crowd, "file")
    assert found[:3].tolist() == [-1, -1, 2]
    # Of two that are close enough the closer one, and one person each.
    alone = crowd[[5]]
    two = ByImage(np.repeat(alone.names, 2), alone.box[:, :2] + [[0.1 * alone.box[0, 2]], [1.0]])
    assert match(table_of(known, two, slice(2)), alone, "file").tolist() == [1]


@pytest.mark.parametrize("together", [1, 1 << 16])
def test_each_image_has_the_least_sum_of_its_own(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "_TOGETHER", together)
    rng = np.random.default_rng(3)
    names = np.sort(rng.choice([f"{i}.jpg" for i in range(40)], 120))
    boxes = np.concatenate([rng.uniform(0, 60, (120, 2)), rng.uniform(50, 150, (120, 1))], 1)
    of = rng.integers(0, 120, 140)
    keys = ByImage(names[of], boxes[of, :2] + rng.normal(0, 10, (140, 2)))
    keys.names[:9], keys.centres[9] = "elsewhere.jpg", np.nan
    expected = np.full(120, -1)
    for name in {*names.tolist()}:
        ours, theirs = np.flatnonzero(names == name), np.flatnonzero(keys.names == name)
        apart = np.linalg.norm(boxes[ours, None, :2] - keys.centres[theirs], axis=2) / boxes[ours, 2:]
        cost = np.where(apart < 0.5, apart, 0.5)  # NaN too
        for one, other in zip(*linear_sum_assignment(cost), strict=True):
            if cost[one, other] <= 0.25:
                expected[ours[one]] = theirs[other]
    assert (expected >= 0).sum() > 60
    assert np.array_equal(joining.by_image(keys, names, boxes), expected)


def test_a_person_named_twice_has_a_fit_where_both_agree(known: Any, caplog: pytest.LogCaptureFixture) -> None:
    rows = np.array([*range(24), 4, 7])
    ids = known.persons.annotation_id[rows]
    pose = known.truth.pose[rows].copy()
    pose[25, 3] += 0.5
    with caplog.at_level(logging.WARNING):
        fits = join(table_of(known, ByAnnotation(ids), rows, pose=pose), known.persons, "file")
    assert np.flatnonzero(~fits.valid).tolist() == [7]
    assert REASONS[fits.reason[7]] == "no fit in the source"
    assert "annotation 107" in caplog.text
    assert "1 persons" in caplog.text
    places = by_image(known.persons, rows)
    assert np.flatnonzero(match(table_of(known, places, rows, pose=pose), known.persons, "file") < 0).tolist() == [7]


def test_cameras_are_meant_from_the_images_centre_where_the_file_says_so(known: Any) -> None:
    shifted = known.truth.native.copy()
    shifted[:, :2] -= np.array([320.0, 240.0])[:, None] * shifted[:, 2:]
    assert np.array_equal(known.persons.image_size[0], [640, 480])
    fits = join(table_of(known, camera=shifted, origin="centre"), known.persons, "file")
    assert np.allclose(fits.native, known.truth.native)


@pytest.mark.parametrize(
    "changes",
    [
        {"pose": np.zeros((24, 24, 3))},
        {"betas": np.zeros((24, 11))},
        {"betas": np.zeros((23, 10))},
        {"camera": np.zeros((24, 3, 3))},
        {"frame": np.full(24, 2)},
        {"frame": np.zeros(3, int)},
        {"body": np.array(["free"])},
        {"body": np.full(24, "../free")},
        {"keys": ByAnnotation(np.array(["7"] * 24))},
        {"pose": np.full((24, 72), "a")},
    ],
)
def test_tables_that_are_none(known: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(RawDataCorrupt):
        table_of(known, **changes)


def test_a_file_is_read_hashed_and_posed_once(
    tmp_path: Path, factory: ModuleType, known: Any, body: BodyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = factory.make_store(tmp_path / "s.zarr", known.persons[:10])
    path = factory.write_truth(tmp_path / "truth.npz", known, body)
    calls: dict[str, list[Any]] = {}

    def count(module: Any, name: str, what: Any) -> None:
        inner = getattr(module, name)

        def counted(*arguments: Any, **named: Any) -> Any:
            calls.setdefault(name, []).append(what(*arguments))
            return inner(*arguments, **named)

        monkeypatch.setattr(module, name, counted)

    count(joined, "digest_file", lambda path: path)
    count(joined, "join", lambda table, persons, *_: len(persons))
    count(truth_reader, "read_npz", lambda path, *_: path)
    count(reprojection, "joints49", lambda body, fits, rows: len(rows))
    options = AttachOptions(store=store.path, fits=(f"truth:{path}",))
    attach_fits(options)
    assert calls["digest_file"] == calls["read_npz"] == [path]
    assert calls["join"] == [10]
    assert sum(calls["joints49"]) == 10
    attach_fits(options)
    assert len(calls["join"]) == 1, "what is complete is not joined again"


# A reader of another package: SPIN's final fits, which name nobody and have no camera


def read_rows(path: Path, companion: Path | None) -> FitTable:
    with np.load(path) as file:
        arrays = dict(file)
    of = ByImage.of_companion(companion, len(arrays["pose"]))
    valid = arrays["valid_fit"]
    return FitTable(
        keys=ByImage(of.names[valid], of.centres[valid]),
        pose=arrays["pose"][valid],
        betas=arrays["betas"][valid],
        camera=None,
        frame=arrays.get("frame", np.full(len(valid), VIEW, np.uint8))[valid],
        body=arrays.get("body", np.full(len(valid), "free"))[valid],
        licences={"fits": "none"},
        tolerance=Tolerance(view=8.0, image=1.5, share=0.1),
    )


@pytest.fixture
def rows_format(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("somebodys_package")
    module.READER = FitReader(read_rows, "fits", "none", "nowhere", companion="the npz of the set")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    entry = EntryPoint("rows", "somebodys_package:READER", registry.GROUP)
    monkeypatch.setattr(registry, "_others", lambda: EntryPoints([entry]))


def write_rows(folder: Path, known: Any, shift: int = 0, **more: np.ndarray) -> str:
    """Fits and their companion; ``shift`` puts them out of step."""
    truth, persons = known.truth, known.persons
    valid = np.arange(24) != 2
    np.savez(folder / "fits.npz", pose=np.roll(truth.pose, shift, 0), betas=truth.betas, valid_fit=valid, **more)
    names = np.array([name.encode() for name in persons.names.tolist()])
    np.savez(folder / "set.npz", imgname=names, center=persons.box[:, :2], scale=persons.box[:, 2] / 200)
    return f"rows:{folder / 'fits.npz'}:{folder / 'set.npz'}"


@pytest.mark.usefixtures("rows_format")
def test_fits_without_names_and_cameras_are_joined_through_the_file_they_follow(
    tmp_path: Path, factory: ModuleType, known: Any
) -> None:
    assert "rows" in formats()
    store = factory.make_store(tmp_path / "s.zarr", known.persons[np.arange(3, 24)])
    request = write_rows(tmp_path, known)
    (source,) = attach_fits(AttachOptions(store=store.path, fits=(request,))).sources
    assert (source.valid, source.persons) == (21, 21)
    opened = open_store(store.path)
    assert np.allclose(opened.array("fits/rows/pose")[:], known.truth.pose[3:], atol=1e-6)
    assert not opened.array("fits/rows/native")[:].any()
    assert set(opened.array("fits/rows/frame")[:].tolist()) == {VIEW} != {CAMERA}
    stated = opened.current("fits/rows").attributes
    assert stated["native_kind"] == "none"
    assert set(stated["source"]) == {"format", "sha256", "companion"}
    # π is solved on the keypoints, so its residual is the reprojection's own.
    residual, distance = (opened.array(f"fits/rows/{name}")[:] for name in ("weak_residual", "reprojection"))
    assert (distance <= residual * 1.001).all()
    assert (residual < 12).all()
    with pytest.raises(FitError, match="do not reproject"):
        attach_fits(AttachOptions(store=store.path, fits=(write_rows(tmp_path, known, shift=1),)))


@pytest.mark.usefixtures("rows_format")
def test_fits_without_cameras_stand_under_the_image_s_own_where_it_is_known(
    tmp_path: Path, factory: ModuleType, known: Any
) -> None:
    K, knows = known.truth.native[:, :, :3], np.arange(24) % 3 > 0
    points = known.persons.keypoints.copy()
    points[4, 2 + np.flatnonzero(points[4, :, 2] > 0)[0] :] = 0  # two keypoints left, which put nobody anywhere
    persons = replace(known.persons, intrinsics=K * knows[:, None, None], has_intrinsics=knows, keypoints=points)
    store, frame = factory.make_store(tmp_path / "s.zarr", persons), np.full(24, CAMERA, np.uint8)
    frame[7] = VIEW  # seen along the box's ray: not by K
    attach_fits(AttachOptions(store=store.path, fits=(write_rows(tmp_path, known, frame=frame),)))
    opened, placed = open_store(store.path), knows & (frame == CAMERA) & ~np.isin(np.arange(24), (2, 4))
    native, weak, residual, distance = (
        opened.array(f"fits/rows/{name}")[:] for name in ("native", "weak_camera", "weak_residual", "reprojection")
    )
    assert (
        np.array_equal(native.any((1, 2)), placed) and opened.current("fits/rows").attributes["native_kind"] == "none"
    )
    np.testing.assert_allclose(native[placed], known.truth.native[placed], rtol=1e-4, atol=1e-3)
    others = ~placed & ~np.isin(np.arange(24), (2, 4))
    assert distance[placed].max() < 0.05 and np.median(distance[others]) > 1
    reader, rows = ChosenReader(opened), np.flatnonzero(placed | others)
    seen = reader.read(rows).cameras("none", persons.box[rows], np.eye(2, 3))
    translation = np.linalg.solve(K, known.truth.native[:, :, 3:])[..., 0]
    pixels = seen.project(torch.from_numpy(known.joints - translation[:, None])[rows]).numpy()
    away = np.linalg.norm(pixels - persons.keypoints[rows, :, :2], axis=-1)[:, J49.index("left_hip")]
    assert away[placed[rows]].max() < 0.1 < 1 < np.median(away[others[rows]])
    assert np.allclose(weak[placed], attach_truth(tmp_path, factory, known, store)[placed], atol=1e-4)
    assert (residual[placed] > distance[placed]).all(), "π sees nobody as K does"


def attach_truth(folder: Path, factory: ModuleType, known: Any, store: Any) -> np.ndarray:
    """(24, 3) π of the same bodies when their source has cameras."""
    path = factory.write_truth(folder / "truth.npz", known, load_body("free", dtype=torch.float64))
    attach_fits(AttachOptions(store=store.path, fits=(f"truth:{path}",)))
    return open_store(store.path).array("fits/truth/weak_camera")[:]


@pytest.mark.usefixtures("rows_format")
def test_who_is_not_placed_is_named_as_ever(tmp_path: Path, factory: ModuleType, known: Any) -> None:
    """Fits whose result no K changes keep their generations: along the box's ray, or where no K is known."""
    K = known.truth.native[:, :, :3]
    for name, knows, frame in (("v", True, VIEW), ("c", False, CAMERA), ("k", True, CAMERA)):
        persons = replace(known.persons, intrinsics=K, has_intrinsics=np.full(24, knows))
        request = FitRequest.of(write_rows(tmp_path, known, frame=np.full(24, frame)))
        (source,) = open_sources(request, KeypointOptions()).values()
        held = find_body(source, None)
        job = SourceJob(factory.make_store(tmp_path / name, persons[:4]), "rows", source, held)
        said = {"persons": job.store.current("ingest").generation, "source": source.identity(), "body": held.digest}
        assert (job.generation == digest_json({"format": 4} | said)) == (name != "k"), name


@pytest.mark.usefixtures("rows_format")
def test_a_companion_is_asked_for_and_must_have_a_row_for_each_fit(
    tmp_path: Path, factory: ModuleType, known: Any
) -> None:
    store = factory.make_store(tmp_path / "s.zarr", known.persons[:5])
    request = write_rows(tmp_path, known)
    for text in ("rows", "rows:a.npz", f"truth:{tmp_path / 'fits.npz'}:"):
        with pytest.raises((UsageError, FitError)):
            attach_fits(AttachOptions(store=store.path, fits=(text,)))
    np.savez(tmp_path / "set.npz", imgname=known.persons.names[1:], center=known.persons.box[1:, :2])
    with pytest.raises(FitError, match="23 rows, the fits 24"):
        attach_fits(AttachOptions(store=store.path, fits=(request,)))


@pytest.mark.usefixtures("rows_format")
def test_a_file_of_several_bodies_is_a_source_for_each(tmp_path: Path, factory: ModuleType, known: Any) -> None:
    store = factory.make_store(tmp_path / "s.zarr", known.persons)
    body = np.where(np.arange(24) % 3 == 0, "smpl-male", "free")
    options = AttachOptions(store=store.path, fits=(f"x={write_rows(tmp_path, known, body=body)}",), assets=tmp_path)
    free, male = attach_fits(options).sources
    assert (free.name, free.proved, free.valid) == ("x.free", True, 15)
    assert (male.name, male.proved, male.valid) == ("x.smpl-male", False, 8)
