"""3DPW: by the gendered truth, by its challenge, from SPIN's file, and of nobody."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pymaf_data.body import BodyModel
from pymaf_data.errors import AssetMismatch, EvaluationError
from pymaf_data.model.benchmarks.benchmark import Benchmark, Setting
from pymaf_data.model.benchmarks.manifest import load_benchmark
from pymaf_data.model.benchmarks.threedpw import ThreeDpw
from pymaf_data.model.benchmarks.threedpw_official import ThreeDpwOfficial
from pymaf_data.model.evaluation.measure import figures, measure
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import Store, open_store
from tests.model.joint_benchmarks.known import (
    J14,
    TEN,
    Known,
    close,
    lengths,
    made,
    mean_body,
    mm,
    of_joints,
    procrustes,
    table,
)

GENDERED = ["smpl-male"] * 3 + ["smpl-female"] * 3


@pytest.fixture(scope="module")
def pw3d(threedpw: ModuleType, worlds_of: ModuleType, arrays: Any, tmp_path_factory: Any) -> tuple[Path, Any, Store]:
    root, who = tmp_path_factory.mktemp("pw3d"), worlds_of.people(GENDERED, 1, same=3)
    worlds_of.threedpw(threedpw, arrays, root, who)
    return root, who, made(root, "3dpw", "test", f"3dpw:{root}")


def of_3dpw(kind: type[Benchmark], pw3d: Any, world: ModuleType) -> Known:
    _, who, store = pw3d
    return Known(kind, store, world, who, 3 * store.array("subject")[:] + store.array("frame")[:])


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
    (tmp_path / "extras").mkdir()
    path = npz.save(tmp_path / "extras" / "3dpw_test.npz", rows)  # such files seldom lie among the images
    (images := tmp_path / "images").mkdir()
    (tmp_path / "imageFiles").rename(images / "imageFiles")
    options = IngestOptions(dataset="npz", npz=path, images=images, out=tmp_path / "s.zarr", crop_size=32)
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
        for raw in (None, images, place.parent):  # images may be named for the sake of --crop spin
            assert len(ThreeDpw(replace(setting, raw=raw)).rows) == 6, (folder, raw)
    other = npz.save(tmp_path / "other.npz", rows[::-1])
    with pytest.raises(EvaluationError, match="not the file"):
        ThreeDpw(replace(setting, raw=other))


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
