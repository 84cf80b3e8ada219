"""What hangs on the walls of rooms: windows with curtains, doors, pictures, shelves, tiles, sockets."""

from __future__ import annotations

import numpy as np

from pymaf_data.world.scenery import materials
from pymaf_data.world.scenery import palette as paint_box
from pymaf_data.world.scenery.palette import pick
from pymaf_data.world.scenery.plan import Dark, Plan


class Fixtures:
    """Puts things on a wall of a room where nothing is yet.

    Args:
        plan: of the room.
        start: x, z of the wall's first corner.
        along: (2,) unit x, z along it.
        length: of the wall, metres.
        top: its height, metres.
    """

    def __init__(self, plan: Plan, start: tuple[float, float], along: np.ndarray, length: float, top: float) -> None:
        self.plan, self.start, self.along, self.length, self.top = plan, np.array(start), along, length, top
        inner = np.array([-along[1], along[0]])
        self.inner = inner if float(inner @ (-self.start - along * length / 2)) > 0 else -inner
        self.taken: list[tuple[float, float]] = []

    def room_for(self, wide: float) -> float | None:
        """Where along the wall a width is free, or none."""
        if self.length < wide + 0.3:
            return None
        for _ in range(8):
            at = float(self.plan.rng.uniform(0.15, self.length - wide - 0.15))
            if all(at > b + 0.1 or at + wide < a - 0.1 for a, b in self.taken):
                self.taken.append((at, at + wide))
                return at
        return None

    def hang(self, at: float, wide: float, low: float, high: float, material: int, off: float = 0.012,
             dark: Dark = (0, 0, 0, 0)) -> None:  # fmt: skip
        """A rectangle that far before the wall."""
        a = self.start + self.along * at + self.inner * off
        b = a + self.along * wide
        self.plan.wall((a[0], a[1]), (b[0], b[1]), low, high, material, dark=dark)

    def frame(
        self, at: float, wide: float, low: float, high: float, colour: np.ndarray, rim: float, off: float
    ) -> None:
        """A raised border around an opening."""
        m = self.plan.use(materials.mottled(self.plan.rng, colour, uneven=0.02))
        for a, w, lo, hi in (
            (at - rim, rim, low, high + rim), (at + wide, rim, low, high + rim), (at, wide, high, high + rim),
        ):  # fmt: skip
            self.hang(a, w, lo, hi, m, off)

    def windows(self) -> bool:
        """One to three windows of a kind."""
        rng, plan = self.plan.rng, self.plan
        wide, low = rng.uniform(0.8, 2.0), rng.uniform(0.3, 1.0)
        high = min(self.top - 0.25, low + rng.uniform(1.1, 1.6))
        if self.top > 5:
            low, high, wide = self.top - 2.6, self.top - 0.6, rng.uniform(1.5, 3.0)
        frame = pick(rng, paint_box.WHITES if rng.random() < 0.7 else paint_box.WOODS)
        glass = plan.use(
            materials.outlook(rng, frame, (int(rng.integers(1, 4)), int(rng.integers(1, 3))), rng.uniform(0.9, 2.2))
        )
        cloth_colour = pick(rng, paint_box.FABRICS if rng.random() < 0.5 else paint_box.WALLS)
        curtain = plan.use(
            materials.striped(rng, cloth_colour, cloth_colour * 0.8, 0.13, wave=0.28, bend=0.05, rough=0.06)
        )
        drawn = rng.random() < 0.5
        made = False
        for _ in range(rng.integers(1, 4)):
            at = self.room_for(wide + 0.1)
            if at is None:
                break
            made = True
            self.hang(at, wide, low, high, glass, 0.01)
            self.frame(at, wide, low, high, frame, 0.07, 0.03)
            sill = self.start + self.along * (at - 0.1) + self.inner * 0.01
            side, out = self.along * (wide + 0.2), self.inner * 0.16
            ledge = plan.use(materials.mottled(rng, frame * 0.95, uneven=0.02))
            plan.patch((sill[0], low, sill[1]), (side[0], 0, side[1]), (out[0], 0, out[1]), ledge)
            self.hang(at - 0.1, wide + 0.2, low - 0.035, low, ledge, 0.17)
            if drawn:
                foot = 0.03 if rng.random() < 0.6 else low - 0.15
                width = rng.uniform(0.18, 0.4)
                self.hang(max(at - 0.25, 0.0), width, foot, min(high + 0.2, self.top), curtain, 0.1)
                self.hang(
                    min(at + wide + 0.25, self.length) - width, width, foot, min(high + 0.2, self.top), curtain, 0.1
                )
        return made

    def door(self) -> None:
        """A door in its frame."""
        rng, plan = self.plan.rng, self.plan
        wide, high = rng.uniform(0.8, 0.95), rng.uniform(2.0, 2.1)
        at = self.room_for(wide + 0.2)
        if at is None or high > self.top - 0.1:
            return
        colour = pick(rng, paint_box.WHITES if rng.random() < 0.6 else paint_box.WOODS)
        rows = int(rng.choice([1, 2, 3]))
        leaf = materials.panelled(
            rng, colour, int(rng.integers(1, 3)) if rows > 1 else 1, rows, groove=0.02, grain=0.08
        )
        if rows == 1:
            leaf = materials.panelled(rng, colour, 1, 1, rim=0.0, groove=0.0, handle=1.02, grain=0.1)
        self.hang(at + 0.1, wide, 0.0, high, plan.use(leaf), 0.012)
        if rows > 1:
            steel = pick(rng, paint_box.METALS)
            plan.mark(steel, wide - 0.14, wide - 0.04, 1.01, 1.035)
            plan.mark(steel * 0.8, wide - 0.075, wide - 0.045, 0.95, 1.09, strength=0.7)
        self.frame(at + 0.1, wide, 0.0, high, colour * 0.96, 0.07, 0.025)

    def picture(self) -> None:
        """Something framed, with its shadow on the wall."""
        rng, plan = self.plan.rng, self.plan
        wide, tall = rng.uniform(0.25, 1.1), rng.uniform(0.3, 0.9)
        at, low = self.room_for(wide), rng.uniform(1.15, 1.5)
        if at is None or low + tall > self.top - 0.1:
            return
        dusk = plan.use(materials.mottled(rng, np.full(3, 0.16), uneven=0.0, rough=0.0))
        self.hang(at + 0.012, wide, low - 0.018, low + 0.1, dusk, 0.006)
        self.hang(at, wide, low, low + tall, plan.use(materials.picture(rng)), 0.02)

    def shelves(self) -> None:
        """Books from the floor to above the head, over most of the wall."""
        rng = self.plan.rng
        wide = min(self.length - 0.4, rng.uniform(1.6, 6.0))
        at = self.room_for(wide)
        if at is None:
            return
        high = min(self.top - 0.2, rng.uniform(1.8, 2.4))
        wood = pick(rng, paint_box.WOODS)
        self.hang(at, wide, 0.0, high, self.plan.use(materials.books(rng, wood)), 0.25)
        plain = self.plan.use(materials.mottled(rng, wood, fine=2, rough=0.1))
        for end in (at, at + wide):
            a = self.start + self.along * end
            b = a + self.inner * 0.27
            self.plan.wall((a[0], a[1]), (b[0], b[1]), 0.0, high + 0.02, plain)
        a = self.start + self.along * at
        side, out = self.along * wide, self.inner * 0.27
        self.plan.patch((a[0], high, a[1]), (side[0], 0, side[1]), (out[0], 0, out[1]), plain)

    def wainscot(self) -> None:
        """Tiles or boards on the lower wall."""
        rng, plan = self.plan.rng, self.plan
        high = rng.uniform(0.9, 1.5)
        if rng.random() < 0.5:
            material = materials.tiles(rng, float(rng.choice([0.1, 0.15, 0.2])), pale=True)
        else:
            colour = pick(rng, paint_box.PALE_WOODS if rng.random() < 0.5 else paint_box.WALLS)
            material = materials.striped(rng, colour, colour * 0.4, 0.12, duty=0.96, fine=2, rough=0.1)
        self.hang(0.0, self.length, 0.0, high, plan.use(material), 0.006, dark=(0.4, 0.4, 0.3, 0.0))

    def socket(self) -> None:
        """A socket or switch."""
        rng = self.plan.rng
        at = self.room_for(0.08)
        if at is not None:
            low = float(rng.choice([0.28, 1.05]))
            white = self.plan.use(materials.mottled(rng, pick(rng, paint_box.WHITES), uneven=0.0))
            self.hang(at, 0.08, low, low + 0.08, white, 0.01)
