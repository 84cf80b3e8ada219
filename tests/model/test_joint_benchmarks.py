"""Benchmarks of joints: from written raw worlds to tables, and what theory says that known bodies score on them."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pymaf_data.body import BodyModel, free
from pymaf_data.errors import AssetMismatch, AssetMissing, EvaluationError
from pymaf_data.model.benchmarks.benchmark import Benchmark, Setting
from pymaf_data.model.benchmarks.h36m import Human36m
from pymaf_data.model.benchmarks.manifest import load_benchmark
from pymaf_data.model.benchmarks.mpi_inf_3dhp import MpiInf3dhp
from pymaf_data.model.benchmarks.threedoh50k import ThreeDoh50k
from pymaf_data.model.benchmarks.threedpw import ThreeDpw
from pymaf_data.model.benchmarks.threedpw_official import ThreeDpwOfficial
from pymaf_data.model.evaluation.measure import figures, measure
from pymaf_data.model.evaluation.options import EvaluateOptions
from pymaf_data.model.evaluation.run import evaluate
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import Store, open_store

J14 = [6, 5, 4, 1, 2, 3, 16, 15, 14, 11, 12, 13, 8, 10]
GENDERED = ["smpl-male"] * 3 + ["smpl-female"] * 3
NEUTRAL = ["smpl-neutral"] * 6
TEN = Rotation.from_euler("z", 10, degrees=True).as_matrix()
PATCHED = ("stages.attach_source", "model.benchmarks.truth", "model.evaluation.subjects")


load_free_arrays = cache(free.load_free_arrays)


@pytest.fixture(scope="module")
def arrays() -> Any:
    return load_free_arrays()


@pytest.fixture(scope="module", autouse=True)
def here(arrays: Any, worlds_of: ModuleType) -> Any:
    """The bodies that this machine has: the free one in three sizes, as SMPL's. Tests take some away."""
    bodies = {
        name: BodyModel(name, replace(arrays, v_template=size * arrays.v_template))
        for name, size in worlds_of.SIZES.items()
    }

    def load(name: str, *_: Any) -> BodyModel:
        if name not in bodies:
            raise AssetMissing(f"no {name}")
        return bodies[name]

    with pytest.MonkeyPatch.context() as patch:
        for room in PATCHED:
            patch.setattr(f"pymaf_data.{room}.load_body", load)
        yield bodies


@cache
def spread() -> np.ndarray:
    """(V, 17) the least that vertices move for the regressed joints to move."""
    found: np.ndarray = np.linalg.pinv(load_free_arrays().h36m.matrix)
    return found


# The definitions, in NumPy.


def lengths(points: np.ndarray) -> np.ndarray:
    return np.sqrt((points**2).sum(-1))


def procrustes(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(J, 3) moved onto (J, 3), and the rotation; never mirrored."""
    a, b = source - source.mean(0), target - target.mean(0)
    R, _ = Rotation.align_vectors(b, a)
    turned = a @ R.as_matrix().T
    return (turned * b).sum() / (a * a).sum() * turned + target.mean(0), R.as_matrix()


def mm(values: Any) -> float:
    return 1000 * float(np.mean(values))


def of_joints(found: np.ndarray, true: np.ndarray, joints: list[int], root: list[int]) -> dict[str, float]:
    """Of (N, 17, 3)."""
    a, b = (each[:, joints] - each[:, root].mean(1, keepdims=True) for each in (found, true))
    aligned = np.array([procrustes(x, y)[0] for x, y in zip(a, b, strict=True)])
    return {"MPJPE": mm(lengths(a - b)), "PA-MPJPE": mm(lengths(aligned - b))}


class Known:
    """What tests do with the persons of a benchmark."""

    def __init__(self, kind: type[Benchmark], store: Store, world: Any, who: Any, order: np.ndarray) -> None:
        name = {ThreeDpw: "3dpw", ThreeDpwOfficial: "3dpw-official", Human36m: "h36m-p2", MpiInf3dhp: "mpi-inf-3dhp"}
        self.benchmark = kind(Setting(load_benchmark(name.get(kind, "3doh50k")), {}, store))
        self.store, self.world, self.arrays, self.order = store, world, load_free_arrays(), order
        self.bodies = [who.bodies[i] for i in order]
        self.rotation, self.betas = who.rotation[order], who.betas[order]
        self.truth = self.pose(self.rotation, self.betas, self.bodies)

    def pose(self, rotation: np.ndarray, betas: np.ndarray, bodies: list[str] | None = None) -> Any:
        return self.world.posed(self.arrays, bodies or ["smpl-neutral"] * len(betas), rotation, betas)

    def h36m(self, vertices: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.arrays.h36m.matrix @ vertices
        return found

    def turned(self, R: np.ndarray) -> np.ndarray:
        rotation = self.rotation.copy()
        rotation[:, 0] = R @ rotation[:, 0]
        return rotation

    def to_view(self) -> np.ndarray:
        """(N, 3, 3): the least turn that takes the ray through the centre of each box to the optical axis."""
        K, box = self.store.array("intrinsics")[:], self.store.array("box")[:]
        ray = np.linalg.solve(K, np.pad(box[:, :2], ((0, 0), (0, 1)), constant_values=1)[..., None])[..., 0]
        ray /= lengths(ray)[:, None]
        axis = np.cross(ray, [0, 0, 1.0])
        sine = lengths(axis)
        assert sine.min() > 0.01
        return Rotation.from_rotvec(axis * (np.arcsin(sine) / sine)[:, None]).as_matrix()

    def fifty_off(self, vertices: np.ndarray, joints: list[int]) -> np.ndarray:
        """Vertices whose regressed joints lie 50 mm off, each its own way, and whose pelvis lies where it was."""
        way = np.random.default_rng(3).normal(size=(len(vertices), 17, 3))
        way *= 0.05 / lengths(way)[..., None]
        way[:, sorted({*range(17)} - {*joints})] = 0
        return vertices + spread() @ way


@pytest.fixture(scope="module")
def score(subjects: ModuleType, here: dict[str, BodyModel]) -> Callable[..., dict[str, float]]:
    """Figures of given bodies."""

    def scored(known: Known, rotation: Any, betas: Any, body: str = "smpl-neutral", **more: Any) -> dict[str, float]:
        subject = subjects.GivenSubject(known.benchmark, here[body], rotation, betas, **more)
        rows = known.benchmark.rows
        (values,) = measure(known.benchmark, subject, rows).values()
        found = figures(known.benchmark, rows, values)
        return {name: np.nan if one.value is None else one.value for name, one in found.items()}

    return scored


def table(store: Store, subject: str, benchmark: str, *option: str) -> Any:
    """Through the very command; results go beside the store."""
    out = store.path.parent / "results" / subject.replace(":", "-")
    report = evaluate(
        EvaluateOptions(
            subject=subject, benchmarks=(benchmark,), stores=(store.path,), out=out, option=option, bootstrap=0
        )
    )
    assert report.lines() and all(path.is_file() for path in report.files)
    (result,) = report.results
    return {name: one.value for name, one in result.iterations[result.last].items()}, result


def made(root: Path, dataset: str, split: str, *fits: str, **options: Any) -> Store:
    given = IngestOptions(dataset=dataset, root=root, split=split, out=root / f"{split}.zarr", crop_size=32, **options)
    store = open_store(ingest(given).store)
    if fits:
        attach_fits(AttachOptions(store=store.path, fits=fits))
    return open_store(store.path)


def close(found: dict[str, float], expected: dict[str, float], within: float = 1e-3) -> None:
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=within), name


# 3DPW.


@pytest.fixture(scope="module")
def pw3d(threedpw: ModuleType, worlds_of: ModuleType, arrays: Any, tmp_path_factory: Any) -> tuple[Path, Any, Store]:
    root, who = tmp_path_factory.mktemp("pw3d"), worlds_of.people(GENDERED, 1, same=3)
    worlds_of.threedpw(threedpw, arrays, root, who)
    return root, who, made(root, "3dpw", "test", f"3dpw:{root}")


def of_3dpw(kind: type[Benchmark], pw3d: Any, world: ModuleType) -> Known:
    _, who, store = pw3d
    return Known(kind, store, world, who, 3 * store.array("subject")[:] + store.array("frame")[:])


def mean_body(known: Known) -> tuple[np.ndarray, np.ndarray]:
    """Rotations and betas where the iterations begin, for everybody; the first two columns lie interleaved."""
    six = known.arrays.mean_pose6d.reshape(24, 3, 2)
    x, y = six[..., 0], six[..., 1]
    x = x / lengths(x)[:, None]
    y = y - (x * y).sum(-1, keepdims=True) * x
    y = y / lengths(y)[:, None]
    N = len(known.betas)
    return np.tile(np.stack([x, y, np.cross(x, y)], -1), (N, 1, 1, 1)), np.tile(known.arrays.mean_betas, (N, 1))


def test_3dpw_by_the_gendered_truth(pw3d: Any, worlds_of: ModuleType, score: Any) -> None:
    known = of_3dpw(ThreeDpw, pw3d, worlds_of)
    true = known.truth.vertices

    def expected(vertices: np.ndarray) -> dict[str, float]:
        found = of_joints(known.h36m(vertices), known.h36m(true), J14, [0])
        return {"PVE": mm(lengths(vertices - true)), **found}

    # Other bodies of the same parameters: the wrong gender, and the neutral body, are centimetres off.
    male = score(known, known.rotation, known.betas, "smpl-male")
    close(male, expected(known.pose(known.rotation, known.betas, ["smpl-male"] * 6).vertices))
    neutral = known.pose(known.rotation, known.betas).vertices
    close(score(known, known.rotation, known.betas), expected(neutral))
    assert expected(neutral)["MPJPE"] > 10 and male["PVE"] > 10
    close(score(known, known.rotation, known.betas, vertices=true), {"PVE": 0, "MPJPE": 0, "PA-MPJPE": 0})
    none = np.zeros_like(known.betas)
    close(score(known, known.rotation, none), expected(known.pose(known.rotation, none).vertices))
    # PVE has no shift and MPJPE has the pelvis's: 50 mm to the side are all of the one and nothing of the other.
    close(score(known, known.rotation, known.betas, vertices=true + np.array([0.03, 0, 0.04])), {"PVE": 50, "MPJPE": 0})
    off = known.fifty_off(true, J14)
    close(score(known, known.rotation, known.betas, vertices=off), {**expected(off), "MPJPE": 50})
    ten = known.turned(TEN)
    close(score(known, ten, known.betas), expected(known.pose(ten, known.betas).vertices))
    for frame, rotation in (("view", known.turned(known.to_view())), ("camera", known.rotation)):
        close(score(known, rotation, known.betas, frame=frame), expected(neutral), 5e-3)
    close(score(known, *mean_body(known)), expected(known.pose(*mean_body(known)).vertices))
    found, result = table(known.store, "mean", "3dpw")
    close(found, expected(known.pose(*mean_body(known)).vertices))
    assert result.persons == 6 and not result.lacking and not result.notes and result.subject["kind"] == "mean"
    assert list(result.iterations) == ["M0"]
    close(table(known.store, "fits:3dpw", "3dpw")[0], {"PVE": 0, "MPJPE": 0, "PA-MPJPE": 0})
    against, _ = table(known.store, "mean", "3dpw", "truth=neutral")
    true = known.pose(known.rotation, known.betas).vertices
    close(against, {"PVE": mm(lengths(known.pose(*mean_body(known)).vertices - true))})


def test_3dpw_by_its_challenge(pw3d: Any, worlds_of: ModuleType, score: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    known = of_3dpw(ThreeDpwOfficial, pw3d, worlds_of)
    major, bones = [1, 2, 4, 5, 7, 8, 16, 17, 18, 19, 20, 21], [0, 1, 2, 4, 5, 16, 17, 18, 19]

    def degrees(a: np.ndarray, b: np.ndarray) -> float:
        between = a[:, bones].reshape(-1, 3, 3) @ b[:, bones].reshape(-1, 3, 3).transpose(0, 2, 1)
        return float(np.degrees(Rotation.from_matrix(between).magnitude()).mean())

    def expected(body: Any) -> dict[str, float]:
        a, b = (each.skeleton - each.skeleton[:, :1] for each in (body, known.truth))
        errors, found = 1000 * lengths(a - b), [procrustes(x, y) for x, y in zip(a, b, strict=True)]
        curve = [(errors[:, major] <= threshold).mean() for threshold in range(200)]
        turns = np.array([R @ turn for (_, R), turn in zip(found, body.turns, strict=True)])
        return {
            "MPJPE": errors.mean(),
            "PA-MPJPE": mm([lengths(x - y) for (x, _), y in zip(found, b, strict=True)]),
            "PCK": 100 * (errors[:, major] <= 50).mean(),
            "AUC": 100 * sum((p + q) / 2 for p, q in pairwise(curve)) / 199,
            "MPJAE": degrees(body.turns, known.truth.turns),
            "PA-MPJAE": degrees(turns, known.truth.turns),
        }

    neutral = expected(known.pose(known.rotation, known.betas))
    close(score(known, known.rotation, known.betas), neutral)
    assert neutral["MPJPE"] > 5 and neutral["MPJAE"] < 1e-4
    ten = known.turned(TEN)
    found = score(known, ten, known.betas)
    close(found, expected(known.pose(ten, known.betas)))
    close(found, {"MPJAE": 10, "PA-MPJAE": neutral["PA-MPJAE"], "PA-MPJPE": neutral["PA-MPJPE"]})
    none = np.zeros_like(known.betas)
    close(score(known, known.rotation, none), expected(known.pose(known.rotation, none)))
    close(score(known, known.turned(known.to_view()), known.betas, frame="view"), neutral, 5e-3)
    mean = expected(known.pose(*mean_body(known)))
    found, _ = table(known.store, "mean", "3dpw-official")
    close(found, mean, 5e-3)
    assert 0 < mean["PCK"] < 100 and list(found) == list(load_benchmark("3dpw-official").metrics)
    found, _ = table(known.store, "fits:3dpw", "3dpw-official")
    close(found, {"MPJPE": 0, "PA-MPJPE": 0, "PCK": 100, "AUC": 100, "MPJAE": 0, "PA-MPJAE": 0})
    monkeypatch.setattr("pymaf_data.model.benchmarks.threedpw_official._NEAR", 0.0)
    assert table(known.store, "fits:3dpw", "3dpw-official")[0]["PCK"] == 100, "an error of 0 is at most 0"


def test_without_a_gendered_body_the_others_are_measured_and_it_is_named(
    pw3d: Any, here: dict[str, BodyModel], worlds_of: ModuleType
) -> None:
    _, _, store = pw3d
    kept = here.pop("smpl-male")
    for benchmark in ("3dpw", "3dpw-official"):
        found, result = table(store, "mean", benchmark)
        assert result.persons == 3 and result.notes == (
            "3 of 6 persons are left out: they have no true body here: the body smpl-male is not here: no smpl-male",
        )
        assert found["MPJPE"] > 0
    other = here.pop("smpl-female")
    with pytest.raises(EvaluationError, match=r"smpl-female is not here.*smpl-male is not here"):
        table(store, "mean", "3dpw")
    here.update({"smpl-male": kept, "smpl-female": other})
    fewer = copy(here["smpl-neutral"])
    fewer.fingerprint = "0" * 64
    with pytest.raises(AssetMismatch, match="measured against the body smpl-"):
        of_3dpw(ThreeDpw, pw3d, worlds_of).benchmark.require(fewer)


def test_3dpw_from_spins_file_which_has_no_keypoints(
    npz: ModuleType, worlds_of: ModuleType, score: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = worlds_of.people([*GENDERED, "smpl-neutral"], 2)
    rows = [
        worlds_of.npz_row(
            npz, tmp_path, f"imageFiles/a/image_{6 - i:05d}.jpg", pose=who.pose[i], shape=who.betas[i],
            gender=who.bodies[i][5],
        )
        for i in range(7)
    ]  # fmt: skip
    path = npz.save(tmp_path / "3dpw_test.npz", rows)
    options = IngestOptions(dataset="npz", npz=path, images=tmp_path, out=tmp_path / "s.zarr", crop_size=32)
    store = open_store(ingest(options).store)
    setting = Setting(load_benchmark("3dpw"), {}, store, raw=path)
    known = Known(ThreeDpw, store, worlds_of, who, np.arange(6, -1, -1))
    assert "--raw" in known.benchmark.lacking["MPJPE"] and not len(known.benchmark.rows), "the file lies elsewhere"
    known.benchmark = ThreeDpw(setting)
    # Whose gender is not known is no truth of a gendered protocol, but one of another.
    assert known.benchmark.rows.tolist() == [1, 2, 3, 4, 5, 6]
    assert "1 of 7 persons are left out" in known.benchmark.notes[0] and "truth=neutral" in known.benchmark.notes[0]
    assert len(ThreeDpw(replace(setting, given={"truth": "neutral"})).rows) == 7
    neutral, true = known.pose(known.rotation, known.betas).vertices[1:], known.truth.vertices[1:]
    expected = of_joints(known.h36m(neutral), known.h36m(true), J14, [0])
    close(score(known, known.rotation, known.betas), expected | {"PVE": mm(lengths(neutral - true))})
    # There is no K, so a network of the view's frame is known up to a turn.
    found = score(known, known.turned(TEN), known.betas, frame="view")
    assert np.isnan(found["MPJPE"]) and np.isnan(found["PVE"])
    close(found, {"PA-MPJPE": expected["PA-MPJPE"]})
    for folder in ("raw/npz", "assets/dataset_extras"):
        monkeypatch.setenv("PYMAF_DATA_ROOT", str(tmp_path / folder.partition("/")[0]))
        place = tmp_path / folder.partition("/")[0] / folder / path.name
        place.parent.mkdir(parents=True)
        place.write_bytes(path.read_bytes())
        assert len(ThreeDpw(replace(setting, raw=None)).rows) == 6, folder
    other = npz.save(tmp_path / "other.npz", rows[::-1])
    with pytest.raises(EvaluationError, match="not the file"):
        ThreeDpw(replace(setting, raw=other))


# Human3.6M.

D, A = "60457274", "54138969"


def test_h36m_by_its_joints_and_by_mosh(
    h36m: ModuleType, worlds_of: ModuleType, arrays: Any, score: Any, tmp_path: Path
) -> None:
    who = worlds_of.people([*NEUTRAL, *NEUTRAL[:3]], 3)
    who.betas[:3] = who.betas[0]
    views = [("Greeting", D), ("Walking 1", D), ("Greeting 1", A)]
    worlds_of.h36m(h36m, arrays, tmp_path, who, views)
    worlds_of.mosh(tmp_path / "mosh" / "S9" / "Greeting_cam3_aligned.pkl", who.pose[:3], who.betas[0])
    store = made(tmp_path, "h36m", "p2", option=("boxes=joints",))
    order = np.array([3 * ("Walking" in name) for name, _ in store.rows]) + store.array("frame")[:] // 5
    known = Known(Human36m, store, worlds_of, who, order)
    assert set(known.benchmark.lacking) == {"PVE"} and "h36m-mosh" in known.benchmark.lacking["PVE"]
    true = known.h36m(known.truth.vertices)
    truth = score(known, known.rotation, known.betas)
    assert "PVE" not in truth
    close(truth, {"MPJPE": 0, "PA-MPJPE": 0})
    attach_fits(AttachOptions(store=store.path, fits=(f"h36m-mosh:{tmp_path / 'mosh'}",)))
    known = Known(Human36m, open_store(store.path), worlds_of, who, order)
    close(score(known, known.rotation, known.betas), {"PVE": 0, "MPJPE": 0})
    none, ten, greeting = np.zeros_like(known.betas), known.turned(TEN), order < 3
    for rotation, betas in ((known.rotation, none), (ten, known.betas)):
        body = known.pose(rotation, betas).vertices
        expected = of_joints(known.h36m(body), true, J14, [0])
        expected["PVE"] = mm(lengths(body - known.truth.vertices)[greeting])
        found = score(known, rotation, betas)
        close(found, expected)
        parts = [of_joints(known.h36m(body)[mine], true[mine], J14, [0]) for mine in (greeting, ~greeting)]
        for name in ("MPJPE", "PA-MPJPE"):
            assert found[f"{name} (actions)"] == pytest.approx(np.mean([part[name] for part in parts]), abs=2e-3)
    close(score(known, ten, known.betas), {"PA-MPJPE": 0})
    off = known.fifty_off(known.truth.vertices, J14)
    close(score(known, known.rotation, known.betas, vertices=off), {"MPJPE": 50})
    close(score(known, known.turned(known.to_view()), known.betas, frame="view"), {"MPJPE": 0, "PVE": 0}, 5e-3)
    mean = of_joints(known.h36m(known.pose(*mean_body(known)).vertices), true, J14, [0])
    found, result = table(known.store, "mean", "h36m-p2")
    close(found, mean)
    assert set(result.groups) == {"Greeting", "Walking"} and result.iterations["M0"]["PVE"].persons == 3
    assert result.groups["Walking"]["PVE"].value is None, "nobody there has a body by MoSh"
    assert result.persons == 6 and mean["MPJPE"] > 50
    # Protocol 1 has the other camera's besides.
    _, result = table(made(tmp_path, "h36m", "p1", option=("boxes=joints",)), "mean", "h36m-p1")
    assert result.persons == 9 and set(result.lacking) == {"PVE"} and "MPJPE (actions)" not in result.metrics


def test_h36m_from_spins_files(npz: ModuleType, worlds_of: ModuleType, score: Any, tmp_path: Path) -> None:
    who = worlds_of.people(NEUTRAL, 4)
    joints = load_free_arrays().h36m.matrix @ worlds_of.posed(load_free_arrays(), *who[:3]).vertices
    names = [f"images/S9_{action}.{D}_{6:06d}.jpg" for action in ("Walking_1", "Walking", "Greeting", "Photo_1")]
    bodies = [{"pose": who.pose[i], "shape": who.betas[i], "gender": "m"} for i in range(5)]
    rows = [worlds_of.npz_row(npz, tmp_path, name, joints[i], **bodies[i]) for i, name in enumerate(names)]
    rows.append(worlds_of.npz_row(npz, tmp_path, "images/x.jpg", 0 * joints[4], **bodies[4]))  # S of zeros is no S
    path = npz.save(tmp_path / "h36m_valid_protocol2.npz", rows)
    options = IngestOptions(dataset="npz", npz=path, images=tmp_path, out=tmp_path / "s.zarr", crop_size=32)
    store = open_store(ingest(options).store)
    order = store.array("annotation_id")[:]
    known = Known(Human36m, store, worlds_of, who, order)
    assert len(known.benchmark.rows) == 4 and set(known.benchmark.lacking) == {"PVE"}
    # The body is the neutral one, whosever its parameters are.
    known.benchmark = Human36m(replace(known.benchmark.setting, raw=tmp_path))
    close(score(known, known.rotation, known.betas), {"PVE": 0})
    close(score(known, known.rotation, known.betas), {"MPJPE": 0, "PA-MPJPE": 0, "MPJPE (actions)": 0})
    found, result = table(store, "mean", "h36m-p2")
    for name in ("MPJPE", "PA-MPJPE"):
        means = [one[name].value for one in result.groups.values()]
        assert found[f"{name} (actions)"] == pytest.approx(np.mean(means)) != pytest.approx(found[name])
    assert set(result.groups) == {"Walking", "Greeting", "Photo"} and result.groups["Walking"]["MPJPE"].persons == 2


# MPI-INF-3DHP.


@pytest.mark.parametrize("annotations", ["plain", "universal"])
def test_mpi_inf_3dhp(
    annotations: str,
    tdhp: ModuleType,
    mat73: ModuleType,
    worlds_of: ModuleType,
    arrays: Any,
    score: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    who = worlds_of.people(NEUTRAL, 6)
    worlds_of.mpi_inf_3dhp(tdhp, mat73, arrays, tmp_path, who)
    option = () if annotations == "plain" else ("annotations=universal",)
    store = made(tmp_path, "mpi-inf-3dhp", "test", option=option)
    frame, scene = store.array("frame")[:], store.array("sequence")[:]
    known = Known(MpiInf3dhp, store, worlds_of, who, 3 * (scene == 6) + np.searchsorted([0, 2, 3], frame))
    true = known.h36m(known.truth.vertices) * (1 if annotations == "plain" else 0.9)

    def expected(vertices: np.ndarray) -> dict[str, float]:
        a, b = (each - each[:, :1] for each in (known.h36m(vertices), true))
        aligned = np.array([procrustes(x, y)[0] for x, y in zip(a, b, strict=True)])
        found = {}
        for prefix, one in (("", a), ("PA-", aligned)):
            errors = 1000 * lengths(one - b)
            found[f"{prefix}MPJPE"] = errors.mean()
            found[f"{prefix}PCK"] = 100 * (errors[:, J14] < 150).mean()
            found[f"{prefix}AUC"] = 100 * np.mean([(errors[:, J14] < t).mean() for t in range(0, 151, 5)])
        return found

    if annotations == "universal":
        close(score(known, known.rotation, known.betas), expected(known.truth.vertices))
        assert "univ_annot3 (universal)" in known.benchmark.notes[0]
        close(score(known, known.rotation, known.betas), {"PA-MPJPE": 0, "PCK": 100, "PA-AUC": 3000 / 31}, 0.01)
        return
    assert known.benchmark.notes[0].startswith("truth: annot3 (plain)")
    truth = score(known, known.rotation, known.betas)
    close(truth, {"MPJPE": 0, "PA-MPJPE": 0, "PCK": 100, "AUC": 3000 / 31}, 0.01)  # an error of 0 is not below 0
    off = known.fifty_off(known.truth.vertices, list(range(1, 17)))
    found = score(known, known.rotation, known.betas, vertices=off)
    close(found, expected(off), 0.3)
    close(found, {"MPJPE": 50 * 16 / 17, "PCK": 100})
    for rotation, betas in ((known.turned(TEN), known.betas), (known.rotation, 0 * known.betas), mean_body(known)):
        close(score(known, rotation, betas), expected(known.pose(rotation, betas).vertices), 5e-3)
    close(score(known, known.turned(known.to_view()), known.betas, frame="view"), {"MPJPE": 0}, 5e-3)
    found, result = table(store, "mean", "mpi-inf-3dhp")
    close(found, expected(known.pose(*mean_body(known)).vertices), 5e-3)
    assert set(result.groups) == {"studio, green screen", "outdoors"} and 0 < found["PCK"] < 100
    # An error of 150 mm is not below 150, nor one of 145 below 145: 30 thresholds, and of those the last alone.
    errors = torch.tensor([0.15, 0.145] * 7 + [0.0] * 3, dtype=torch.float64)[np.argsort([*J14, 0, 7, 9])].expand(6, 17)
    monkeypatch.setattr("pymaf_data.model.benchmarks.mpi_inf_3dhp.joint_distances", lambda *_: (errors, errors))
    values = known.benchmark.measure(known.benchmark.rows, None)  # type: ignore[arg-type]
    assert values["PCK"].tolist() == [50] * 6 and values["PA-AUC"] == pytest.approx(100 / 2 / 31)


# 3DOH50K.


def test_3doh50k(threedoh50k: ModuleType, worlds_of: ModuleType, arrays: Any, score: Any, tmp_path: Path) -> None:
    who = worlds_of.people(NEUTRAL, 7)
    worlds_of.threedoh50k(threedoh50k, arrays, tmp_path, who)
    store = made(tmp_path, "3doh50k", "test", f"3doh50k:{tmp_path}")
    known = Known(ThreeDoh50k, store, worlds_of, who, store.array("annotation_id")[:])
    true = np.zeros((6, 17, 3))
    true[:, J14] = known.truth.joints[:, worlds_of.LSP14]

    def expected(vertices: np.ndarray) -> dict[str, float]:
        found = of_joints(known.h36m(vertices), true, J14, [1, 4])
        return {"PVE": mm(lengths(vertices - known.truth.vertices)), **found}

    truth = score(known, known.rotation, known.betas)
    close(truth, {**expected(known.truth.vertices), "PVE": 0})
    for rotation, betas in ((known.turned(TEN), known.betas), (known.rotation, 0 * known.betas), mean_body(known)):
        close(score(known, rotation, betas), expected(known.pose(rotation, betas).vertices))
    off = known.truth.vertices + np.array([0.03, 0, 0.04])
    close(score(known, known.rotation, known.betas, vertices=off), {"PVE": 50, "MPJPE": truth["MPJPE"]})
    moved = known.truth.vertices.copy()
    moved += spread() @ ((true - known.h36m(moved)) * np.isin(range(17), J14)[:, None])
    close(score(known, known.rotation, known.betas, vertices=known.fifty_off(moved, [3, 6, 16])), {"MPJPE": 150 / 14})
    close(score(known, known.turned(known.to_view()), known.betas, frame="view"), truth, 5e-3)
    found, result = table(store, "mean", "3doh50k")
    close(found, expected(known.pose(*mean_body(known)).vertices))
    assert result.persons == 6 and len(result.published) == 3


def test_3doh50k_from_pymafs_file_from_its_own_root(
    npz: ModuleType, worlds_of: ModuleType, score: Any, tmp_path: Path
) -> None:
    who = worlds_of.people(NEUTRAL, 8)
    joints = load_free_arrays().h36m.matrix @ worlds_of.posed(load_free_arrays(), *who[:3]).vertices
    rows = [
        worlds_of.npz_row(npz, tmp_path, f"images/{i:05d}.jpg", joints[i], pose=who.pose[i], shape=who.betas[i])
        for i in range(6)
    ]
    path = npz.save(tmp_path / "threeDOH50K_testset.npz", rows)
    options = IngestOptions(dataset="npz", npz=path, images=tmp_path, out=tmp_path / "s.zarr", crop_size=32)
    known = Known(ThreeDoh50k, open_store(ingest(options).store), worlds_of, who, np.arange(6))
    assert set(known.benchmark.lacking) == {"PVE"}
    known.benchmark = ThreeDoh50k(replace(known.benchmark.setting, raw=tmp_path))
    close(score(known, known.rotation, known.betas), {"PVE": 0, "MPJPE": 0, "PA-MPJPE": 0})
    # The pelvis is the root: who moves the hips moves two joints alone.
    off = known.fifty_off(known.truth.vertices, [1, 4])
    close(score(known, known.rotation, known.betas, vertices=off), {"MPJPE": 100 / 14})


def test_nothing_divides_by_an_empty_set(pw3d: Any, worlds_of: ModuleType, subjects: ModuleType, here: Any) -> None:
    for kind in (ThreeDpw, ThreeDpwOfficial):
        known = of_3dpw(kind, pw3d, worlds_of)
        subject = subjects.GivenSubject(known.benchmark, here["smpl-neutral"], known.rotation, known.betas, absent=[0])
        rows = np.array([0, 1])
        values = measure(known.benchmark, subject, rows)["M0"]
        found = figures(known.benchmark, rows, values, draws=20)
        assert all(one.persons == 1 and one.value is not None for one in found.values())
        empty = figures(known.benchmark, rows[:1], {name: array[:1] for name, array in values.items()}, draws=20)
        assert all(one.persons == 0 and one.value is None and one.low is None for one in empty.values())
        of_none = known.benchmark.figures(rows[:0], {name: array[:0] for name, array in values.items()})
        assert all(np.isnan(value) for value in of_none.values())
        assert torch.is_tensor(known.benchmark.truth.vertices(rows))
