"""Fits measured as predictions: of several bodies, without proof, without a camera, without K, without persons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pymaf_data.body import BodyModel
from pymaf_data.body.free import load_free_arrays
from pymaf_data.config import read_yaml
from pymaf_data.errors import AssetMissing, EvaluationError
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.model.benchmarks.benchmark import Setting
from pymaf_data.model.benchmarks.joints import J14_OF_H36M
from pymaf_data.model.benchmarks.manifest import BenchmarkManifest
from pymaf_data.model.benchmarks.threedpw import ThreeDpw
from pymaf_data.model.benchmarks.truth import TrueBodies
from pymaf_data.model.evaluation.measure import measure
from pymaf_data.model.evaluation.options import EvaluateOptions
from pymaf_data.model.evaluation.run import evaluate
from pymaf_data.model.evaluation.subjects import FitsSubject
from pymaf_data.runs.evaluations import Evaluation
from pymaf_data.storage import Store, open_store
from tests.factories import stores

N = 12
TRUTH = {"source": {"format": "invented"}, "body": "smpl-neutral"}
MANIFEST = """
name: mine
title: mine
benchmark: pymaf_data.model.benchmarks.threedpw:ThreeDpw
protocol: [one]
data: [{dataset: invented, split: train}]
truth: [invented]
options: {truth: neutral}
metrics: {PVE: {unit: mm}, MPJPE: {unit: mm}, PA-MPJPE: {unit: mm}}
"""


@pytest.fixture(scope="module")
def bodies() -> dict[str, BodyModel]:
    """The free body in three sizes, under SMPL's names."""
    arrays, sizes = load_free_arrays(), {"smpl-neutral": 1.0, "smpl-male": 1.03, "smpl-female": 0.96}
    return {name: BodyModel(name, replace(arrays, v_template=size * arrays.v_template)) for name, size in sizes.items()}


@pytest.fixture
def here(bodies: dict[str, BodyModel], monkeypatch: pytest.MonkeyPatch) -> dict[str, BodyModel]:
    """The bodies that this machine has; tests take some away."""
    found = dict(bodies)

    def load(name: str, *_: Any) -> BodyModel:
        if name not in found:
            raise AssetMissing(f"no {name}")
        return found[name]

    for room in ("benchmarks.truth", "evaluation.subjects"):
        monkeypatch.setattr(f"pymaf_data.model.{room}.load_body", load)
    return found


@pytest.fixture(scope="module")
def store(bodies: dict[str, BodyModel], tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Persons, all but one with truth, and fits to measure: ``mine`` of men and women, others in a view or unproved."""
    made = stores.invented_store(tmp_path_factory.mktemp("fits") / "invented.zarr", bodies["smpl-neutral"], N)
    truth, number = stores.fits_of(made), np.arange(N)
    # Everybody stands 10° beside the axis of the camera that the truth is seen by.
    aside = truth["native"][:, 0, :1] * np.tan(np.radians(10))
    truth["native"][:, 0, 2:] -= aside * truth["native"][:, 2, 2:]
    stores.attach(made, "truth", truth | {"valid": number < N - 1}, **TRUTH)
    for body, mine in (("smpl-male", number % 3 == 0), ("smpl-female", number % 3 == 1)):
        stores.attach(made, f"mine.{body}", truth | {"valid": mine}, body=body)
    # Said by a network that saw the crop alone: π instead of a camera, the root in a frame that no K turns back.
    view = truth | {"frame": np.ones(N), "native": 0 * truth["native"]}
    stores.attach(made, "seen", view, body="smpl-neutral", native_kind="none")
    stores.attach(made, "unproved", truth, body="smpl-neutral", proved=False)
    return open_store(made.path)


@pytest.fixture
def measured(store: Store, here: dict[str, BodyModel], tmp_path: Path) -> Callable[..., Evaluation]:
    """The evaluation of a source of fits, from the command's own entry."""
    (tmp_path / "mine.yaml").write_text(MANIFEST)

    def run(name: str, again: bool = False) -> Evaluation:
        options = {"benchmarks": (str(tmp_path / "mine.yaml"),), "stores": (store.path,), "out": tmp_path / "out"}
        return evaluate(EvaluateOptions(subject=f"fits:{name}", bootstrap=0, overwrite=again, **options)).results[0]

    return run


def figures(result: Evaluation) -> dict[str, tuple[float | None, int]]:
    return {name: (figure.value, figure.persons) for name, figure in result.iterations["fit"].items()}


def test_each_person_is_measured_with_the_body_of_its_fit(store: Store, here: dict[str, BodyModel]) -> None:
    benchmark = ThreeDpw(Setting(BenchmarkManifest.parse(_yaml(), "mine"), {}, store))
    subject = FitsSubject(benchmark, "mine")
    assert benchmark.rows.tolist() == list(range(11))
    found = measure(benchmark, subject, benchmark.rows)["fit"]["PVE"]
    fits = stores.fits_of(store)
    for row in range(11):
        of = {0: "smpl-male", 1: "smpl-female"}.get(row % 3)
        if of is None:
            assert np.isnan(found[row])
            continue
        two = [_vertices(here[name], fits, row) for name in (of, "smpl-neutral")]
        assert found[row] == pytest.approx(1000 * np.linalg.norm(two[0] - two[1], axis=-1).mean(), abs=1e-2)
        assert 15 < found[row] < 90
    assert subject.notes == ["3 of 11 persons have no fit of mine"]


def test_the_truth_measures_nothing_and_says_of_whom(measured: Callable[..., Evaluation]) -> None:
    result = measured("truth")
    assert all(value == pytest.approx(0, abs=0.02) and persons == 11 for value, persons in figures(result).values())
    assert result.persons == 11 and result.notes == ("1 of 12 persons are left out: they have no true body here",)
    assert [source["stage"] for source in result.subject["sources"]] == ["fits/truth"]


def test_chosen_fits_are_those_of_the_choice(measured: Callable[..., Evaluation]) -> None:
    result = measured("chosen")
    assert [source["stage"] for source in result.subject["sources"]] == ["fits/invented"]
    assert figures(result)["PVE"] == (pytest.approx(0, abs=0.02), 11)


def test_a_view_is_turned_back_by_k_and_without_it_only_shapes_are_known(
    measured: Callable[..., Evaluation], store: Store, here: dict[str, BodyModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """K is that of the truth's native cameras, which everybody stands 10° beside: joints turn about the vertical."""
    found, body, shape = figures(measured("seen")), here["smpl-neutral"], (pytest.approx(0, abs=0.02), 11)
    vertices = torch.stack([torch.from_numpy(_vertices(body, stores.fits_of(store), row)) for row in range(11)])
    joints = body.h36m(vertices).numpy()
    arms = np.hypot(*(joints - joints[:, :1])[:, J14_OF_H36M][..., [0, 2]].transpose(2, 0, 1))
    assert found["MPJPE"] == (pytest.approx(1000 * 2 * np.sin(np.radians(5)) * arms.mean(), rel=1e-4), 11)
    assert found["PA-MPJPE"] == shape
    monkeypatch.setattr(TrueBodies, "intrinsics", lambda _, rows: np.full((len(rows), 3, 3), np.nan))
    result = measured("seen", again=True)
    assert figures(result) == {"PVE": (None, 0), "MPJPE": (None, 0), "PA-MPJPE": shape}
    assert "PVE, MPJPE: of 0 of 11 persons" in result.notes


def test_what_cannot_be_measured_says_why(measured: Callable[..., Evaluation], here: dict[str, BodyModel]) -> None:
    with pytest.raises(EvaluationError, match=r"has no fits 'eft', but chosen, invented, mine.smpl-female, mine"):
        measured("eft")
    with pytest.raises(EvaluationError, match=r"unproved of .* cannot be measured: .*while their body was not here"):
        measured("unproved")
    assert len(measured("mine").notes) == 3
    del here["smpl-female"]
    result = measured("mine")  # not what was measured with both
    assert result.notes[1].startswith("left out: fits/mine.smpl-female: the body smpl-female is not here")
    assert result.notes[2:] == ("7 of 11 persons have no fit of mine", "PVE, MPJPE, PA-MPJPE: of 4 of 11 persons")
    del here["smpl-male"]
    with pytest.raises(EvaluationError, match=r"smpl-female is not here.*smpl-male is not here"):
        measured("mine")


def _yaml() -> Any:
    return read_yaml(MANIFEST, "mine")


def _vertices(body: BodyModel, fits: dict[str, np.ndarray], row: int) -> np.ndarray:
    pose = axis_angle_to_matrix(torch.from_numpy(fits["pose"][[row]]).float().view(1, 24, 3))
    return body.mesh(pose, torch.from_numpy(fits["betas"][[row]]).float())[0].numpy()
