"""EFT's fits: the truth, written as EFT writes, is read back; its camera taken for SPIN's is refused."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from pymaf_data.body import BodyModel
from pymaf_data.errors import FitError, RawDataCorrupt
from pymaf_data.fits import eft_entries as packing
from pymaf_data.fits.readers import eft as reader
from pymaf_data.fits.table import REASONS, VIEW
from pymaf_data.geometry.affines import invert, view_affine
from pymaf_data.geometry.cameras import weak_to_camera
from pymaf_data.geometry.frames import turn_of_ray
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.storage import Store, open_store
from pymaf_data.untrusted import json_halves
from pymaf_data.untrusted.unpickle import loads_trusted


@pytest.fixture(scope="session")
def entries(eft: ModuleType, known: Any, body: BodyModel) -> list[dict[str, Any]]:
    """Of the known persons, on images of a name only."""
    persons, truth = known.persons, known.truth
    rest = body.rest_joints(torch.from_numpy(truth.betas))[:, 0].numpy()
    made = []
    for i in range(len(persons)):
        K = truth.native[i, :, :3]
        pelvis = np.linalg.solve(K, truth.native[i, :, 3]) + rest[i]
        keys = {"imageName": persons.names[i].split("/")[-1], "annotId": int(persons.annotation_id[i])}
        person = (persons.box[i], truth.pose[i], truth.betas[i], known.joints[i], pelvis, rest[i], K)
        made.append(eft.entry(*person, **keys))
    return made


@pytest.fixture
def store(tmp_path: Path, factory: ModuleType, known: Any) -> Store:
    return factory.make_store(tmp_path / "sample-train.zarr", known.persons[:20])


def attach(store: Store, path: Path) -> Any:
    return attach_fits(AttachOptions(store=store.path, fits=(f"eft:{path}",), allow_unproved=True)).sources[0]


@pytest.mark.parametrize("keys", ["annotId", "imageName"])
def test_truth_as_eft_writes_it_is_read_back(
    tmp_path: Path, eft: ModuleType, entries: list[dict[str, Any]], store: Store, known: Any, keys: str
) -> None:
    drop = {"annotId"} - {keys}
    listed = [{key: value for key, value in entry.items() if key not in drop} for entry in entries]
    order = np.random.default_rng(0).permutation(len(listed))
    report = attach(store, eft.write_eft(tmp_path / "eft.json", [listed[i] for i in order if i != 6]))
    assert (report.valid, report.without) == (19, {"no fit in the source": 1})
    assert report.reprojection.median < 3, "an orthographic camera is not the truth's"
    opened = open_store(store.path)
    info, valid = opened.current("fits/eft"), opened.array("fits/eft/valid")[:]
    assert info.attributes["native_kind"] == "orthographic"
    assert np.flatnonzero(~valid).tolist() == [6]
    assert set(opened.array("fits/eft/frame")[:][valid].tolist()) == {VIEW}
    pose, truth = opened.array("fits/eft/pose")[:][valid], known.truth.pose[:20][valid]
    assert np.allclose(pose[:, 3:], truth[:, 3:], atol=1e-5)
    assert np.allclose(opened.array("fits/eft/betas")[:][valid], known.truth.betas[:20][valid], atol=1e-6)
    # The root is the truth's, turned into the view's own frame.
    rays = np.linalg.solve(known.truth.native[:20, :, :3], np.insert(known.persons.box[:20, :2], 2, 1, 1)[..., None])
    rays = rays[valid, :, 0] / np.linalg.norm(rays[valid, :, 0], axis=1, keepdims=True)
    roots = axis_angle_to_matrix(torch.from_numpy(np.stack([pose[:, :3].astype(float), truth[:, :3]])))
    assert np.allclose(roots[0], turn_of_ray(rays) @ roots[1].numpy(), atol=1e-5)


def test_the_camera_is_the_one_that_was_written(tmp_path: Path, eft: ModuleType, entries: list[dict[str, Any]]) -> None:
    table = reader.READER.read(eft.write_eft(tmp_path / "eft.json", entries), None)
    assert table.camera is not None
    for entry, matrix in zip(entries, table.camera, strict=True):
        (s, tx, ty), (cx, cy), half = entry["parm_cam"], entry["bbox_center"], 100 * entry["bbox_scale"]
        left, top, height = int(cx - half), int(cy - half), int(cy + half) - int(cy - half)
        X = np.array([0.3, -0.2, 0.1])
        pixel = np.array([left, top]) + (s * X[:2] + [tx, ty] + 1) / 2 * height
        assert np.allclose(matrix[:2, :3] @ X + matrix[:2, 3], pixel)
        assert matrix[2].tolist() == [0, 0, 0, 1]


def test_the_camera_read_as_spins_is_refused(
    tmp_path: Path,
    eft: ModuleType,
    entries: list[dict[str, Any]],
    store: Store,
    known: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = eft.write_eft(tmp_path / "eft.json", entries)
    right = reader.READER.read(path, None)
    pi = torch.tensor([entry["parm_cam"] for entry in entries], dtype=torch.float64)
    camera = weak_to_camera(pi).warped(invert(view_affine(known.persons.box))).matrix.numpy()
    wrong = replace(reader.READER, read=lambda *_: replace(right, camera=camera, orthographic=False))
    monkeypatch.setattr(reader, "READER", wrong)
    with pytest.raises(FitError, match="do not reproject"):
        attach(store, path)
    assert not open_store(store.path).has("fits/eft")


@pytest.mark.parametrize(
    "change",
    [
        {"parm_pose": [[1.0]]},
        {"parm_pose": None},
        {"parm_pose": [*[[[0.6, 0.8, 0], [-0.8, 0.6, 0], [0, 0, 1]]] * 23, [[1, 0, 0], [0, 1, 0, 0], [0, 1]]]},
        {"parm_pose": [*[[[0.6, 0.8, 0], [-0.8, 0.6, 0], [0, 0, 1]]] * 23, [[1, 0, 0], [0, 1, 0], "abc"]]},
        {"parm_cam": [1.0, 0.0]},
        {"parm_cam": [0.0, 0.1, 0.1]},
        {"parm_cam": [-1.0, 0.1, 0.1]},
        {"parm_shape": ["a"] * 10},
        {"parm_shape": "0123456789"},
        {"parm_shape": [10**400] * 10},
        {"parm_shape": [1e9] * 10},
        {"parm_shape": [float("nan")] * 10},
        {"bbox_scale": 0.0},
        {"bbox_scale": 1e308},
        {"bbox_center": {}},
    ],
)
def test_an_entry_that_cannot_be_meant_is_one_person_without_a_fit(
    tmp_path: Path, eft: ModuleType, entries: list[dict[str, Any]], store: Store, change: dict[str, Any]
) -> None:
    report = attach(store, eft.write_eft(tmp_path / "eft.json", [entries[0] | change, *entries[1:]]))
    assert (report.valid, report.without) == (19, {"coordinates not finite": 1})
    assert REASONS[open_store(store.path).array("fits/eft/reason")[0]] == "coordinates not finite"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"data": []}', '{"data": [1]}', '{"data": [{}]}', "[" * 100_000])
def test_files_that_are_no_fits(tmp_path: Path, store: Store, text: str) -> None:
    (tmp_path / "eft.json").write_text(text)
    with pytest.raises(FitError, match=r"eft\.json"):
        attach(store, tmp_path / "eft.json")


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"parm_shape": [True, 1, 2**70, None, 0.5, 0, 0, 0, 0, 0], "bbox_scale": 1},
        {"parm_shape": ["1.5"] * 10, "bbox_center": [[3.0], [4.0]], "bbox_scale": [1.0]},
        {"parm_shape": [0.5] * 11, "parm_cam": [1.0, 0.0]},
        {"parm_shape": "0123456789"},
        {"parm_shape": [10**400] * 10},
        {"parm_pose": np.eye(3).tolist() * 24},
        {"parm_pose": [[[1, 0, 0], [0, 1, 0, 0], [0, 1]]] * 24},
        {"parm_pose": [[[1, 0, 0], [0, 1, 0], "100"]] * 24},
        {"parm_pose": {str(i): np.eye(3).tolist() for i in range(24)}},
    ],
)
def test_numbers_are_those_that_numpy_reads(entries: list[dict[str, Any]], change: dict[str, Any]) -> None:
    sizes = {"parm_pose": 216, "parm_shape": 10, "parm_cam": 3, "bbox_center": 2, "bbox_scale": 1}
    person = entries[0] | change
    try:
        parts = [np.asarray(person[name], np.float64).ravel() for name in sizes]
    except (TypeError, ValueError, OverflowError):
        parts = []
    sound = [len(part) for part in parts] == [*sizes.values()]
    expected = np.concatenate(parts) if sound else np.full(232, np.nan)
    assert packing._numbers(*map(person.get, sizes)) == expected.tobytes()


def test_matrices_may_be_nested_otherwise(tmp_path: Path, eft: ModuleType, entries: list[dict[str, Any]]) -> None:
    flat = {"parm_pose": np.ravel(entries[0]["parm_pose"]).tolist(), "bbox_scale": [entries[0]["bbox_scale"]]}
    one, other = (
        reader.READER.read(eft.write_eft(tmp_path / "eft.json", [entries[0] | change]), None) for change in ({}, flat)
    )
    assert np.array_equal(one.pose, other.pose) and np.isfinite(one.pose).all()
    assert one.camera is not None and np.array_equal(one.camera, other.camera)


def test_fits_of_smpl_belong_to_the_neutral_body(tmp_path: Path, eft: ModuleType, entries: list[Any]) -> None:
    table = reader.READER.read(eft.write_eft(tmp_path / "e.json", [{**entries[0], "smpltype": "smpl"}]), None)
    assert table.body.tolist() == ["smpl-neutral"]
    assert json.loads(json.dumps(dict(table.licences))) == {"EFT fits": "CC BY-NC 4.0"}


def test_a_list_beside_the_data_leaves_no_trace(
    tmp_path: Path, eft: ModuleType, entries: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_BLOCK", 4)
    alone = reader.READER.read(eft.write_eft(tmp_path / "a.json", entries[5:16]), None)
    content = {"rejected": entries[:5], "data": entries[5:16], "more": entries[16:]}
    (tmp_path / "b.json").write_text(json.dumps(content))
    beside = reader.READER.read(tmp_path / "b.json", None)
    for name in ("pose", "betas", "camera"):
        assert np.array_equal(getattr(alone, name), getattr(beside, name))
    assert np.array_equal(alone.keys.ids, beside.keys.ids)


@pytest.fixture
def halved(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What another process, which is this one here, gave of the end of each file: None where it gave nothing."""
    given: list[Any] = []

    @contextmanager
    def beside(function: Any, *arguments: Any, **bounds: Any) -> Iterator[Future[Any]]:
        future: Future[Any] = Future()
        try:
            future.set_result(loads_trusted(pickle.dumps(function(*arguments), 5), "the answer"))
        except Exception as error:
            future.set_exception(ValueError(str(error)))
        yield future

    def taken(found: Any, merge: Any) -> Any:
        given.append(json_halves_taken(found, merge))
        return given[-1]

    json_halves_taken = json_halves._taken
    monkeypatch.setattr(json_halves, "_taken", taken)
    monkeypatch.setattr(json_halves, "available_cores", lambda: 2)
    monkeypatch.setattr(json_halves.isolated, "beside", beside)
    return given


def parsed(path: Path) -> Any:
    """All that a file says, or what is wrong with it."""
    try:
        table = reader.READER.read(path, None)
    except RawDataCorrupt as error:
        return str(error)
    arrays = (*vars(table.keys).values(), table.pose, table.betas, table.camera, table.body)
    return [(array.dtype, array.shape, array.tobytes()) for array in map(np.asarray, arrays)]


HALVED = {  # Persons A to F → how often another process gives what is behind a cut, for three of their lists
    '{"data": [A, B, C, D, E, F]}': (1, 5, 5),
    '{"data": [A ,\n B, {"a": [{}, {}]}], "more": [C, D, E, F]}': (1, 3, 3),
    '{"more": [A, B], "data": [C, D, E, F], "v": {"parm_pose": 1}}': (2, 4, 4),
    '{"data": [A, B, C], "data": [D, E, F]}': (3, 4, 4),
    '{"data": [A, B, C, D, E, F]} x': (1, 5, 5),
    '{"data": [A, B, C, D, E, F': (0, 0, 0),
    '{"data": [A, B, C, D, E, F]}\udcff': (0, 0, 0),
    '\ufeff{"data": [A, B, C, D, E, F]}': (0, 0, 0),
    '{"data": [A]}': (0, 0, 0),
    '{"data": []}': (0, 0, 0),
}


@pytest.mark.parametrize("text", HALVED)
def test_a_file_says_the_same_however_it_is_halved(
    tmp_path: Path, entries: list[dict[str, Any]], halved: list[Any], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    hostile = {"imageName": '\\"}, {"parm_pose": [', "annotId": 2**63, "bbox_scale": "1.5"}
    lists = [*entries[:4], entries[4] | hostile, entries[5]], entries[:6], [{**one} for one in entries[:6]]
    for one in lists[2]:
        del one["annotId"]
    given = []
    for persons in lists:
        said = {letter: json.dumps(person) for letter, person in zip("ABCDEF", persons, strict=True)}
        path = tmp_path / "eft.json"
        path.write_text(re.sub(r"\b[A-F]\b", lambda found, said=said: said[found[0]], text), "utf-8", "surrogateescape")
        monkeypatch.setattr(json_halves, "_cut", lambda _: 0)
        whole = parsed(path)
        halved.clear()
        for found in re.finditer(rb"\}[ \n]*,[ \n]*(?=\{)", path.read_bytes()):
            monkeypatch.setattr(json_halves, "_cut", lambda _, found=found: found.end())
            assert parsed(path) == whole, found
        given.append(sum(one is not None for one in halved))
    assert tuple(given) == HALVED[text]


def test_the_end_of_a_large_file_is_parsed_by_another_process(
    tmp_path: Path, eft: ModuleType, entries: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = eft.write_eft(tmp_path / "eft.json", entries)
    whole, merged = parsed(path), []
    add = packing._Entries.add
    monkeypatch.setattr(json_halves, "_AHEAD", 0)
    monkeypatch.setattr(packing._Entries, "add", lambda self, found: merged.extend(add(self, found)) or merged)
    for cores in (1, 2):
        monkeypatch.setattr(json_halves, "available_cores", lambda cores=cores: cores)
        assert parsed(path) == whole
    assert len(entries) / 3 < len(merged) < len(entries) / 2
