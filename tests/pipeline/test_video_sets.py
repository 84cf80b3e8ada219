"""One recipe takes Human3.6M and MPI-INF-3DHP from their raw files to steps of training."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from pymaf_data.config import read_yaml
from pymaf_data.paths import DataRoot
from pymaf_data.recipe import Recipe, pipeline
from pymaf_data.runs.history import read_history
from pymaf_data.stages.registry import run_step
from pymaf_data.storage import open_store

RECIPE = """
name: studio
ingest:
  - {dataset: h36m, option: ["boxes=joints"], crop_size: 96, workers: 1}
  - {dataset: mpi-inf-3dhp, select: any, option: ["every=1"], thin: "every:2", crop_size: 96, workers: 1}
fits:
  sources: [keypoints]
  keypoints:
    worst_reprojection: 1000000
    search: {start_steps: 2, survivors: 1, rival_steps: 1, finalists: 1, flip_rounds: 0, final_steps: 2}
train:
  {backbone: null, steps: 2, batch_size: 4, device: cpu, precision: fp32, workers: 0, log_every: 1, targets: rendered,
   frame: camera, joints3d: measured, snapshots: {persons: 1, every: 2}, model: {view_size: 64}}
"""


def test_both_are_learned_from_in_one_run(h36m: ModuleType, tdhp: ModuleType, tmp_path: Path) -> None:
    made, root = h36m.start(tmp_path / "raw" / "h36m"), DataRoot(tmp_path)
    for camera in h36m.CAMERAS[:2]:
        h36m.add(made, 1, "TakingPhoto 1", camera, 12)
        h36m.save_video(made, 1, "TakingPhoto 1", camera)
    tdhp.sequence(tmp_path / "raw" / "mpi-inf-3dhp", "S1/Seq1", 6, {0: 4, 5: 4}, 128)
    recipe = Recipe.parse(read_yaml(RECIPE, "studio"), "studio")
    for step in pipeline(recipe, root):
        run_step(step)
    frames = {}
    for name in ("h36m", "mpi-inf-3dhp"):
        store = open_store(root.store(name, "train"))
        assert store.array("present")[:].all() and store.array("has_intrinsics")[:].all()
        assert (store.array("joints3d")[:][..., 3].sum(1) >= 17).all()
        frames[name] = sorted(store.array("frame")[:].tolist())
    assert frames == {"h36m": [0, 0, 5, 5, 10, 10], "mpi-inf-3dhp": [0, 0, 2, 2]}
    losses = [line.scalars["loss"] for line in read_history(root.runs / "studio")]
    assert len(losses) == 2 and all(0 < loss < 1e6 for loss in losses)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYMAF_DATA_ROOT", str(tmp_path))
