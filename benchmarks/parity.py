"""Are our pixels PyTorch3D's? Every face, part and U, V of random bodies, by both, at the sizes that targets have.

    .venv/bin/python benchmarks/parity.py [--bodies 204] [--sizes 56 192 224] [--golden]

Needs PyTorch3D (docs/pytorch3d.md); on a CPU it draws a mesh at 224 px in about four seconds, so the default takes
half an hour; ``--sizes`` and ``--cameras`` renew a part of the figures. Bodies and cameras, in turn, are those of
``_scenes.py``.

A pixel on which the two differ is *explained* when PyTorch3D's arithmetic says why: its centre lies within 3e-7 of the
image's side of an edge of one of the two faces, or the two surfaces are equally far there, both to float32; or, for
parallel cameras, by depths that PyTorch3D mixes with weights that do not sum to 1. U or V *above* 1e-4 are explained
when moving a face's corners by that 3e-7 moves them as far: slivers.

``--golden`` keeps what PyTorch3D draws of the first twelve bodies at 56 px beside the tests, and measures nothing else.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _measure import RESULTS, machine, write
from _scenes import CAMERAS, bodies, cameras, explained, painted, uv_slack

from pymaf_data.render import Atlas, load_atlas, rasterize

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "render" / "pytorch3d_golden.npz"
GOLDEN_BODIES, GOLDEN_SIZE = 12, 56
UV = 1e-4


def compare(name: str, vertices: torch.Tensor, size: int, atlas: Atlas) -> dict[str, Any]:
    """Counts over the bodies that one kind of camera sees."""
    camera = cameras(name, len(vertices), size)
    pixels = covered = differing = ties = parts = above = slivers = 0
    worst = 0.0
    for b in range(len(vertices)):
        one, seen = vertices[b : b + 1], camera[b]
        ours = rasterize(one, atlas.mesh_faces, seen, size)[0]
        theirs = rasterize(one, atlas.mesh_faces, seen, size, "pytorch3d")[0]
        pixels, covered = pixels + size**2, covered + int((ours.mask | theirs.mask).sum())
        tied = explained(vertices[b].numpy(), seen, atlas, ours, theirs)
        differing, ties = differing + len(tied), ties + int(tied.sum())
        (part, uv), (their_part, their_uv) = painted(ours, atlas), painted(theirs, atlas)
        same = ours.face == theirs.face
        parts += int((part != their_part)[same].sum())
        error = np.abs(uv - their_uv).max(-1) * same
        far = error > UV
        slack = uv_slack(vertices[b].numpy(), seen, atlas, ours.face[far], size)
        worst = max(worst, float(error.max()))
        above, slivers = above + int(far.sum()), slivers + int((error[far] <= slack).sum())
    return {
        "bodies": len(vertices), "pixels": pixels, "covered": covered, "faces_differing": differing,
        "share_differing": differing / pixels, "explained": ties, "parts_differing_elsewhere": parts,
        "uv_worst_elsewhere": worst, "uv_above": above, "uv_above_explained": slivers,
    }  # fmt: skip


def keep_golden(vertices: torch.Tensor, atlas: Atlas, version: str) -> None:
    """Keep what PyTorch3D shows of body b by camera b mod 6: face (B, S, S); U, V × 65535 of pixels that show one."""
    faces, charts = [], []
    for b in range(GOLDEN_BODIES):
        seen = cameras(CAMERAS[b % len(CAMERAS)], len(vertices), GOLDEN_SIZE)[b]
        theirs = rasterize(vertices[b : b + 1], atlas.mesh_faces, seen, GOLDEN_SIZE, "pytorch3d")[0]
        faces.append(theirs.face.astype(np.int16))
        charts.append(np.rint(painted(theirs, atlas)[1][theirs.mask] * 65535).astype(np.uint16))
    np.savez_compressed(GOLDEN, face=np.stack(faces), uv=np.concatenate(charts), version=np.array(version))


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bodies", type=int, default=204)
    parser.add_argument("--sizes", type=int, nargs="+", default=[56, 192, 224])
    parser.add_argument("--cameras", nargs="+", choices=CAMERAS, default=list(CAMERAS), help="only these")
    parser.add_argument("--golden", action="store_true", help="only keep images for the tests")
    arguments = parser.parse_args()
    import pytorch3d

    torch.set_num_threads(1)
    atlas = load_atlas("free")
    if arguments.golden:
        keep_golden(bodies(GOLDEN_BODIES), atlas, pytorch3d.__version__)
        return
    vertices = bodies(arguments.bodies)
    kinds = len(CAMERAS)
    results = {
        str(size): {
            name: compare(name, vertices[k::kinds], size, atlas)
            for k, name in enumerate(CAMERAS)
            if name in arguments.cameras
        }
        for size in arguments.sizes
    }
    keep(results, pytorch3d.__version__)


def keep(results: dict[str, dict[str, Any]], version: str) -> None:
    """Put these sizes and cameras in the place of what the file has of them; of another version nothing is kept."""
    about = {**machine(), "pytorch3d": version}
    path = RESULTS / "parity.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known = found.get("sizes", {}) if found.get("machine", {}).get("pytorch3d") == version else {}
    sizes = {size: known.get(size, {}) | results.get(size, {}) for size in sorted({*known, *results}, key=int)}
    write("parity", {"machine": about, "sizes": sizes})


if __name__ == "__main__":
    main()
