"""The report of sources says what the arrays say, and how far apart fits are, by other arithmetic than its own."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from pymaf_data.body import BodyModel
from pymaf_data.report.make import ReportOptions, report
from pymaf_data.report.sources.agreement import compare
from pymaf_data.report.sources.columns import Sources
from pymaf_data.report.sources.part import SourcesPart
from pymaf_data.report.sources.worst import order_of_images, worst_rows
from pymaf_data.report.store_page import store_page
from pymaf_data.report.thumbnails import Bodies
from pymaf_data.storage import Store, open_store

N = 40
NAMES = ["invented", "ten", "viewed", "wide", "without"]
ROOT, PLANTED = 25.0, np.r_[np.full(22, 10.0), 33.0]


def rotation(vector: np.ndarray) -> np.ndarray:
    """(..., 3, 3) of axis-angle (..., 3): Rodrigues."""
    angle = np.linalg.norm(vector, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vector / np.maximum(angle[..., 0], 1e-12), -1, 0)
    zero = np.zeros_like(x)
    K = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    return np.eye(3) + np.sin(angle) * K + (1 - np.cos(angle)) * K @ K


def axis_angle(matrix: np.ndarray) -> np.ndarray:
    """Of (..., 3, 3), by the eigenvector of 1."""
    angle = np.arccos(np.clip((np.trace(matrix, axis1=-2, axis2=-1) - 1) / 2, -1, 1))
    values, vectors = np.linalg.eig(matrix)
    place = np.abs(values - 1).argmin(-1)[..., None, None]
    axis = np.take_along_axis(vectors, np.broadcast_to(place, (*place.shape[:-2], 3, 1)), -1)[..., 0].real
    off = np.stack([matrix[..., 2, 1] - matrix[..., 1, 2], matrix[..., 0, 2] - matrix[..., 2, 0],
                    matrix[..., 1, 0] - matrix[..., 0, 1]], -1)  # fmt: skip
    return axis * np.where((axis * off).sum(-1) < 0, -1, 1)[..., None] * angle[..., None]


def angle_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(np.clip((np.einsum("...ij,...ij", a, b) - 1) / 2, -1, 1)))


def procrustes(points: np.ndarray, goal: np.ndarray) -> float:
    """Mean distance after the best similarity transform of one body."""
    X, Y = points - points.mean(0), goal - goal.mean(0)
    U, S, Vt = np.linalg.svd(X.T @ Y)
    D = np.diag([1, 1, np.linalg.det(U @ Vt)])
    return float(np.linalg.norm(np.trace(np.diag(S) @ D) / (X**2).sum() * X @ U @ D @ Vt - Y, axis=1).mean())


def to_the_axis(ray: np.ndarray) -> np.ndarray:
    """The least rotation of unit rays (N, 3) to z, by axis and angle."""
    axis = np.cross(ray, [0, 0, 1.0])
    return rotation(axis / np.linalg.norm(axis, axis=1)[:, None] * np.arccos(ray[:, 2])[:, None])


@pytest.fixture(scope="module")
def sourced(
    stores: ModuleType, more_sources: ModuleType, body: BodyModel, tmp_path_factory: pytest.TempPathFactory
) -> Store:
    """40 persons with the fits of five sources; tests do not change it."""
    store = stores.invented_store(tmp_path_factory.mktemp("sourced") / "s-train.zarr", body, N, shard=16)
    rng = np.random.default_rng(3)
    names = ("pose", "betas", "native", "frame", "weak_camera", "weak_residual", "valid", "reason", "reprojection")
    first = {name: store.array(f"fits/invented/{name}")[:] for name in names}
    valid, R = first["valid"], rotation(first["pose"].reshape(N, 24, 3).astype(float))
    K = np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]])
    ray = np.c_[(store.array("box")[:][:, :2] - K[:2, 2]) / 600, np.ones(N)]
    turn = to_the_axis(ray / np.linalg.norm(ray, axis=1)[:, None])

    def add(name: str, change: dict[str, np.ndarray], **about: Any) -> None:
        nonlocal store
        store = more_sources.add_source(store, name, first | change, body_digest=body.digest, **about)

    axes = rng.normal(size=(N, 24, 3))
    degrees = np.r_[ROOT, PLANTED][:, None]
    turned = R @ rotation(axes / np.linalg.norm(axes, axis=-1)[..., None] * np.radians(degrees))
    half = valid & (np.arange(N) % 2 == 0)
    gates = {"mask_iou": rng.uniform(0, 1, N), "beyond_limits": rng.gamma(2, 5, N), "pose_prior": rng.gamma(4, 1, N)}
    gates["mask_iou"][::5] = np.nan
    pose = (axis_angle(turned) * half[:, None, None]).reshape(N, 72)
    reason = np.where(half, 0, 2)
    add("ten", {"pose": pose, "valid": half, "reason": reason, "reprojection": rng.gamma(3, 2, N), **gates})
    seen = R.copy()
    seen[:, 0] = turn.transpose(0, 2, 1) @ R[:, 0]
    native = np.tile(np.c_[K, K @ [0, 0, 5.0]], (N, 1, 1))
    add(
        "wide",
        {"pose": axis_angle(seen).reshape(N, 72) * valid[:, None], "native": native},
        forced="rows look shifted by 1",
    )
    add("viewed", {"frame": np.ones(N)}, native_kind="orthographic")
    add("without", {"conversion": rng.gamma(2, 1, (N, 2))}, native_kind="none", source={"format": "npz"})
    chosen = np.where(half, NAMES.index("ten"), np.where(np.arange(N) % 3, NAMES.index("invented"), -1))
    return more_sources.choose_from(store, NAMES, np.where(valid, chosen, -1), kept_out=valid & (chosen < 0))


@pytest.fixture(scope="module")
def part(sourced: Store) -> SourcesPart:
    found = SourcesPart.of(sourced, Bodies.of(sourced))
    assert found is not None
    return found


def pair_of(part: SourcesPart, first: str, second: str) -> Any:
    return next(one for one in part.agreements if (NAMES[one.first], NAMES[one.second]) == (first, second))


def test_planted_angles_and_distances_are_found(sourced: Store, part: SourcesPart, body: BodyModel) -> None:
    one = pair_of(part, "invented", "ten")
    both = np.flatnonzero(sourced.array("fits/invented/valid")[:] & sourced.array("fits/ten/valid")[:])
    np.testing.assert_array_equal(one.rows, both)
    np.testing.assert_allclose(one.angle, np.tile(PLANTED, (len(both), 1)), atol=1e-3)
    np.testing.assert_allclose(one.root, ROOT, atol=1e-3)
    joints = {}
    for name in ("invented", "ten"):
        pose = rotation(sourced.array(f"fits/{name}/pose")[:].reshape(N, 24, 3).astype(float))[both]
        betas = torch.from_numpy(sourced.array(f"fits/{name}/betas")[:][both])
        joints[name] = body.j24(body(torch.from_numpy(pose).float(), betas)).double().numpy()
    wanted = [1000 * procrustes(b, a) for a, b in zip(joints["invented"], joints["ten"], strict=True)]
    np.testing.assert_allclose(one.distance, wanted, atol=1e-2)
    assert min(wanted) > 5
    described = next(d for d in part.described["agreement"] if (d["first"], d["second"]) == ("invented", "ten"))
    assert (described["both"], described["compared"]) == (len(both), len(both))
    assert described["angle"]["median"] == pytest.approx(11, abs=1e-3), "of 22 joints 10°, of one 33°"
    assert described["distance"]["median"] == pytest.approx(np.quantile(wanted, 0.5, method="nearest"), abs=1e-2)
    assert len(described["joints"]) == 23
    assert described["joints"]["left_elbow"] == pytest.approx(10, abs=1e-3)
    apart = {source.name: source.values["apart_degrees"] for source in part.sources.of}
    np.testing.assert_allclose(apart["ten"][both], 11, atol=1e-3)
    np.testing.assert_allclose(apart["wide"][both], 11 / 4, atol=1e-2, err_msg="the mean over four others")


def test_roots_are_compared_in_one_frame(sourced: Store, part: SourcesPart) -> None:
    def stored(name: str) -> np.ndarray:
        return rotation(sourced.array(f"fits/{name}/pose")[:].reshape(N, 24, 3)[:, 0].astype(float))

    wide = pair_of(part, "invented", "wide")
    raw = angle_between(stored("invented"), stored("wide"))[wide.rows]
    assert np.median(raw) > 5, "as they are stored, they are far apart"
    np.testing.assert_allclose(wide.root, 0, atol=2e-2)
    np.testing.assert_allclose(pair_of(part, "viewed", "wide").root, 0, atol=2e-2)
    without = pair_of(part, "wide", "without")  # no K to turn by: as both stand before the image's camera
    np.testing.assert_allclose(without.root, raw, atol=2e-2)
    assert np.isnan(pair_of(part, "viewed", "without").root).all()
    np.testing.assert_allclose(pair_of(part, "viewed", "without").distance, 0, atol=1e-3)


def test_what_lies_beside_the_page_is_what_the_arrays_say(sourced: Store, part: SourcesPart, tmp_path: Path) -> None:
    made = report(ReportOptions(path=sourced.path, out=tmp_path / "page.html", persons=0))
    table, summary = made.files
    assert [path.name for path in made.files] == ["page.sources.csv", "page.sources.json"]
    with table.open(encoding="utf-8", newline="") as text:
        lines = list(csv.DictReader(text))
    assert [(int(line["row"]), line["source"]) for line in lines] == [(row, name) for row in range(N) for name in NAMES]
    assert [(line["image"], int(line["annotation"])) for line in lines[:: len(NAMES)]] == list(sourced.rows)
    for place, name in enumerate(NAMES):
        mine, valid = lines[place :: len(NAMES)], sourced.array(f"fits/{name}/valid")[:]
        assert [line["valid"] == "1" for line in mine] == valid.tolist()
        for column in ("reprojection", "weak_residual", "mask_iou", "beyond_limits", "pose_prior"):
            if column in sourced.current(f"fits/{name}").record.specs:
                stored = np.where(valid, sourced.array(f"fits/{name}/{column}")[:], np.nan)
                np.testing.assert_array_equal([np.float32(line[column] or "nan") for line in mine], stored, name)
            else:
                assert {line[column] for line in mine} == {""}
        betas = np.abs(sourced.array(f"fits/{name}/betas")[:]).max(1)
        assert [np.float32(line["betas_max"]) for line in mine if line["valid"] == "1"] == betas[valid].tolist()
    residual = sourced.array("fits/without/conversion")[:]
    assert [line["conversion_degrees"] for line in lines[4 :: len(NAMES)] if line["valid"] == "1"] == [
        str(value) for value in residual[sourced.array("fits/without/valid")[:], 1]
    ]
    chosen = [line["source"] for line in lines if line["chosen"] == "1"]
    said = json.loads(summary.read_text(encoding="utf-8"))
    assert [one["chosen"] for one in said["sources"]] == [chosen.count(name) for name in NAMES]
    assert said["nothing_chosen"] == N - len(chosen)
    none = sourced.array("fits/invented/valid")[:] & (sourced.array("choice/source")[:] < 0)
    assert said["kept_out"] == {"silhouette off the mask": int(none.sum())}
    assert said["sources"][1]["without"] == {"no fit in the source": N - said["sources"][1]["valid"]}
    assert [one["forced"] for one in said["sources"]] == ["", "", "", "rows look shifted by 1", ""]
    assert said["sources"][2]["frames"] == {"camera": 0, "view": said["sources"][2]["valid"]}
    assert said["worst"]["mask_iou"][0]["value"] == pytest.approx(min(float(x["mask_iou"] or 9) for x in lines))
    again = SourcesPart.of(sourced, Bodies.of(sourced))
    assert again is not None
    assert {suffix: b"".join(parts) for suffix, parts in again.files().items()} == {
        ".sources.csv": table.read_bytes(),
        ".sources.json": summary.read_bytes(),
    }


def test_bins_hold_everybody_who_is_known(part: SourcesPart) -> None:
    measures = {measure["key"]: measure for measure in part.described["measures"]}
    assert {"mask_iou", "conversion_mm", "apart_mm", "apart_degrees"} <= set(measures)
    for measure in measures.values():
        step, first = measure["bins"]["step"], measure["bins"]["first"]
        for source, counts, about in zip(part.sources.of, measure["bins"]["counts"], measure["of"], strict=True):
            values = source.values.get(measure["key"], np.empty(0))
            values = values[np.isfinite(values)]
            edges = first + step * np.arange(1, len(counts))
            wanted = np.histogram(values, np.r_[-np.inf, edges, np.inf])[0]
            assert np.abs(np.cumsum(counts) - np.cumsum(wanted)).max(initial=0) <= 1, "a value on an edge may round"
            assert about["known"] == sum(counts) == len(values)
    iou = part.sources.of[NAMES.index("ten")].values["mask_iou"]
    assert measures["mask_iou"]["of"][1]["least"] == pytest.approx(np.nanmin(iou), rel=1e-5)


def test_many_persons_are_compared_on_an_even_spread(sourced: Store, part: SourcesPart) -> None:
    for one in compare(sourced, part.sources, dict.fromkeys(range(5)), most=7):
        assert len(one.rows) == 7 < one.both
        gaps = np.diff([-1, *one.rows, N])
        assert gaps.min() >= 1
        assert gaps.max() <= 3 * N / 7, "evenly spread"
        assert np.isnan(one.distance).all(), "no body is here"
        assert np.isfinite(one.angle).all()


def test_every_list_that_the_page_can_show_is_whole(part: SourcesPart) -> None:
    sources, count = part.sources, 4
    inside = set(worst_rows(sources, count).tolist())
    states = (lambda s, c: True, lambda s, c: s == c, lambda s, c: s != c >= 0, lambda s, c: c < 0)
    for key, sign in {"reprojection": 1, "mask_iou": -1, "apart_mm": 1, "apart_degrees": 1}.items():
        for picked in (*((s,) for s in range(5)), tuple(range(5))):
            for fits in states:
                ranks = {}
                for s in picked:
                    for row, value in enumerate(sources.of[s].values.get(key, [])):
                        if np.isfinite(value) and fits(s, sources.chosen[row]):
                            ranks[row] = max(ranks.get(row, -np.inf), sign * value)
                assert set(sorted(ranks, key=lambda row: (-ranks[row], row))[:count]) <= inside
    assert len(inside) < N
    order = order_of_images(sources, count)
    assert order[0] == int(np.nanargmax(np.fmax.reduce([one.values["reprojection"] for one in sources.of])))
    assert set(order) <= inside
    assert len(order) == len(set(order))


def test_stores_of_before_and_unfinished_ones_are_told_as_far_as_they_are(sourced: Store, tmp_path: Path) -> None:
    path = shutil.copytree(sourced.path, tmp_path / "partial.zarr")
    (commit,) = (path / "_pymaf" / "commits" / "fits" / "ten").glob("*/00001.json")
    commit.unlink()
    partial = open_store(path)
    assert partial.current("fits/ten").missing == [1]
    found = Sources.read(partial)
    ten = found.of[1]
    assert not ten.valid[16:32].any()
    assert np.isnan(ten.values["reprojection"][16:32]).all()
    meta = store_page(partial, 0).meta["sources"]
    assert meta["sources"][1]["without"]["not attached yet"] == 16
    assert "mask_iou" not in found.of[NAMES.index("wide")].values
    bare = shutil.copytree(sourced.path, tmp_path / "bare.zarr")
    for entry in sorted(bare.rglob("*"), reverse=True):
        if any(stage in entry.relative_to(bare).as_posix() for stage in ("fits", "choice", "iuv")):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    page = store_page(open_store(bare), 0)
    assert page.meta["sources"] is None
    assert not page.files
