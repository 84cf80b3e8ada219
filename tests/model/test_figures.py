"""The paper's figures: whom they show, that panels are of whom they say, that what ranks is what an own sum says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from pymaf_data.body import BodyModel, load_body
from pymaf_data.cli.app import app
from pymaf_data.errors import EvaluationError, UsageError
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.model.benchmarks.joints import J14_OF_H36M
from pymaf_data.model.checkpoint import load_checkpoint
from pymaf_data.model.evaluation.measure import measure
from pymaf_data.model.evaluation.subjects import FitsSubject
from pymaf_data.model.evaluation.views import StoredViews
from pymaf_data.model.figures.features import channel_sums
from pymaf_data.model.figures.measured import WithAlignment, benchmark_of
from pymaf_data.model.figures.options import FigureOptions
from pymaf_data.model.figures.rows import shown_rows
from pymaf_data.model.figures.run import FigureReport, figure
from pymaf_data.model.networks.network import Network, make_network
from pymaf_data.model.networks.options import ModelOptions
from pymaf_data.paths import VARIABLE, DataRoot
from pymaf_data.render import part_image
from pymaf_data.report.panels import PANEL, resize_panel
from pymaf_data.runs import checkpoints
from pymaf_data.runs.checkpoints import Checkpoint
from pymaf_data.storage import Store, open_store
from tests.factories import stores

N, SHIFT = 60, 30.0


@pytest.fixture(scope="module")
def store(free_body: BodyModel, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The sample's held-out persons: their truth; fits that only lie beside them; fits that only are posed wrong."""
    made = stores.invented_store(
        tmp_path_factory.mktemp("figures") / "held-out.zarr", free_body, N, dataset="sample", split="val"
    )
    truth = stores.fits_of(made)
    stores.attach(made, "truth", truth, source={"format": "truth"}, body="free")
    beside, bent = truth["native"].copy(), truth["pose"].copy()
    beside[:, 0] += SHIFT * beside[:, 2]  # px of the image
    bent[:, 3:] += 0.02 * (1 + np.random.default_rng(0).permutation(N))[:, None] * truth["valid"][:, None]
    stores.attach(made, "beside", truth | {"native": beside}, source={"format": "npz"}, body="free")
    stores.attach(made, "bent", truth | {"pose": bent}, source={"format": "npz"}, body="free")
    return open_store(made.path)


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path


@pytest.fixture
def run(small: None, tmp_path: Path, free_body: BodyModel) -> Any:
    """``run(name, **options)``: the checkpoint of a network from nothing."""

    def made(name: str, **options: Any) -> str:
        torch.manual_seed(len(name))
        model = ModelOptions(view_size=64, **options)
        network: Network = make_network(model, free_body, "view")
        body = {"name": "free", "digest": free_body.digest, "fingerprint": free_body.fingerprint}
        content = Checkpoint(
            model=network.state_dict(), optimizer={}, rng={}, step=1, precision="fp32", body=body, stores=[],
            options={"frame": "view", "model": model.model_dump(mode="json"), "stores": []}, versions={}, licences={},
        )  # fmt: skip
        checkpoints.save(content, tmp_path / "runs" / name)
        return name

    return made


def drawn(name: str, subject: str, store: Store, **options: Any) -> tuple[FigureReport, list[list[np.ndarray]]]:
    """A figure's report, and its panels, row by row, as a sheet is laid out: margins of 6 px, a head of 68, captions
    of 22."""
    report = figure(FigureOptions(figure=name, subject=subject, store=store.path, **options))  # type: ignore[arg-type]
    image = cv2.imread(str(report.path))[..., ::-1]
    tops = range(68, image.shape[0] - PANEL, PANEL + 28)
    lefts = range(6, image.shape[1] - PANEL, PANEL + 6)
    return report, [[image[top : top + PANEL, left : left + PANEL] for left in lefts] for top in tops]


def test_iterations_begin_with_one_mean_body_and_the_same_command_gives_the_same_pixels(run: Any, store: Store) -> None:
    report, rows = drawn("iterations", run("a"), store, persons=2)
    assert len(rows) == 4 and all(len(row) == 5 for row in rows)
    views = StoredViews(store, PANEL)(np.array(report.rows)).permute(0, 2, 3, 1).numpy()
    for k in range(2):
        np.testing.assert_array_equal(rows[2 * k][0], views[k])
        assert all((panel != views[k]).any(2).mean() > 0.02 for panel in rows[2 * k][1:]), "a body lies over each"
    np.testing.assert_array_equal(rows[1][1], rows[3][1])
    assert not np.array_equal(rows[1][4], rows[3][4]), "whoever is seen ends elsewhere"
    before = report.path.read_bytes()
    drawn("iterations", "a", store, persons=2)
    assert report.path.read_bytes() == before


def test_compared_are_results_of_the_same_persons_side_by_side(run: Any, store: Store) -> None:
    report, rows = drawn(
        "compare", "fits:truth", store, against=("fits:invented", run("a"), "fits:beside"), rows=(7, 2)
    )
    assert report.rows == (7, 2) and len(rows) == 2
    for _, truth, side, same, same_side, other, _, moved, moved_side in rows:
        np.testing.assert_array_equal(truth, same)
        np.testing.assert_array_equal(side, same_side)
        np.testing.assert_array_equal(side, moved_side)
        assert not np.array_equal(truth, other) and not np.array_equal(truth, moved)


def expected_errors(store: Store, body: BodyModel, name: str) -> np.ndarray:
    """(N,) MPJPE of a source in mm by a sum of its own, NaN without a fit."""
    joints = []
    for source in ("invented", name):
        read = {key: store.array(store.current(f"fits/{source}").record.key.below(key))[:] for key in ("pose", "betas")}
        pose = axis_angle_to_matrix(torch.from_numpy(read["pose"]).float().view(-1, 24, 3))
        found = body.h36m(body.mesh(pose, torch.from_numpy(read["betas"]).float())).numpy()
        joints.append((found - found[:, :1])[:, J14_OF_H36M])
    valid = store.array(store.current("fits/invented").record.key.below("valid"))[:].astype(bool)
    return np.where(valid, 1000 * np.linalg.norm(joints[1] - joints[0], axis=2).mean(1), np.nan)


def test_the_worst_are_those_of_the_largest_errors(store: Store, free_body: BodyModel) -> None:
    report, rows = drawn("worst", "fits:bent", store, persons=5)
    errors = expected_errors(store, free_body, "bent")
    assert list(report.rows) == np.argsort(-np.nan_to_num(errors))[:5].tolist()
    np.testing.assert_allclose(report.values["MPJPE"], errors[list(report.rows)], atol=0.05)
    assert all(len(row) == 5 for row in rows) and not np.array_equal(rows[0][2], rows[0][4]), "the truth stands beside"
    other, _ = drawn("worst", "fits:bent", store, persons=5, by="PA-MPJPE", among=20)
    assert list(other.values["PA-MPJPE"]) == sorted(other.values["PA-MPJPE"], reverse=True)
    assert max(other.values["PA-MPJPE"]) < max(other.values["MPJPE"])
    sheet = cv2.imread(str(report.path))
    assert (sheet[68 + PANEL - 60 : 68 + PANEL, PANEL + 12 : 2 * PANEL] > 200).all(2).sum() > 100, "it says its errors"


def test_alignment_shows_whom_a_lower_pa_mpjpe_does_not_lie_better(store: Store) -> None:
    report, _ = drawn("alignment", "fits:bent", store, against=("fits:beside",), persons=3)
    assert len(report.rows) == 3
    errors = {name: np.array(values) for name, values in report.values.items()}
    assert (errors["PA-MPJPE of fits-beside"] < 0.1).all() and (errors["PA-MPJPE of fits-bent"] > 1).all()
    side = store.array("box")[:][list(report.rows), 2]
    np.testing.assert_allclose(errors["keypoints of fits-beside"], SHIFT * 224 / side, rtol=1e-3)
    assert (errors["keypoints of fits-bent"] < errors["keypoints of fits-beside"]).all()
    with pytest.raises(EvaluationError, match="none has a lower PA-MPJPE"):
        drawn("alignment", "fits:truth", store, against=("fits:invented",))
    with pytest.raises(EvaluationError, match="has no masks"):
        drawn("alignment", "fits:bent", store, against=("fits:beside",), by="silhouette")


class Masks:
    """Masks of persons who stand just where the truth does, drawn as polygons of their faces."""

    has_masks = True

    def __init__(self, store: Store) -> None:
        info = store.current("fits/truth").record
        self._fits = {key: store.array(info.key.below(key))[:] for key in ("pose", "betas", "native")}

    def sizes(self, rows: np.ndarray) -> list[tuple[int, int]]:
        return [stores.SIZE] * len(rows)

    def masks(self, rows: np.ndarray) -> list[np.ndarray]:
        return [self._mask(row) for row in rows.tolist()]

    def _mask(self, row: int) -> np.ndarray:
        rows = np.array([row])
        body = load_body("free")
        pose = axis_angle_to_matrix(torch.from_numpy(self._fits["pose"][rows]).float().view(-1, 24, 3))
        vertices = body.mesh(pose, torch.from_numpy(self._fits["betas"][rows]).float()).double().numpy()
        seen = np.c_[vertices[0], np.ones(len(vertices[0]))] @ self._fits["native"][row].T
        corners = np.round(16 * (seen[:, :2] / seen[:, 2:] - 0.5)).astype(np.int32)[body.faces.numpy()]
        image = np.zeros(stores.SIZE[::-1], np.uint8)
        for corner in corners:
            cv2.fillConvexPoly(image, corner, 1, shift=4)
        return image > 0


def test_alignment_by_silhouettes_is_their_overlap(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymaf_data.model.figures.measured.StoredMasks", Masks)
    given: dict[str, Any] = {"against": ("fits:beside",), "by": "silhouette", "among": 6, "persons": 2}
    report, _ = drawn("alignment", "fits:bent", store, **given)
    errors = {name: np.array(values) for name, values in report.values.items()}
    assert (errors["silhouette of fits-bent"] > errors["silhouette of fits-beside"]).all(), (
        "the more overlap the better"
    )
    benchmark = benchmark_of(store, "PA-MPJPE", None, DataRoot.default())
    subject = FitsSubject(benchmark, "truth")
    (truth,) = measure(WithAlignment(benchmark, "silhouette"), subject, np.array([2, 5])).values()
    assert (truth["alignment"] > 90).all() and (truth["alignment"] <= 100).all()


def test_sums_of_channels_are_darkest_where_least_is_and_brightest_where_most(rng: np.random.Generator) -> None:
    feature_map = rng.uniform(0, 1, (6, 8, 8))
    feature_map[:, 2, 5], feature_map[:, 7, 0] = 3, 0
    brightness = channel_sums(feature_map).astype(int).sum(2)[16::32, 16::32]
    assert np.unravel_index(brightness.argmax(), (8, 8)) == (2, 5)
    assert np.unravel_index(brightness.argmin(), (8, 8)) == (7, 0)
    assert len(np.unique(channel_sums(np.ones((2, 4, 4))).reshape(-1, 3), axis=0)) == 1


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_features_are_those_of_each_network_its_head_s_map_beside_them(run: Any, store: Store, root: Path) -> None:
    plain, taught = run("plain", auxiliary="none"), run("taught")
    report, rows = drawn("features", taught, store, against=(plain,), persons=2)
    assert len(rows) == 4 and all(len(row) == 5 for row in rows)
    for k in (0, 2):
        np.testing.assert_array_equal(rows[k][0], rows[k + 1][0])
        assert all(not np.array_equal(rows[k][t], rows[k + 1][t]) for t in (1, 2, 3, 4))
    np.testing.assert_array_equal(rows[1][4], rows[3][4])  # which says that there is no head
    model = load_checkpoint(root / "runs" / taught / "checkpoint.pt")
    with torch.no_grad():
        seen = StoredViews(store, 64)(np.array(report.rows)).float() / 255
        mean, deviation = (torch.tensor(each).view(3, 1, 1) for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        dense = model((seen - mean) / deviation, auxiliary=True).dense
    for k in range(2):
        part = dense.part[k].numpy().argmax(0)
        uv = np.stack([np.take_along_axis(each[k].numpy(), part[None], 0)[0] for each in (dense.u, dense.v)])
        np.testing.assert_array_equal(rows[2 * k][4], resize_panel(part_image(part, uv.clip(0, 1))))
    _, own = drawn("features", plain, store, rows=report.rows)
    for one, other in zip(own, rows[1::2], strict=True):
        np.testing.assert_array_equal(one[1:4], other[1:4])
    with pytest.raises(UsageError, match="reads no feature maps"):
        drawn("features", run("hmr", network="hmr", auxiliary="none"), store)
    with pytest.raises(UsageError, match="fits read no feature maps"):
        drawn("features", "fits:truth", store)


def test_persons_are_named_or_drawn_by_a_seed_or_spread(store: Store) -> None:
    def rows(**options: Any) -> list[int]:
        return shown_rows(
            store, FigureOptions(figure="iterations", subject="a", store=store.path, persons=3, **options)
        )

    assert rows() == [0, 29, 59]
    assert rows(seed=1) == rows(seed=1) != rows(seed=2) and len(set(rows(seed=1))) == 3
    assert rows(rows=(7,), ids=(1009, 1004, 1007)) == [7, 9, 4]
    refused: dict[str, dict[str, Any]] = {
        "has no image": {"rows": (49,)},
        "is none of its 60": {"rows": (N,)},
        "no annotation 7": {"ids": (7,)},
    }
    for why, odd in refused.items():
        with pytest.raises(UsageError, match=why):
            rows(**odd)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"figure": "worst", "seed": 1}, "worst does not heed seed"),
        ({"figure": "iterations", "by": "PVE"}, "iterations does not heed by"),
        ({"figure": "compare"}, "compare wants 1 to 3 --against, 0 were given"),
        ({"figure": "worst", "against": ("b",)}, "worst wants 0 --against"),
        ({"figure": "compare", "against": ("a",)}, "beside themselves"),
        ({"figure": "alignment", "against": ("b",), "by": "PVE"}, "alignment is by keypoints or silhouette"),
        ({"figure": "iterations", "rows": (1,), "seed": 1}, "not both"),
    ],
)
def test_what_has_no_effect_is_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        FigureOptions(subject="a", store=Path("s.zarr"), **options)


def test_who_has_no_iterations_no_truth_or_no_such_metric_is_told(
    store: Store, free_body: BodyModel, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="has no iterations"):
        drawn("iterations", "fits:truth", store, persons=1)
    with pytest.raises(UsageError, match="has no 'mIOU'"):
        drawn("worst", "fits:bent", store, by="mIOU")
    with pytest.raises(UsageError, match="neither a network nor"):
        drawn("iterations", "mean", store)
    other = stores.invented_store(tmp_path / "other.zarr", free_body, 3)
    with pytest.raises(EvaluationError, match="no benchmark measures invented-train"):
        drawn("worst", "fits:invented", other)


def test_the_command_says_what_it_drew_and_where(
    run: Any, store: Store, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["figure", "compare", run("a"), str(store.path), "--against", "fits:truth", "--row", "3", "--json"]
    assert app(words, standalone_mode=False) in (None, 0)
    said = json.loads(capsys.readouterr().out)
    assert said["rows"] == [3] and Path(said["path"]) == root / "figures" / "a" / "compare-held-out-fits-truth.png"
    assert Path(said["path"]).is_file()
