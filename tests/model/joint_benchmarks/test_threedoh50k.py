"""3DOH50K: by its bodies and joints, and from PyMAF's file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from pymaf_data.model.benchmarks.threedoh50k import ThreeDoh50k
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import open_store
from tests.model.joint_benchmarks.known import (
    J14,
    NEUTRAL,
    TEN,
    Known,
    close,
    lengths,
    load_free_arrays,
    made,
    mean_body,
    mm,
    of_joints,
    spread,
    table,
)


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
