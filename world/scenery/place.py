"""A place: what stands and lies in it, what it is lit by, and what an empty image of it shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_data.world.light import Light
from pymaf_data.world.scenery.shade import Air, Decals, Materials
from pymaf_data.world.scenery.sky import Sky
from pymaf_data.world.scenery.visible import Patches
from pymaf_data.world.things import Thing


@dataclass(frozen=True)
class Surfaces:
    """What each pixel of an empty place shows, at the image's own resolution.

    Args:
        albedo: (H, W, 3) float32 linear; darker in corners and brighter near lamps than the paint itself.
        normal: (H, W, 3) float32 world unit normals towards the camera; zeros where ``lit`` is false.
        point: (H, W, 3) float32 world metres; finite, without meaning where ``lit`` is false.
        emission: (H, W, 3) float32 linear radiance that is added unlit: sky, windows, reflections, haze.
        lit: (H, W) bool, false where only emission counts.
        catches: (H, W) bool for a photograph, else none: where an unseen ground catches shadows. There ``normal`` and
            ``point`` are the ground's; the image itself is in ``emission`` and, once more, in ``albedo``.
    """

    albedo: np.ndarray
    normal: np.ndarray
    point: np.ndarray
    emission: np.ndarray
    lit: np.ndarray
    catches: np.ndarray | None = None


@dataclass(frozen=True)
class Shell:
    """The planes of a place with all that is painted on them, and the sky behind."""

    patches: Patches
    materials: Materials
    decals: Decals
    air: Air
    sky: Sky


@dataclass(frozen=True)
class Place:
    """Somewhere for people to be.

    Args:
        kind: "living room", "street", …
        light: what lights people, things and planes.
        things: furniture, cars, trees, … in the world, standing on the ground.
        clear: (N, 3) x, z, radius in metres: the discs of ground that were kept free.
        shell: what :func:`pymaf_data.world.scenery.painting.paint` draws; none for a photograph.
        photograph: (h, w, 3) uint8 sRGB of the user's, or none.
    """

    kind: str
    light: Light
    things: tuple[Thing, ...]
    clear: np.ndarray
    shell: Shell | None = None
    photograph: np.ndarray | None = None
