"""What the view's own frame is worth: lifting exact keypoints of the crop to 3D, taught in either frame.

    pymaf-data run world            (its data steps are enough: sample, ingest, truth)
    .venv/bin/python benchmarks/frame.py [--store …/sample-train.zarr] [--held-out …/sample-val.zarr …]

A multi-layer perceptron reads J49 as it is seen in the plain view, without any error, and gives J24 about the hips and
the root rotation. Nothing but the frame of what it is taught differs. Errors are those of held-out persons in the
camera space of the whole image: what was taught in the view's frame is turned back. *Heading* is the angle on the
ground between where the predicted and the true body face.

Beside it, on 200 persons of every held-out store: how far the body is from its own native projection under its best π,
in px of the view; and how far the body of one frame is from that of the other.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from _measure import machine, write
from torch import Tensor, nn

from pymaf_data.body import BodyModel, load_body
from pymaf_data.geometry.cameras import Camera, weak_to_camera
from pymaf_data.geometry.frames import turn_of_ray
from pymaf_data.geometry.rotations import rotation_6d_to_matrix
from pymaf_data.geometry.weak_fit import fit_weak_camera
from pymaf_data.loader import Loader, LoaderOptions
from pymaf_data.loader.labels import Labels
from pymaf_data.loader.persons import Persons
from pymaf_data.model.measures import heading_errors
from pymaf_data.render import load_atlas
from pymaf_data.storage import open_store

FRAMES = ("camera", "view")
HIPS = [2, 3]
WIDTH, BATCH, EPOCHS, RATE = 512, 128, 80, 5e-4
PERSONS = 200


class Lesson(NamedTuple):
    """N persons: what is seen (N, 98), J24 about the hips (N, 24, 3), root rotation and turn (N, 3, 3), angle (N,)."""

    seen: Tensor
    joints: Tensor
    root: Tensor
    turn: Tensor
    angle: Tensor


def labels_of(store: Path, body: BodyModel, frame: str) -> tuple[Labels, Persons]:
    """The labels of a store, and what follows from them in a frame."""
    options = LoaderOptions(maps=False, joints3d="fitted", frame=frame)
    loader = Loader([open_store(store)], body, load_atlas(body.name), options)
    return loader.labels, loader.persons(np.arange(len(loader.labels)))


def native_view(labels: Labels, unturned: Persons) -> Tensor:
    """(N, 49, 2) px of the view: every joint as the fit's own camera sees it."""
    return (
        Camera(torch.from_numpy(labels.fit_camera[:])).project(torch.from_numpy(unturned.fit_joints).double()).float()
    )


def lesson(store: Path, body: BodyModel, frame: str) -> Lesson:
    """What a network is taught in a frame."""
    labels, who = labels_of(store, body, frame)
    _, unturned = labels_of(store, body, "camera")
    rows = np.flatnonzero(labels.has_fit)
    seen = (native_view(labels, unturned)[rows] / 112 - 1).flatten(1)
    joints = torch.from_numpy(who.joints3d[rows, :, :3])
    turn = turn_of_ray(labels.image_ray[rows]) if frame == "view" else np.tile(np.eye(3), (len(rows), 1, 1))
    angle = np.degrees(np.arccos(labels.image_ray[rows][:, 2].clip(-1, 1)))
    centred = joints - joints[:, HIPS].mean(1, keepdim=True)
    root = who.pose[rows, 0]
    return Lesson(seen, centred, root, torch.from_numpy(turn).float(), torch.from_numpy(angle))


class Lifter(nn.Module):
    """Two residual blocks between the view and the body."""

    def __init__(self, dropout: float = 0.25) -> None:
        super().__init__()
        self.first = nn.Linear(98, WIDTH)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                *(
                    layer
                    for _ in range(2)
                    for layer in (nn.BatchNorm1d(WIDTH), nn.ReLU(), nn.Dropout(dropout), nn.Linear(WIDTH, WIDTH))
                )
            )
            for _ in range(2)
        )
        self.last = nn.Linear(WIDTH, 72 + 6)

    def forward(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Joints (B, 24, 3) metres and root rotation (B, 3, 3)."""
        x = self.first(seen)
        for block in self.blocks:
            x = x + block(x)
        out = self.last(x)
        return out[:, :72].reshape(-1, 24, 3), rotation_6d_to_matrix(out[:, 72:])


def taught(given: Lesson, seed: int) -> Lifter:
    """A lifter after the same number of passes in the same order."""
    torch.manual_seed(seed)
    model = Lifter().train()
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    steps = EPOCHS * (len(given.seen) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(given.seen)).split(BATCH)[: len(given.seen) // BATCH]:
            joints, root = model(given.seen[rows])
            loss = 10 * (joints - given.joints[rows]).square().mean() + (root - given.root[rows]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


@torch.no_grad()
def errors(model: Lifter, given: Lesson) -> dict[str, Any]:
    """In camera space: MPJPE in mm, in all and by thirds of the ray's angle, and heading in degrees."""
    joints, root = model(given.seen)
    back = given.turn.transpose(1, 2)
    mpjpe = 1000 * ((joints - given.joints) @ given.turn).norm(dim=-1).mean(1)
    heading = heading_errors(back @ root, back @ given.root)
    thirds = torch.argsort(given.angle).tensor_split(3)
    return {
        "mpjpe": round(float(mpjpe.mean()), 1),
        "mpjpe_by_angle": [round(float(mpjpe[rows].mean()), 1) for rows in thirds],
        "heading_median_degrees": round(float(heading.median()), 1),
    }


@torch.no_grad()
def reprojection(store: Path, body: BodyModel) -> dict[str, Any]:
    """Of some held-out persons: each frame's body under its best π against its native projection; both bodies apart."""
    both = {frame: labels_of(store, body, frame) for frame in FRAMES}
    labels = both["view"][0]
    rows = np.flatnonzero(labels.has_fit)[:PERSONS]
    native = native_view(labels, both["camera"][1])[rows]
    found: dict[str, Any] = {"persons": len(rows)}
    bodies = []
    for frame, (_, who) in both.items():
        joints = torch.from_numpy(who.fit_joints[rows])
        pi = fit_weak_camera(joints, native, torch.ones(native.shape[:2])).pi
        pixels = (weak_to_camera(pi).project(joints) - native).norm(dim=-1).mean(1)
        found[f"{frame}_px_median"] = round(float(pixels.median()), 2)
        bodies.append(joints[:, 25:] - joints[:, 25:][:, HIPS].mean(1, keepdim=True))
    found["mpjpe_between"] = round(1000 * float((bodies[0] - bodies[1]).norm(dim=-1).mean()), 1)
    angle = np.degrees(np.arccos(labels.image_ray[rows][:, 2].clip(-1, 1)))
    found["angle_degrees"] = {"median": round(float(np.median(angle)), 1), "worst": round(float(angle.max()), 1)}
    return found


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, default=Path("data/stores/sample-train.zarr"))
    parser.add_argument("--held-out", type=Path, nargs="+", default=[Path("data/stores/sample-val.zarr")])
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    body = load_body("free")
    geometry = {str(path): reprojection(path, body) for path in arguments.held_out}
    print(geometry, flush=True)
    runs: dict[str, list[dict[str, Any]]] = {frame: [] for frame in FRAMES}
    for frame in FRAMES:
        learned, held_out = lesson(arguments.store, body, frame), lesson(arguments.held_out[0], body, frame)
        for seed in range(arguments.seeds):
            runs[frame].append(errors(taught(learned, seed), held_out))
            print(frame, seed, runs[frame][-1], flush=True)
    mean = {frame: float(np.mean([run["mpjpe"] for run in runs[frame]])) for frame in FRAMES}
    gain = round(1 - mean["view"] / mean["camera"], 3)
    print(f"taught in the view's frame, the camera-space error is {gain:.0%} lower")
    sizes = {"learned_from": len(learned.seen), "held_out": len(held_out.seen), "epochs": EPOCHS}
    write("frame", {"machine": machine(), **sizes, "geometry": geometry, "lifter": runs, "lower_by": gain})


if __name__ == "__main__":
    main()
