"""Annotations: what COCO's tools read is what the picture shows, and noise is what people's would be."""

from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from pymaf_data.geometry.joints import COCO17
from pymaf_data.world.annotate import Annotator, box_of, keypoints_of, polygons_of, rle_of
from pymaf_data.world.produce import Job, produce

pytestmark = pytest.mark.slow
# Of COCO's keypoint evaluation, in COCO's order: σ² is the mean square distance of annotators over the object's area.
SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000


def decoded(rle: dict) -> np.ndarray:
    return coco_mask.decode(coco_mask.frPyObjects(rle, *rle["size"])).astype(bool)


def triples(entry: dict) -> np.ndarray:
    return np.array(entry["keypoints"], np.float64).reshape(17, 3)


def annotated(shots, noise=0.0, masks="rle", seed=0):
    """(shown, person's number, its annotation) of everybody."""
    rng = np.random.default_rng(seed)
    for shown, _ in shots:
        entries = Annotator(noise, masks).annotate(shown, rng)
        yield from ((shown, number, entry) for number, entry in enumerate(entries))


@pytest.mark.parametrize("first", [0, 1])
def test_run_lengths_decode_to_the_mask(first):
    mask = np.random.default_rng(0).random((7, 5)) < 0.5
    mask[0, 0] = first
    rle = rle_of(mask)
    assert sum(rle["counts"]) == mask.size
    assert np.array_equal(decoded(rle), mask)


@pytest.mark.parametrize("value", [False, True])
def test_run_lengths_of_masks_of_one_kind(value):
    mask = np.full((4, 3), value)
    assert np.array_equal(decoded(rle_of(mask)), mask)


def test_masks_boxes_and_areas_are_those_of_the_picture(shots):
    for shown, number, entry in annotated(shots):
        mask = shown.masks[number]
        assert np.array_equal(decoded(entry["segmentation"]), mask)
        assert entry["area"] == mask.sum()
        x, y, width, height = entry["bbox"]
        inside = np.zeros_like(mask)
        inside[int(y) : int(y + height), int(x) : int(x + width)] = True
        assert not (mask & ~inside).any()
        assert mask[:, int(x)].any() and mask[:, int(x + width) - 1].any()
        assert mask[int(y)].any() and mask[int(y + height) - 1].any()


def test_box_of_a_mask():
    mask = np.zeros((6, 8), bool)
    assert box_of(mask) == [0, 0, 0, 0]
    mask[2:4, 3:7] = True
    assert box_of(mask) == [3, 2, 4, 2]


def test_polygons_are_the_masks_of_people_who_are_large(shots):
    found, whole = [], []
    for shown, number, entry in annotated(shots, masks="polygon"):
        mask = shown.masks[number]
        height, width = mask.shape
        if mask.sum() < 1500:
            continue
        polygon = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(entry["segmentation"], height, width))) > 0
        filled = mask | (_closed(mask) & polygon)  # COCO's polygons have no holes
        found.append((polygon & filled).sum() / (polygon | filled).sum())
        whole.append((polygon & mask).sum() / (polygon | mask).sum())
    print(f"IoU of polygons at least {min(found):.4f}, with holes {min(whole):.4f}, over {len(found)} people")
    assert len(found) >= 10
    assert min(found) >= 0.97


def _closed(mask: np.ndarray) -> np.ndarray:
    """The mask with its holes."""
    import cv2

    outside = np.pad(mask.astype(np.uint8), 1)
    cv2.floodFill(outside, None, (0, 0), 2)
    return outside[1:-1, 1:-1] != 2


def test_polygons_are_simple_and_lie_in_the_picture():
    mask = np.zeros((40, 60), bool)
    mask[10:30, 20:50] = True
    mask[0:3, 0:3] = True
    polygons = polygons_of(mask)
    assert len(polygons) == 2
    assert all(len(polygon) == 8 for polygon in polygons)
    large = max(polygons, key=lambda polygon: max(polygon))
    np.testing.assert_allclose([min(large[::2]), max(large[::2])], [20, 50], atol=0.4)
    np.testing.assert_allclose([min(large[1::2]), max(large[1::2])], [10, 30], atol=0.4)


def test_without_noise_keypoints_are_the_joints_to_a_hundredth(shots):
    seen = 0
    for shown, number, entry in annotated(shots):
        view, person = shown.scene.view, shown.scene.people[number]
        points = triples(entry)
        there = points[:, 2] > 0
        assert np.array_equal(there, view.inside(person.coco))
        assert entry["num_keypoints"] == there.sum()
        assert not points[~there].any()
        exact = view.project(person.coco)[there]
        last = exact > np.array(view.size) - 0.01  # would be rounded out of the picture
        assert (np.abs(points[there, :2] + 0.5 - exact) <= np.where(last, 0.0101, 0.00501)).all()
        assert ((points[there, :2] >= -0.5) & (points[there, :2] + 0.5 < view.size)).all()
        seen += there.sum()
    assert seen > 300


def test_noise_zero_is_exact_whatever_chance_says(shots):
    assert [e for *_, e in annotated(shots, 0.0, seed=1)] == [e for *_, e in annotated(shots, 0.0, seed=2)]
    assert [e for *_, e in annotated(shots, 1.0, seed=1)] != [e for *_, e in annotated(shots, 1.0, seed=2)]
    assert [e for *_, e in annotated(shots, 1.0, seed=1)] == [e for *_, e in annotated(shots, 1.0, seed=1)]


@pytest.mark.parametrize("noise", [1.0, 0.5])
def test_noise_is_cocos_of_each_joint(shots, noise):
    """The root mean square distance from the truth is σ · √area; of joints far enough inside not to be held there."""
    squares: list[list[float]] = [[] for _ in COCO17.joints]
    for seed in range(60):
        for shown, number, entry in annotated(shots, noise, seed=seed):
            view, area = shown.scene.view, shown.masks[number].sum()
            exact, points = view.project(shown.scene.people[number].coco), triples(entry)
            room = 5 * noise * SIGMAS[:, None] * np.sqrt(area)
            inner = (points[:, 2] > 0) & ((exact > room) & (exact < np.array(view.size) - room)).all(1)
            off = (points[:, :2] + 0.5 - exact)[inner]
            for joint, value in zip(np.flatnonzero(inner), (off**2).sum(1) / area, strict=True):
                squares[joint].append(value)
    counts = np.array([len(values) for values in squares])
    ratio = np.array([np.sqrt(np.mean(values)) for values in squares]) / (noise * SIGMAS)
    print(
        f"σ found over σ asked: {ratio.min():.3f} … {ratio.max():.3f}, {counts.min()} … {counts.max()} keypoints each"
    )
    assert counts.min() > 300
    # d² of two normals has a spread of its own mean, so the root's relative error is 1 / (2 √n).
    assert (np.abs(ratio - 1) < 4.5 / (2 * np.sqrt(counts))).all()


@pytest.mark.parametrize("noise", [1.0, 3.0])
def test_noisy_keypoints_and_boxes_stay_inside_the_picture(shots, noise):
    moved = 0
    exact = [entry for *_, entry in annotated(shots)]
    for (shown, number, entry), clean in zip(annotated(shots, noise, seed=3), exact, strict=True):
        points, size = triples(entry), np.array(shown.scene.view.size)
        there = points[:, 2] > 0
        assert np.array_equal(points[:, 2], triples(clean)[:, 2]), "noise does not change what is seen"
        assert ((points[there, :2] >= 0) & (points[there, :2] <= size - 1)).all()
        x, y, width, height = entry["bbox"]
        assert min(x, y) >= 0 and x + width <= size[0] + 0.01 and y + height <= size[1] + 0.01
        assert min(width, height) >= 1
        assert entry["segmentation"] == clean["segmentation"] and entry["area"] == clean["area"]
        moved += (entry["bbox"] != clean["bbox"]) and shown.masks[number].any()
    assert moved > 0.8 * len(exact)


def test_noise_moves_boxes_by_two_percent_of_their_side(shots):
    shares = []
    for seed in range(20):
        exact = [entry["bbox"] for *_, entry in annotated(shots)]
        for (shown, _, entry), clean in zip(annotated(shots, 1.0, seed=seed), exact, strict=True):
            side, size = max(clean[2:]), np.array(shown.scene.view.size)
            edges, moved = (np.array([b[0], b[1], b[0] + b[2], b[1] + b[3]]) for b in (clean, entry["bbox"]))
            free = (edges > 0.1 * side) & (edges < np.array([*size, *size]) - 0.1 * side)
            shares += ((moved - edges)[free] / side).tolist()
    assert len(shares) > 500
    assert np.std(shares) == pytest.approx(0.02, rel=0.1)
    assert abs(np.mean(shares)) < 0.003


def test_a_keypoint_is_seen_where_it_is_written(shots):
    """Rounded to hundredths a joint may leave its pixel; visibility is of the pixel that it then lies in."""
    shown, _ = next(shot for shot in shots if len(shot[0].scene.people))
    person, view = shown.scene.people[0], shown.scene.view
    pixels, seen = keypoints_of(person, view, shown.depth, shown.masks[0])
    np.testing.assert_array_equal(pixels[seen > 0], np.round(pixels[seen > 0], 2))


def test_how_it_is_annotated_does_not_change_the_picture():
    plain = produce(Job(9, "train", 0, (320, 240)))
    other = produce(Job(9, "train", 0, (320, 240), annotator=Annotator(1.0, "polygon")))
    assert other.jpeg == plain.jpeg
    assert other.dense == plain.dense
    assert all(np.array_equal(plain.truth[key], other.truth[key]) for key in plain.truth)
    for noisy, exact in zip(other.annotations, plain.annotations, strict=True):
        assert noisy["keypoints"] != exact["keypoints"]
        assert noisy["area"] == exact["area"]
