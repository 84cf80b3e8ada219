"""Benchmarks in the image, from raw worlds to tables, against the released arithmetic written anew."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from pymaf_data.body import BodyModel
from pymaf_data.body.free import load_free_arrays
from pymaf_data.errors import AssetMissing, EvaluationError
from pymaf_data.geometry.cameras import Camera
from pymaf_data.geometry.joints import COCO17, J49
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.model.benchmarks.benchmark import Benchmark
from pymaf_data.model.benchmarks.lsp import cuts_of
from pymaf_data.model.benchmarks.parts import parts_of_faces
from pymaf_data.model.evaluation.options import EvaluateOptions
from pymaf_data.model.evaluation.run import evaluate
from pymaf_data.render.raster import rasterize
from pymaf_data.runs.evaluations import read
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.stages.ingest import IngestOptions, ingest

FOCAL = 5000.0


@pytest.fixture(scope="module")
def bodies() -> dict[str, BodyModel]:
    """The free body under SMPL's names; those of the two genders differ."""
    arrays = load_free_arrays()
    made = {name: BodyModel(name, arrays) for name in ("smpl-neutral", "smpl-male", "smpl-female")}
    made["smpl-female"].v_template[:, 0] *= 0.9
    return made


@pytest.fixture
def here(bodies: dict[str, BodyModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, BodyModel]:
    """The bodies that this machine has, and an empty data root; tests take some away."""
    found = dict(bodies)

    def load(name: str, *_: Any) -> BodyModel:
        if name not in found:
            raise AssetMissing(f"no {name}")
        return found[name]

    for place in ("stages.attach_source", "model.benchmarks.truth", "model.evaluation.subjects"):
        monkeypatch.setattr(f"pymaf_data.{place}.load_body", load)
    monkeypatch.setenv("PYMAF_DATA_ROOT", str(tmp_path / "data"))
    return found


class People:
    """N upright persons in poses of their own, seen by weak cameras (N, 3)."""

    def __init__(self, count: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.pose = 0.25 * rng.normal(size=(count, 24, 3))
        self.pose[:, 0] = [np.pi, 0, 0]
        self.betas = rng.normal(size=(count, 10))
        self.weak = np.column_stack([rng.uniform(0.6, 1.1, count), rng.uniform(-0.2, 0.2, (count, 2))])

    @property
    def rotation(self) -> torch.Tensor:
        return axis_angle_to_matrix(torch.from_numpy(self.pose)).float()

    @property
    def place(self) -> np.ndarray:
        """(N, 3) translation in the view."""
        s, x, y = self.weak.T
        return np.column_stack([x, y, 2 * FOCAL / (224 * s + 1e-9)])


def silhouettes(vertices: Any, faces: Any, place: np.ndarray, size: int) -> np.ndarray:
    """(N, size, size) faces shown by cameras of 5000 px at the centre."""
    K = np.array([[FOCAL, 0, size / 2], [0, FOCAL, size / 2], [0, 0, 1]])
    matrices = np.concatenate([np.tile(K, (len(place), 1, 1)), np.einsum("ij,nj->ni", K, place)[..., None]], 2)
    return rasterize(vertices, faces, Camera(torch.from_numpy(matrices)), size, backend="numba").face


@pytest.fixture
def measured(subjects: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Evaluate people as ``body`` on a benchmark."""

    def run(name: str, store: Path, body: BodyModel, people: People, *options: str, **more: Any) -> Any:
        def given(benchmark: Benchmark, *_: Any) -> Any:
            return subjects.GivenSubject(benchmark, body, people.rotation, people.betas, people.weak, batch=3)

        monkeypatch.setattr("pymaf_data.model.evaluation.result.FitsSubject", given)
        chosen = EvaluateOptions(
            subject="fits:given",
            benchmarks=(name,),
            stores=(store,),
            out=tmp_path / "ev",
            option=options,
            **{"overwrite": True, **more},
        )
        return evaluate(chosen)

    return run


def figures(report: Any, iteration: str = "M0") -> dict[str, float | None]:
    return {name: figure.value for name, figure in report.results[0].iterations[iteration].items()}


# LSP -----------------------------------------------------------------------------------------------------------------


def put_back(view: np.ndarray, places: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The image (H, W), pixel by pixel, of a view (224, 224) of the box that SPIN has of 14 joints (14, 2)."""
    low, high = places.min(0), places.max(0)
    centre, side = ((low + high) / 2).astype(np.float32).astype(float), 1.2 * (high - low).max()
    (left, top), (right, bottom) = np.trunc(centre - side / 2).astype(int), np.trunc(centre + side / 2).astype(int)
    out, rows, columns = np.full(size[::-1], -1), resized(bottom - top), resized(right - left)
    for y in range(max(top, 0), min(bottom, size[1])):
        for x in range(max(left, 0), min(right, size[0])):
            out[y, x] = view[rows[y - top], columns[x - left]]
    return out


def resized(side: int) -> list[int]:
    """Which of 224 pixels Pillow takes for each of ``side``: its steps add up, and centres fall on edges often."""
    found, at = [], 0.5 * (224 / side)
    for _ in range(side):
        found, at = [*found, int(at)], at + 224 / side
    return found


def released_figures(masks: Any, parts: Any, true_masks: Any, true_parts: Any) -> dict[str, float]:
    """What SPIN's evaluation prints, of lists of images: booleans and labels."""
    tp, fp, fn, right, count = np.zeros(2), np.zeros(2), np.zeros(2), 0, 0
    ptp, pfp, pfn, pright = np.zeros(7), np.zeros(7), np.zeros(7), 0
    for mask, part, true_mask, true_part in zip(masks, parts, true_masks, true_parts, strict=True):
        right, count = right + (mask == true_mask).sum(), count + mask.size
        for c in range(2):
            t, p = true_mask == c, mask == c
            tp[c], fp[c], fn[c] = tp[c] + (t & p).sum(), fp[c] + (~t & p).sum(), fn[c] + (t & ~p).sum()
        for c in range(7):
            t, p = true_part == c, (part == c) & (true_part != 255)
            ptp[c], pfp[c], pfn[c] = ptp[c] + (t & p).sum(), pfp[c] + (~t & p).sum(), pfn[c] + (t & ~p).sum()
        pright += (np.where(true_part == 255, 0, true_part) == part).sum()
    return {
        "FB accuracy": 100 * right / count,
        "FB F1": (2 * tp / (2 * tp + fp + fn)).mean(),
        "parts accuracy": 100 * pright / count,
        "parts F1": (2 * ptp / (2 * ptp + pfp + pfn)).mean(),
    }


class Leeds:
    """Three persons of LSP's test split whose masks are those of known bodies; some rows of parts are ignored."""

    def __init__(self, leeds: ModuleType, body: BodyModel, root: Path) -> None:
        self.size, self.people, self.body = leeds.SIZE, People(3), body
        self.places = leeds.people(1003)[1000:] * [0.8, 0.5] + [30, 10]
        self.places[1] -= [45, 0]  # half outside
        faces = len(body.faces)
        self.part = np.append(1 + 6 * np.arange(faces) // faces, 0)
        images = self.images(self.people)
        self.masks, self.parts = [image >= 0 for image in images], [self.part[image] for image in images]
        for parts in self.parts:
            parts[60:70] = 255
        leeds.lsp(root, np.concatenate([leeds.people(1000), self.places]), np.zeros((1003, 14), bool), "lsp_dataset")
        for row in range(3):
            leeds.save_image(root / "lsp_dataset" / "images" / f"im{1001 + row}.jpg", row)
            leeds.upi_s1h(root, 1001 + row, 255 * self.masks[row].astype(np.uint8), self.parts[row].astype(np.uint8))
        self.raw = root

    def images(self, people: People) -> list[np.ndarray]:
        """(H, W) faces that people show."""
        vertices = self.body.mesh(people.rotation, torch.from_numpy(people.betas).float())
        views = silhouettes(vertices, self.body.faces, people.place, 224)
        return [put_back(view, places, self.size) for view, places in zip(views, self.places, strict=True)]

    def store(self, **options: Any) -> Path:
        chosen = IngestOptions(dataset="lsp", split="test", root=self.raw, crop_size=32, out=self.raw / "s.zarr")
        return ingest(chosen.model_copy(update={"option": ("persons=[1001, 1003]",), **options})).store

    def assets(self, folder: Path) -> None:
        """Colours of parts: part p is at red p / 100 and a bit."""
        folder.mkdir(parents=True)
        texture = np.full((1, len(self.part) - 1, 2, 2, 2, 3), 0.005, np.float32)
        texture[..., 0] = ((self.part[:-1] + 0.5) / 100)[None, :, None, None, None]
        np.save(folder / "vertex_texture.npy", texture)
        np.save(folder / "cube_parts.npy", np.tile(np.arange(9.0).clip(1, 6)[:, None, None], (1, 3, 2)))


def drawn_in_images(world: Leeds) -> float:
    """FB accuracy of its people drawn by cameras of the images, boxes counting pixels from 1."""
    vertices, right = world.body.mesh(world.people.rotation, torch.from_numpy(world.people.betas).float()), 0
    for row, (places, mask) in enumerate(zip(world.places, world.masks, strict=True)):
        low, high = places.min(0), places.max(0)
        focal, centre = FOCAL * 1.2 * (high - low).max() / 224, (low + high) / 2 - 0.5
        K = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]])
        camera = Camera(torch.from_numpy(np.column_stack([K, K @ world.people.place[row]])[None]))
        shown = rasterize(vertices[[row]], world.body.faces, camera, mask.shape, backend="numba").mask[0]
        right += (shown == mask).sum()
    return 100 * right / np.size(world.masks)


@pytest.fixture
def world(leeds: ModuleType, here: dict[str, BodyModel], tmp_path: Path) -> Leeds:
    return Leeds(leeds, here["smpl-neutral"], tmp_path)


def test_lsp_from_raw_to_table(world: Leeds, measured: Callable[..., Any], tmp_path: Path) -> None:
    world.assets(tmp_path / "data" / "assets")
    store = world.store()
    other = People(3)
    other.weak += [0.05, 0.1, -0.03]
    other.pose[:, 16:20] += 0.3
    for people in (world.people, other):
        report = measured("lsp-seg", store, world.body, people, bootstrap=0)
        images = world.images(people)
        want = released_figures(
            [image >= 0 for image in images], [world.part[image] for image in images], world.masks, world.parts
        )
        assert figures(report) == pytest.approx(want, rel=1e-12)
        assert not report.results[0].lacking
        if people is world.people:
            assert (want["FB accuracy"], want["FB F1"], want["parts F1"]) == (100, 1, 1) and want[
                "parts accuracy"
            ] < 100
        assert want["FB accuracy"] < 97 or people is world.people
    assert any("SPIN" in line and "91.83" in line for line in report.lines())
    values = read(report.files[0]).values
    assert values["M0/FB"].sum() == 3 * world.size[0] * world.size[1] == values["M0/parts"].sum()
    lost = People(3)
    lost.weak[0] = np.nan  # shows nothing
    found = figures(measured("lsp-seg", store, world.body, lost, bootstrap=0))
    images[0], images[1:] = np.full_like(images[0], -1), world.images(world.people)[1:]
    want = released_figures(
        [image >= 0 for image in images], [world.part[image] for image in images], world.masks, world.parts
    )
    assert found == pytest.approx(want, rel=1e-12)
    exact = figures(measured("lsp-seg", store, world.body, world.people, "drawn=image", bootstrap=0))
    assert exact["FB accuracy"] == pytest.approx(drawn_in_images(world), rel=1e-12)
    shifted = figures(measured("lsp-seg", store, world.body, world.people, "origin=continuous", bootstrap=0))
    assert 90 < (shifted["FB accuracy"] or 0) < 100  # corners fall half a pixel off


def test_corners_are_what_the_released_code_makes_of_its_files_numbers() -> None:
    boxes = np.array([[100.2, 79.5, 101.4], [99.75, 79.5, 100.5], [9.8, 79.5, 100.0]])
    # 100.7 is less as float32, 1.2 · 83.75 as 200 times a 200th is not, and what is left of the image moves inwards.
    assert cuts_of(boxes, "index1")[:, 0].tolist() == [49, 50, -39]
    assert cuts_of(boxes[2:] - [[-0.5, -0.5, 0]], "continuous")[0].tolist() == cuts_of(boxes, "index1")[2].tolist()
    assert cuts_of(boxes[2:], "index")[0, 0] == -40


def test_lsp_from_spins_file_is_lsp_from_the_release(
    world: Leeds, npz: ModuleType, measured: Callable[..., Any], tmp_path: Path
) -> None:
    rows = []
    for row, places in enumerate(world.places):
        low, high, name = places.min(0), places.max(0), f"im{1001 + row}"
        masks = {"maskname": f"{name}_segmentation.png", "partname": f"{name}_part_segmentation.png"}
        image, scale = f"lsp_dataset/images/{name}.jpg", 1.2 * (high - low).max() / 200
        rows.append(npz.person(image, (low + high) / 2, scale, np.ones((24, 3)), **masks))
    file = npz.save(tmp_path / "lsp_dataset_test.npz", rows)
    options = IngestOptions(dataset="npz", npz=file, images=tmp_path, crop_size=32, out=tmp_path / "n.zarr")
    store = ingest(options.model_copy(update={"option": ("masks=upi-s1h/data/lsp",)})).store
    assert figures(measured("lsp-seg", store, world.body, world.people, bootstrap=0))["FB accuracy"] == 100


def test_lsp_measures_what_it_can_and_names_the_rest(
    world: Leeds, measured: Callable[..., Any], bodies: dict[str, BodyModel], tmp_path: Path
) -> None:
    report = measured("lsp-seg", store := world.store(), world.body, world.people, bootstrap=0)
    assert figures(report)["FB F1"] == 1 and figures(report)["parts F1"] is None
    assert "vertex_texture.npy" in report.results[0].lacking["parts F1"] and "FB F1" not in report.results[0].lacking
    world.assets(tmp_path / "data" / "assets")
    again = measured("lsp-seg", store, world.body, world.people, bootstrap=0, overwrite=False)
    assert figures(again)["parts F1"] == 1 and not again.already  # what came since is measured
    assert measured("lsp-seg", store, world.body, world.people, bootstrap=0, overwrite=False).already
    free = BodyModel("free", load_free_arrays())
    assert "not of free" in measured("lsp-seg", store, free, world.people, bootstrap=0).results[0].lacking["parts F1"]
    np.save(tmp_path / "data" / "assets" / "cube_parts.npy", np.zeros((2, 2, 2)))
    lacking = measured("lsp-seg", store, world.body, world.people, bootstrap=0).results[0].lacking
    assert "no part for" in lacking["parts accuracy"]
    for path in (world.raw / "upi-s1h" / "data" / "lsp").glob("*part_seg*"):
        path.unlink()
    masks = world.store(out=tmp_path / "m.zarr")
    assert (
        "no parts" in measured("lsp-seg", masks, world.body, world.people, bootstrap=0).results[0].lacking["parts F1"]
    )
    (world.raw / "upi-s1h").rename(world.raw / "elsewhere")
    with pytest.raises(EvaluationError, match=r"no masks .*no parts"):
        measured("lsp-seg", world.store(out=tmp_path / "n.zarr"), world.body, world.people)


def test_parts_of_smpls_mesh_are_those_of_the_published_files(shared: Path) -> None:
    parts = parts_of_faces(shared / "data" / "smpl-extras")
    assert np.bincount(parts).tolist() == [0, 2628, 2626, 2627, 1458, 1460, 2977]
    texture = np.load(shared / "data" / "smpl-extras" / "vertex_texture.npy")[0, :, 0, 0, 0]
    cube = np.load(shared / "data" / "smpl-extras" / "cube_parts.npy")
    for face in range(0, len(parts), 997):
        r, g, b = np.floor(100 * texture[face]).astype(int)
        assert parts[face] == cube[r, g, b]


# COCO ----------------------------------------------------------------------------------------------------------------


def seen(body: BodyModel, people: People, boxes: np.ndarray) -> np.ndarray:
    """(N, 17, 2) where COCO's joints of people fall on images on which their views have boxes (N, 4) x, y, w, h."""
    joints = body(people.rotation, torch.from_numpy(people.betas).float()).joints.double().numpy()
    camera = joints[:, [J49.index(joint) for joint in COCO17.joints]] + people.place[:, None]
    view = FOCAL * camera[..., :2] / camera[..., 2:] + 112
    centre, side = boxes[:, None, :2] + boxes[:, None, 2:] / 2, 1.2 * boxes[:, 2:].max(1)[:, None, None]
    return (view - 112) * side / 224 + centre


class Coco:
    """24 persons in COCO's layout: 21 on one image, persons of all sizes, one without keypoints, a crowd."""

    def __init__(self, coco: ModuleType, body: BodyModel, root: Path, shift: float = 0.0) -> None:
        self.people, rng = People(24), np.random.default_rng(3)
        self.raw = coco.CocoSet(root, split="val")
        self.boxes = np.column_stack(
            [rng.uniform(2, 30, (24, 2)), rng.uniform(12, 40, (24, 1)), rng.uniform(20, 60, (24, 1))]
        )
        self.boxes[21:] *= 3.5
        images = [self.raw.picture(240, 240) for _ in range(4)]
        self.image = np.array([0] * 21 + [1, 1, 2])
        places = seen(body, self.people, self.boxes) - shift
        for row, (box, joints) in enumerate(zip(self.boxes, places, strict=True)):
            visible = np.full((17, 1), 2)
            visible[: row % 5] = 0
            keypoints = np.where(visible > 0, np.column_stack([joints, visible]), 0).ravel().tolist()
            counts = {"keypoints": keypoints, "num_keypoints": int((visible > 0).sum())}
            self.raw.person(images[self.image[row]], bbox=box.tolist(), area=0.6 * box[2] * box[3], **counts)
        nothing = {"keypoints": [0] * 51, "num_keypoints": 0, "area": 900.0}
        self.raw.person(images[1], **nothing)
        self.raw.person(images[3], iscrowd=1, bbox=[5.0, 5.0, 200.0, 200.0], area=3e4)
        self.raw.save()

    def store(self, out: Path) -> Path:
        options = IngestOptions(dataset="coco", split="val", root=self.raw.root, crop_size=32, out=out)
        return ingest(options).store

    def statistics(self, points: np.ndarray, rows: range, images: set[int] | None = None) -> np.ndarray:
        """pycocotools' own, of files."""
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval

        results = [
            {
                "image_id": int(self.image[row]) + 1,
                "category_id": 1,
                "keypoints": np.column_stack([points[row], np.ones(17)]).ravel().tolist(),
                "score": 1.0,
            }
            for row in rows
        ]
        file = self.raw.root / "results.json"
        file.write_text(json.dumps(results))
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO(str(self.raw.file))
            evaluation = COCOeval(truth, truth.loadRes(str(file)), "keypoints")
            evaluation.params.imgIds = evaluation.params.imgIds if images is None else sorted(images)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        return evaluation.stats[:6]


def test_coco_from_raw_to_table(
    coco: ModuleType, here: dict[str, BodyModel], measured: Callable[..., Any], tmp_path: Path
) -> None:
    pytest.importorskip("pycocotools")
    world = Coco(coco, here["smpl-neutral"], tmp_path / "data" / "raw" / "coco")
    store, body = world.store(tmp_path / "s.zarr"), here["smpl-neutral"]
    found = figures(measured("coco-keypoints", store, body, world.people))
    assert [*found] == ["AP", "AP50", "AP75", "APM", "APL", "AR"]
    assert found["APL"] == pytest.approx(100) and 90 < (found["AP"] or 0) < 100  # of 21 persons on an image 20 count
    other = People(24)
    other.weak[:, 1:] += np.random.default_rng(5).normal(0, 0.06, (24, 2))
    other.pose[:, 16:20] += 0.2
    points = seen(body, other, world.boxes)
    report = measured("coco-keypoints", store, body, other)
    assert np.array([*figures(report).values()]) == pytest.approx(100 * world.statistics(points, range(24)), abs=1e-9)
    assert 20 < (figures(report)["AP"] or 0) < 80 and report.results[0].iterations["M0"]["AP"].low is None
    assert any("SMPLify" in line and "22.0" in line for line in report.lines())
    np.testing.assert_allclose(read(report.files[0]).values["M0/keypoints"], points, atol=1e-4)
    # Some persons alone: those who are not predicted are missed, unless their images are left out.
    some, rows = measured("coco-keypoints", store, body, other, persons=2), range(0, 24, 23)
    assert np.array([*figures(some).values()]) == pytest.approx(100 * world.statistics(points, rows), abs=1e-9)
    some = measured("coco-keypoints", store, body, other, "images=predicted", persons=2)
    assert np.array([*figures(some).values()]) == pytest.approx(100 * world.statistics(points, rows, {1, 3}), abs=1e-9)


def test_coco_counts_pixels_as_asked_and_names_what_it_lacks(
    coco: ModuleType, here: dict[str, BodyModel], measured: Callable[..., Any], tmp_path: Path, monkeypatch: Any
) -> None:
    pytest.importorskip("pycocotools")
    world = Coco(coco, here["smpl-neutral"], tmp_path / "raw", shift=0.5)
    store, body = world.store(tmp_path / "s.zarr"), here["smpl-neutral"]
    centres, released = (
        figures(measured("coco-keypoints", store, body, world.people, f"pixels={pixels}", raw=raw))
        for pixels, raw in (("centres", world.raw.root), ("released", world.raw.file))
    )
    assert centres["APM"] == pytest.approx(100) and (released["AP"] or 0) < (centres["AP"] or 0)
    nobody = People(24)
    nobody.weak[:, 1] = np.inf
    assert {*figures(measured("coco-keypoints", store, body, nobody, raw=world.raw.root)).values()} == {None}
    with pytest.raises(EvaluationError, match=r"person_keypoints_val2014\.json.*--raw"):
        measured("coco-keypoints", store, body, world.people)
    content = json.loads(world.raw.file.read_text())
    content["images"], short = content["images"][1:], tmp_path / "short.json"
    short.write_text(json.dumps(content))
    found = measured("coco-keypoints", store, body, world.people, raw=short).results[0]
    assert found.persons == 3 and "21 of 24 persons are left out: short.json" in found.notes[0]
    other = coco.small_set(tmp_path / "other")
    content = json.loads(other.file.read_text())
    content["images"] = [image | {"file_name": f"x{image['id']}.jpg"} for image in content["images"]]
    other.file.write_text(json.dumps(content))
    with pytest.raises(EvaluationError, match=r"lists no image of s\.zarr"):
        measured("coco-keypoints", store, body, world.people, raw=other.file)
    monkeypatch.setitem(__import__("sys").modules, "pycocotools.cocoeval", None)
    with pytest.raises(EvaluationError, match=r"pymaf-data\[eval\]"):
        measured("coco-keypoints", store, body, world.people, raw=world.raw.root)


# SSP-3D --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def sporty(ssp3d: ModuleType, here: dict[str, BodyModel], tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """The store of four persons of two genders, silhouettes and joints those of their bodies; and the labels."""
    labels, people = ssp3d.labels(4), People(4)
    labels["poses"], labels["shapes"] = people.pose.reshape(4, 72), people.betas
    labels["cam_trans"][:, 0] = [0.0, 0.1, -0.1, 2.3]  # the last half outside
    labels["bbox_centres"] = 256 + FOCAL * labels["cam_trans"][:, 1::-1] / labels["cam_trans"][:, 2:]
    labels["bbox_whs"][:] = 200
    ssp3d.save(tmp_path, labels)
    for row, name in enumerate(("smpl-male", "smpl-female") * 2):
        made = here[name](people.rotation[[row]], torch.from_numpy(people.betas[[row]]).float())
        camera = made.joints[0].double().numpy() + labels["cam_trans"][row]
        points = FOCAL * camera[:, :2] / camera[:, 2:] + 256
        labels["joints2D"][row, :, :2] = points[[J49.index(joint) for joint in COCO17.joints]]
        shown = silhouettes(made.vertices, here[name].faces, labels["cam_trans"][[row]], 512)[0] >= 0
        assert cv2.imwrite(str(tmp_path / "silhouettes" / labels["fnames"][row]), 255 * shown.astype(np.uint8))
    np.savez(tmp_path / "labels.npz", **labels)
    options = IngestOptions(dataset="ssp-3d", split="test", root=tmp_path, crop_size=32, out=tmp_path / "s.zarr")
    store = ingest(options).store
    attach_fits(AttachOptions(store=store, fits=(f"ssp-3d:{tmp_path}",)))
    return store, labels


def test_ssp3d_from_raw_to_table(
    sporty: tuple[Path, dict[str, Any]], here: dict[str, BodyModel], measured: Callable[..., Any], tmp_path: Path
) -> None:
    (store, labels), neutral = sporty, here["smpl-neutral"]
    options = EvaluateOptions(subject="fits:ssp-3d", benchmarks=("ssp-3d",), stores=(store,), out=tmp_path / "ev")
    truth = figures(evaluate(options), "fit")
    assert truth == pytest.approx({"mIOU": 100.0, "PVE-T-SC": 0.0}, abs=1e-4)
    other = People(4, seed=7)
    report = measured("ssp-3d", store, neutral, other)
    assert any("PyMAF" in line and "72.1" in line for line in report.lines())
    want, neutral_want, overlaps = [], [], []
    side, centre = 1.2 * labels["bbox_whs"], labels["bbox_centres"][:, ::-1]
    for row, name in enumerate(("smpl-male", "smpl-female") * 2):
        goal = t_pose(here[name], labels["shapes"][row])
        want.append(shape_error(t_pose(here[name], other.betas[row]), goal))
        neutral_want.append(shape_error(t_pose(neutral, other.betas[row]), goal))
        vertices = neutral(other.rotation[[row]], torch.from_numpy(other.betas[[row]]).float()).vertices
        s, place = side[row] / 224, other.place[row]
        # A camera of the image: the view's, enlarged about its centre.
        K = np.array([[s * FOCAL, 0, centre[row, 0]], [0, s * FOCAL, centre[row, 1]], [0, 0, 1]])
        camera = Camera(torch.from_numpy(np.column_stack([K, K @ place])[None]))
        mine = rasterize(vertices, neutral.faces, camera, 512, backend="numba").mask[0]
        true = cv2.imread(str(tmp_path / "silhouettes" / labels["fnames"][row]), 0) > 0
        overlaps.append((mine & true).sum() / (mine | true).sum())
    assert min(overlaps) > 0.2
    assert figures(report) == pytest.approx({"mIOU": 100 * np.mean(overlaps), "PVE-T-SC": np.mean(want)}, rel=1e-5)
    report = measured("ssp-3d", store, neutral, other, "prediction=neutral")
    assert figures(report)["PVE-T-SC"] == pytest.approx(np.mean(neutral_want), rel=1e-5) != pytest.approx(np.mean(want))
    del here["smpl-female"]
    report = measured("ssp-3d", store, neutral, other)
    assert figures(report)["PVE-T-SC"] == pytest.approx(np.mean(want[::2]), rel=1e-5)
    assert any("smpl-female is not here" in note for note in report.results[0].notes)
    del here["smpl-male"]
    report = measured("ssp-3d", store, neutral, other)
    assert figures(report)["mIOU"] == pytest.approx(100 * np.mean(overlaps)) and figures(report).get("PVE-T-SC") is None
    assert "smpl-female is not here" in report.results[0].lacking["PVE-T-SC"]


def t_pose(body: BodyModel, betas: np.ndarray) -> np.ndarray:
    made = body(torch.eye(3).expand(1, 24, 3, 3), torch.from_numpy(betas[None]).float())
    return made.vertices[0].double().numpy()


def shape_error(mine: np.ndarray, goal: np.ndarray) -> float:
    """In mm."""
    mine, goal = mine - mine.mean(0), goal - goal.mean(0)
    mine = mine * np.sqrt((goal**2).sum() / (mine**2).sum())
    return float(1000 * np.linalg.norm(mine - goal, axis=1).mean())
