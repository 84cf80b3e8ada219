"""What is exported: the persons of a store whose images are there, and their chosen fits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_data.datasets.columns import stored_column
from pymaf_data.fits.chosen import ChosenFits, ChosenReader
from pymaf_data.fits.exported import members
from pymaf_data.fits.persons import Persons
from pymaf_data.geometry.joints import J49, OPENPOSE
from pymaf_data.storage import Store
from pymaf_data.storage.inspect import licences

_DETECTED = sum(joint.startswith(OPENPOSE) for joint in J49.joints)


@dataclass(frozen=True)
class Rows:
    """N persons in a store's order (NumPy).

    Attributes:
        persons: who they are.
        joints3d: (N, 24, 4) metres of J24 from wherever, and a flag; zeros where not measured.
        fits: of them; zeros without one.
        body: (N,) names of the bodies, "" without a fit.
        perspective: (N,) whether a fit's native camera is a pinhole.
        licences: what went in → licence.
        refused: (N,) whether a fit is of a source that the proof refused and --force kept.
        forced: those sources → how many of the fits are theirs.
        absent: persons of the store who are left out, for their images are not there.
    """

    persons: Persons
    joints3d: np.ndarray
    fits: ChosenFits
    body: np.ndarray
    perspective: np.ndarray
    licences: dict[str, str]
    refused: np.ndarray
    forced: dict[str, int]
    absent: int

    def __len__(self) -> int:
        return len(self.persons)

    @classmethod
    def of(cls, store: Store) -> Rows:
        """Read a store.

        Raises:
            StoreIncomplete: shards are missing, or nothing was chosen.
            StoreDamaged: bytes differ from what was committed.
        """
        chosen, arrays = ChosenReader(store), Persons.arrays(store)
        rows = np.flatnonzero(arrays["present"].rows(np.arange(len(store))))
        fits = chosen.read(rows)
        sources = [chosen.source(index) for index in range(len(chosen.names))]
        bodies = np.array([*(str(source.attributes["body"]) for source in sources), ""])  # the last, by −1, is nobody's
        pinhole = np.array([*(chosen.camera(index) == "perspective" for index in range(len(sources))), False])
        used = np.unique(fits.source[fits.valid]).tolist()
        refused = [index for index in used if sources[index].attributes.get("forced")]
        return cls(
            persons=Persons.at(store, arrays, rows),
            joints3d=stored_column(store, "joints3d").rows(rows),
            fits=fits,
            body=bodies[fits.source],
            perspective=pinhole[fits.source],
            licences=licences(store, [sources[index] for index in used]),
            refused=np.isin(fits.source, refused),
            forced={chosen.names[index]: int((fits.source == index).sum()) for index in refused},
            absent=len(store) - len(rows),
        )

    def beyond(self) -> dict[str, np.ndarray]:
        """What formats have no place for: see :mod:`pymaf_data.fits.exported`."""
        return members(self.fits.frame, self.body, self.licences, self.refused)

    def keypoints(self, shift: float) -> tuple[np.ndarray, np.ndarray]:
        """OpenPose's (N, 25, 3) and J24 (N, 24, 3): shifted pixels and confidence; zeros where not labelled."""
        points = self.persons.keypoints.copy()
        points[..., :2] += np.float32(shift)
        points[~(points[..., 2] > 0)] = 0
        return points[:, :_DETECTED], points[:, _DETECTED:]

    def measured(self) -> np.ndarray | None:
        """(N, 24, 4) of 3D joints; None where nobody has any, for trainers take zeros for joints at the origin."""
        return self.joints3d if (self.joints3d[..., 3] > 0).any() else None

    def genders(self) -> np.ndarray | None:
        """(N,) "m" or "f" of the bodies; None where one is neutral, for formats have no letter for that."""
        letters = {"smpl-male": "m", "smpl-female": "f"}
        if not self.fits.valid.any() or not {*self.body[self.fits.valid].tolist()} <= {*letters}:
            return None
        return np.array([letters.get(body, "") for body in self.body.tolist()])
