"""Outfits: what a person wears, and skin, face and hair, drawn at random within what goes together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from pymaf_data.world.people import kernels as k
from pymaf_data.world.people import palette, worn_meshes
from pymaf_data.world.people.kernels import Cloth, Cut
from pymaf_data.world.people.worn_meshes import WornMesh

_OFF = 9.0  # a height above everything
_ANKLE, _KNEE, _CROTCH = -1.06, -0.66, -0.30


@dataclass(frozen=True)
class Outfit:
    """What one person wears.

    Args:
        cut: where garments begin and end.
        cloth: what they are made of.
        thickness: (K,) metres that each material lies off the skin.
        flare: metres by which trouser legs widen towards the ankle.
        drape: metres by which a top hangs off the waist.
        fluff: relative unevenness of the hair.
        meshes: worn geometry.
    """

    cut: Cut
    cloth: Cloth
    thickness: np.ndarray
    flare: float
    drape: float
    fluff: float
    meshes: tuple[WornMesh, ...]


@dataclass
class _Draft:
    """An outfit in the making."""

    rest: np.ndarray
    cut: dict[str, float]
    colour: np.ndarray
    pattern: np.ndarray
    pitch: np.ndarray
    phase: np.ndarray
    folds: np.ndarray
    weave: np.ndarray
    gloss: np.ndarray
    thickness: np.ndarray
    flare: float = 0.006
    drape: float = 0.006
    fluff: float = 0.2
    meshes: list[WornMesh] = field(default_factory=list)

    def put(self, material: int, colour: np.ndarray, second: np.ndarray | None = None, **more: float) -> None:
        """Colour a material; ``more`` names further columns."""
        self.colour[material] = colour
        if second is not None:
            self.colour[material, 1] = second
        for name, value in more.items():
            getattr(self, name)[material] = value


def draw_outfit(rng: Generator, rest: np.ndarray, sporty: bool, skirts: bool, bends: np.ndarray) -> Outfit:
    """Draw one outfit.

    Args:
        rng: the only source of chance.
        rest: (V, 3) the mean body's T-pose.
        sporty: whether sports clothes are likely.
        skirts: whether the posture allows a skirt.
        bends: (4,) how much left and right elbow, left and right knee are bent, 0 … 1.
    """
    draft = _bare(rng, rest)
    shares = np.array([share * (3.0 if sporty and kit in (_sports, _gym) else 1.0) for share, kit, _ in _KITS])
    shares *= np.array([skirts or not needs for _, _, needs in _KITS])
    kit = _KITS[int(rng.choice(len(_KITS), p=shares / shares.sum()))][1]
    kit(rng, draft)
    _shoes(rng, draft, sporty)
    _head(rng, draft)
    face = (
        rng.uniform(0.3, 0.95) if rng.random() < 0.28 else 0.0, rng.uniform(0.55, 0.95), rng.uniform(0.2, 1.0),
        rng.uniform(0.2, 1.0), rng.uniform(0.95, 1.15),
    )  # fmt: skip
    left_elbow, right_elbow, left_knee, right_knee = bends.tolist()
    cut = Cut(**draft.cut, bends=(left_elbow, right_elbow, left_knee, right_knee), face=face)
    cloth = Cloth(
        draft.colour, draft.pattern, draft.pitch, draft.phase, draft.folds, draft.weave, draft.gloss
    )  # fmt: skip
    return Outfit(cut, cloth, draft.thickness, draft.flare, draft.drape, draft.fluff, tuple(draft.meshes))


def _bare(rng: Generator, rest: np.ndarray) -> _Draft:
    cut = {
        "sleeve": 0.0, "neck_radius": 0.078, "neck_drop": 0.0, "collar": -_OFF, "hem": _OFF, "waist": -_OFF,
        "leg_end": 0.0, "outer_sleeve": 0.0, "outer_hem": _OFF, "outer_gap": -1.0, "shoe_top": -_OFF,
        "sock_top": -_OFF, "hair_line": 0.0, "hair_sides": 0.335, "bald": 0.0, "hat_line": _OFF, "scarf": 0.0,
        "glasses": 0.0, "belt": 0.0,
    }  # fmt: skip
    count = k.MATERIALS
    draft = _Draft(
        rest, cut, np.full((count, 3, 3), 0.2), np.zeros(count, np.int64), np.full(count, 0.05), rng.random(count),
        np.zeros(count), np.full(count, 0.14), np.zeros(count), np.zeros(count),
    )  # fmt: skip
    draft.put(k.SKIN, palette.skin(rng), gloss=0.045)
    draft.put(k.HAIR, palette.hair(rng), gloss=0.10)
    iris = palette.linear(str(rng.choice(["3a2313", "4d3520", "1e120b", "5b6b4a", "56789a", "7a8a90"])))
    draft.colour[k.GLASSES, 1] = iris
    return draft


def _garment(rng: Generator, draft: _Draft, material: int, colour: np.ndarray, patterns: dict[int, float]) -> None:
    """Give a material cloth of a colour, and one of the patterns by their shares."""
    kinds = list(patterns)
    shares = np.array([patterns[kind] for kind in kinds])
    kind = kinds[int(rng.choice(len(kinds), p=shares / shares.sum()))]
    second, third = palette.cloth(rng), palette.bright(rng)
    if kind in (k.FADED, k.SIDE):
        second = colour + 0.5 * colour.mean() + 0.02 if kind == k.FADED else palette.bright(rng)
    pitch = {k.RINGS: rng.uniform(0.018, 0.07), k.STRIPES: rng.uniform(0.012, 0.04), k.CHECKS: rng.uniform(0.03, 0.08),
             k.DOTS: rng.uniform(0.015, 0.04), k.PATCHES: rng.uniform(0.03, 0.09)}.get(kind, 0.05)  # fmt: skip
    draft.put(material, colour, second, pattern=kind, pitch=pitch)
    draft.colour[material, 2] = third
    draft.folds[material] = rng.uniform(0.005, 0.011)


_EVERYDAY = {k.PLAIN: 0.5, k.RINGS: 0.13, k.CHECKS: 0.07, k.DOTS: 0.03, k.PRINT: 0.14, k.RAGLAN: 0.05, k.BLOCK: 0.05,
             k.PATCHES: 0.03}  # fmt: skip


def _top(rng: Generator, draft: _Draft, sleeve: float, hem: float, thick: float) -> None:
    draft.cut |= {"sleeve": sleeve, "hem": hem, "neck_radius": rng.uniform(0.068, 0.088)}
    if rng.random() < 0.25:
        draft.cut["neck_drop"] = rng.uniform(0.03, 0.09)
    draft.thickness[k.TOP] = thick
    draft.drape = rng.uniform(0.0, 0.022)


def _trousers(rng: Generator, draft: _Draft, jeans: float = 0.5, short: float = 0.2) -> None:
    if rng.random() < jeans:
        _garment(rng, draft, k.BOTTOM, palette.denim(rng), {k.FADED: 0.7, k.PLAIN: 0.3})
    else:
        _garment(rng, draft, k.BOTTOM, palette.cloth(rng), {k.PLAIN: 0.93, k.CHECKS: 0.04, k.PATCHES: 0.03})
    end = rng.uniform(_KNEE - 0.06, -0.48) if rng.random() < short else rng.uniform(-1.10, -1.00)
    draft.cut |= {"waist": -0.115 + rng.normal(0, 0.012), "leg_end": end, "belt": float(rng.random() < 0.25)}
    draft.thickness[k.BOTTOM] = rng.uniform(0.005, 0.013)
    draft.thickness[k.BELT] = draft.thickness[k.BOTTOM] + 0.004
    draft.put(k.BELT, palette.leather(rng), gloss=0.06)
    draft.flare = rng.uniform(0.002, 0.03)


def _casual(rng: Generator, draft: _Draft) -> None:
    """A t-shirt or long-sleeved shirt over trousers."""
    _garment(rng, draft, k.TOP, palette.cloth(rng), _EVERYDAY)
    sleeve = float(rng.choice([rng.uniform(0.27, 0.38), rng.uniform(0.58, 0.66), 0.15], p=[0.6, 0.3, 0.1]))
    _top(rng, draft, sleeve, rng.uniform(-0.27, -0.14), rng.uniform(0.006, 0.014))
    _trousers(rng, draft)


def _sweater(rng: Generator, draft: _Draft) -> None:
    """A thick sweater or hooded top."""
    _garment(rng, draft, k.TOP, palette.cloth(rng), {k.PLAIN: 0.65, k.RINGS: 0.15, k.PRINT: 0.12, k.BLOCK: 0.08})
    _top(rng, draft, 0.66, rng.uniform(-0.25, -0.17), rng.uniform(0.013, 0.022))
    draft.cut["neck_radius"], draft.cut["neck_drop"] = 0.07, 0.0
    if rng.random() < 0.25:
        draft.cut["collar"] = 0.292
    draft.folds[k.TOP] *= 1.3
    _trousers(rng, draft, short=0.05)


def _shirt(rng: Generator, draft: _Draft) -> None:
    """A shirt, tucked in or not."""
    _garment(rng, draft, k.TOP, palette.cloth(rng), {k.PLAIN: 0.5, k.CHECKS: 0.3, k.STRIPES: 0.2})
    _top(rng, draft, rng.uniform(0.60, 0.66) if rng.random() < 0.6 else 0.33, float(rng.choice([-0.115, -0.24])), 0.008)
    draft.cut["neck_drop"] = rng.uniform(0.0, 0.05)
    _trousers(rng, draft, jeans=0.4, short=0.08)
    draft.cut["belt"] = float(draft.cut["hem"] > -0.2)


def _jacket(rng: Generator, draft: _Draft) -> None:
    """An open or closed jacket, coat or suit over a top."""
    _garment(rng, draft, k.TOP, palette.cloth(rng), {k.PLAIN: 0.7, k.STRIPES: 0.1, k.PRINT: 0.2})
    _top(rng, draft, 0.62, -0.16, 0.006)
    draft.drape = 0.004
    suit = rng.random() < 0.3
    colour = palette.cloth(rng)
    _garment(rng, draft, k.OUTER, colour, {k.PLAIN: 0.8, k.CHECKS: 0.1, k.BLOCK: 0.1})
    _trousers(rng, draft, jeans=0.0 if suit else 0.6, short=0.0)
    if suit:
        _garment(rng, draft, k.BOTTOM, colour, {k.PLAIN: 1.0})
        draft.put(k.TOP, palette.linear("e9e8e4"), pattern=k.PLAIN)
    hem = rng.uniform(-0.62, -0.42) if rng.random() < 0.25 and not suit else rng.uniform(-0.30, -0.19)
    gap = rng.uniform(0.015, 0.06) if rng.random() < 0.65 else -1.0
    draft.cut |= {"outer_sleeve": 0.655, "outer_hem": hem, "outer_gap": gap}
    draft.thickness[k.OUTER] = rng.uniform(0.015, 0.026)
    draft.folds[k.OUTER] *= 1.2


def _sports(rng: Generator, draft: _Draft) -> None:
    """A team's kit: jersey with a number, shorts, long socks."""
    first, second = palette.bright(rng), palette.bright(rng)
    _garment(rng, draft, k.TOP, first, {k.NUMBER: 0.6, k.RAGLAN: 0.12, k.STRIPES: 0.08, k.RINGS: 0.08, k.BLOCK: 0.12})
    draft.colour[k.TOP, 1] = second
    _top(rng, draft, 0.15 if rng.random() < 0.25 else rng.uniform(0.29, 0.38), -0.22, 0.010)
    _garment(rng, draft, k.BOTTOM, second if rng.random() < 0.6 else first, {k.PLAIN: 0.6, k.SIDE: 0.4})
    draft.cut |= {"waist": -0.12, "leg_end": rng.uniform(-0.62, -0.46)}
    draft.thickness[k.BOTTOM], draft.flare = 0.014, 0.05
    draft.cut["sock_top"] = rng.uniform(-0.80, -0.72) if rng.random() < 0.6 else -0.99
    draft.put(k.SOCK, first, thickness=0.003)


def _gym(rng: Generator, draft: _Draft) -> None:
    """Tight or light training clothes."""
    _garment(rng, draft, k.TOP, palette.bright(rng), {k.PLAIN: 0.7, k.BLOCK: 0.15, k.RAGLAN: 0.15})
    _top(rng, draft, float(rng.choice([0.135, 0.33])), float(rng.choice([-0.02, -0.17, -0.2])), 0.004)
    draft.drape = 0.0
    _garment(rng, draft, k.BOTTOM, palette.cloth(rng), {k.PLAIN: 0.6, k.SIDE: 0.3, k.PATCHES: 0.1})
    draft.cut |= {"waist": -0.10, "leg_end": float(rng.choice([-1.04, -0.75, -0.45], p=[0.6, 0.2, 0.2]))}
    draft.thickness[k.BOTTOM], draft.flare = 0.003, 0.0
    draft.folds[k.BOTTOM] *= 0.4
    draft.folds[k.TOP] *= 0.6


def _dress(rng: Generator, draft: _Draft) -> None:
    """A dress: bodice and skirt of one cloth."""
    _garment(rng, draft, k.TOP, palette.cloth(rng), {k.PLAIN: 0.45, k.PATCHES: 0.2, k.DOTS: 0.2, k.RINGS: 0.15})
    _top(rng, draft, float(rng.choice([0.14, 0.26, 0.45])), -0.16, 0.005)
    draft.drape = 0.0
    for column in (draft.colour, draft.pattern, draft.pitch, draft.phase, draft.folds):
        column[k.BOTTOM] = column[k.TOP]
    _skirted(rng, draft)


def _skirt(rng: Generator, draft: _Draft) -> None:
    """A top and a skirt, often over tights."""
    _garment(rng, draft, k.TOP, palette.cloth(rng), _EVERYDAY)
    _top(rng, draft, float(rng.choice([0.33, 0.64])), -0.135, 0.006)
    _garment(rng, draft, k.BOTTOM, palette.cloth(rng), {k.PLAIN: 0.6, k.CHECKS: 0.25, k.STRIPES: 0.15})
    _skirted(rng, draft)


def _skirted(rng: Generator, draft: _Draft) -> None:
    hem = float(rng.uniform(-0.72, -0.47))
    draft.meshes.append(worn_meshes.skirt(draft.rest, -0.115, hem, rng.uniform(0.02, 0.13)))
    draft.cut |= {"waist": -0.13, "leg_end": -0.30}
    draft.thickness[k.BOTTOM], draft.flare = 0.003, 0.0
    draft.folds[k.BOTTOM] = rng.uniform(0.006, 0.012)
    if rng.random() < 0.4:
        draft.cut["sock_top"] = -0.29
        draft.put(k.SOCK, palette.linear("15151a") * rng.uniform(0.8, 3.0), thickness=0.001, weave=0.05)


def _worker(rng: Generator, draft: _Draft) -> None:
    """Work clothes with a bright vest."""
    _casual(rng, draft)
    colour = palette.linear(str(rng.choice(["d8e020", "e8641b", "2d4a8c", "3c4046"])))
    draft.put(k.OUTER, colour, palette.linear("c9ccd0"), pattern=k.RINGS, pitch=0.17, thickness=0.016, folds=0.007)
    draft.cut |= {"outer_sleeve": 0.17, "outer_hem": -0.2, "outer_gap": 0.012}
    draft.cut["hem"] = max(draft.cut["hem"], -0.19)


def _beach(rng: Generator, draft: _Draft) -> None:
    """Shorts only."""
    _garment(rng, draft, k.BOTTOM, palette.bright(rng), {k.PLAIN: 0.5, k.PATCHES: 0.3, k.SIDE: 0.2})
    draft.cut |= {"waist": -0.155, "leg_end": rng.uniform(-0.58, -0.40)}
    draft.thickness[k.BOTTOM], draft.flare = 0.010, 0.03


_Kit = Callable[[Generator, _Draft], None]
_KITS: tuple[tuple[float, _Kit, bool], ...] = (
    (0.27, _casual, False), (0.13, _sweater, False), (0.12, _shirt, False), (0.15, _jacket, False),
    (0.07, _sports, False), (0.09, _gym, False), (0.06, _dress, True), (0.06, _skirt, True), (0.03, _worker, False),
    (0.02, _beach, False),
)  # fmt: skip
"""Share, kit, whether it has a skirt."""


def _shoes(rng: Generator, draft: _Draft, sporty: bool) -> None:
    if rng.random() < 0.03:
        return  # barefoot
    boots = rng.random() < 0.12 and not sporty
    draft.cut["shoe_top"] = rng.uniform(-0.98, -0.86) if boots else rng.uniform(-1.088, -1.05)
    colour = palette.leather(rng) if boots or rng.random() < 0.3 else palette.shoe(rng)
    if sporty and rng.random() < 0.4:
        colour = palette.bright(rng)
    draft.put(k.SHOE, colour, colour * 0.6, gloss=0.08, thickness=0.012, weave=0.06)
    sole = palette.linear("e6e4de") if rng.random() < 0.5 else palette.linear("1c1b1b")
    draft.put(k.SOLE, sole, thickness=0.014)
    if draft.cut["sock_top"] < -2 and rng.random() < 0.8:
        draft.cut["sock_top"] = rng.uniform(-1.04, -0.95)
        draft.put(k.SOCK, palette.linear("ececec") if rng.random() < 0.5 else palette.cloth(rng), thickness=0.004)


def _head(rng: Generator, draft: _Draft) -> None:
    cut = draft.cut
    style = int(rng.choice(6, p=[0.40, 0.14, 0.26, 0.08, 0.06, 0.06]))
    draft.thickness[k.HAIR] = rng.uniform(0.008, 0.018)
    draft.fluff = rng.uniform(0.1, 0.9)
    cut["hair_line"] = rng.uniform(-0.012, 0.016)
    if style == 0:
        cut["hair_sides"] = rng.uniform(0.33, 0.37)
    elif style == 1:  # medium: over the ears
        cut["hair_sides"] = rng.uniform(0.27, 0.32)
        draft.thickness[k.HAIR] = rng.uniform(0.018, 0.03)
    elif style == 2:  # long
        _long_hair(rng, draft)
    elif style == 3:  # cropped or bald
        draft.thickness[k.HAIR] = 0.002
        cut["bald"] = float(rng.random() < 0.5)
        draft.colour[k.HAIR] = 0.5 * draft.colour[k.HAIR] + 0.5 * draft.colour[k.SKIN]
    elif style == 4:  # curls
        draft.thickness[k.HAIR], draft.fluff = rng.uniform(0.03, 0.055), rng.uniform(0.5, 1.0)
        cut["hair_sides"] = 0.32
    else:
        cut["hair_line"] = 0.03  # receding
    _headgear(rng, draft)
    if rng.random() < 0.16:
        cut["glasses"] = 2.0 if rng.random() < 0.4 else 1.0
        iris = draft.colour[k.GLASSES, 1].copy()
        draft.put(k.GLASSES, palette.linear("121214"), gloss=0.5)
        draft.colour[k.GLASSES, 1] = iris


def _long_hair(rng: Generator, draft: _Draft) -> None:
    draft.thickness[k.HAIR] = rng.uniform(0.012, 0.02)
    draft.cut["hair_sides"] = 0.30
    kind = rng.random()
    if kind < 0.5:
        draft.meshes.append(worn_meshes.long_hair(rng.uniform(0.13, 0.29), rng.uniform(0.088, 0.10)))
    elif kind < 0.8:
        draft.meshes.append(worn_meshes.pony_tail(rng.uniform(0.12, 0.28)))
        draft.cut["hair_sides"] = 0.345
    else:
        draft.meshes.append(worn_meshes.bun(rng.uniform(0.43, 0.50), rng.uniform(0.032, 0.045)))
        draft.cut["hair_sides"] = 0.345


def _headgear(rng: Generator, draft: _Draft) -> None:
    kind = rng.random()
    colour = palette.cloth(rng)
    if kind < 0.07:  # a cap
        draft.cut["hat_line"] = 0.468
        draft.meshes.append(worn_meshes.brim(rng.uniform(0.055, 0.075)))
    elif kind < 0.11:  # a knitted hat
        draft.cut["hat_line"] = rng.uniform(0.438, 0.455)
        draft.put(k.HAT, colour, pattern=k.RINGS, pitch=0.02, weave=0.3)
    elif kind < 0.135:  # a headscarf
        draft.cut["scarf"], draft.cut["collar"] = 1.0, 0.20
        draft.meshes = [mesh for mesh in draft.meshes if mesh.material != k.HAIR]
    else:
        return
    draft.put(k.HAT, colour, colour * 0.8, thickness=draft.thickness[k.HAIR] * 0.6 + 0.008, folds=0.001)
