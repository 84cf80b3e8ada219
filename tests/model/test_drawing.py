"""What TensorBoard shows of persons: a network that predicts the target is drawn as the target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pymaf_data.loader import Batch
from pymaf_data.model.drawing import PersonSheet, predicted_map
from pymaf_data.model.networks.network import IUVLogits, PartLogits
from pymaf_data.render import load_atlas
from pymaf_data.report.panels import PANEL
from pymaf_data.runs.snapshots import Snapshot, SnapshotFolder, SnapshotPersons


def logits_of(batch: Batch) -> IUVLogits:
    """What says exactly the maps of a batch; U and V of other parts are anything."""
    part = torch.nn.functional.one_hot(batch.part.long(), 25).permute(0, 3, 1, 2)
    fields = [torch.where(part > 0, batch.uv[:, axis, None], torch.tensor(7.0)) for axis in range(2)]
    return IUVLogits(part.float(), torch.zeros(len(batch), 15, *part.shape[2:]), *fields)


def columns(image: np.ndarray, row: int) -> list[np.ndarray]:
    """The panels of a row of a sheet, as it is laid out: margins of 6 px, a head of 68, captions of 22."""
    top = 68 + row * (PANEL + 28)
    return [image[top : top + PANEL, left : left + PANEL] for left in range(6, image.shape[1] - PANEL, PANEL + 6)]


def test_what_is_predicted_is_drawn_beside_the_target(
    free_body: Any, make_batch: Callable[..., Batch], tmp_path: Path
) -> None:
    batch, folder = make_batch(2, 0, 64), SnapshotFolder(tmp_path)
    persons = SnapshotPersons(
        view=batch.image.permute(0, 2, 3, 1).numpy(),
        rotation=batch.pose.numpy(),
        betas=batch.betas.numpy(),
        camera=batch.camera.numpy(),
        row=batch.row.numpy(),
        held_out=np.array(True),
        body=np.array(free_body.name),
        body_digest=np.array(free_body.digest),
    )
    folder.begin(persons, 0)
    exact = [value[:, None] for value in (persons.rotation, persons.betas, persons.camera)]
    folder.write(3, Snapshot(*exact, mpjpe=np.zeros((2, 1), np.float32)))
    sheet = PersonSheet(batch, persons, folder, load_atlas("free"))
    drawn = sheet.drawn(3, logits_of(batch))
    assert drawn is not None and drawn.name == "persons"
    for row in range(2):
        target, result, side, true_map, own_map = columns(drawn.image, row)
        np.testing.assert_array_equal(result, target)
        np.testing.assert_array_equal(own_map, true_map)
        assert len(np.unique(true_map.reshape(-1, 3), axis=0)) > 20, "charts are seen"
        assert not np.array_equal(side, target)
    assert not np.array_equal(columns(drawn.image, 0)[0], columns(drawn.image, 1)[0])
    plain = sheet.drawn(3, None)
    assert plain is not None and len(columns(plain.image, 0)) == 3, "a network without an auxiliary head"
    _, uv = predicted_map(logits_of(batch)._replace(u=torch.full((2, 25, 16, 16), 1.5)))
    assert uv is not None and float(uv[:, 0].min()) == 1.0
    assert predicted_map(PartLogits(logits_of(batch).part))[1] is None
