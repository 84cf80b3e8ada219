"""MPI-INF-3DHP: by its joints, plain and universal."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from pymaf_data.model.benchmarks.mpi_inf_3dhp import MpiInf3dhp
from tests.model.joint_benchmarks.known import (
    J14,
    NEUTRAL,
    TEN,
    Known,
    close,
    lengths,
    made,
    mean_body,
    procrustes,
    table,
)


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
