"""Known bodies of a benchmark, what their errors are by definition, in NumPy, and tables through the very command."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pymaf_data.body import free
from pymaf_data.model.benchmarks.benchmark import Benchmark, Setting
from pymaf_data.model.benchmarks.h36m import Human36m
from pymaf_data.model.benchmarks.manifest import load_benchmark
from pymaf_data.model.benchmarks.mpi_inf_3dhp import MpiInf3dhp
from pymaf_data.model.benchmarks.threedpw import ThreeDpw
from pymaf_data.model.benchmarks.threedpw_official import ThreeDpwOfficial
from pymaf_data.model.evaluation.options import EvaluateOptions
from pymaf_data.model.evaluation.run import evaluate
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import Store, open_store

J14 = [6, 5, 4, 1, 2, 3, 16, 15, 14, 11, 12, 13, 8, 10]
NEUTRAL = ["smpl-neutral"] * 6
TEN = Rotation.from_euler("z", 10, degrees=True).as_matrix()
load_free_arrays = cache(free.load_free_arrays)


@cache
def spread() -> np.ndarray:
    """(V, 17) the least that vertices move for the regressed joints to move."""
    found: np.ndarray = np.linalg.pinv(load_free_arrays().h36m.matrix)
    return found


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


def mean_body(known: Known) -> tuple[np.ndarray, np.ndarray]:
    """Rotations and betas where the iterations begin, for everybody; the first two columns lie interleaved."""
    six = known.arrays.mean_pose6d.reshape(24, 3, 2)
    x, y = six[..., 0], six[..., 1]
    x = x / lengths(x)[:, None]
    y = y - (x * y).sum(-1, keepdims=True) * x
    y = y / lengths(y)[:, None]
    N = len(known.betas)
    return np.tile(np.stack([x, y, np.cross(x, y)], -1), (N, 1, 1, 1)), np.tile(known.arrays.mean_betas, (N, 1))


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
        assert found[name] == pytest.approx(value, abs=within), f"{name} is {found[name]}, not {value}"
