"""What the gates catch: faults planted by class into good fits of a generated sample, and how many good fits they cost.

    python benchmarks/gates.py --persons 1200 --seed 4

Annotations are as noisy as annotators are. Good fits are the truth turned by 2° at every joint, and this package's own
fits of the keypoints, both as a source that states its cameras gives them, and as sources do that have none: ``K``,
seen by the image's camera, which the data set states; ``view``, roots along the box's ray, π solved on the keypoints.
Of each class of fault: how many each measure catches alone at given false alarms, what the strict gates catch together,
and the curve as all of them are widened or narrowed at once. Shares bear Wilson's interval of 95 %.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from _faults import FAULTS, HARDLY, STRICT, UNSEEN, Plant, apart, in_view, noisy
from _measure import machine, write

from pymaf_data.body import BodyModel, load_body
from pymaf_data.fits.choice import REASONS, decide
from pymaf_data.fits.fitter.fit import KeypointFitter
from pymaf_data.fits.fitter.options import KeypointOptions
from pymaf_data.fits.join import join
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.plausibility import judge
from pymaf_data.fits.readers import find_reader
from pymaf_data.fits.reprojection import measure
from pymaf_data.fits.rule import Rule
from pymaf_data.fits.silhouettes import Masks, masks_of
from pymaf_data.fits.table import Fits
from pymaf_data.geometry.affines import crop_affine
from pymaf_data.geometry.cameras import Camera
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.render.raster import rasterize
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import Store, open_store
from pymaf_data.world.sample import SampleOptions, write_sample

SOURCES = ("cameras", "none, K", "none, view")
FALSE_ALARMS = (0.01, 0.02, 0.05, 0.1)
FACTORS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0)
Measured = dict[str, np.ndarray]
Kept = dict[str, tuple[Fits, np.ndarray]]


def measured(body: BodyModel, fits: Fits, persons: Persons, masks: Masks, camera: str) -> Measured:
    """(1, N) each, as a choice reads them of a source; who has no π is not valid, as when attached."""
    found = measure(body, fits, persons, camera)
    own = {name: getattr(fits, name).copy() for name in ("pose", "betas", "reason")}  # the caller's stay
    fits = replace(fits, native=found.native.copy(), **own)
    fits.drop(~found.solvable, "camera not solvable")
    judged = judge(body, fits, found.weak_camera, persons, masks, camera)
    values = {"valid": fits.valid, "reprojection": found.reprojection, "mirrored": found.mirrored}
    values["scale"] = found.scale
    values["betas"] = np.abs(fits.betas).max(1)
    return {name: value[None] for name, value in (values | vars(judged)).items()}


def caught(rule: Rule, found: Measured) -> np.ndarray:
    """(N,) whether a fit is not taken."""
    return decide(rule, ("fits",), found).source < 0


def widened(factor: float) -> Rule:
    """The strict gates, every limit times a factor; of the overlap and the scale the distance from 1."""
    limits = {name: limit * factor for name, limit in STRICT.gates.items()}
    limits |= {name: 1 + (STRICT.gates[name] - 1) * factor for name in ("mask_iou", "scale")}
    return Rule(**limits | {"mask_iou": max(0.0, limits["mask_iou"])})


def alone(good: Measured, bad: Measured, rows: np.ndarray) -> dict[str, dict[str, float]]:
    """Measure → false alarms → share caught, at the limit that costs so many good fits."""
    found = {}
    for name in STRICT.gates:
        sign = -1.0 if name == "mask_iou" else 1.0
        fine, wrong = (np.nan_to_num(sign * np.where(m["valid"], m[name], np.nan)[0], nan=-1e9) for m in (good, bad))
        fine = fine[good["valid"][0]]
        limits = [float(np.quantile(fine, 1 - share)) for share in FALSE_ALARMS]
        wrong = np.where(bad["valid"][0], wrong, np.inf)[rows]
        found[name] = {str(a): share_of(wrong > limit) for a, limit in zip(FALSE_ALARMS, limits, strict=True)}
    return found


def share_and_interval(flags: np.ndarray) -> dict[str, float | list[float]]:
    """The share, and between what it lies with 95 %."""
    n, z = max(len(flags), 1), 1.96
    share = float(flags.sum()) / n
    middle, half = share + z * z / (2 * n), z * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    ends = [round((middle + side * half) / (1 + z * z / n), 4) for side in (-1, 1)]
    return {"share": share_of(flags), "from_to": ends}


def share_of(flags: np.ndarray) -> float:
    """Rounded; of nobody 0."""
    return round(float(flags.mean()), 4) if len(flags) else 0.0


def of_source(
    body: BodyModel, good: Fits, persons: Persons, masks: Masks, camera: str, rng: np.random.Generator
) -> tuple[dict[str, object], Kept]:
    """Results of one source, and of each class the fits with whether they were caught."""
    fine, bad = measured(body, good, persons, masks, camera), {}
    here, kept = np.flatnonzero(good.valid), {}
    kept["good"] = good, caught(STRICT, fine)
    alarms: dict[str, object] = {"strict": share_and_interval(kept["good"][1][here])}
    alarms |= {name: share_of(caught(Rule(**{name: limit}), fine)[here]) for name, limit in STRICT.gates.items()}
    classes: dict[str, object] = {}
    for name, plant in planted(camera):
        fits = plant(good, persons, body, rng)
        rows, bad = np.flatnonzero(fits.valid), measured(body, fits, persons, masks, camera)
        kept[name] = fits, caught(STRICT, bad)
        moved = apart(good, fits, body)[rows] > HARDLY
        classes[name] = {
            "fits": len(rows),
            "caught": share_and_interval(kept[name][1][rows]),
            "caught_of_those_moved_100_mm": share_and_interval(kept[name][1][rows][moved]) if moved.any() else None,
            "by": reasons(bad, rows),
            "alone_at_false_alarms": alone(fine, bad, rows),
            "curve": [share_of(caught(widened(factor), bad)[rows]) for factor in FACTORS],
        }
    curve = [share_of(caught(widened(factor), fine)[here]) for factor in FACTORS]
    return {"fits": len(here), "false_alarms": alarms, "curve": curve, "faults": classes}, kept


def planted(camera: str) -> Iterator[tuple[str, Plant]]:
    """The classes; a scale that is solved on the keypoints is none."""
    yield from ((name, plant) for name, plant in FAULTS.items() if camera != "none" or name != "wrong scale")
    yield from UNSEEN.items()


def reasons(bad: Measured, rows: np.ndarray) -> dict[str, float]:
    """First gate that takes a fit out → share of the fits."""
    codes = decide(STRICT, ("fits",), bad).rejected[0, rows]
    found = {"camera not solvable": share_of(~bad["valid"][0, rows])}
    found |= {REASONS[code]: share_of(codes == code) for code in np.unique(codes[codes > 0])}
    return {name: share for name, share in found.items() if share}


def draw(store: Store, body: BodyModel, persons: Persons, kept: Kept, path: Path) -> None:
    """A sheet of 12 faults that were caught, 12 that were missed and 12 false alarms, the fit over the crop."""
    valid = [
        (name, row, fits, found[row]) for name, (fits, found) in kept.items() for row in np.flatnonzero(fits.valid)
    ]
    groups = {
        "caught": [one for one in valid if one[0] in FAULTS and one[3]],
        "missed": [one for one in valid if one[0] in FAULTS and not one[3]],
        "false alarm": [one for one in valid if one[0] == "good" and one[3]],
    }
    lines, rng = [], np.random.default_rng(0)
    for title, group in groups.items():
        some = [group[k] for k in rng.permutation(len(group))[:12].tolist()]
        tiles = [drawn(store, body, persons, fits, row, f"{title}: {name}") for name, row, fits, _ in some]
        tiles += [np.zeros((256, 256, 3), np.uint8)] * (12 - len(tiles))
        lines += [np.concatenate(tiles[:6], 1), np.concatenate(tiles[6:], 1)]
    cv2.imwrite(str(path), np.concatenate(lines)[..., ::-1])


def drawn(store: Store, body: BodyModel, persons: Persons, fits: Fits, row: int, title: str) -> np.ndarray:
    """(256, 256, 3) a crop and the fit's outline over it, by its native camera."""
    crop = cv2.resize(store.array("image")[row : row + 1][0], (256, 256), interpolation=cv2.INTER_AREA)
    some = slice(row, row + 1)
    pose = axis_angle_to_matrix(torch.from_numpy(fits.pose[some]).reshape(1, 24, 3))
    seen = Camera(torch.from_numpy(fits.native[some])).warped(crop_affine(persons.box[some], 256))
    mesh = body.mesh(pose, torch.from_numpy(fits.betas[some]))
    mask = rasterize(mesh, body.faces, seen, 256, backend="numba").mask[0]
    edge = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    crop[mask] = crop[mask] // 2 + np.array([90, 40, 0], np.uint8)
    crop[edge] = (255, 80, 0)
    cv2.putText(crop, title, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 0), 1, cv2.LINE_AA)
    return crop


def main() -> None:
    """Run and write ``results/gates.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--raw", type=Path, help="a sample to use, or to make; by default a temporary one")
    parser.add_argument("--sheet", type=Path, help="a PNG to draw faults into, caught and missed")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    body = load_body("free", dtype=torch.float64)
    with tempfile.TemporaryDirectory() as folder:
        raw = arguments.raw or Path(folder) / "raw"
        if not (raw / "truth" / "train.npz").is_file():
            write_sample(
                SampleOptions(out=raw, persons=arguments.persons, seed=arguments.seed, split="train", noise=1.0)
            )
        out = Path(folder) / "sample-train.zarr"
        ingest(IngestOptions(dataset="sample", root=raw, out=out, option=("masks=true",), select="any"))
        results = run(open_store(out), raw, body, arguments.seed, arguments.sheet)
    write(
        "gates", {"machine": machine(), "seed": arguments.seed, "strict": STRICT.gates, "factors": FACTORS, **results}
    )


def with_intrinsics(persons: Persons, fits: Fits) -> Persons:
    """The persons of a data set that states the cameras of its images."""
    return replace(persons, intrinsics=fits.native[:, :, :3], has_intrinsics=fits.valid)


def run(store: Store, raw: Path, body: BodyModel, seed: int, sheet: Path | None) -> dict[str, object]:
    """All sources of a sample's store."""
    persons, truth = Persons.of(store), raw / "truth" / "train.npz"
    masks = masks_of(store, slice(0, len(store)))
    assert masks is not None, "ingested with masks"
    exact = join(find_reader("truth").read(truth, None), persons, str(truth))
    makers = {
        "truth": lambda: noisy(exact, np.random.default_rng(seed)),
        "keypoints": lambda: KeypointFitter(body, KeypointOptions()).fit(persons),
    }
    judge(body, exact, np.zeros((len(exact), 3)), persons, masks, "perspective")  # warm-up
    clock = time.process_time()
    judge(body, exact, np.zeros((len(exact), 3)), persons, masks, "perspective")
    cost = 1000 * (time.process_time() - clock) / int(exact.valid.sum())
    sources = {}
    for name, make in makers.items():
        found, kept = of_kinds(body, make(), persons, masks, seed)
        sources |= {f"{name}, {kind}": results for kind, results in found.items()}
        if sheet is not None and name == "truth":
            draw(store, body, persons, kept["cameras"], sheet)
    return {"persons": len(persons), "judged_ms_a_person_on_one_core": round(cost, 2), "sources": sources}


def of_kinds(
    body: BodyModel, good: Fits, persons: Persons, masks: Masks, seed: int
) -> tuple[dict[str, object], dict[str, Kept]]:
    """Of good fits as each kind of source gives them: results, and the fits as :func:`of_source` has them."""
    results, kept = {}, {}
    for number, kind in enumerate(SOURCES):
        camera = "perspective" if kind == "cameras" else "none"
        seen = in_view(good, persons) if kind == "none, view" else good
        known = with_intrinsics(persons, good) if kind == "none, K" else persons
        rng = np.random.default_rng([seed, number])
        results[kind], kept[kind] = of_source(body, seen, known, masks, camera, rng)
    return results, kept


if __name__ == "__main__":
    main()
