"""Fit a body to keypoints: labels in, poses, shapes and full-image cameras out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from pymaf_data.body import BodyModel
from pymaf_data.fits.fitter.objective import State
from pymaf_data.fits.fitter.observe import observe, refusals
from pymaf_data.fits.fitter.options import KeypointOptions
from pymaf_data.fits.fitter.rig import KeypointRig
from pymaf_data.fits.fitter.search import Search
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.table import CAMERA, Fits
from pymaf_data.geometry.cameras import full_frame
from pymaf_data.geometry.joints import SMPL24
from pymaf_data.geometry.rotations import matrix_to_axis_angle

Progress = Callable[[int], None]


class KeypointFitter:
    """Fits one body; holds what does not depend on persons.

    Args:
        body: the body that the fits will belong to, on the CPU.
        options: see :class:`KeypointOptions`.
    """

    def __init__(self, body: BodyModel, options: KeypointOptions) -> None:
        self.options, self.rig = options, KeypointRig.of(body)
        self.search = Search(self.rig, options.search)

    @torch.no_grad()
    def fit(self, persons: Persons, progress: Progress | None = None) -> Fits:
        """Fit every person whose labels suffice; ``progress`` is told how many are done.

        A result depends on the person alone; who else is given changes it by rounding at most (1e-8).
        """
        code = refusals(persons, self.options)
        rows = np.flatnonzero(code == 0)
        fits = Fits.empty(len(persons), "too few keypoints", CAMERA)
        fits.reason[:] = code
        for first in range(0, len(rows), self.options.batch):
            batch = rows[first : first + self.options.batch]
            self._fill(fits, batch, persons[batch])
            if progress:
                progress(min(first + self.options.batch, len(rows)))
        return fits

    def _fill(self, fits: Fits, rows: np.ndarray, persons: Persons) -> None:
        found = self.search(observe(persons, self.options)).state
        fits.pose[rows] = self.pose_of(found).numpy()
        fits.betas[rows] = found.betas.numpy()
        # A body turns about its pelvis joint, which stands at J₀(β) before translation.
        shape = torch.cat((torch.ones_like(found.betas[:, :1]), found.betas), 1)
        translation = found.position - shape @ self.rig.rest[0].T
        intrinsics = torch.from_numpy(persons.camera_matrix())
        fits.native[rows] = full_frame(intrinsics, translation).matrix.numpy()

    def pose_of(self, state: State) -> torch.Tensor:
        """(B, 72) axis-angle of a state."""
        local, _, _ = self.rig.local_rotations(state.angles)
        pose = torch.eye(3, dtype=local.dtype).repeat(len(local), len(SMPL24), 1, 1)
        pose[:, self.rig.turning], pose[:, 0] = local, state.root
        return matrix_to_axis_angle(pose).flatten(1)
