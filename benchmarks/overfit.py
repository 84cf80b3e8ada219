"""Can the network learn 16 persons by heart? Loader, network, losses and trainer must all be right for it.

    python benchmarks/overfit.py [--work FOLDER] [--steps 3000] [--threads 1]

Persons: of a generated sample of 128, the 16 whose truth the network's own camera can show best. That camera stands
50 m away (f = 5000 px); for a person near a wide lens the true pose under the best such camera misses the true
keypoints by 4 px (median), 19 at worst, and no network could meet both goals. The residual of the 16 is in the results.

Training: the product's trainer, plain views, the sample's exact truth as fits and 3D joints, until the goals are met.
From He initialisation, with no ImageNet weights. Departures from the released settings, each for speed at memorising:
dropout 0; BatchNorm in evaluation mode throughout, with statistics measured once on the 16 views before the first step,
so that steps of 4 persons train the very function that is evaluated; Adam 1e-4 (twice the released rate), gradients
clipped; both part losses weigh 20 instead of 1, since beside the other terms they move the shared features last.
(At 3e-4 the first steps, whose U, V terms are a hundred times the rest, silence half the channels of the feature maps,
and the network stays at the mean body for hundreds of steps. With released weights and cosine decay over 2,200 steps,
31 CPU-minutes, bodies reach 2.8 mm and 1.0 px, and parts 94.3 %.)

Goals, in evaluation mode over the 16 persons: MPJPE (J24 about the hips) < 15 mm, labelled keypoints < 3 px of the
224 px view, part accuracy ≥ 95 % of all pixels; that of the truth's foreground pixels is the stricter number.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _curve import save_curves
from _measure import RESULTS, machine, write

from pymaf_data.body import BodyModel, load_body
from pymaf_data.loader import AugmentationOptions, Batch, Loader, LoaderOptions
from pymaf_data.metrics import keypoint_error, mpjpe, pa_mpjpe, part_accuracy, pve, root_align
from pymaf_data.model import LossOptions, ModelOptions, OptimizerOptions, PyMAF, TrainOptions, normalise
from pymaf_data.model.losses import HIPS, OPENPOSE_JOINTS
from pymaf_data.model.precision import choose_precision
from pymaf_data.model.trainer import Trainer
from pymaf_data.render import load_atlas
from pymaf_data.storage import Store, open_store

SAMPLE, PERSONS, STEP_PERSONS = 128, 16, 4
GOALS = {"mpjpe_mm": 15.0, "keypoints_px": 3.0, "part_accuracy": 0.95}


class Fixed:
    """The 16 persons in memory, in a new order each epoch: what the trainer feeds on."""

    def __init__(self, persons: Batch, seed: int) -> None:
        self.persons, self.seed = persons, seed

    def __len__(self) -> int:
        return len(self.persons) // STEP_PERSONS

    def epoch(self, number: int, skip: int = 0) -> Iterator[Batch]:
        """A permutation that depends on seed and epoch alone."""
        order = torch.from_numpy(np.random.default_rng((self.seed, number)).permutation(len(self.persons)))
        for rows in order.split(STEP_PERSONS)[skip:]:
            yield Batch(*(value[rows] for value in vars(self.persons).values()))


def make_store(work: Path, seed: int) -> Store:
    """Sample, ingest, truth, maps: the pipeline's own stages; what is there already is not done again."""
    from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
    from pymaf_data.stages.ingest import IngestOptions, ingest
    from pymaf_data.stages.render_iuv import RenderOptions, render_iuv_stage
    from pymaf_data.world.sample import SampleOptions, write_sample

    raw, path = work / "raw", work / "sample-train.zarr"
    write_sample(SampleOptions(out=raw, persons=SAMPLE, seed=seed))
    ingest(IngestOptions(dataset="sample", root=raw, out=path))
    attach_fits(AttachOptions(store=path, fits=(f"truth:{raw / 'truth' / 'train.npz'}",)))
    render_iuv_stage(RenderOptions(stores=(path,)))
    return open_store(path)


def choose(store: Store, body: BodyModel) -> tuple[Batch, np.ndarray]:
    """The 16 plain views and their residuals (16,) in px; 3D joints from the truth, which COCO lacks."""
    residual = np.asarray(store.array("fits/truth/weak_residual")[:])
    rows = np.sort(np.argsort(residual, kind="stable")[:PERSONS])
    options = LoaderOptions(augmentation=AugmentationOptions.none(), workers=0)
    persons = Loader([store], body, load_atlas("free"), options).batch(rows)
    _, joints = body.keypoints(persons.pose, persons.betas)
    flagged = torch.cat([joints[:, OPENPOSE_JOINTS:], torch.ones(PERSONS, 24, 1)], dim=-1)
    return replace(persons, joints3d=flagged), residual[rows]


@torch.no_grad()
def evaluate(model: PyMAF, persons: Batch) -> dict[str, float]:
    """The goals' measures and their neighbours, means over persons."""
    output = model(normalise(persons.image), auxiliary=True)
    assert output.dense is not None
    last, truth = output.predictions[-1], model.body(persons.pose, persons.betas)
    predicted, target = (root_align(joints[:, OPENPOSE_JOINTS:], HIPS) for joints in (last.joints, truth.joints))
    hips = [OPENPOSE_JOINTS + hip for hip in HIPS]
    vertices = [x.vertices - x.joints[:, hips].mean(dim=1, keepdim=True) for x in (last, truth)]
    seen = persons.keypoints[:, OPENPOSE_JOINTS:]
    keypoints = keypoint_error(last.keypoints[:, OPENPOSE_JOINTS:] * 112, seen[..., :2] * 112, seen[..., 2])
    measures = {
        "mpjpe_mm": 1000 * mpjpe(predicted, target),
        "pa_mpjpe_mm": 1000 * pa_mpjpe(predicted, target),
        "pve_mm": 1000 * pve(*vertices),
        "keypoints_px": keypoints,
        "part_accuracy": part_accuracy(output.dense.part, persons.part),
        "part_accuracy_foreground": part_accuracy(output.dense.part, persons.part, foreground=True),
    }
    return {name: round(float(value.mean()), 4) for name, value in measures.items()}


class LearnedError(Exception):
    """The goals are met; what more steps would do is not the question."""


def reached(measures: dict[str, float]) -> bool:
    return (
        measures["mpjpe_mm"] < GOALS["mpjpe_mm"]
        and measures["keypoints_px"] < GOALS["keypoints_px"]
        and measures["part_accuracy"] >= GOALS["part_accuracy"]
    )


class Goals:
    """A watcher: measures the 16 persons now and then, and ends the run when they are learned."""

    def __init__(self, persons: Batch, every: int) -> None:
        self.persons, self.every = persons, every
        self.curve: list[dict[str, float]] = []
        self._begun = time.process_time()

    def begin(self, step: int, model: PyMAF) -> None:
        """Nothing to prepare."""

    def look(self, step: int, model: PyMAF) -> None:
        """Measure."""
        minutes = round((time.process_time() - self._begun) / 60, 2)
        self.curve.append({"step": step, "cpu_minutes": minutes} | evaluate(model, self.persons))
        print(self.curve[-1], flush=True)
        if reached(self.curve[-1]):
            raise LearnedError


def overfit(work: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    body = load_body("free")
    persons, residual = choose(make_store(work, arguments.seed), body)
    options = TrainOptions(
        steps=arguments.steps,
        batch_size=STEP_PERSONS,
        log_every=arguments.every,
        checkpoint_every=10**9,
        model=ModelOptions(dropout=0.0),
        loss=LossOptions(part=arguments.part_weight, coarse=arguments.part_weight),
        optimizer=OptimizerOptions(
            learning_rate=arguments.rate, warmup_steps=20, clip_gradient=50.0, fixed_statistics=True
        ),
    )
    torch.manual_seed(arguments.seed)
    precision = choose_precision("auto", torch.device("cpu"))
    goals = Goals(persons, arguments.every)
    trainer = Trainer(
        PyMAF(body, options.model),
        Fixed(persons, arguments.seed),
        options,
        work / "run",
        precision=precision,
        watchers=[goals],
    )
    with suppress(LearnedError):
        trainer.run()
    return {
        "benchmark": "overfit 16 sample persons",
        "machine": machine() | {"threads": arguments.threads},
        "precision": precision,
        "options": options.model_dump(mode="json", include={"steps", "batch_size", "model", "loss", "optimizer"}),
        "camera_residual_px": {"mean": round(float(residual.mean()), 3), "max": round(float(residual.max()), 3)},
        "goals": GOALS,
        "reached": reached(goals.curve[-1]),
        "final": goals.curve[-1],
        "curve": goals.curve,
    }


def draw(content: dict[str, Any]) -> None:
    """The curve beside the results."""
    curve = content["curve"]
    wrong = [100 * (1 - point["part_accuracy"]) for point in curve]
    save_curves(
        RESULTS / "overfit.svg",
        "16 sample persons learned by heart",
        "CPU-minutes",
        [point["cpu_minutes"] for point in curve],
        {
            "MPJPE, mm": [point["mpjpe_mm"] for point in curve],
            "keypoints, px": [point["keypoints_px"] for point in curve],
            "wrong part, % of pixels": wrong,
        },
        [GOALS["mpjpe_mm"], GOALS["keypoints_px"], 100 * (1 - GOALS["part_accuracy"])],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--work", type=Path, help="keep sample, store and run here; default a temporary folder")
    parser.add_argument("--steps", type=int, default=3000, help="at most")
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--part-weight", type=float, default=20.0, help="of both part losses; released: 1")
    parser.add_argument("--every", type=int, default=50, help="steps between measurements")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        content = overfit(arguments.work or Path(folder), arguments)
    write("overfit", content)
    draw(content)


if __name__ == "__main__":
    main()
