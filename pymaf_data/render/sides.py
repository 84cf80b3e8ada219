"""What a mirrored image does to dense maps: parts change sides, U and V become those of the partner's chart.

Two rules, and the atlas knows which: U of the torso's charts is mirrored and the rest stays (charts that are mirror
images of each other, as the free body's are), or DensePose's tables say what each U, V becomes. Tables are read at the
nearest entry. Rendered maps of mirrored views and warped tensors come through here; the warp of arrays follows the same
steps inside its kernel.

Source: ``UV_symmetry_transforms.mat`` of DensePose (Güler et al., CVPR 2018), which looks up at 255·V, 255·U cut to
whole numbers. Rounding instead takes away half an entry of bias.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pymaf_data.render.atlas import Atlas


def change_sides(part: Tensor, u: Tensor, v: Tensor, flip: Tensor, atlas: Atlas) -> tuple[Tensor, Tensor, Tensor]:
    """Parts, U and V as a mirrored image shows them, element by element, on one device.

    Args:
        part: (...) integers 0 … 24.
        u: (...) float in [0, 1].
        v: (...) float in [0, 1].
        flip: bool, broadcast against them: where the image is mirrored.
        atlas: whose charts they are.

    Returns:
        ``part``, ``u`` and ``v`` where ``flip`` is not set, their mirrored values where it is; dtypes stay.
    """
    index = part.long()
    partner = torch.from_numpy(atlas.part_mirror).to(part.device)[index].to(part.dtype)
    if atlas.uv_mirror is None:
        mirrors = torch.from_numpy(atlas.u_mirror).to(part.device)[index]
        mirrored = torch.where(mirrors, 1 - u, u), v
    else:
        mirrored = _look_up(torch.from_numpy(atlas.uv_mirror).to(part.device), index, u, v)
    new_u, new_v = mirrored
    return torch.where(flip, partner, part), torch.where(flip, new_u, u), torch.where(flip, new_v, v)


def _look_up(tables: Tensor, index: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """U and V by tables (24, 2, n, n); the background keeps its own."""
    last = tables.shape[-1] - 1
    row, column = ((value * last + 0.5).floor().long() for value in (v, u))
    chart = (index - 1).clamp_min(0)
    shown = index > 0
    new_u, new_v = (tables[chart, axis, row, column].to(u.dtype) for axis in (0, 1))
    return torch.where(shown, new_u, u), torch.where(shown, new_v, v)
