"""Places for people to be: rooms, streets, open air, made from chance; or the user's photographs.

draw_place  a place around the people: planes, things, light      paint  what an empty image of it shows
rooms, streets, open_air     kinds of places          furniture, street_things, greenery   what stands in them
plan, scatter                building one             weather      light and sky
materials, palette, patterns what planes are made of  photographs  the user's own backgrounds
visible, shade, sky          the kernels
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from pymaf_data.errors import UsageError
from pymaf_data.world.scenery.open_air import draw_beach, draw_field, draw_garden, draw_park, draw_pitch, draw_wood
from pymaf_data.world.scenery.painting import paint
from pymaf_data.world.scenery.photographs import Photographs, open_backgrounds
from pymaf_data.world.scenery.place import Place, Surfaces
from pymaf_data.world.scenery.rooms import draw_room
from pymaf_data.world.scenery.streets import draw_car_park, draw_square, draw_street

if TYPE_CHECKING:
    from pymaf_data.world.view import View

__all__ = ["KINDS", "Photographs", "Place", "Surfaces", "draw_place", "open_backgrounds", "paint"]

Drawer = Callable[[Generator, "View", np.ndarray, str], Place]

_TRAIN: dict[str, tuple[float, Drawer]] = {
    "living room": (1.0, draw_room),
    "bedroom": (0.7, draw_room),
    "office": (1.0, draw_room),
    "corridor": (0.6, draw_room),
    "gym hall": (0.8, draw_room),
    "shop": (0.6, draw_room),
    "street": (2.2, draw_street),
    "square": (1.0, draw_square),
    "car park": (0.7, draw_car_park),
    "field": (1.0, draw_field),
    "park": (1.5, draw_park),
    "pitch": (1.2, draw_pitch),
}
_VAL: dict[str, tuple[float, Drawer]] = {
    "kitchen": (1.0, draw_room),
    "workshop": (0.8, draw_room),
    "library": (0.7, draw_room),
    "courtyard": (1.0, draw_square),
    "garden": (1.0, draw_garden),
    "beach": (1.0, draw_beach),
    "forest edge": (1.0, draw_wood),
}
_DRAWERS = {"train": _TRAIN, "val": _VAL}

KINDS: dict[str, tuple[str, ...]] = {split: tuple(drawers) for split, drawers in _DRAWERS.items()}
"""Kinds of places of each split; none is in both."""


def draw_place(rng: Generator, view: View, spots: np.ndarray, split: str) -> Place:
    """Draw a place around people.

    Args:
        rng: the only source of chance.
        view: the camera.
        spots: (N, 3) x, z and radius in metres of the discs of ground that people need; walls lie outside of them and
            things keep clear.
        split: whose kinds of places to draw from, a key of :data:`KINDS`.

    Returns:
        The place; its things stand on the ground, and a few may hide a part of somebody.

    Raises:
        UsageError: no such split.
    """
    if split not in _DRAWERS:
        raise UsageError(
            f"unknown split {split!r}.", expected=f"one of {', '.join(_DRAWERS)}.", action="name one of them."
        )
    drawers = _DRAWERS[split]
    weights = np.array([weight for weight, _ in drawers.values()])
    kind = tuple(drawers)[rng.choice(len(drawers), p=weights / weights.sum())]
    return draw_kind(rng, view, spots, split, kind)


def draw_kind(rng: Generator, view: View, spots: np.ndarray, split: str, kind: str) -> Place:
    """A place of one kind of a split's."""
    return _DRAWERS[split][kind][1](rng, view, np.asarray(spots, np.float64).reshape(-1, 3), kind)
