"""What the recipe `world` teaches: errors of a run's last checkpoint on all held-out persons, and its course.

    pymaf-data run world
    .venv/bin/python benchmarks/world.py [--run data/runs/world] [--store data/stores/sample-val.zarr …]

M0 is the mean body, the same for everybody; M1 … M3 are the network's iterations. MPJPE and PA-MPJPE are those of J24
about the middle of the hips against the true body, in millimetres, plain views, evaluation mode. *Heading*: the angle
on the ground between where the predicted and the true body face, in the space of the whole image's camera; of guesses
a quarter lies within 45°. *Shape*: of bodies in the T-pose by how much their height is off, and on the mean too large
(below 0: small); the mean square of what betas miss; the share of persons with one beyond 3, of whom there is none in
the generated world. *Gained*: by how much a later iteration is better, person by person, and the 95 % interval of the
mean. *Shipped*: the same of the network that ships, where the weights are kept at a byte each.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from _curve import save_curves
from _measure import RESULTS, machine, write

from pymaf_data.body import BodyModel, load_body
from pymaf_data.loader import Batch, Loader, LoaderOptions
from pymaf_data.model import load_checkpoint
from pymaf_data.model.evaluation.bootstrap import mean_bounds
from pymaf_data.model.images import normalise
from pymaf_data.model.measures import Distances, heading_errors, in_camera_space, iteration_distances, means
from pymaf_data.model.networks.network import Network
from pymaf_data.model.shipped import START, shipped
from pymaf_data.model.watchers import plain_batches, with_fit
from pymaf_data.render import load_atlas
from pymaf_data.runs.history import read_history
from pymaf_data.storage import open_store

PERSONS = 1000
DRAWS = 2000
STEPS_OF_LOOP = (("M1", "M2"), ("M2", "M3"), ("M1", "M3"))


@torch.no_grad()
def evaluate(model: Network, body: BodyModel, batches: list[Batch]) -> dict[str, Any]:
    """Errors of every iteration on the persons of a store who have a fit."""
    distances: list[Distances] = []
    turns: dict[str, list[torch.Tensor]] = {}
    shapes: dict[str, list[torch.Tensor]] = {}
    for batch in batches:
        output = model(normalise(batch.image))
        distances.append(iteration_distances(output, batch, body))
        for number, prediction in enumerate(output.predictions):
            roots = (in_camera_space(root[:, 0], batch) for root in (prediction.rotation, batch.pose))
            turns.setdefault(f"M{number}", []).append(heading_errors(*roots))
            shapes.setdefault(f"M{number}", []).append(prediction.parameters.betas)
    true = torch.cat([batch.betas for batch in batches])
    found: dict[str, Any] = {}
    for name, errors in means(distances).items():
        angle = torch.cat(turns[name])
        found[name] = {key: round(value, 3) for key, value in errors.items()} | {
            "heading_median_degrees": round(float(angle.median()), 1),
            "heading_within_45": round(float((angle <= 45).float().mean()), 3),
            **shape_errors(torch.cat(shapes[name]), true, body),
        }
    of = {name: torch.cat([distance[name]["mpjpe"] for distance in distances]).numpy() for name in found}
    gained = {f"{later} over {before}": of[before] - of[later] for before, later in STEPS_OF_LOOP}
    bounds = mean_bounds(gained, DRAWS)
    return {
        "persons": len(of["M0"]),
        "better_than_mean_body": round(float((of["M3"] < of["M0"]).mean()), 3),
        "of_mean_body": {error: round(found["M3"][error] / found["M0"][error], 3) for error in ("mpjpe", "pa_mpjpe")},
        "gained_mm": {
            name: [round(float(value), 2) for value in (mm.mean(), *bounds[name])] for name, mm in gained.items()
        },
        **found,
    }


def shape_errors(betas: torch.Tensor, true: torch.Tensor, body: BodyModel) -> dict[str, float]:
    """Errors of shapes, betas (N, 10), against true ones: heights in millimetres, betas in standard deviations."""

    def height(shapes: torch.Tensor) -> torch.Tensor:
        level = body.v_template[:, 1, None] + body.shapedirs[:, 1] @ shapes.T
        return level.amax(0) - level.amin(0)

    off = height(betas) - height(true)
    return {
        "height_error_mm": round(1000 * float(off.abs().mean()), 1),
        "height_bias_mm": round(1000 * float(off.mean()), 1),
        "betas_squared_error": round(float((betas - true).square().mean()), 3),
        "betas_beyond_3": round(float((betas.abs() > 3).any(1).float().mean()), 3),
    }


def plain_batches_of(path: Path, body: BodyModel, options: LoaderOptions) -> list[Batch]:
    """Plain views of a store's persons, evenly spread."""
    source = Loader([open_store(path)], body, load_atlas("free"), options).plain()
    return plain_batches(source, with_fit(source, source.rows), PERSONS)


def course(run: Path) -> list[dict[str, float]]:
    """The held-out measurements of the run, one per line."""
    lines = [line for line in read_history(run) if line.kind == "held_out"]
    return [{"step": line.step} | {name: round(e["mpjpe"], 1) for name, e in line.errors.items()} for line in lines]


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("data/runs/world"))
    parser.add_argument("--store", type=Path, nargs="+", default=[Path("data/stores/sample-val.zarr")])
    arguments = parser.parse_args()
    body = load_body("free")
    model = load_checkpoint(arguments.run / "checkpoint.pt")
    model.eval()
    options = LoaderOptions(maps=False, view_size=model.view_size, frame=model.frame)
    results = {}
    for path in arguments.store:
        results[path.stem] = evaluate(model, body, plain_batches_of(path, body, options))
        print(path.stem, json.dumps(results[path.stem], indent=2), flush=True)
    whole = results[arguments.store[0].stem]
    small = evaluate(load_checkpoint(shipped(START)), body, plain_batches_of(arguments.store[0], body, options))
    lost = {name: round(small[name]["mpjpe"] - whole[name]["mpjpe"], 2) for name in ("M1", "M2", "M3")}
    points = course(arguments.run)
    kept = {"stores": results, "shipped": small, "lost_by_a_byte_a_weight_mm": lost, "held_out_course": points}
    write("world", {"machine": machine()} | kept)
    curves = {f"{name}, mm": [point[name] for point in points] for name in ("M1", "M3")}
    mean_body = points[0]["M0"]
    save_curves(
        RESULTS / "world.svg",
        "Held-out MPJPE while learning from nothing; dashed: the mean body",
        "steps",
        [point["step"] for point in points],
        curves,
        [mean_body, mean_body],
        steps=list(range(0, 351, 50)),
    )


if __name__ == "__main__":
    main()
