"""Materials by name: which pattern, which colours, which numbers.

Each function gives a :class:`Material`; sizes are metres. The numbers' order is that of the kernels in
:mod:`pymaf_data.world.scenery.shade`; numbers 6 and 7 are always a random shift, so that no two floors are alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from pymaf_data.world.scenery import palette as paint_box
from pymaf_data.world.scenery import shade
from pymaf_data.world.scenery.palette import mixed, pick
from pymaf_data.world.scenery.patterns import CLOUD, FIBRE, GRAIN, PEBBLE

Colour = np.ndarray


@dataclass(frozen=True)
class Material:
    """A pattern, three linear colours (3, 3) and its twelve numbers."""

    kind: int
    colours: np.ndarray
    numbers: np.ndarray


_SLABS = ((0.3, 0.3, 0.5), (0.4, 0.4, 0.0), (0.5, 0.5, 0.5), (0.6, 0.4, 0.5), (0.2, 0.1, 0.5), (0.12, 0.1, 0.5))


def _made(rng: Generator, kind: int, colours: list[Colour], numbers: dict[int, float]) -> Material:
    row = np.zeros(12)
    row[6:8] = rng.random(2) * 13.0
    for index, value in numbers.items():
        row[index] = value
    return Material(kind, np.stack([*colours, *[colours[-1]] * (3 - len(colours))]), row)


def mottled(rng: Generator, colour: Colour, stain: Colour | None = None, *, size: float = 3.0,
            uneven: float = 0.06, fine: int = GRAIN, fine_size: float = 0.6, rough: float = 0.05,
            stained: float = 0.0, cracked: float = 0.0) -> Material:  # fmt: skip
    """One colour with uneven tone over ``size`` metres, fine texture of tiles ``fine_size`` wide, and stains."""
    other = colour * 0.75 if stain is None else stain
    numbers = {0: 1 / size, 1: uneven, 2: fine, 3: 1 / fine_size, 4: rough, 5: stained, 8: cracked}
    return _made(rng, shade.MOTTLED, [colour, other], numbers)


def plaster(rng: Generator, colour: Colour | None = None) -> Material:
    """A painted wall."""
    base = pick(rng, paint_box.WALLS) if colour is None else colour
    return mottled(rng, base, size=2.6, uneven=rng.uniform(0.02, 0.05), fine_size=0.5, rough=rng.uniform(0.015, 0.04),
                   stained=rng.uniform(0.0, 0.12))  # fmt: skip


def concrete(rng: Generator, colour: Colour | None = None) -> Material:
    """Cast or screeded concrete with stains."""
    base = pick(rng, paint_box.CONCRETES) if colour is None else colour
    return mottled(rng, base, base * 0.7, size=3.5, uneven=0.12, rough=0.08, stained=rng.uniform(0.2, 0.6),
                   cracked=rng.choice([0.0, 0.4]))  # fmt: skip


def carpet(rng: Generator) -> Material:
    """A fitted carpet."""
    base = pick(rng, paint_box.CARPETS)
    return mottled(rng, base, size=1.7, uneven=0.07, fine_size=0.3, rough=rng.uniform(0.12, 0.22))


def cloth(rng: Generator, colour: Colour) -> Material:
    """Woven fabric seen from near."""
    return mottled(rng, colour, size=0.9, uneven=0.08, fine_size=0.25, rough=0.12)


def asphalt(rng: Generator) -> Material:
    """A road's surface, worn and patched."""
    base = pick(rng, paint_box.ASPHALTS)
    return mottled(rng, base, base * rng.uniform(0.6, 0.8), size=6.0, uneven=0.13, fine_size=0.45, rough=0.17,
                   stained=rng.uniform(0.25, 0.6), cracked=rng.choice([0.0, 0.5]))  # fmt: skip


def gravel(rng: Generator, colour: Colour | None = None) -> Material:
    """Loose stones."""
    base = pick(rng, paint_box.STONES) if colour is None else colour
    return mottled(rng, base, mixed(base, paint_box.EARTHS[0], 0.6), size=2.8, uneven=0.12, fine=PEBBLE,
                   fine_size=rng.uniform(0.5, 0.9), rough=0.38, stained=0.4)  # fmt: skip


def sand(rng: Generator) -> Material:
    """Dry sand, trodden and damp in places."""
    base = pick(rng, paint_box.SANDS)
    return mottled(rng, base, base * 0.72, size=1.6, uneven=0.15, fine_size=0.5, rough=0.15, stained=0.25)


def earth(rng: Generator) -> Material:
    """Trodden earth with leaves and stones."""
    base = pick(rng, paint_box.EARTHS)
    return mottled(rng, base, base * 0.6, size=1.4, uneven=0.2, fine=PEBBLE, fine_size=1.1, rough=0.22, stained=0.6)


def tiled(rng: Generator, first: Colour, second: Colour, joint: Colour, width: float, height: float, gap: float, *,
          bond: float = 0.0, varied: float = 0.06, fine: int = GRAIN, fine_size: float = 0.5, rough: float = 0.05,
          uneven: float = 0.06, chequered: bool = False) -> Material:  # fmt: skip
    """Pieces of ``width`` × ``height`` with joints of ``gap``.

    ``bond`` shifts each row by that share of a piece, at random if negative; ``rough`` > 0 cuts every piece from
    another place of the fine texture.
    """
    numbers = {0: width, 1: height, 2: gap, 3: bond, 4: varied, 5: fine, 6: 1 / fine_size, 7: rough, 8: uneven}
    numbers |= {9: float(rng.random()), 10: float(rng.random()), 11: float(chequered)}
    return _made(rng, shade.TILED, [first, second, joint], numbers)


def planks(rng: Generator, colour: Colour | None = None) -> Material:
    """A floor of boards or parquet strips; grain runs along u."""
    base = pick(rng, paint_box.WOODS) if colour is None else colour
    width = rng.choice([0.07, 0.09, 0.14, 0.19])
    other = base * rng.uniform(0.75, 0.92)
    return tiled(rng, base, other, base * 0.35, width * rng.uniform(7, 12), width, 0.0025, bond=-1.0, fine=FIBRE,
                 varied=rng.uniform(0.05, 0.13), fine_size=0.7, rough=rng.uniform(0.1, 0.2), uneven=0.06)  # fmt: skip


def tiles(rng: Generator, size: float | None = None, pale: bool = False) -> Material:
    """Ceramic or stone floor tiles."""
    base = pick(rng, paint_box.WHITES if pale else paint_box.STONES)
    side = rng.choice([0.2, 0.3, 0.33, 0.45, 0.6]) if size is None else size
    chequered = bool(rng.random() < 0.12)
    other = base * (0.45 if chequered else rng.uniform(0.88, 1.0))
    joint = mixed(base * rng.uniform(0.5, 0.9), (0.3, 0.3, 0.3), 0.3)
    return tiled(rng, base, other, joint, side, side, rng.uniform(0.003, 0.006), varied=rng.uniform(0.01, 0.06),
                 fine=CLOUD, fine_size=0.8, rough=rng.uniform(0.03, 0.12), uneven=0.05,
                 chequered=chequered)  # fmt: skip


def paving(rng: Generator) -> Material:
    """Slabs or setts of a pavement."""
    base = pick(rng, paint_box.STONES)
    width, height, bond = _SLABS[rng.integers(len(_SLABS))]
    return tiled(rng, base, base * rng.uniform(0.8, 0.95), base * 0.45, width, height, rng.uniform(0.006, 0.012),
                 bond=bond, varied=rng.uniform(0.04, 0.12), fine_size=0.5, rough=0.11, uneven=0.14)  # fmt: skip


def bricks(rng: Generator) -> Material:
    """A brick wall."""
    base = pick(rng, paint_box.BRICKS)
    joint = mixed(pick(rng, paint_box.CONCRETES), base, 0.25)
    return tiled(rng, base, base * rng.uniform(0.65, 0.9), joint, 0.24, 0.075, 0.011, bond=0.5,
                 varied=rng.uniform(0.1, 0.22), fine_size=0.4, rough=0.13, uneven=0.1)  # fmt: skip


def turf(rng: Generator, dry: float = 0.3, mown: float = 0.0) -> Material:
    """Grass from above; ``dry`` is how much is yellow or bare, ``mown`` metres of a pair of stripes."""
    base = pick(rng, paint_box.GRASSES)
    bare = pick(rng, paint_box.DRY if rng.random() < 0.7 else paint_box.EARTHS)
    numbers = {0: 1 / rng.uniform(1.3, 2.2), 1: dry, 2: rng.uniform(0.12, 0.28), 3: mown, 4: rng.uniform(0.05, 0.12)}
    return _made(rng, shade.TURF, [base * 0.38, base * 1.3, bare], numbers)


def foliage(rng: Generator, colour: Colour | None = None, size: float = 1.2, clump: float = 3.0) -> Material:
    """Leaves of hedges and woods seen from the side, ``clump`` metres from branch to branch."""
    base = pick(rng, paint_box.LEAVES) if colour is None else colour
    numbers = {0: 1 / size, 1: 1 / clump, 2: rng.uniform(0.0, 0.3), 3: 2.5 * clump, 4: float(rng.integers(99))}
    return _made(rng, shade.FOLIAGE, [base * 0.22, base * 1.5, base * np.array([1.5, 1.25, 0.9])], numbers)


def striped(rng: Generator, first: Colour, second: Colour, period: float, *, duty: float = 0.5, wave: float = 0.0,
            bend: float = 0.0, fine: int = GRAIN, rough: float = 0.03, uneven: float = 0.05) -> Material:  # fmt: skip
    """Stripes along v, ``period`` apart: wallpaper, corrugated metal, boards, curtains (``wave``, ``bend``)."""
    numbers = {0: period, 1: duty, 2: wave, 3: fine, 4: 1.7, 5: bend, 8: rough, 9: uneven}
    return _made(rng, shade.STRIPED, [first, second], numbers)


def facade(rng: Generator, brick: bool | None = None) -> Material:
    """Storeys of windows."""
    laid = bool(rng.random() < 0.4) if brick is None else brick
    wall = pick(rng, paint_box.BRICKS if laid else paint_box.FACADES)
    trim = pick(rng, paint_box.CONCRETES if rng.random() < 0.4 else paint_box.WHITES) * rng.uniform(0.6, 1.0)
    modern = rng.random() < 0.3
    wide = rng.uniform(1.6, 2.4) if modern else rng.uniform(0.9, 1.4)
    storey = rng.uniform(2.9, 3.5)
    high = rng.uniform(1.3, 1.7)
    numbers = {0: wide + rng.uniform(0.6, 1.8), 1: storey, 2: wide, 3: high, 4: storey - high - rng.uniform(0.4, 0.7)}
    numbers |= {5: rng.uniform(0.05, 0.09), 8: float(laid), 9: 0.06 if rng.random() < 0.5 else 0.0}
    numbers |= {10: float(rng.choice([1, 2, 2, 3])), 11: float(rng.integers(999))}
    glass = np.array([0.012, 0.015, 0.018]) * rng.uniform(0.7, 1.6)
    return _made(rng, shade.FACADE, [wall, trim, glass], numbers)


def outlook(rng: Generator, frame: Colour, panes: tuple[int, int], bright: float) -> Material:
    """A window onto the bright outside."""
    sky = np.array([0.82, 0.9, 1.0]) * rng.uniform(0.8, 1.1)
    land = pick(rng, paint_box.LEAVES if rng.random() < 0.6 else paint_box.FACADES) * rng.uniform(0.7, 1.6)
    blind = float(rng.uniform(0.15, 0.6)) if rng.random() < 0.25 else 0.0
    numbers = {0: panes[0], 1: panes[1], 2: rng.uniform(0.05, 0.08), 3: bright, 4: rng.uniform(-0.05, 0.3), 5: blind}
    return _made(rng, shade.OUTLOOK, [frame, sky, land], numbers)


def books(rng: Generator, wood: Colour) -> Material:
    """Shelves of books."""
    covers = pick(rng, paint_box.ACCENTS), pick(rng, paint_box.FABRICS)
    numbers = {0: rng.uniform(0.3, 0.38), 1: 0.025, 2: rng.uniform(0.028, 0.042)}
    return _made(rng, shade.BOOKS, [wood, *covers], numbers)


def picture(rng: Generator) -> Material:
    """Something framed on a wall: a landscape, an abstract, a print."""
    frame = pick(rng, [paint_box.WOODS, paint_box.METALS, paint_box.WHITES][rng.integers(3)])
    kind = int(rng.integers(3))
    first = pick(rng, paint_box.ACCENTS if kind else paint_box.LEAVES) * rng.uniform(0.8, 1.5)
    second = paint_box.linear("9db4c4", "c9d3d6", "d8c9a8", "b5c0bd")[rng.integers(4)] if kind == 0 else pick(
        rng, paint_box.WHITES if kind == 2 else paint_box.WALLS
    )  # fmt: skip
    numbers = {0: rng.uniform(0.012, 0.035), 1: 0.05 if rng.random() < 0.5 else 0.0, 2: kind}
    return _made(rng, shade.PAINTING, [frame, first, second], numbers)


def panelled(rng: Generator, colour: Colour, columns: int, rows: int, *, rim: float = 0.12, groove: float = 0.015,
             handle: float = 0.0, grain: float = 0.0) -> Material:  # fmt: skip
    """Doors and cupboards: panels in a rim; a handle at that height above each foot; wood grain of that strength."""
    numbers = {0: columns, 1: rows, 2: rim, 3: groove, 4: handle, 5: FIBRE, 9: grain, 8: float(rng.random())}
    numbers[6] = 1.4
    return _made(rng, shade.PANELLED, [colour, pick(rng, paint_box.METALS)], numbers)


def shopfront(rng: Generator, lit: float) -> Material:
    """Plate glass in frames under a sign."""
    frame = pick(rng, paint_box.METALS)
    sign = pick(rng, paint_box.ACCENTS if rng.random() < 0.6 else paint_box.WALLS)
    inside = np.array([0.28, 0.25, 0.2]) * rng.uniform(0.4, 1.2)
    numbers = {
        0: rng.uniform(1.2, 2.0),
        1: rng.uniform(0.2, 0.6),
        2: rng.uniform(0.5, 0.75),
        3: lit,
        8: float(rng.integers(999)),
    }
    return _made(rng, shade.SHOPFRONT, [frame, sign, inside], numbers)


def water(rng: Generator, surf: float = 0.0) -> Material:
    """Sea or a lake; ``surf`` metres from its near edge v = 0 break into foam."""
    deep = paint_box.linear("35525c", "3b5a62", "2f4a58", "47615f")[rng.integers(4)] * rng.uniform(0.5, 0.9)
    return _made(rng, shade.WATER, [deep, np.array([0.72, 0.74, 0.75])], {0: 1.15, 1: surf})
