"""Images of what a network made of the same persons at several steps, beside the fit that it was to make.

Panels of a person: ``view``, ``truth`` and ``truth-side``; for each step ``<step>`` and ``<step>-side``, the last
iteration's body; for the last step also ``m0`` … ``m3``, the feedback loop from the mean body to the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pymaf_data.body import BodyModel
from pymaf_data.geometry.affines import VIEW_SIZE, resize
from pymaf_data.geometry.cameras import Camera, weak_to_camera
from pymaf_data.report.panels import PANEL, Image, overlay_body, resize_panel, side_view
from pymaf_data.report.thumbnails import body_with
from pymaf_data.runs.snapshots import Snapshot, SnapshotFolder, SnapshotPersons

MOST_STEPS = 8


def shown_steps(steps: list[int]) -> list[int]:
    """Up to :data:`MOST_STEPS` of a run's snapshots, evenly spread, the first and the last among them."""
    picks = np.linspace(0, len(steps) - 1, min(MOST_STEPS, len(steps))).round().astype(int)
    return [steps[place] for place in sorted(set(picks.tolist()))]


@dataclass
class Drawer:
    """Draws the persons of a run's snapshots; its length is their number.

    Attributes:
        persons: who they are.
        body: the body of the run; None where it is not on this machine, so that views alone are drawn.
        steps: those to show; damaged snapshots are left out.
    """

    persons: SnapshotPersons
    body: BodyModel | None
    folder: SnapshotFolder
    steps: list[int]

    @classmethod
    def of(cls, folder: SnapshotFolder) -> Drawer | None:
        """None where a run keeps no snapshots.

        Raises:
            TrainingError: the snapshots are not what a trainer writes.
        """
        persons = folder.persons()
        steps = shown_steps(folder.whole_steps()) if persons is not None else []
        if persons is None or not steps:
            return None
        return cls(persons, body_with(str(persons.body), str(persons.body_digest)), folder, steps)

    def __len__(self) -> int:
        return len(self.persons.view)

    def described(self, steps: list[int]) -> dict[str, Any]:
        """What the page says of them: MPJPE of each person and step, and of each iteration at the last step."""
        errors = [self._snapshot(step).mpjpe for step in steps]
        return {
            "steps": steps,
            "held_out": bool(self.persons.held_out),
            "rows": self.persons.row.tolist(),
            "mpjpe": [[round(float(error[k, -1]), 1) for error in errors] for k in range(len(self))],
            "iterations": [[round(float(value), 1) for value in errors[-1][k]] for k in range(len(self))],
        }

    def draw(self, k: int, steps: list[int]) -> dict[str, Image]:
        """The panels of one person."""
        panels = {"view": self._view(k)}
        if self.body is None:
            return panels
        panels |= self.target(k)
        for step in steps:
            panels |= self.result(k, step)
        last = self._snapshot(steps[-1])
        for iteration in range(last.rotation.shape[1]):
            panels |= self._body(f"m{iteration}", k, *_iteration(last, k, iteration), side=False)
        return panels

    def target(self, k: int, side: bool = True) -> dict[str, Image]:
        """``truth`` and ``truth-side`` of one person; the body has to be here."""
        persons = self.persons
        return self._body("truth", k, persons.rotation[k], persons.betas[k], persons.camera[k], side)

    def result(self, k: int, step: int) -> dict[str, Image]:
        """``<step>`` and ``<step>-side`` of one person, likewise."""
        return self._body(str(step), k, *_iteration(self._snapshot(step), k, -1))

    def _view(self, k: int) -> Image:
        return resize_panel(self.persons.view[k])

    @cached_property
    def _snapshots(self) -> dict[int, Snapshot]:
        return {}

    def _snapshot(self, step: int) -> Snapshot:
        if step not in self._snapshots:
            self._snapshots[step] = self.folder.read(step)
        return self._snapshots[step]

    def _body(
        self,
        name: str,
        k: int,
        rotation: NDArray[np.float32],
        betas: NDArray[np.float32],
        pi: NDArray,
        side: bool = True,
    ) -> dict[str, Image]:
        """A body over the view of a person, and turned to its side."""
        assert self.body is not None
        with torch.no_grad():
            posed = self.body(torch.from_numpy(rotation)[None], torch.from_numpy(betas)[None])
        vertices, faces = posed.vertices[0].numpy().astype(np.float64), self.body.faces.numpy()
        camera = self._camera(pi)
        found = {name: overlay_body(self._view(k), vertices, faces, camera)}
        return found | ({f"{name}-side": side_view(vertices, faces, camera.matrix[0].numpy())} if side else {})

    @staticmethod
    def _camera(pi: NDArray) -> Camera:
        return weak_to_camera(torch.from_numpy(pi[None]).double()).warped(np.asarray(resize(VIEW_SIZE, PANEL)))


def _iteration(snapshot: Snapshot, k: int, t: int) -> tuple[NDArray, NDArray, NDArray]:
    return snapshot.rotation[k, t], snapshot.betas[k, t], snapshot.camera[k, t]
