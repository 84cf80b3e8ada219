"""How right and how fast the keypoint fits are, on a generated sample whose truth is known.

    python benchmarks/keypoint_fits.py --persons 200

Fits see what an annotator gives: rounded keypoints, visibility, a box; no intrinsics. Compared with the truth: the
trunk's heading (the angle in space between the directions that the trunks face, and its part about the image's
vertical axis), PA-MPJPE over J14, reprojection over seen body keypoints in the 224 view, limits of joints.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from _measure import machine, write

from pymaf_data.body import BodyModel, load_body
from pymaf_data.fits.fitter.fit import KeypointFitter
from pymaf_data.fits.fitter.limits import worst_violation
from pymaf_data.fits.fitter.options import KeypointOptions
from pymaf_data.fits.join import join
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.readers import find_reader
from pymaf_data.fits.reprojection import joints49, measure
from pymaf_data.fits.table import Fits
from pymaf_data.geometry.joints import COCO17, J14, J49
from pymaf_data.metrics import pa_mpjpe
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import open_store
from pymaf_data.world.sample import SampleOptions, write_sample

_J14 = [J49.index(name) for name in J14.joints]
_BODY = [J49.index(name) for name in COCO17.joints[5:]]
_SHOULDERS = [J49.index("left_shoulder"), J49.index("right_shoulder")]
_HIPS = [J49.index("left_hip"), J49.index("right_hip")]


def trunk_forward(joints: torch.Tensor) -> torch.Tensor:
    """Unit vectors (B, 3) that trunks face, from J49 (B, 49, 3) in camera space."""
    shoulders, hips = joints[:, _SHOULDERS], joints[:, _HIPS]
    across = (shoulders[:, 0] - shoulders[:, 1]) / 2 + (hips[:, 0] - hips[:, 1]) / 2
    up = shoulders.mean(1) - hips.mean(1)
    return torch.nn.functional.normalize(torch.cross(across, up, dim=-1), dim=-1)


def heading_errors(found: torch.Tensor, truth: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Degrees (B,) in space, and about the image's vertical axis."""
    a, b = trunk_forward(found), trunk_forward(truth)
    space = torch.acos((a * b).sum(-1).clamp(-1, 1))
    turn = torch.atan2(a[:, 0], a[:, 2]) - torch.atan2(b[:, 0], b[:, 2])
    turn = torch.atan2(turn.sin(), turn.cos()).abs()
    return torch.rad2deg(space).numpy(), torch.rad2deg(turn).numpy()


def body_reprojection(body: BodyModel, fits: Fits, persons: Persons) -> np.ndarray:
    """Mean view pixels (N,) over the body keypoints labelled as seen."""
    keypoints = np.zeros_like(persons.keypoints)
    keypoints[:, _BODY] = persons.keypoints[:, _BODY]
    only_body = Persons(**{**vars(persons), "keypoints": keypoints})
    return measure(body, fits, only_body).reprojection


def spread(values: np.ndarray) -> dict[str, float]:
    """Median, mean, 90th percentile, worst."""
    numbers = (np.median(values), values.mean(), np.percentile(values, 90), values.max())
    return dict(zip(("median", "mean", "p90", "worst"), (round(float(n), 2) for n in numbers), strict=True))


def compare(body: BodyModel, persons: Persons, truth: Fits, fits: Fits) -> dict[str, object]:
    """All measures over the persons that both have."""
    rows = np.flatnonzero(truth.valid & fits.valid)
    found, exact = joints49(body, fits, rows), joints49(body, truth, rows)
    space, turn = heading_errors(found, exact)
    aligned = pa_mpjpe(found[:, _J14], exact[:, _J14]).numpy() * 1000
    violation, _ = worst_violation(torch.from_numpy(fits.pose[rows]))
    ids = persons.annotation_id[rows]
    return {
        "persons": len(persons),
        "fitted": len(rows),
        "heading_within_30_percent": round(float((space < 30).mean()) * 100, 2),
        "heading_within_30_percent_vertical_axis": round(float((turn < 30).mean()) * 100, 2),
        "heading_error_degrees": spread(space),
        "pa_mpjpe_mm": spread(aligned),
        "reprojection_view_px": spread(body_reprojection(body, fits, persons)[rows]),
        "joint_limit_violation_degrees": round(float(violation.max()), 3),
        "wrong_headings": {int(ids[i]): round(float(space[i])) for i in np.argsort(-space) if space[i] >= 30},
    }


def prepare(raw: Path, persons: int, seed: int, work: Path) -> tuple[Persons, Fits]:
    """The persons of a sample, made where ``raw`` is empty, as a store holds them; and their truth."""
    if not (raw / "truth" / "train.npz").is_file():
        write_sample(SampleOptions(out=raw, persons=persons, seed=seed))
    report = ingest(IngestOptions(dataset="sample", root=raw, out=work / "sample-train.zarr"))
    found = Persons.of(open_store(report.store))
    path = raw / "truth" / "train.npz"
    return found, join(find_reader("truth").read(path, None), found, str(path))


def main() -> None:
    """Run and write ``results/keypoint_fits.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--raw", type=Path, help="a sample to use, or to make; by default a temporary one")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    body = load_body("free", dtype=torch.float64)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        persons, truth = prepare(arguments.raw or work / "raw", arguments.persons, arguments.seed, work)
    fitter = KeypointFitter(body, KeypointOptions())
    fitter.fit(persons[:16])  # warm-up
    start, cpu = time.perf_counter(), time.process_time()
    fits = fitter.fit(persons)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    results = compare(body, persons, truth, fits)
    results["persons_per_second"] = round(len(persons) / wall, 2)
    results["persons_per_cpu_second"] = round(len(persons) / cpu, 2)
    write("keypoint_fits", {"machine": machine(), "threads": arguments.threads, **results})


if __name__ == "__main__":
    main()
