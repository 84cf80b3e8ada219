"""A table of our own: what it says is what is read, and what it should not say is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pymaf_data.errors import FitError
from pymaf_data.fits.joined import read_fits
from pymaf_data.fits.request import FitRequest
from pymaf_data.fits.table import CAMERA, VIEW

DOCS = Path(__file__).resolve().parents[2] / "docs" / "fits-table.md"


@pytest.fixture
def read(published: ModuleType, people: Any, tmp_path: Path) -> Callable[..., Any]:
    def made(**changes: Any) -> Any:
        path = published.table(tmp_path / "t.npz", people, **changes)
        return read_fits(FitRequest.of(f"table:{path}"))[0]

    return made


def test_matrices_ids_and_cameras_of_the_view(read: Callable[..., Any], people: Any) -> None:
    matrices = Rotation.from_rotvec(people.pose.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
    matrices[3, 5] *= 1.01
    matrices[4, 5] = np.diag([1, 1, -1])
    pi = np.tile([0.9, 0.1, -0.2], (24, 1))
    pi[7, 0] = 0
    without = dict.fromkeys(("image", "K", "translation", "pose"))
    bodies, frames = np.array(["free", "smpl-male"] * 12), np.array(["view", "camera"] * 12)
    table = read(**without, annotation_id=people.ids, rotmat=matrices, pi=pi, body=bodies, frame=frames)
    assert table.keys.ids.tolist() == people.ids.tolist()
    sound = ~np.isin(np.arange(24), [3, 4])
    assert np.isfinite(table.pose).all(1).tolist() == sound.tolist()
    turns = [Rotation.from_rotvec(pose[sound].reshape(-1, 3)) for pose in (table.pose, people.pose)]
    assert (turns[0].inv() * turns[1]).magnitude().max() < 1e-6
    assert table.frame.tolist() == [VIEW, CAMERA] * 12 and table.body.tolist() == bodies.tolist()
    assert np.isfinite(table.camera).all((1, 2)).tolist() == [i != 7 for i in range(24)]
    X, box = np.array([0.3, -0.6, 0.2]), people.box[0]
    place = np.add(X, [0.1, -0.2, 2 * 5000 / (224 * 0.9)])
    x, y, z = table.camera[0] @ [*X, 1]
    assert np.allclose([x / z, y / z], box[:2] + 5000 * place[:2] / place[2] * box[2] / 224, atol=1e-5)


def test_pixels_are_where_the_file_says(read: Callable[..., Any], people: Any) -> None:
    corner, centre = read(), read(pixels="index", licence=np.array(["CC0 1.0", "CC BY 4.0"] * 12))
    assert np.array_equal(corner.keys.centres, people.box[:, :2])
    assert np.allclose(centre.keys.centres, people.box[:, :2] + 0.5)
    assert np.allclose(centre.camera[:, :2] - corner.camera[:, :2], 0.5 * corner.camera[:, 2:])
    assert {*centre.licences.values()} == {"CC0 1.0", "CC BY 4.0"} and len(corner.licences) == 1


def test_a_camera_that_sees_nothing_is_none(read: Callable[..., Any], people: Any) -> None:
    K, place = people.K.copy(), people.trans.copy()
    K[1, 0, 0], K[2, 2, 0], place[3, 2], place[4, 0] = -800, 1, -1, np.nan
    camera = read(K=K, translation=place).camera
    assert np.isfinite(camera).all((1, 2)).tolist() == [i not in (1, 2, 3, 4) for i in range(24)]
    assert read(K=None, translation=None).camera is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bettas": np.zeros((24, 10))}, "unknown key 'bettas'; is it betas"),
        ({"xyz": np.zeros(24)}, "unknown key 'xyz'\n"),
        ({"betas": None}, "no betas"),
        ({"pose": None}, "no pose"),
        ({"licence": None, "frame": None}, "no frame, licence"),
        ({"pixels": None}, "no pixels"),
        ({"translation": None}, "no translation"),
        ({"K": None}, "no K"),
        ({"image": None}, "no image"),
        ({"box": None}, "no box"),
        ({"rotmat": np.zeros((24, 24, 3, 3))}, "both pose and rotmat"),
        ({"pi": np.zeros((24, 3))}, "both K and pi"),
        ({"frame": "world"}, "frame 'world'"),
        ({"licence": " "}, "a licence is empty"),
        ({"licence": np.array(["CC0 1.0"] * 23 + [""])}, "a licence is empty"),
        ({"K": np.zeros((24, 3, 3))}, "none of its 24 rows is a fit"),
        ({"betas": np.full((24, 10), np.nan)}, "none of its 24 rows is a fit"),
        ({"pixels": "opencv"}, "pixels 'opencv'"),
        ({"body": np.array(["free"] * 23)}, "body of <U4"),
        ({"body": "../smpl"}, "fits of a body '../smpl'"),
        ({"image": np.array("a.jpg")}, "image of <U5"),
        ({"betas": np.zeros((24, 11))}, "betas of float64"),
        ({"betas": np.array(1.0)}, "Expected: numbers of shape (1, "),
        ({"annotation_id": np.zeros(24)}, "annotation_id of float64"),
        ({"pose": np.full((24, 72), "a")}, "pose of <U1"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_table_is_refused(changes: dict[str, Any], said: str, read: Callable[..., Any]) -> None:
    with pytest.raises(FitError) as refused:
        read(**changes)
    assert said in str(refused.value)


def test_a_table_of_nobody_is_refused(read: Callable[..., Any], people: Any) -> None:
    keys = {"image": people.names, "box": people.box, "pose": people.pose, "betas": people.betas}
    nobody = {key: array[:0] for key, array in (keys | {"K": people.K, "translation": people.trans}).items()}
    with pytest.raises(FitError, match="holds no fits"):
        read(**nobody)


def test_texts_may_be_objects(read: Callable[..., Any]) -> None:
    frames = np.array(["camera", "view"] * 12, object)  # as a column of pandas is
    table = read(frame=frames, licence=np.array("CC0 1.0", object))
    assert table.frame.tolist() == [CAMERA, VIEW] * 12
    assert table.licences == {"fits under CC0 1.0": "CC0 1.0"}


def test_the_page_writes_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(DOCS.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0], {})
    assert FitRequest.of("fits.npz").format == "table"
    table, _ = read_fits(FitRequest.of("table:fits.npz"))
    assert np.isfinite(table.camera).all() and table.frame.tolist() == [CAMERA]
