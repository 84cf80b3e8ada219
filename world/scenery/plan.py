"""A place in the making: planes, marks, lamps and things are added one by one, in the place's own frame.

The frame is the world turned about the vertical through the camera: walls and roads run along its x and z, and
nothing in an image need stand square to the camera. Metres; y up, ground y = 0.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from pymaf_data.world.light import Light
from pymaf_data.world.scenery.materials import Material
from pymaf_data.world.scenery.place import Place, Shell
from pymaf_data.world.scenery.shade import Air, Decals, Materials
from pymaf_data.world.scenery.sky import Sky
from pymaf_data.world.scenery.solids import Point
from pymaf_data.world.scenery.stock import Loan
from pymaf_data.world.scenery.visible import RECTANGLE, SKYLINE, Patches
from pymaf_data.world.things import Thing

if TYPE_CHECKING:
    from pymaf_data.world.view import View

Dark = tuple[float, float, float, float]
"""Share of the light that a patch loses along u = 0, u = end, v = 0, v = end."""

_ELBOW = 0.9  # metres around the camera in which nothing stands
_TRIALS = 12


def turning(angle: float) -> np.ndarray:
    """Rotation (3, 3) about y by ``angle`` radians, z towards x."""
    c, s = float(np.cos(angle)), float(np.sin(angle))
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


class Plan:
    """Collects what a place is made of.

    Args:
        rng: the only source of chance.
        view: the camera.
        spots: (N, 3) x, z, radius in the world, to be kept free.
        yaw: radians by which the place's frame is turned against the world.
    """

    def __init__(self, rng: Generator, view: View, spots: np.ndarray, yaw: float) -> None:
        self.rng = rng
        self.world = np.asarray(spots, np.float64).reshape(-1, 3)
        self.turn = turning(yaw)
        self.eye = float(view.centre[1])
        flat = np.stack([self.world[:, 0], np.zeros(len(self.world)), self.world[:, 1]], 1) @ self.turn
        self.spots = np.stack([flat[:, 0], flat[:, 2], self.world[:, 2]], 1)
        forward = view.rotation[2] @ self.turn
        self.ahead = forward[[0, 2]] / max(float(np.hypot(forward[0], forward[2])), 1e-6)
        self.half_width = float(view.size[0] / 2 / view.intrinsics[0, 0])
        self.things: list[Thing] = []
        self._taken: list[tuple[float, float, float]] = []
        self._screens: list[tuple[float, float, float, float]] = []
        self._materials: list[Material] = []
        self._patches: list[tuple[np.ndarray, ...]] = []
        self._decals: list[tuple[np.ndarray, np.ndarray, float, float]] = []
        self._lamps: list[np.ndarray] = []

    def bounds(self, margin: float) -> tuple[float, float, float, float]:
        """x0, x1, z0, z1 around the camera and everybody's disc, with a margin."""
        x, z, r = self.spots.T
        return (
            min(float((x - r).min(initial=0.0)), -0.4) - margin,
            max(float((x + r).max(initial=0.0)), 0.4) + margin,
            min(float((z - r).min(initial=0.0)), -1.0) - margin,
            max(float((z + r).max(initial=0.0)), 0.4) + margin,
        )

    def reach(self) -> float:
        """Metres from the camera to the farthest edge of anybody's disc, at least 2."""
        return max(2.0, float((np.hypot(self.spots[:, 0], self.spots[:, 1]) + self.spots[:, 2]).max(initial=2.0)))

    # Planes.

    def use(self, material: Material) -> int:
        """Register a material; its number."""
        self._materials.append(material)
        return len(self._materials) - 1

    def patch(self, corner: Point, side_u: Point, side_v: Point, material: int, *, dark: Dark = (0, 0, 0, 0),
              ragged: tuple[float, float] | None = None) -> int:  # fmt: skip
        """Add a rectangle.

        Args:
            corner: where u = v = 0.
            side_u: the side along u, as long as it is.
            side_v: the side along v, at a right angle.
            material: number of its material.
            dark: share of the light that is lost along u = 0, u = end, v = 0, v = end.
            ragged: depth of an uneven upper edge as a share of the height, and metres of its period.

        Returns:
            The patch's number.
        """
        u, v = np.asarray(side_u, np.float64), np.asarray(side_v, np.float64)
        size = np.array([np.linalg.norm(u), np.linalg.norm(v)])
        unit = (u / size[0], v / size[1])
        edge = np.zeros(3) if ragged is None else np.array([*ragged, 512 * self.rng.random()])
        shape = RECTANGLE if ragged is None else SKYLINE
        row = (np.asarray(corner, np.float64), *unit, size, np.array([material, shape]), edge, np.asarray(dark, float))
        self._patches.append(row)
        return len(self._patches) - 1

    def floor(self, x0: float, x1: float, z0: float, z1: float, material: int, y: float = 0.0,
              dark: float = 0.0) -> int:  # fmt: skip
        """A horizontal rectangle; u runs along x, v along −z."""
        return self.patch((x0, y, z1), (x1 - x0, 0, 0), (0, 0, z0 - z1), material, dark=(dark,) * 4)

    def wall(self, start: tuple[float, float], end: tuple[float, float], low: float, high: float, material: int,
             dark: Dark = (0, 0, 0, 0), ragged: tuple[float, float] | None = None
             ) -> int:  # fmt: skip
        """An upright rectangle over the ground line from (x, z) to (x, z); u runs along it, v up."""
        side = (end[0] - start[0], 0.0, end[1] - start[1])
        if low < 0.2 and high > 0.4:
            self._screens.append((*start, *end))
        return self.patch((start[0], low, start[1]), side, (0, high - low, 0), material, dark=dark, ragged=ragged)

    def mark(self, colour: np.ndarray, u0: float, u1: float, v0: float, v1: float, *, strength: float = 1.0,
             wear: float = 0.0) -> None:  # fmt: skip
        """Paint a rectangle on the patch that was added last."""
        self._decals.append((np.array([u0, u1, v0, v1, 0.0]), colour, strength, wear))
        self._count_decal()

    def ring(self, colour: np.ndarray, u: float, v: float, radius: float, width: float, wear: float = 0.0) -> None:
        """Paint a circle's line on the patch that was added last."""
        self._decals.append((np.array([u, v, radius, width, 1.0]), colour, 1.0, wear))
        self._count_decal()

    def _count_decal(self) -> None:
        row = list(self._patches[-1])
        first, count = (len(self._decals) - 1, 0) if len(row) < 8 else (int(row[7][0]), int(row[7][1]))
        self._patches[-1] = (*row[:7], np.array([first, count + 1]))

    @property
    def has_lamps(self) -> bool:
        """Whether any lamp was added."""
        return bool(self._lamps)

    def lamp(self, x: float, y: float, z: float, bright: float, reach: float) -> None:
        """A lamp whose light the planes near it show."""
        self._lamps.append(np.array([*(np.array([x, y, z]) @ self.turn.T), bright, reach]))

    # Things.

    def free(self, x: float, z: float, radius: float, slack: float = 0.05) -> bool:
        """Whether a disc keeps clear of people, of the camera and of other things."""
        if np.hypot(x, z) < radius + _ELBOW:
            return False
        discs = [*self.spots.tolist(), *self._taken]
        return all(np.hypot(x - a, z - b) > radius + r + slack for a, b, r in discs)

    def behind(self, x: float, z: float) -> bool:
        """Whether an upright patch stands before a point of the ground; things are drawn over patches."""
        for ax, az, bx, bz in self._screens:
            across = x * (bz - az) - z * (bx - ax)
            if abs(across) < 1e-9:
                continue
            along = (ax * (bz - az) - az * (bx - ax)) / across  # where the line of sight meets the wall's line
            at = (ax * z - az * x) / across
            if 0.0 < along < 1.0 and 0.0 <= at <= 1.0:
                return True
        return False

    def hides(self, x: float, z: float, radius: float) -> bool:
        """Whether a disc stands before somebody, as the camera sees it."""
        here = np.array([x, z])
        for a, b, r in self.spots:
            far = float(np.hypot(a, b))
            along = float(here @ [a, b]) / max(far, 1e-6)
            if not 0 < along < far:
                continue
            off = abs(here[0] * b - here[1] * a) / far
            if off < radius + 0.6 * min(r, 0.6) * along / far:
                return True
        return False

    def seen(self, x: float, z: float, margin: float = 1.0) -> bool:
        """Whether a point of the ground lies within the image's width, with a margin."""
        along = x * self.ahead[0] + z * self.ahead[1]
        across = -x * self.ahead[1] + z * self.ahead[0]
        return along > 0 and abs(across) < self.half_width * along + margin

    def put(self, loan: Loan, x: float, z: float, heading: float = 0.0, y: float = 0.0, radius: float | None = None,
            veil: bool = False) -> bool:  # fmt: skip
        """Stand a thing at (x, z), turned by ``heading`` radians.

        It is left out, and false returned, where its disc (of ``radius``, else its own) is not free, or where it would
        hide people, which ``veil`` allows.
        """
        reach = loan.radius if radius is None else radius
        if not self.free(x, z, reach) or self.behind(x, z) or (not veil and self.hides(x, z, reach)):
            return False
        if any(loan.gap(x, z, heading, a, b) < r for a, b, r in self.spots):
            return False
        self._taken.append((x, z, reach))
        place = loan.thing.moved(loan.scale * self.turn @ turning(heading), self.turn @ [x, y, z])
        self.things.append(replace(place, colours=np.minimum(place.colours * loan.tint, np.float32(0.95))))
        return True

    def take(self, x: float, z: float, radius: float) -> None:
        """Keep a disc free of things."""
        self._taken.append((x, z, radius))

    def before(self, radius: float, height: float) -> tuple[float, float] | None:
        """Where a thing of that radius and height may stand so that it hides a lower part of somebody; or none."""
        for _ in range(_TRIALS):
            if not len(self.spots):
                return None
            a, b, _ = self.spots[self.rng.integers(len(self.spots))]
            far = float(np.hypot(a, b))
            share = self.rng.uniform(0.45, 0.85)
            aside = self.rng.choice([-1, 1]) * self.rng.uniform(0.3, 1.0) * (radius + 0.25)
            x, z = a * share - b / far * aside, b * share + a / far * aside
            top = self.eye + (height - self.eye) / share  # of what it hides at the person
            if top < 1.35 and far * share > 1.2 + radius and self.free(x, z, radius):
                return float(x), float(z)
        return None

    # The end.

    def finish(self, kind: str, light: Light, sky: Sky, *, base: float = 1.0, haze: np.ndarray | None = None,
               density: float = 0.0) -> Place:  # fmt: skip
        """The place in the world's frame."""
        rows = [row if len(row) == 8 else (*row, np.zeros(2)) for row in self._patches]
        corner, u, v, size, codes, ragged, dark, decals = (np.stack(part) for part in zip(*rows, strict=True))
        corner, u, v = (np.ascontiguousarray(part @ self.turn.T) for part in (corner, u, v))
        codes = codes.astype(np.int64)
        patches = Patches(
            corner, u, v, np.cross(u, v), size, np.ascontiguousarray(codes[:, 0]), np.ascontiguousarray(codes[:, 1]),
            ragged, dark, decals.astype(np.int64),
        )  # fmt: skip
        materials = Materials(
            np.array([m.kind for m in self._materials], np.int64),
            np.stack([m.colours for m in self._materials]).astype(np.float64),
            np.stack([m.numbers for m in self._materials]).astype(np.float64),
        )
        air = Air(
            np.array(self._lamps, np.float64).reshape(-1, 5), float(base),
            np.array(sky.horizon if haze is None else haze, np.float64), float(density),
        )  # fmt: skip
        shell = Shell(patches, materials, self._marks(), air, sky)
        return Place(kind, light, tuple(self.things), self.world, shell)

    def _marks(self) -> Decals:
        if not self._decals:
            return Decals(np.zeros((0, 5)), np.zeros((0, 3)), np.zeros(0), np.zeros(0))
        shape, colour, strength, wear = zip(*self._decals, strict=True)
        return Decals(np.stack(shape), np.stack(colour).astype(float), np.array(strength, float), np.array(wear, float))
