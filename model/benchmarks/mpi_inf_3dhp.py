"""MPI-INF-3DHP's test set: 17 joints as SPIN measures them, PCK and AUC of 14 as its own kit does."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymaf_data.datasets.manifest import load_manifest
from pymaf_data.metrics import auc_of_steps, pck

from .benchmark import Benchmark, Bodies, Rows, Setting, Values, millimetres
from .joints import ALL_OF_H36M, J14_OF_H36M, joint_distances, measured_joints, of_h36m

_NEAR = 150.0  # mm
_THRESHOLDS = tuple(map(float, range(0, 151, 5)))  # mm
_SEQUENCE = re.compile(r"(?:.*/)?TS([1-6])/.*")
_SCENES = {"studio, green screen": "12", "studio": "34", "outdoors": "56"}
_OPTIONS: dict[tuple[str, ...], str] = {
    (): "annot3 (plain); SPIN's is univ_annot3, of a store ingested with --option annotations=universal",
    ("annotations=plain",): "annot3 (plain); SPIN's is univ_annot3",
    ("annotations=universal",): "univ_annot3 (universal), as SPIN's",
}


class MpiInf3dhp(Benchmark):
    """See the module."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        joints = of_h36m(measured_joints(self.store, self.rows))
        self.rows = self.rows[np.isfinite(joints.numpy()).all((1, 2))]
        self.notes.append(f"truth: {_annotations(self.store.head)}")
        self._scenes: NDArray[np.str_] | None = None

    def measure(self, rows: Rows, bodies: Bodies) -> Values:
        """See :class:`Benchmark`. The kit's first 14 joints are J14."""
        plain, aligned = joint_distances(bodies, of_h36m(measured_joints(self.store, rows)), ALL_OF_H36M)
        values: Values = {}
        for prefix, distances in (("", plain), ("PA-", aligned)):
            values[f"{prefix}MPJPE"] = millimetres(distances.mean(dim=1))
            few = 1000 * distances[:, list(J14_OF_H36M)]
            values[f"{prefix}PCK"] = pck(few, _NEAR, strict=True).numpy()
            values[f"{prefix}AUC"] = auc_of_steps(few, _THRESHOLDS, strict=True).numpy()
        return values

    def groups(self, rows: Rows) -> dict[str, NDArray[np.bool_]]:
        """By scene."""
        if self._scenes is None:
            matches = [_SEQUENCE.fullmatch(name) for name, _ in self.store.rows]
            self._scenes = np.array([match[1] if match else "" for match in matches], str)
        return {name: np.isin(self._scenes[rows], list(scene)) for name, scene in _SCENES.items()}


def _annotations(head: dict[str, Any]) -> str:
    """Which of the two kinds of 3D joints a store holds: its manifest's digest tells by which options it was made."""
    if head["dataset"] == "npz":
        return f"S of {', '.join(head['inputs'])}; SPIN's file holds univ_annot3"
    manifest, split, select = load_manifest("mpi-inf-3dhp"), head["split"], head["options"].get("select")
    for where in (manifest.split(split).files["images"], "", "."):
        for option, kind in _OPTIONS.items():
            said = manifest.with_files(split, images=where).with_options(split, option)
            if said.rules_digest(split, select) == head["manifest_digest"]:
                return kind
    return "annot3, or univ_annot3 if it was ingested with --option annotations=universal: its manifest is not ours"
