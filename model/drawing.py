"""What TensorBoard shows of some persons at a step: image, target and prediction, and the dense maps of both.

The bodies are drawn as on the page of a run, from its snapshots; the target's map is rendered from the fit.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from pymaf_data.loader.batch import Batch
from pymaf_data.render import Atlas, part_image
from pymaf_data.report.panels import Image, resize_panel
from pymaf_data.report.run_images import Drawer
from pymaf_data.report.sheet import SheetRow, compose_sheet
from pymaf_data.report.thumbnails import body_with
from pymaf_data.runs.snapshots import SnapshotFolder, SnapshotPersons

from .networks.network import Dense, IUVLogits
from .targets import render_targets

_MOST = 4
TARGET, RESULT, SIDE, TRUE_MAP, MAP = "target", "network", "network, from the side", "IUV target", "IUV of the network"


class Drawn(NamedTuple):
    """An image (H, W, 3) uint8 RGB, and its name."""

    name: str
    image: Image


class PersonSheet:
    """Draws up to four of the persons of a run's snapshots.

    Args:
        batch: who they are, on the CPU.
        persons: the same, as they are kept.
        folder: the snapshots, that of the step to be drawn among them.
        atlas: of the maps; None where the network predicts none.
    """

    def __init__(self, batch: Batch, persons: SnapshotPersons, folder: SnapshotFolder, atlas: Atlas | None) -> None:
        self._batch, self._atlas = batch, atlas
        self._drawer = Drawer(persons, body_with(str(persons.body), str(persons.body_digest)), folder, [])

    def drawn(self, step: int, dense: Dense | None) -> Drawn | None:
        """The sheet of a step; none where the body is not on this machine."""
        if self._drawer.body is None:
            return None
        rows = [SheetRow(f"row {row}", dict(panels)) for row, panels in self._targets]
        maps = map_images(*predicted_map(dense), _MOST) if dense is not None else []
        for k, row in enumerate(rows):
            result = self._drawer.result(k, step)
            row.panels |= {RESULT: result[str(step)], SIDE: result[f"{step}-side"]}
            row.panels |= {MAP: maps[k]} if maps else {}
        columns = [TARGET, RESULT, SIDE, *([TRUE_MAP, MAP] if maps else [])]
        return Drawn("persons", compose_sheet(f"step {step:,}", columns, rows))

    @cached_property
    def _targets(self) -> list[tuple[int, dict[str, Image]]]:
        """Row and panels of each person that no step changes."""
        body, batch = self._drawer.body, self._batch
        found = [
            (int(row), {TARGET: self._drawer.target(k, side=False)["truth"]}) for k, row in enumerate(batch.row[:_MOST])
        ]
        if self._atlas is not None and body is not None:
            true = render_targets(batch, body, self._atlas)
            for (_, panels), image in zip(found, map_images(true.part, true.uv, _MOST), strict=True):
                panels[TRUE_MAP] = image
        return found


def predicted_map(dense: Dense) -> tuple[Tensor, Tensor | None]:
    """Logits → the likeliest part of each pixel (B, S, S), and its U and V (B, 2, S, S) in [0, 1] if there are any."""
    part = dense.part.argmax(dim=1)
    if not isinstance(dense, IUVLogits):
        return part, None
    own = [field.gather(1, part[:, None])[:, 0] for field in (dense.u, dense.v)]
    return part, torch.stack(own, dim=1).clamp(0, 1)


def map_images(part: Tensor, uv: Tensor | None, count: int) -> list[Image]:
    """Panels of the first maps, as of :func:`predicted_map`."""
    parts = part[:count].cpu().numpy()
    coordinates = [None] * len(parts) if uv is None else uv[:count].float().cpu().numpy()
    return [resize_panel(part_image(each, own)) for each, own in zip(parts, coordinates, strict=True)]
