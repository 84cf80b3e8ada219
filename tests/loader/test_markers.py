"""End to end: markers drawn at keypoints of images lie where the loader's keypoints say.

Image → stored crop → JPEG → store → augmented view, for boxes small, large and across the border. This is the oracle
that finds a half pixel lost anywhere on the way.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pymaf_data.crop import make_crop
from pymaf_data.geometry.joints import J49
from pymaf_data.loader import AugmentationOptions, Loader, LoaderOptions
from pymaf_data.storage import ArraySpec, Plan, Provenance, create_store, encode_jpeg, open_store

PERSONS, EPOCHS = 250, 4
WIDTH, HEIGHT = 1280, 960
LIMIT = 0.15  # pixels of the 224 view; found: 0.06 at worst, 0.014 in the median


def marker(centre: np.ndarray, sigma: float) -> np.ndarray:
    """An image (H, W, 3) with a Gaussian spot at a continuous position."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    low = np.maximum(np.floor(centre - 5 * sigma).astype(int), 0)
    high = np.minimum(np.ceil(centre + 5 * sigma).astype(int), [WIDTH, HEIGHT])
    rows, columns = np.mgrid[low[1] : high[1], low[0] : high[0]] + 0.5
    square = (columns - centre[0]) ** 2 + (rows - centre[1]) ** 2
    spot = np.rint(170 * np.exp(-square / (2 * sigma**2)))
    image[low[1] : high[1], low[0] : high[0]] = spot[..., None].astype(np.uint8)
    return image


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """A store of persons with one marked keypoint each, and the marked joints."""
    rng = np.random.default_rng(5)
    side = np.exp(rng.uniform(np.log(40), np.log(1800), PERSONS))
    sigma = np.maximum(1.0, 2.5 * side / 224)
    # The marker lies well inside the image, the box anywhere about it.
    room = np.minimum(4 * sigma, HEIGHT / 2 - 1)[:, None]
    point = room + rng.uniform(0, 1, (PERSONS, 2)) * ([WIDTH, HEIGHT] - 2 * room)
    away = rng.uniform(0, 60, PERSONS) * side / 224
    angle = rng.uniform(0, 2 * np.pi, PERSONS)
    box = np.stack([*(point.T + away * [np.cos(angle), np.sin(angle)]), side], -1)
    joint = rng.integers(0, 49, PERSONS)
    keypoints = np.zeros((PERSONS, 49, 3), np.float32)
    keypoints[np.arange(PERSONS), joint] = np.concatenate([point, np.ones((PERSONS, 1))], -1)
    half = side / 2
    crossing = (box[:, 0] < half) | (box[:, 1] < half) | (box[:, 0] + half > WIDTH) | (box[:, 1] + half > HEIGHT)
    assert 0.2 < crossing.mean() < 0.9
    crops = [encode_jpeg(make_crop(marker(p, s), b)) for p, s, b in zip(point, sigma, box, strict=True)]
    path = _write(tmp_path_factory.mktemp("marked") / "marked.zarr", box, keypoints, crops)
    return open_store(path), joint, sigma / side * 224


def test_markers_lie_where_the_keypoints_say(marked, body, atlas) -> None:
    store, joint, sigma = marked
    loader = Loader([store], body, atlas, LoaderOptions(batch_size=50, workers=0))
    errors, flips = [], 0
    for epoch in range(EPOCHS):
        for batch in loader.epoch(epoch):
            for i, row in enumerate(batch.row.tolist()):
                (found,) = np.flatnonzero(batch.keypoints[i, :, 2] > 0)
                assert found in (joint[row], J49.flip_permutation[joint[row]])
                flips += found != joint[row]
                expected = (batch.keypoints[i, found, :2].double().numpy() + 1) * 112
                view = batch.image[i].float().mean(0).numpy()
                errors.append(_centroid(view, expected, 4.5 * sigma[row]) - expected)
    distance = np.linalg.norm(errors, axis=-1)
    assert len(distance) == PERSONS * EPOCHS == 1000
    assert flips > 300
    assert distance.max() < LIMIT, f"{distance.max():.3f} px at worst, {np.median(distance):.3f} in the median"
    assert np.abs(np.mean(errors, axis=0)).max() < 0.02, "a systematic shift"


def test_a_shift_of_a_third_of_a_pixel_would_be_found(marked, body, atlas) -> None:
    """The oracle itself: half a stored pixel of error, the classical one, is far above its limit."""
    store, _, sigma = marked
    loader = Loader([store], body, atlas, LoaderOptions(workers=0, augmentation=AugmentationOptions.none()))
    batch = loader.batch(range(20))
    for i in range(20):
        expected = (batch.keypoints[i, batch.keypoints[i, :, 2] > 0, :2][0].double().numpy() + 1) * 112
        view = np.roll(batch.image[i].float().mean(0).numpy(), 1, axis=1)
        assert _centroid(view, expected, 4.5 * sigma[i])[0] - expected[0] > LIMIT


def _centroid(view: np.ndarray, about: np.ndarray, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:224, :224] + 0.5
    near = (columns - about[0]) ** 2 + (rows - about[1]) ** 2 < (1.3 * radius) ** 2
    weight = np.where(near, np.maximum(view - 6, 0), 0)
    return np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()


def _write(path: Path, box: np.ndarray, keypoints: np.ndarray, crops: list[bytes]) -> Path:
    rows = tuple((f"{i:03d}", i) for i in range(PERSONS))
    arrays = {"box": box, "keypoints": keypoints, "present": np.ones(PERSONS, bool)}
    arrays["joints3d"] = np.zeros((PERSONS, 24, 4), np.float32)
    specs = [ArraySpec(name, values.shape[1:], values.dtype.str) for name, values in arrays.items()]
    specs.append(ArraySpec("image", (400, 400, 3), "u1", 1, "jpeg"))
    plan = Plan(dataset="marked", split="train", rows=rows)
    store = create_store(path, plan, specs, Provenance())
    with store.lock("ingest"):
        writer = store.stage("ingest", plan.digest, specs)
        writer.write_shard(0, {**arrays, "image": crops}, plan.digest)
        writer.finish()
    return path
