"""Bodies of a video made steadier: a 1 € filter of each person's parameters, forward in time, so memory is bounded.

Low-pass with a cutoff that rises with speed (Casiez et al., "1 € Filter", CHI 2012): who stands still is calmed, who
moves fast is hardly held back. What is filtered is what has a meaning from frame to frame: joint rotations, the shape,
and where and how large the body is in the *image*, for the box under π is another one in every frame. A root that turns
faster than a person can is held before it is filtered.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pymaf_data.geometry.affines import Floats

from .seen import Seen
from .tracks import LOST
from .turning import Root

_STILL = 1.5  # Hz, the cutoff of what does not move
_SPEEDS = 1.0  # Hz, the cutoff of speeds themselves
#: By how many Hz the cutoff rises with each rad/s of a joint, metre-sized part of the image, or unit of the shape.
_PER_SPEED = {"rotation": 0.7, "betas": 0.0, "place": 1.0}


@dataclass(eq=False)
class _Track:
    frame: int
    root: Root
    values: dict[str, Floats]
    speeds: dict[str, Floats]


class Smoother:
    """Filters the persons of one video, frame after frame.

    Args:
        rate: frames per second.
    """

    def __init__(self, rate: float) -> None:
        self._rate, self._tracks = rate, dict[int, _Track]()

    def __call__(self, seen: Seen, rotation: Floats, betas: Floats, pi: Floats) -> tuple[Floats, Floats, Floats]:
        """The parameters of a frame's persons, (K, 24, 3, 3), (K, 10), (K, 3), smoothed; frames come in their order."""
        values = {"rotation": rotation, "betas": betas, "place": _place(pi, seen.box)}
        smooth = {name: array.copy() for name, array in values.items()}
        self._tracks = {n: track for n, track in self._tracks.items() if self._since(track.frame, seen) <= LOST}
        for k, person in enumerate(seen.persons):
            own = {name: array[k] for name, array in values.items()}
            track = self._tracks.get(person.track)
            if track is None:
                still = {name: np.zeros(len(_rows(value))) for name, value in own.items()}
                track = _Track(seen.frame, Root(rotation[k, 0], seen.frame / self._rate), own, still)
                self._tracks[person.track] = track
            else:
                self._follow(track, own, seen)
            for name, array in smooth.items():
                array[k] = track.values[name]
        return smooth["rotation"], smooth["betas"], _pi(smooth["place"], seen.box)

    def _follow(self, track: _Track, own: dict[str, Floats], seen: Seen) -> None:
        elapsed = self._since(track.frame, seen)
        root = track.root(own["rotation"][0], seen.frame / self._rate)
        own = own | {"rotation": np.concatenate([root[None], own["rotation"][1:]])}
        for name, value in own.items():
            before, now = _rows(track.values[name]), _rows(value)
            speed = np.linalg.norm(now - before, axis=1) / elapsed
            track.speeds[name] += _share(_SPEEDS, elapsed) * (speed - track.speeds[name])
            share = _share(_STILL + _PER_SPEED[name] * track.speeds[name], elapsed)
            track.values[name] = (before + share[:, None] * (now - before)).reshape(value.shape)
        track.values["rotation"] = _nearest_rotation(track.values["rotation"])
        track.frame = seen.frame

    def _since(self, frame: int, seen: Seen) -> float:
        """Seconds."""
        return (seen.frame - frame) / self._rate


def _rows(value: Floats) -> Floats:
    """A joint, or all of the rest, a row."""
    return value.reshape(24, 9) if value.shape == (24, 3, 3) else value[None]


def _share(cutoff: Floats | float, elapsed: float) -> Floats:
    """How much of the new a low-pass of this cutoff takes after that time."""
    reach = 2 * math.pi * np.asarray(cutoff) * elapsed
    share: Floats = reach / (1 + reach)
    return share


def _place(pi: Floats, box: Floats) -> Floats:
    """(K, 3) where a body's origin is seen in the image and how large a metre is there, in box sides of about now."""
    scale, (s, tx, ty) = box[:, 2] / 2, pi.T
    metre = np.maximum(s, 1e-3) * scale
    return np.stack([np.log(metre), (box[:, 0] + s * tx * scale) / metre, (box[:, 1] + s * ty * scale) / metre], 1)


def _pi(place: Floats, box: Floats) -> Floats:
    """Weak cameras (K, 3) of boxes from :func:`_place`."""
    metre = np.exp(place[:, 0])
    return np.stack([2 * metre / box[:, 2], place[:, 1] - box[:, 0] / metre, place[:, 2] - box[:, 1] / metre], 1)


def _nearest_rotation(matrices: Floats) -> Floats:
    """The rotations (24, 3, 3) closest to what came of averaging some."""
    u, _, vt = np.linalg.svd(matrices)
    u[..., -1] *= np.linalg.det(u @ vt)[..., None]
    rotation: Floats = u @ vt
    return rotation
