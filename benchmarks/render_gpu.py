"""Maps per second on a GPU: targets, stored maps, warps, a training batch; and whether its pixels are the CPU's.

    .venv/bin/python benchmarks/render_gpu.py [--device cuda] [--batch 256] [--rounds 9]

Everything lies on the device before the clock starts and stays there; a round ends when the device has finished. Rates
are by the clock. PyTorch3D is measured beside it where it is built for the device. ``--device cpu`` runs the same
kernels on the CPU, to see that this works, and keeps no figures. Goals for an H200: 50,000 maps a second at 56 px,
15,000 at 224 px, with part and U, V.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

import torch
from _measure import machine, ratio, rounds_of, summary, write
from render import crop_cameras, poses

from pymaf_data.body import load_body
from pymaf_data.geometry.affines import compose, crop_to_view, resize
from pymaf_data.geometry.cameras import weak_to_camera
from pymaf_data.geometry.views import Augmentation
from pymaf_data.render import MAP_SIZE, TARGET_SIZE, load_atlas, render_iuv, render_stored, warp_maps
from pymaf_data.render.backends import presence

GOAL = {"56 px": 50_000, "224 px": 15_000}
SIZES = (56, 224)


def candidates(device: str, batch: int) -> dict[str, Callable[[], int]]:
    """Each step over one batch on the device; a function waits for it and returns how many it did."""
    body, atlas = load_body("free").to(device), load_atlas("free")
    pose = poses(batch).to(device)
    betas = torch.randn(batch, 10, generator=torch.Generator().manual_seed(1)).to(device)
    pi = torch.tensor([[0.85, 0.0, 0.0]]).repeat(batch, 1)
    crops, views = crop_cameras(pi), weak_to_camera(pi.double()).warped(resize(224, TARGET_SIZE))
    with torch.no_grad():
        vertices = body.mesh(pose, betas)
    maps = render_stored(vertices, crops, atlas, backend="warp")
    turned = compose(resize(224, TARGET_SIZE), Augmentation.of(1.1, 0.4).affine())
    to_target = compose(turned, crop_to_view(MAP_SIZE))

    @torch.no_grad()
    def rendered_targets() -> object:
        return render_iuv(body.mesh(pose, betas), views, atlas, TARGET_SIZE, "warp")

    work: dict[str, Callable[[], object]] = {
        f"{size} px": lambda size=size: render_iuv(vertices, pi, atlas, size, "warp") for size in SIZES
    }
    work |= {
        "stored": lambda: render_stored(vertices, crops, atlas, backend="warp"),
        "warp": lambda: warp_maps(maps, to_target, False, atlas),
        "rendered targets, body included": rendered_targets,
    }
    if presence("pytorch3d").present:
        work |= {f"{s} px pytorch3d": lambda s=s: render_iuv(vertices, pi, atlas, s, "pytorch3d") for s in SIZES}

    def waiting(step: Callable[[], object]) -> Callable[[], int]:
        def run() -> int:
            step()
            if device != "cpu":
                torch.cuda.synchronize()
            return batch

        return run

    return {name: waiting(step) for name, step in work.items()}


def disagreement(device: str, count: int = 64) -> dict[str, float]:
    """Share of pixels whose part differs from the CPU's, and the largest difference of U, V elsewhere."""
    body, atlas = load_body("free"), load_atlas("free")
    with torch.no_grad():
        vertices = body.mesh(poses(count), torch.zeros(count, 10))
    pi = torch.tensor([[0.85, 0.0, 0.0]]).repeat(count, 1)
    found = {}
    for size in SIZES:
        ours = render_iuv(vertices, pi, atlas, size, "numba")
        theirs = render_iuv(vertices.to(device), pi, atlas, size, "warp")
        part, uv = (torch.as_tensor(plane).cpu() for plane in (theirs.part, theirs.uv))
        same = part == torch.from_numpy(ours.part)
        found[f"{size} px parts"] = float((~same).float().mean())
        found[f"{size} px uv"] = float((uv - torch.from_numpy(ours.uv)).abs().amax(1)[same].max())
    return found


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    rates = rounds_of(candidates(arguments.device, arguments.batch), arguments.rounds)
    peers = [f"{size} px" for size in SIZES if f"{size} px pytorch3d" in rates]
    content: dict[str, Any] = {
        "what": "maps per second by the clock, on one device",
        "goal": GOAL,
        "machine": machine(),
        "batch": arguments.batch,
        "maps_per_second": {name: summary(values) for name, values in rates.items()},
        "differing_from_cpu": disagreement(arguments.device),
        "ratio_to_pytorch3d": {name: ratio(rates, name, f"{name} pytorch3d") for name in peers}
        or presence("pytorch3d").lacking,
    }
    if arguments.device == "cpu":
        print(json.dumps(content, indent=1))
        return
    content["machine"]["gpu"] = torch.cuda.get_device_name()
    write("render_gpu", content)


if __name__ == "__main__":
    main()
