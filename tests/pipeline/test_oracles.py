"""End to end: what comes out of the pipeline is what the sample's truth says, by measures that share no code with it.

Masks and keypoints are those of the annotation file, bodies' silhouettes those of the dense truth, all drawn before any
store was there; rows, boxes, crops, fits, cameras and maps have gone through every stage. Each oracle that bounds an
error is shown to see half a pixel, or the wrong side of the body.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pymaf_data.body import load_body
from pymaf_data.geometry.affines import VIEW_SIZE, apply, compose, invert, resize, view_affine
from pymaf_data.geometry.cameras import weak_to_camera
from pymaf_data.geometry.joints import COCO17, J49, index_map
from pymaf_data.geometry.views import Augmentation
from pymaf_data.loader import Batch, Loader, LoaderOptions
from pymaf_data.render import TARGET_SIZE, Atlas, StoredMaps, render_iuv
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import open_store
from pymaf_data.world.sample import SampleOptions, write_sample

HALF_PIXELS = [(0.5, 0.0), (-0.5, 0.0), (0.0, 0.5), (0.0, -0.5)]


def test_the_sample_shows_enough(pipeline) -> None:
    assert len(pipeline.store) == 24
    assert len(pipeline.whole) >= 12, "about a quarter of all are cut by the frame"
    assert pipeline.store.array("iuv/rendered")[:].all()


def test_rendered_in_the_images_own_frame_silhouettes_are_the_bodies(pipeline, atlas: Atlas) -> None:
    both = either = 0
    for row in pipeline.whole:
        mask = pipeline.bodies[row]
        height, width = mask.shape
        rendered = render_iuv(pipeline.vertices[row : row + 1], pipeline.cameras[row], atlas, max(mask.shape)).mask[0]
        assert not rendered[height:].any()
        assert not rendered[:, width:].any()
        rendered = rendered[:height, :width]
        both, either = both + (rendered & mask).sum(), either + (rendered | mask).sum()
    print(f"IoU {both / either:.6f} over {either} pixels of {len(pipeline.whole)} persons")
    assert both >= 0.9999 * either


def stored_iou(pipeline, shift: tuple[float, float] = (0.0, 0.0)) -> tuple[float, float]:
    """IoU of stored maps with bodies where the bodies decide, and the share of foreground where they do.

    Both rasters are samples of one outline at other places. A stored centre that lies among four image centres of
    one kind must be of that kind; among four that differ, the silhouette does not say.
    """
    both = either = decided = near = 0
    maps = pipeline.store.array("iuv/part").rows(pipeline.large) > 0
    crops = pipeline.store.array("crop_affine").rows(pipeline.large)
    size, crop_size = maps.shape[-1], pipeline.store.array("image").shape[1]
    i, j = np.mgrid[:size, :size] + 0.5
    centres = np.stack([j.ravel(), i.ravel()], 1)
    for row, stored, crop in zip(pipeline.large, maps, crops, strict=True):
        mask = np.pad(pipeline.bodies[row].astype(np.uint8), 1)
        points = apply(invert(compose(resize(crop_size, size), crop)), centres) + shift
        column, line = np.clip(np.floor(points + 0.5).astype(int), 0, np.array(mask.shape)[::-1] - 2).T
        around = mask[line, column] + mask[line + 1, column] + mask[line, column + 1] + mask[line + 1, column + 1]
        around = around.reshape(size, size)
        sure, shown = (around == 0) | (around == 4), around == 4
        both, either = both + (shown & stored & sure).sum(), either + ((shown | stored) & sure).sum()
        decided, near = decided + shown.sum(), near + (around > 0).sum()
    return both / either, decided / near


def test_silhouettes_of_stored_maps_are_the_bodies(pipeline) -> None:
    iou, decided = stored_iou(pipeline)
    print(f"IoU {iou:.6f} where the bodies decide, which is on {decided:.1%} of {len(pipeline.large)} persons")
    assert iou >= 0.9995
    assert len(pipeline.large) >= 5
    assert decided >= 0.8


@pytest.mark.parametrize("shift", HALF_PIXELS)
def test_half_an_image_pixel_would_be_found(pipeline, shift: tuple[float, float]) -> None:
    assert stored_iou(pipeline, shift)[0] < 0.999


def test_stored_maps_lie_nowhere_else(pipeline, warps: ModuleType) -> None:
    maps = pipeline.store.array("iuv/part").rows(pipeline.whole) > 0
    size, crop_size = maps.shape[-1], pipeline.store.array("image").shape[1]
    affines = compose(resize(crop_size, size), pipeline.store.array("crop_affine").rows(pipeline.whole))
    moved = warps.displacement(maps, sampled(pipeline, affines, size))
    shifted = affines.copy()
    shifted[:, :, 2] += 0.5 * affines[:, [0, 1], [0, 1]]
    found = warps.displacement(maps, sampled(pipeline, shifted, size))
    print(f"maps lie {moved} stored pixels from the bodies; seen after half an image pixel: {found}")
    assert (np.abs(moved) <= 0.02).all()
    assert (np.abs(found) >= 0.1).all()


def sampled(pipeline, affines: np.ndarray, size: int) -> np.ndarray:
    """Silhouettes interpolated at the stored centres; affines of continuous coordinates, image → map."""
    half = np.array([[1.0, 0, 0.5], [0, 1, 0.5]])
    return np.stack(
        [
            cv2.warpAffine(
                pipeline.bodies[row].astype(np.float32), compose(invert(half), compose(A, half)), (size, size)
            )
            for row, A in zip(pipeline.whole, affines, strict=True)
        ]
    )


def test_fits_project_onto_the_annotated_keypoints(pipeline) -> None:
    joints = pipeline.body(pipeline.pose, pipeline.betas).joints[:, torch.tensor(index_map(J49, COCO17))]
    projected = pipeline.cameras.project(joints).numpy()
    annotated = np.array([entry["keypoints"] for entry in pipeline.annotations], np.float64).reshape(-1, 17, 3)
    error = np.abs(projected - (annotated[..., :2] + 0.5))[annotated[..., 2] > 0]
    print(f"{len(error)} keypoints, {error.max():.4f} px at worst")
    assert len(error) > 300
    assert error.max() < 0.51, "beyond COCO's rounding"


def test_visible_keypoints_lie_inside_the_masks(pipeline) -> None:
    """Stored keypoints are continuous: the pixel that one lies in is its floor."""
    count = 0
    keypoints, visibility = (pipeline.store.array(name)[:] for name in ("keypoints", "visibility"))
    for row, mask in enumerate(pipeline.masks):
        for joint, name in zip(index_map(J49, COCO17), COCO17.joints, strict=True):
            if visibility[row, joint] == 2:
                column, line = np.floor(keypoints[row, joint, :2]).astype(int)
                assert mask[line, column], f"{name} of row {row}"
                count += 1
    print(f"{count} visible keypoints inside")
    assert count > 200


def test_bodies_are_in_the_masks_where_nothing_hides_them(pipeline) -> None:
    """Masks are of dressed people: larger than the body by clothes and hair, and not another person's."""
    shares = []
    for row in pipeline.whole[pipeline.truth["occlusion"][pipeline.whole] == 0]:
        mask, own = pipeline.masks[row], pipeline.bodies[row]
        assert (mask & own).sum() >= 0.9 * own.sum()
        shares.append((mask & own).sum() / (mask | own).sum())
    print(f"IoU of masks and bare bodies: median {np.median(shares):.3f}, least {min(shares):.3f} of {len(shares)}")
    assert len(shares) >= 5
    assert np.median(shares) > 0.85


def test_warped_maps_are_the_transformed_bodies(pipeline, atlas: Atlas, warps: ModuleType) -> None:
    """As ``tests/render/test_warp.py``, on real crops and native cameras."""
    rng = np.random.default_rng(3)
    stored = StoredMaps(pipeline.store.array("iuv/part")[:], pipeline.store.array("iuv/uv")[:])
    view = pipeline.cameras.warped(view_affine(pipeline.store.array("box")[:]))
    comparisons = []
    for number in range(10):
        k, phi = rng.uniform(0.75, 1.25), np.radians(rng.uniform(-60, 60))
        augmentation = Augmentation.of(k, phi, flip=number % 2 == 1)
        comparisons.append(
            warps.compare(pipeline.body, pipeline.pose, pipeline.betas, view, stored, augmentation, atlas)
        )
    near, exact = warps.agreement(comparisons)
    bias = [warps.bias(comparisons[flipped::2], stored.part.shape[-1]) for flipped in (0, 1)]
    error = warps.chart_errors(comparisons)
    print(f"within one stored pixel {near:.4%}, exact {exact:.4%}; bias {bias} stored pixels")
    print(f"uv error median {np.median(error):.4f}, p95 {np.percentile(error, 95):.4f}")
    assert near >= 0.995
    assert exact >= 0.94
    assert np.median(error) <= 0.01
    assert np.percentile(error, 95) <= 0.06
    assert (np.abs(bias) <= 0.05).all()


@pytest.fixture(scope="module")
def batches(pipeline, atlas: Atlas) -> list[Batch]:
    """Two epochs of every person, augmented."""
    loader = Loader([pipeline.store], load_body("free"), atlas, LoaderOptions(batch_size=24, workers=0))
    return [batch for epoch in range(2) for batch in loader.epoch(epoch)]


def image_to_view(pipeline, batch: Batch, place: int) -> tuple[np.ndarray, bool]:
    """The affine (2, 3) that a row's keypoints went through, found from the keypoints alone, and whether it mirrors."""
    annotated = pipeline.store.array("keypoints")[int(batch.row[place])].astype(np.float64)
    found = (batch.keypoints[place].double().numpy()[:, :2] + 1) * 112
    for mirrored in (False, True):
        before = annotated[J49.flip_permutation] if mirrored else annotated
        seen = before[:, 2] > 0
        if not np.array_equal(seen, batch.keypoints[place, :, 2].numpy() > 0):
            continue
        homogeneous = np.concatenate([before[seen, :2], np.ones((seen.sum(), 1))], 1)
        affine = np.linalg.lstsq(homogeneous, found[seen], rcond=None)[0].T
        residual = np.abs(homogeneous @ affine.T - found[seen]).max()
        if residual < 1e-2 and (np.linalg.det(affine[:, :2]) < 0) == mirrored:
            return affine, mirrored
    raise AssertionError(f"keypoints of row {batch.row[place]} did not move by one affine")


def test_maps_of_a_batch_moved_as_its_keypoints_did(
    pipeline, batches: list[Batch], atlas: Atlas, warps: ModuleType
) -> None:
    """Rendered by the native camera in the view that the keypoints tell; flipped parts change names by the atlas."""
    masks: dict[str, list[np.ndarray]] = {"batch": [], "exact": []}
    same = swapped = union = 0
    for batch in batches:
        assert batch.has_iuv.all()
        for place, row in enumerate(batch.row.tolist()):
            affine, mirrored = image_to_view(pipeline, batch, place)
            camera = pipeline.cameras[row].warped(compose(resize(VIEW_SIZE, TARGET_SIZE), affine))
            exact = render_iuv(pipeline.vertices[row : row + 1], camera, atlas).part[0]
            exact = atlas.part_mirror[exact] if mirrored else exact
            part = batch.part[place].numpy()
            either = (part > 0) | (exact > 0)
            same, union = same + ((part == exact) & either).sum(), union + either.sum()
            swapped += ((atlas.part_mirror[part] == exact) & either).sum()
            masks["batch"].append(part > 0)
            masks["exact"].append(exact > 0)
    moved = warps.displacement(np.stack(masks["batch"]), np.stack(masks["exact"]))
    print(
        f"parts agree on {same / union:.2%} of the union, {swapped / union:.2%} if sides were swapped; moved {moved} px"
    )
    assert same >= 0.94 * union
    assert swapped <= 0.45 * union
    assert (np.abs(moved) <= 0.05).all()


def turns(pipeline) -> np.ndarray:
    """(N, 3, 3) the least rotations that take the ray through each person's box onto the axis, by axis and angle."""
    K, box = pipeline.cameras.matrix.numpy()[:, :, :3], pipeline.store.array("box")[:]
    rays = np.linalg.solve(K, np.concatenate([box[:, :2], np.ones((len(box), 1))], 1)[..., None])[..., 0]
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    across = np.stack([rays[:, 1], -rays[:, 0], 0 * rays[:, 0]], 1)
    return Rotation.from_rotvec(
        across * (np.arccos(rays[:, 2:]) / np.linalg.norm(across, axis=1, keepdims=True))
    ).as_matrix()


def test_bodies_of_a_batch_moved_as_its_keypoints_did(pipeline, batches: list[Batch]) -> None:
    """Turned onto the view's axis, then by the linear part of the keypoints' affine, about the root: every vertex."""
    mirror, root = pipeline.body.mirror.numpy(), pipeline.body(pipeline.pose, pipeline.betas).skeleton[:, :1].numpy()
    of_view = turns(pipeline)
    flips = 0
    for batch in batches:
        assert batch.has_fit.all()
        vertices = pipeline.body(batch.pose.double(), batch.betas.double()).vertices.numpy()
        for place, row in enumerate(batch.row.tolist()):
            affine, mirrored = image_to_view(pipeline, batch, place)
            turn = np.eye(3)
            turn[:2, :2] = affine[:, :2] / np.sqrt(abs(np.linalg.det(affine[:, :2])))
            expected = (pipeline.vertices[row].numpy() - root[row]) @ (turn @ of_view[row]).T + root[row]
            expected = expected[mirror] if mirrored else expected
            np.testing.assert_allclose(vertices[place], expected, atol=1e-4)
            flips += mirrored
    assert 10 < flips < 38


def test_cameras_of_a_batch_show_its_body_at_its_keypoints(pipeline, batches: list[Batch]) -> None:
    """The cameras stood near, and π is far: what is left is the perspective of a near body, and annotators' noise."""
    body, errors = load_body("free"), []
    for batch in batches:
        assert batch.has_camera.all()
        projected = weak_to_camera(batch.camera).project(body(batch.pose, batch.betas).joints)
        error = (projected - (batch.keypoints[..., :2] + 1) * 112).norm(dim=-1)
        seen = batch.keypoints[..., 2] > 0
        errors.append(((error * seen).sum(1) / seen.sum(1)).numpy())
    median, worst = np.median(np.concatenate(errors)), np.concatenate(errors).max()
    print(f"mean error of a person in view px: median {median:.2f}, worst {worst:.2f}")
    assert median < 4.5
    assert worst < 15


def test_the_whole_pipeline_is_deterministic(pipeline, second_pipeline) -> None:
    first, second = contents(pipeline.raw.parent), contents(second_pipeline.raw.parent)
    assert first.keys() == second.keys()
    assert len(first) > 60
    assert not [name for name, data in first.items() if second[name] != data]


def contents(root: Path) -> dict[str, bytes]:
    """Every file below a folder: raw data, arrays, commits, records, released locks."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_truth_of_noisy_annotations_is_joined_and_is_exact(tmp_path: Path, body) -> None:
    """Keypoints lie beside the joints as people's would; the fits are the truth's own all the same."""
    raw, out = tmp_path / "raw", tmp_path / "sample-train.zarr"
    write_sample(SampleOptions(out=raw, persons=6, seed=3, size=(320, 240), noise=1.0, masks="polygon"))
    ingest(IngestOptions(dataset="sample", root=raw, out=out, shard=16, workers=1))
    report = attach_fits(AttachOptions(store=out, fits=(f"truth:{raw / 'truth/train.npz'}",)))
    store = open_store(out)
    with np.load(raw / "truth/train.npz") as truth:
        place = {number: row for row, number in enumerate(truth["annotation_id"].tolist())}
        rows = [place[number] for number in store.array("annotation_id")[:].tolist()]
        np.testing.assert_allclose(store.array("fits/truth/pose")[:], truth["pose"][rows], atol=1e-6)
    assert report.sources[0].valid == len(store) == 6
    assert report.sources[0].reprojection.median > 1.0
