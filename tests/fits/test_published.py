"""Published fits: the truth as their authors write it comes back, and files of other persons are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pymaf_data.body import BodyModel
from pymaf_data.errors import FitError
from pymaf_data.fits.readers import find_reader
from pymaf_data.fits.table import CAMERA, VIEW
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.storage import Store, open_store

Write = Callable[[Any, Path], str]
FORMATS = {  # writer of a request, frame
    "hmr2 tars": (lambda made, people, folder: f"hmr2:{made.hmr2_tars(folder / 'tars', people)}", VIEW),
    "hmr2 npz": (lambda made, people, folder: f"hmr2:{made.hmr2_npz(folder / 'coco_val.npz', people)}", VIEW),
    "camerahmr": (lambda made, people, folder: f"camerahmr:{made.camera_hmr(folder / 'a.npz', people)}", CAMERA),
    "table": (lambda made, people, folder: f"table:{made.table(folder / 'a.npz', people)}", CAMERA),
    "neuralannot": (lambda made, people, folder: f"neuralannot:{made.neural_annot(folder / 'a.json', people)}", CAMERA),
}
OWN = {  # of a factory of their own; whatever they hold, files of others are refused in the same way
    "humandata": (lambda made, people, folder: f"humandata:{made.placed(folder / 'a.npz', people)}", CAMERA),
    "tokenhmr": (lambda made, people, folder: f"tokenhmr:{made.token_hmr(folder / 'a.tar', people)}", CAMERA),
    "bedlam": (lambda made, people, folder: f"bedlam:{made.scene(folder / 'a.npz', people)}", CAMERA),
}
OF = {"tokenhmr": "bedlam"}
MIRROR = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22]


@pytest.fixture(params=FORMATS)
def form(request: pytest.FixtureRequest, published: ModuleType) -> tuple[Write, int]:
    write, frame = (FORMATS | OWN)[request.param]
    made = request.getfixturevalue(OF.get(request.param, request.param)) if request.param in OWN else published
    return (lambda people, folder: write(made, people, folder)), frame


@pytest.fixture(autouse=True)
def _free(monkeypatch: pytest.MonkeyPatch, body: BodyModel) -> None:
    """Fits of SMPL's neutral body are taken for those of the free one, which is here."""
    monkeypatch.setattr("pymaf_data.stages.attach_source.load_body", lambda *_: body)

    def find(name: str) -> Any:
        reader = find_reader(name)
        return replace(reader, read=lambda *given: _of_free(reader.read(*given)))

    monkeypatch.setattr("pymaf_data.fits.joined.find_reader", find)


def _of_free(table: Any) -> Any:
    assert {*table.body} == {"smpl-neutral"}
    return replace(table, body=np.full(len(table), "free"))


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory, factory: ModuleType, known: Any) -> Store:
    return factory.make_store(tmp_path_factory.mktemp("store") / "s.zarr", known.persons[:12], 12)


@pytest.fixture
def store(tmp_path: Path, factory: ModuleType, known: Any) -> Store:
    return factory.make_store(tmp_path / "s.zarr", known.persons[:20], 20)


def attach(store: Store, request: str) -> Any:
    return attach_fits(AttachOptions(store=store.path, fits=(f"fits={request}",))).sources[0]


@pytest.mark.parametrize("form", [*FORMATS, *OWN], indirect=True)
def test_truth_comes_back_in_any_order_and_where_rows_say_it_twice(
    form: tuple[Write, int], store: Store, people: Any, known: Any, tmp_path: Path
) -> None:
    write, frame = form
    rows = np.random.default_rng(0).permutation([*range(24), *range(12)])
    report = attach(store, write(people.take(rows), tmp_path))
    assert (report.valid, report.without) == (20, {})
    opened = open_store(store.path)
    assert np.abs(opened.array("fits/fits/pose")[:] - known.truth.pose[:20]).max() < 1e-4
    assert np.abs(opened.array("fits/fits/betas")[:] - known.truth.betas[:20]).max() < 1e-4
    assert {*opened.array("fits/fits/frame")[:].tolist()} == {frame}
    assert opened.array("fits/fits/weak_camera")[:][:, 0].all()
    if opened.current("fits/fits").attributes["native_kind"] == "none":
        assert not opened.array("fits/fits/native")[:].any()
        return
    assert frame == CAMERA
    points = np.pad(known.joints[:20] - people.trans[:20, None], ((0, 0), (0, 0), (0, 1)), constant_values=1)
    seen = points @ opened.array("fits/fits/native")[:].transpose(0, 2, 1)
    pixels = (seen[..., :2] / seen[..., 2:])[:, :44]
    assert np.linalg.norm(pixels - people.joints[:20], axis=-1).max() < 0.05
    assert report.reprojection.maximum < 0.05 and report.weak_residual.maximum < 8


def test_who_is_missing_has_none(form: tuple[Write, int], store: Store, people: Any, tmp_path: Path) -> None:
    report = attach(store, form[0](people.take(slice(0, None, 2)), tmp_path))
    assert (report.valid, report.without) == (10, {"no fit in the source": 10})


FAULTS = {  # what is done to the files of 24 persons, and what is said of them
    "shifted": "rows look shifted by 1: otherwise",
    "shuffled": "rows look shuffled: others' fits lie no farther",
    "mirrored": "bodies look mirrored: otherwise",
    "turned": "bodies look turned by 180°, y up for down: otherwise",
    "half the size": "images look scaled by 2.00: otherwise|those of this store look scaled by 2.00",
    "foreign": "holds none of the persons",
}


def faulty(fault: str, people: Any) -> Any:
    bodies = {key: getattr(people, key) for key in ("pose", "betas", "trans")}
    if fault in ("shifted", "shuffled"):
        rows = np.roll(np.arange(24), 1) if fault == "shifted" else np.random.default_rng(1).permutation(24)
        return people._replace(**{key: values[rows] for key, values in bodies.items()})
    if fault == "mirrored":
        pose = people.pose.reshape(-1, 24, 3)[:, MIRROR] * [1, -1, -1]
        return people._replace(pose=pose.reshape(-1, 72))
    if fault == "turned":
        root = Rotation.from_rotvec([np.pi, 0, 0]) * Rotation.from_rotvec(people.pose[:, :3])
        return people._replace(pose=np.hstack([root.as_rotvec(), people.pose[:, 3:]]))
    if fault == "half the size":
        K = people.K * np.array([0.5, 0.5, 1])[:, None]
        return people._replace(box=people.box / 2, K=K, joints=people.joints / 2)
    people = people._replace(names=np.char.add("other", people.names), ids=people.ids + 1000)
    return people._replace(names=np.char.replace(people.names, "/", "/other"))


@pytest.mark.parametrize("fault", FAULTS)
def test_files_of_others_are_refused_and_say_what_they_look_like(
    fault: str, form: tuple[Write, int], untouched: Store, people: Any, tmp_path: Path
) -> None:
    with pytest.raises(FitError, match=FAULTS[fault]):
        attach(untouched, form[0](faulty(fault, people), tmp_path))
    assert not open_store(untouched.path).has("fits/fits")
