"""The library against test vectors that were written without it, and the page against the vectors."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pymaf_data.geometry import affines, boxes, cameras, frames, rotations
from pymaf_data.geometry.views import Augmentation

REPOSITORY = Path(__file__).resolve().parents[2]
VECTORS = REPOSITORY / "tests" / "vectors"
PLANES = ("image", "crop", "view", "augmented", "map")


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def persons() -> list[dict[str, Any]]:
    return [load("worked_example.json"), *load("views.json")]


def ways(person: dict[str, Any]) -> dict[str, np.ndarray]:
    """Image → every plane."""
    given = person["augmentation"]
    augmentation = Augmentation.of(given["scale"], math.radians(given["degrees"]), given["flip"])
    view = affines.view_affine(person["box"])
    augmented = affines.compose(augmentation.affine(), view)
    return {
        "image": np.eye(2, 3),
        "crop": affines.crop_affine(person["box"]),
        "view": view,
        "augmented": augmented,
        "map": affines.compose(affines.resize(224, 56), augmented),
    }


@pytest.mark.parametrize("person", persons())
def test_a_keypoint_lies_where_school_arithmetic_says_in_every_plane(person: dict[str, Any]) -> None:
    np.testing.assert_allclose(boxes.box_from_xywh(person["bounding_box"]), person["box"], rtol=1e-13)
    point = np.array([person["keypoint"]["index"]]) + 0.5
    for plane, way in ways(person).items():
        np.testing.assert_allclose(affines.apply(way, point)[0], person["keypoint"][plane], rtol=1e-11, atol=1e-10)


@pytest.mark.parametrize("person", persons())
def test_the_augmented_view_is_reached_through_the_stored_crop(person: dict[str, Any]) -> None:
    way = ways(person)
    through_crop = affines.compose(affines.crop_to_view(), way["crop"])
    np.testing.assert_allclose(through_crop, way["view"], rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize("person", persons())
def test_the_weak_camera_sees_a_point_where_each_plane_has_its_own_pinhole(person: dict[str, Any]) -> None:
    points = torch.tensor([[person["point"]]], dtype=torch.float64)
    view = cameras.weak_to_camera(torch.tensor([person["pi"]], dtype=torch.float64))
    way = ways(person)
    for plane in PLANES:
        camera = view.warped(affines.compose(way[plane], affines.invert(way["view"])))
        np.testing.assert_allclose(camera.project(points)[0, 0], person["weak"][plane], rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("plane", ["image", "crop", "view"])
def test_focal_length_and_principal_point_of_each_plane(plane: str) -> None:
    person = load("worked_example.json")
    way = ways(person)
    camera = cameras.weak_to_camera(torch.tensor([person["pi"]], dtype=torch.float64))
    matrix = camera.warped(affines.compose(way[plane], affines.invert(way["view"]))).matrix[0]
    focal, (cx, cy) = person["weak"]["focal"][plane], person["weak"]["principal"][plane]
    np.testing.assert_allclose(matrix[:, :3], [[focal, 0, cx], [0, focal, cy], [0, 0, 1]], rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(matrix[2, 3], person["weak"]["translation"][2], rtol=1e-13)


def test_a_full_frame_camera_agrees_with_itself_in_the_view() -> None:
    person = load("worked_example.json")
    native, seen = person["native"], person["native_seen"]
    cx, cy = native["principal"]
    intrinsics = torch.tensor([[[native["focal"], 0, cx], [0, native["focal"], cy], [0, 0, 1]]], dtype=torch.float64)
    camera = cameras.full_frame(intrinsics, torch.tensor([native["translation"]], dtype=torch.float64))
    points = torch.tensor([[person["point"]]], dtype=torch.float64)
    np.testing.assert_allclose(camera.project(points)[0, 0], seen["image"], rtol=1e-13)
    view = camera.warped(affines.view_affine(person["box"]))
    np.testing.assert_allclose(view.project(points)[0, 0], seen["view"], rtol=1e-13)
    np.testing.assert_allclose(view.matrix[0, 0, 0], seen["view_focal"], rtol=1e-14)
    np.testing.assert_allclose(view.matrix[0, :2, 2], seen["view_principal"], rtol=1e-14)


@pytest.mark.parametrize("case", load("rotations.json"))
def test_rotations_agree_with_quaternion_sandwiches(case: dict[str, Any]) -> None:
    axis_angle = torch.tensor(case["axis_angle"], dtype=torch.float64)
    matrix = torch.tensor(case["matrix"], dtype=torch.float64)
    six = torch.tensor(case["rotation_6d"], dtype=torch.float64)
    np.testing.assert_allclose(rotations.axis_angle_to_matrix(axis_angle), matrix, atol=1e-14)
    np.testing.assert_allclose(rotations.rotation_6d_to_matrix(six), matrix, atol=1e-14)
    np.testing.assert_allclose(rotations.matrix_to_rotation_6d(matrix), six, atol=0)
    np.testing.assert_allclose(rotations.matrix_to_axis_angle(matrix), axis_angle, atol=2e-14, rtol=1e-7)


@pytest.mark.parametrize("case", load("view_frames.json"))
def test_the_view_s_frame_agrees_with_quaternions(case: dict[str, Any]) -> None:
    (cx, cy), f = case["principal"], case["focal"]
    ray = frames.box_ray([[f, 0, cx], [0, f, cy], [0, 0, 1]], case["box"])
    np.testing.assert_allclose(ray, case["ray"], rtol=1e-13)
    root, wanted = (
        rotations.axis_angle_to_matrix(torch.tensor(case[key], dtype=torch.float64)) for key in ("root", "turned_root")
    )
    np.testing.assert_allclose(frames.turn_of_ray(ray) @ root.numpy(), wanted, atol=1e-13)


def test_the_vectors_are_what_their_script_writes() -> None:
    path = VECTORS / "make_vectors.py"
    spec = importlib.util.spec_from_file_location("make_vectors", path)
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for name, content in script.vectors().items():
        assert _close(load(name), content), f"{name} has drifted: run python {path.relative_to(REPOSITORY)}"


def test_the_page_shows_the_numbers_of_the_vectors() -> None:
    page = (REPOSITORY / "docs" / "geometry.md").read_text(encoding="utf-8").replace("−", "-")
    person = load("worked_example.json")
    pairs = [person["keypoint"][plane] for plane in ("image", "crop", "view", "augmented", "normalised", "map")]
    pairs += [person["weak"][plane] for plane in PLANES]
    pairs += [person["native_seen"][key] for key in ("image", "view", "view_principal")]
    singles = [*person["weak"]["focal"].values(), person["crop_side"], person["native_seen"]["view_focal"]]
    texts = [f"({_round(x)}, {_round(y)})" for x, y in pairs] + [_round(value) for value in singles]
    turned = load("view_frames.json")[0]
    texts += [f"({', '.join(map(_round, turned[key]))})" for key in ("ray", "root", "turned_root")]
    texts.append(_round(turned["degrees"]))
    assert [text for text in texts if text not in page] == []


def _round(value: float) -> str:
    text = f"{value:.4f}"
    return text.rstrip("0").rstrip(".") if value == round(value, 2) else text


def _close(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_close(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_close, a, b))
    return math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12)  # libm differs by an ulp between machines
