"""What people wear: colours of the body's faces by atlas part, with hair, eyes, waist line and a patterned top."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from pymaf_data.body import BodyModel
from pymaf_data.body.names import LANDMARKS
from pymaf_data.geometry.joints import SMPL24
from pymaf_data.render import Atlas
from pymaf_data.sample.backdrop import colour

_TORSO, _HANDS, _FEET, _HEAD = (1, 2), (3, 4), (5, 6), (23, 24)
_UPPER_LEG, _LOWER_LEG = (7, 8, 9, 10), (11, 12, 13, 14)
_UPPER_ARM, _LOWER_ARM = (15, 16, 17, 18), (19, 20, 21, 22)
_SKIN = np.array(
    [[0.95, 0.80, 0.70], [0.89, 0.70, 0.57], [0.78, 0.57, 0.43], [0.61, 0.42, 0.30], [0.42, 0.28, 0.20]], np.float32
)
_HAIR = np.array([[0.07, 0.06, 0.06], [0.18, 0.11, 0.07], [0.36, 0.22, 0.12], [0.68, 0.52, 0.30], [0.55, 0.55, 0.55]])


@dataclass(frozen=True)
class Outfit:
    """What one person wears.

    Args:
        albedo: (F, 3) float32 of each face; the top's colour on the torso.
        torso: (F,) bool, faces that change to ``bottom`` (3,) below the rest height ``waist``.
        striped: (F,) bool, faces of the top with stripes of colour ``stripe`` (3,), ``pitch`` metres apart.
    """

    albedo: np.ndarray
    torso: np.ndarray
    bottom: np.ndarray
    waist: float
    striped: np.ndarray
    stripe: np.ndarray
    pitch: float

    def colours(self, face: np.ndarray, height: np.ndarray) -> np.ndarray:
        """Albedo (P, 3) of points on faces (P,) at heights (P,) of the rest pose, metres."""
        albedo = self.albedo[face]
        albedo[self.striped[face] & (height % self.pitch < self.pitch / 2)] = self.stripe
        albedo[self.torso[face] & (height < self.waist)] = self.bottom
        return albedo


class Wardrobe:
    """Knows where on the body things go; one per body."""

    def __init__(self, body: BodyModel, atlas: Atlas) -> None:
        rest = body.v_template.double().numpy()
        faces = body.faces.numpy()
        self.part = np.asarray(atlas.face_part)
        self.centre = rest[faces].mean(1)
        self.height = rest[:, 1]
        joints = dict(zip(SMPL24.joints, body.J_regressor.double().numpy() @ rest, strict=True))
        points = dict(zip(LANDMARKS, rest[body._landmarks.numpy()], strict=True))
        self._waist = float(joints["spine1"][1])
        head = np.isin(self.part, _HEAD)
        eye, ear = points["left_eye"], points["left_ear"]
        above, behind = self.centre[:, 1], self.centre[:, 2]
        forehead = above > eye[1] + 0.055
        temples = (above > ear[1] + 0.03) & (behind < ear[2] + 0.03)
        nape = (above > ear[1] - 0.06) & (behind < ear[2] - 0.005)
        crown = forehead | temples | nape
        self._hair = head & crown
        near = [np.linalg.norm(self.centre - points[f"{side}_eye"], axis=1) < 0.012 for side in ("left", "right")]
        self._eyes = head & (near[0] | near[1])

    def dress(self, rng: Generator) -> Outfit:
        """Draw one outfit."""
        skin = _SKIN[rng.integers(len(_SKIN))] * rng.uniform(0.92, 1.05)
        albedo = np.tile(skin.astype(np.float32), (len(self.part), 1))
        top = colour(rng, (0.1, 0.85), (0.25, 0.95))
        bottom = colour(rng, (0.05, 0.6), (0.12, 0.6))
        sleeves = rng.choice(3, p=[0.15, 0.5, 0.35])
        torso = np.isin(self.part, _TORSO)
        shirt = torso.copy()
        if sleeves >= 1:
            shirt |= np.isin(self.part, _UPPER_ARM)
        if sleeves == 2:
            shirt |= np.isin(self.part, _LOWER_ARM)
        trousers = np.isin(self.part, _UPPER_LEG)
        if rng.random() < 0.7:
            trousers |= np.isin(self.part, _LOWER_LEG)
        albedo[shirt], albedo[trousers] = top, bottom
        albedo[np.isin(self.part, _FEET)] = colour(rng, (0.0, 0.7), (0.1, 0.9))
        if rng.random() < 0.92:
            albedo[self._hair] = _HAIR[rng.integers(len(_HAIR))]
        albedo[self._eyes] = (0.08, 0.06, 0.06)
        striped = shirt & (rng.random() < 0.35)
        stripe, pitch = colour(rng, (0.1, 0.8), (0.3, 1.0)), float(rng.uniform(0.05, 0.14))
        return Outfit(albedo, torso, bottom, self._waist + rng.normal(0, 0.015), striped, stripe, pitch)
