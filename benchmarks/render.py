"""Dense-correspondence maps per second: targets, stored maps, warps, and the way from a fit to stored bytes.

    .venv/bin/python benchmarks/render.py [--bodies 64] [--rounds 9]

Bodies of 6890 vertices and 13776 faces in random poses and headings, filling about 0.85 of the 224 px view, in batches;
both windings, since nothing is culled. Rates are per second of one core (processor time of one thread), except
*two threads*, which is by the clock and only means something where two cores are free. Goals: 4,500 maps a second at
56 px and 1,400 at 224 px, each a thousand times PyTorch3D's.

*56 px*, *224 px*: `render_iuv`, from vertices to part and U, V. *stored*: `render_stored` in the crop's frame, from
vertices to bytes. *body*, *encode*: the two other steps of the stage, forward pass and zstd. *fit to chunk*: all
three. *warp*: a stored map into a 56 px target under an augmentation.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import torch
from _measure import machine, ratio, rounds_of, summary, write

from pymaf_data.body import load_body
from pymaf_data.geometry.affines import CROP_SIZE, compose, crop_to_view, invert, resize
from pymaf_data.geometry.cameras import Camera, weak_to_camera
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.geometry.views import Augmentation
from pymaf_data.render import (
    MAP_SIZE,
    TARGET_SIZE,
    StoredMaps,
    load_atlas,
    rasterize,
    render_iuv,
    render_stored,
    warp_maps,
)
from pymaf_data.render.backends import presence
from pymaf_data.stages.iuv_shard import BLOCK, map_specs
from pymaf_data.storage.specs import encode_rows

_PEER = "pytorch3d"
GOAL = {"56 px": 4500, "224 px": 1400, "ratio to PyTorch3D": 1000, "two threads": 1.8}


def poses(count: int) -> torch.Tensor:
    """(count, 24, 3, 3): upright in camera space, every heading, limbs bent at random."""
    generator = torch.Generator().manual_seed(0)
    pose = 0.35 * torch.randn(count, 24, 3, generator=generator)
    pose[:, 0] = 0.0
    pose[:, 0, 1] = torch.linspace(0, 2 * np.pi, count)
    rotations = axis_angle_to_matrix(pose)
    rotations[:, 0] = axis_angle_to_matrix(torch.tensor([np.pi, 0.0, 0.0])) @ rotations[:, 0]
    return rotations


def crop_cameras(pi: torch.Tensor) -> Camera:
    """Cameras of the stored maps: the crop's frame at Z pixels."""
    map_of_view = compose(resize(CROP_SIZE, MAP_SIZE), invert(crop_to_view(CROP_SIZE)))
    return weak_to_camera(pi.double()).warped(map_of_view)


def candidates(count: int) -> dict[str, Callable[[], int]]:
    """Each step over all bodies, in the blocks of the stage; a function returns how many it did."""
    body, atlas = load_body("free"), load_atlas("free")
    pose, betas = poses(count), torch.randn(count, 10, generator=torch.Generator().manual_seed(1))
    pi = torch.tensor([[0.85, 0.0, 0.0]]).repeat(count, 1)
    cameras = crop_cameras(pi)
    with torch.no_grad():
        vertices = body(pose, betas).vertices
    mirrored = vertices * torch.tensor([-1.0, 1.0, 1.0])
    maps = render_stored(vertices, cameras, atlas)
    blocks = [slice(first, first + BLOCK) for first in range(0, count, BLOCK)]
    turned = compose(resize(224, TARGET_SIZE), Augmentation.of(1.1, 0.4).affine())
    to_target = compose(turned, crop_to_view(MAP_SIZE))

    def over_blocks(work: Callable[[slice], object]) -> Callable[[], int]:
        def run() -> int:
            for rows in blocks:
                work(rows)
            return count

        return run

    def fit_to_chunk(rows: slice) -> None:
        encode(render_stored(body.mesh(pose[rows], betas[rows]), cameras[rows], atlas))

    return {
        "56 px": over_blocks(lambda rows: render_iuv(vertices[rows], pi[rows], atlas, 56)),
        "56 px mirrored": over_blocks(lambda rows: render_iuv(mirrored[rows], pi[rows], atlas, 56)),
        "224 px": over_blocks(lambda rows: render_iuv(vertices[rows], pi[rows], atlas, 224)),
        "224 px mirrored": over_blocks(lambda rows: render_iuv(mirrored[rows], pi[rows], atlas, 224)),
        "224 px raster": over_blocks(
            lambda rows: rasterize(vertices[rows], atlas.mesh_faces, weak_to_camera(pi[rows]), 224)
        ),
        "stored": over_blocks(lambda rows: render_stored(vertices[rows], cameras[rows], atlas)),
        "body": over_blocks(lambda rows: body.mesh(pose[rows], betas[rows])),
        "encode": over_blocks(lambda rows: encode(maps[rows])),
        "fit to chunk": over_blocks(fit_to_chunk),
        "warp": over_blocks(lambda rows: warp_maps(maps[rows], to_target, False, atlas)),
    }


def peers() -> dict[str, Callable[[], int]]:
    """PyTorch3D on the same CPU, two bodies at a time: it takes seconds for each. Nothing where it is not built."""
    if not presence("pytorch3d").present:
        return {}
    body, atlas, pi = load_body("free"), load_atlas("free"), torch.tensor([[0.85, 0.0, 0.0]]).repeat(2, 1)
    with torch.no_grad():
        vertices = body(poses(2), torch.zeros(2, 10)).vertices
    return {
        f"{size} px {_PEER}": lambda size=size: len(render_iuv(vertices, pi, atlas, size, "pytorch3d").part)
        for size in (56, 224)
    }


def peer_ratios(rates: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Of ours to PyTorch3D's, within each round."""
    sizes = [name.removesuffix(f" {_PEER}") for name in rates if name.endswith(_PEER)]
    return {size: ratio(rates, size, f"{size} {_PEER}") for size in sizes}


def encode(maps: StoredMaps) -> tuple[list[bytes], list[bytes]]:
    """The chunks of both arrays."""
    part, uv, _ = map_specs(MAP_SIZE, 512)
    return encode_rows(part, maps.part), encode_rows(uv, maps.uv)


def two_threads(work: Callable[[], int]) -> Callable[[], int]:
    """The same work twice, in two threads."""
    pool = ThreadPoolExecutor(2)
    return lambda: sum(future.result() for future in [pool.submit(work), pool.submit(work)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bodies", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    work = candidates(arguments.bodies)
    rates = rounds_of(work | peers(), arguments.rounds, clock=time.process_time)
    pairs = {"one thread": work["224 px"], "two threads": two_threads(work["224 px"])}
    by_clock = rounds_of(pairs, arguments.rounds)
    spent = {step: 1 / summary(rates[step])["median"] for step in ("body", "stored", "encode")}
    sizes = np.array(_sizes(arguments.bodies))
    write(
        "render",
        {
            "what": "maps per second of one core; bodies of 13,776 faces, nothing culled",
            "goal": GOAL,
            "machine": {**machine(), "numba": numba.__version__},
            "bodies": arguments.bodies,
            "rounds": arguments.rounds,
            "maps_per_core_second": {name: summary(values) for name, values in rates.items()},
            "mirrored_of_upright_56": ratio(rates, "56 px mirrored", "56 px"),
            "two_threads_of_one_by_clock": ratio(by_clock, "two threads", "one thread"),
            "share_of_stage": {step: round(seconds / sum(spent.values()), 3) for step, seconds in spent.items()},
            "stored_bytes_per_map": {
                name: {"median": int(np.median(bytes_)), "max": int(bytes_.max())}
                for name, bytes_ in zip(("part", "uv", "both"), (*sizes.T, sizes.sum(1)), strict=True)
            },
            "ratio_to_pytorch3d": peer_ratios(rates) or presence("pytorch3d").lacking,
        },
    )


def _sizes(count: int) -> list[tuple[int, int]]:
    pi = torch.tensor([[0.85, 0.0, 0.0]]).repeat(count, 1)
    with torch.no_grad():
        vertices = load_body("free")(poses(count), torch.zeros(count, 10)).vertices
    chunks = encode(render_stored(vertices, crop_cameras(pi), load_atlas("free")))
    return [(len(part), len(uv)) for part, uv in zip(*chunks, strict=True)]


if __name__ == "__main__":
    main()
