"""Human3.6M: by its joints, by MoSh, and from SPIN's files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pymaf_data.model.benchmarks.h36m import Human36m
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
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
    table,
)

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
    assert not rows[1]["S"][14, :3].any()
    rows[1]["S"][14] = 0  # the pelvis is where S counts from, also where no flag says so
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
