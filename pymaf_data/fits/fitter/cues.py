"""What visibility says about a pose: a face that was labelled faces the camera, a hidden shoulder is the far one.

Annotators mark each keypoint as seen, as hidden (position guessed) or not at all. For a candidate body the hidden
points are predicted: those of the face by which way they look, those of the body by capsules (trunk, head, limbs) that
stand between them and the camera. The energy is −log likelihood of the marks. It is not smooth, so it chooses among
fitted candidates and never drives one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pymaf_data.fits.fitter.objective import Observation
from pymaf_data.fits.fitter.rig import Posed
from pymaf_data.geometry.joints import J24, SMPL24

# How often a mark is "seen" where the point is in the open and where the body itself hides it. Other people and things
# hide points too (hence 0.9), and annotators guess (hence 0.35).
_SEEN_OPEN, _SEEN_HIDDEN = 0.9, 0.35
_FACE_SEEN_OPEN, _FACE_SEEN_HIDDEN = 0.95, 0.06

_FACE: dict[str, tuple[float, float, float]] = {
    "nose": (0.0, 0.0, 1.0),
    "left_eye": (0.35, 0.0, 0.94),
    "right_eye": (-0.35, 0.0, 0.94),
    "left_ear": (0.98, 0.0, -0.17),
    "right_ear": (-0.98, 0.0, -0.17),
}
"""Outward directions of face points in the head's rest frame."""


@dataclass(frozen=True)
class Capsule:
    """A part that hides others: its two joints, its radius in metres, and the J24 points that lie on it."""

    ends: tuple[str, str]
    radius: float
    own: tuple[str, ...]


def _sides(capsule: Capsule) -> tuple[Capsule, Capsule]:
    other = tuple(name.replace("left_", "right_") for name in capsule.own)
    a, b = (name.replace("left_", "right_") for name in capsule.ends)
    return capsule, Capsule((a, b), capsule.radius, other)


_CAPSULES = (
    Capsule(("pelvis", "neck"), 0.115, ("left_hip", "right_hip", "left_shoulder", "right_shoulder")),
    Capsule(("neck", "head"), 0.08, ()),
    *_sides(Capsule(("left_hip_smpl", "left_knee"), 0.07, ("left_hip", "left_knee"))),
    *_sides(Capsule(("left_knee", "left_ankle"), 0.05, ("left_knee", "left_ankle"))),
    *_sides(Capsule(("left_shoulder", "left_elbow"), 0.045, ("left_shoulder", "left_elbow"))),
    *_sides(Capsule(("left_elbow", "left_wrist"), 0.038, ("left_elbow", "left_wrist"))),
)
_BODY = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_POINTS = tuple(f"{side}_{name}" for name in _BODY for side in ("left", "right"))


class Cues:
    """Energies of the visibility marks for posed rigs of J24."""

    def __init__(self) -> None:
        self._face = torch.tensor([J24.index(name) for name in _FACE])
        self._normals = torch.tensor(list(_FACE.values()), dtype=torch.float64)
        self._points = torch.tensor([J24.index(name) for name in _POINTS])
        ends = [[SMPL24.index(name) for name in capsule.ends] for capsule in _CAPSULES]
        self._ends = torch.tensor(ends)
        self._radius = torch.tensor([capsule.radius for capsule in _CAPSULES], dtype=torch.float64)
        foreign = [[name not in capsule.own for capsule in _CAPSULES] for name in _POINTS]
        self._foreign = torch.tensor(foreign)

    def energy(self, posed: Posed, seen: Observation) -> Tensor:
        """−log likelihood (B,) of the marks."""
        return self._face_energy(posed, seen) + self._body_energy(posed, seen)

    def _face_energy(self, posed: Posed, seen: Observation) -> Tensor:
        marks = seen.visibility[:, self._face]
        head = posed.rotations[:, SMPL24.index("head")]
        normals = (head @ self._normals.T).transpose(1, 2)
        ray = posed.points[:, self._face]
        towards = -(normals * ray).sum(-1) / ray.norm(dim=-1).clamp_min(1e-6)
        # Half visible at a grazing angle, decided within about ±10°; an unlabelled face point counts as not seen.
        return _mark_energy(torch.sigmoid((towards + 0.1) / 0.1), marks == 2, _FACE_SEEN_OPEN, _FACE_SEEN_HIDDEN).sum(
            -1
        )

    def _body_energy(self, posed: Posed, seen: Observation) -> Tensor:
        marks = seen.visibility[:, self._points]
        hidden = self._hidden(posed.points[:, self._points], posed.joints[:, self._ends])
        energy = _mark_energy(1 - hidden, marks == 2, _SEEN_OPEN, _SEEN_HIDDEN)
        return torch.where(marks > 0, energy, torch.zeros_like(energy)).sum(-1)

    def _hidden(self, points: Tensor, ends: Tensor) -> Tensor:
        """(B, P) from 0 to 1: how surely a capsule (B, C, 2, 3) stands between a point (B, P, 3) and the camera."""
        ray = points / points.norm(dim=-1, keepdim=True).clamp_min(1e-6)
        start, along = ends[:, None, :, 0], (ends[:, :, 1] - ends[:, :, 0])[:, None]
        # Nearest point of the capsule's axis to the ray: the parameter on the axis, held within its ends.
        across_along = along - (along * ray[:, :, None]).sum(-1, keepdim=True) * ray[:, :, None]
        across_start = start - (start * ray[:, :, None]).sum(-1, keepdim=True) * ray[:, :, None]
        place = -(across_start * across_along).sum(-1) / across_along.square().sum(-1).clamp_min(1e-9)
        nearest = start + place.clamp(0, 1)[..., None] * along
        depth = (nearest * ray[:, :, None]).sum(-1)
        gap = (nearest - depth[..., None] * ray[:, :, None]).norm(dim=-1)
        before = points.norm(dim=-1)[..., None] - depth - self._radius
        covered = torch.sigmoid((self._radius - gap) / 0.012) * torch.sigmoid(before / 0.02)
        return torch.where(self._foreign, covered, torch.zeros_like(covered)).amax(-1)


def _mark_energy(open_: Tensor, marked: Tensor, when_open: float, when_hidden: float) -> Tensor:
    chance = open_ * when_open + (1 - open_) * when_hidden
    energy = -torch.where(marked, chance, 1 - chance).log()
    return energy + math.log(when_open)
