"""The worst and the best persons of an evaluation, drawn: crop, predicted body, true body, both from the side."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from pymaf_data.body import BodyModel
from pymaf_data.geometry.affines import compose, resize
from pymaf_data.geometry.cameras import Camera
from pymaf_data.report.panels import PANEL, Image, overlay_body, resize_panel, side_view
from pymaf_data.report.thumbnails import body_with
from pymaf_data.runs.drawn import Drawn, SomeBodies
from pymaf_data.storage import Store


class ResultDrawer:
    """Draws what an evaluation keeps of some persons.

    Args:
        store: that it was measured on.
        drawn: the bodies.
        rows: (K,) of the store, of all persons of the result.
    """

    def __init__(self, store: Store, drawn: Drawn, rows: NDArray[np.int64]) -> None:
        self._store, self._drawn, self._rows = store, drawn, rows[drawn.place]

    def notes(self) -> list[str]:
        """What a page says of bodies that are not drawn."""
        missing = sorted({name for (name, _), body in self._bodies.items() if body is None})
        return [f"Bodies of {name} are not drawn: it is not on this machine." for name in missing]

    def draw(self, k: int) -> dict[str, Image]:
        """The panels of one person."""
        row = self._rows[k : k + 1]
        crop = self._store.array("image").rows(row)[0]
        plane = compose(np.asarray(resize(len(crop), PANEL)), self._store.array("crop_affine").rows(row)[0])
        view = resize_panel(crop)
        panels = {"view": view}
        for name in ("predicted", "true"):
            panels |= self._panels(name, getattr(self._drawn, name), k, view, plane)
        return panels

    def _panels(
        self, name: str, bodies: SomeBodies, k: int, view: Image, plane: NDArray[np.float64]
    ) -> dict[str, Image]:
        body = self._bodies.get((str(bodies.body[k]), str(bodies.digest[k])))
        if body is None:
            return {}
        with torch.no_grad():
            mesh = body.mesh(torch.from_numpy(bodies.rotation[k][None]), torch.from_numpy(bodies.betas[k][None]))
        vertices, faces = mesh[0].numpy().astype(np.float64), body.faces.numpy()
        matrix = torch.from_numpy(bodies.camera[k][None]).double()
        camera = Camera(matrix, bool(bodies.orthographic[k])).warped(plane)
        side = side_view(vertices, faces, camera.matrix[0].numpy())
        return {name: overlay_body(view, vertices, faces, camera), f"{name}-side": side}

    @cached_property
    def _bodies(self) -> dict[tuple[str, str], BodyModel | None]:
        """By name and digest; None where it is not here."""
        sides = (self._drawn.predicted, self._drawn.true)
        known = {pair for side in sides for pair in zip(side.body.tolist(), side.digest.tolist(), strict=True)}
        return {(name, digest): body_with(name, digest) for name, digest in sorted(known) if name}
