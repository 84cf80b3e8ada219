"""A settled figure, and how it is drawn: family, variant, shape, posture, settling, mirror image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.random import Generator

from pymaf_data.body import BodyModel
from pymaf_data.errors import RenderError, UsageError
from pymaf_data.geometry.joints import SMPL24
from pymaf_data.world.poses.families import FAMILIES
from pymaf_data.world.poses.mannequin import Build, mannequin_of
from pymaf_data.world.poses.settle import Plan, Settled, Settler
from pymaf_data.world.poses.shapes import draw_build
from pymaf_data.world.poses.variants import Variant, natural
from pymaf_data.world.rigid import placed
from pymaf_data.world.things import Thing

SPLITS = ("train", "val")
_HELD_OUT_SHARE = 0.5  # of the validation figures
_DEEPEST = 0.006  # metres inside itself, beyond what soft parts allow
_WIDEST = 0.009  # metres between the body and what carries it
_STRAIN = 1.6
_TRIALS = 40
_FLIP = SMPL24.flip_permutation
_MIRROR = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Figure:
    """One settled person in a world of its own: y up, the ground at y = 0, facing +z, its middle at x = z = 0.

    Args:
        family, variant: what it does.
        betas: (10,).
        rotations: (24, 3, 3) relative to the parents, the root's in this world.
        vertices: (V, 3) metres.
        skeleton: (24, 3) metres.
        joints49: (49, 3) metres, J49.
        translation: (3,) metres, with which the body model gives these vertices within 1e-8 m.
        things: what carries it or what it handles.
        airborne: whether the feet are off the ground on purpose.
    """

    family: str
    variant: str
    betas: np.ndarray
    rotations: np.ndarray
    vertices: np.ndarray
    skeleton: np.ndarray
    joints49: np.ndarray
    translation: np.ndarray
    things: tuple[Thing, ...]
    airborne: bool


def draw_figure(rng: Generator, body: BodyModel, split: str) -> Figure:
    """Draw one figure.

    Args:
        rng: the only source of chance.
        body: a float64 body that knows its mirror partners.
        split: "train" or "val"; they share no shape cell, and training never sees held-out variants.

    Raises:
        UsageError: another split.
        AssetMismatch: a body without mirror partners.
    """
    if split not in SPLITS:
        raise UsageError(f"no split is called {split!r}.", expected="train or val.", action="name one of them.")
    family, variant = draw_variant(rng, split)
    return figure_of(rng, body, family, variant, split)


def draw_variant(rng: Generator, split: str) -> tuple[str, Variant]:
    """A family by its share, then one of its variants that the split may show."""
    names = list(FAMILIES)
    shares = np.array([FAMILIES[name].share for name in names])
    name = names[int(rng.choice(len(names), p=shares / shares.sum()))]
    held_out = split == "val" and rng.random() < _HELD_OUT_SHARE
    options = [v for v in FAMILIES[name].variants if v.held_out == held_out]
    weights = np.array([v.weight for v in options])
    return name, options[int(rng.choice(len(options), p=weights / weights.sum()))]


def figure_of(rng: Generator, body: BodyModel, family: str, variant: Variant, split: str) -> Figure:
    """Draw a figure of a given variant: postures that do not settle are drawn anew.

    Raises:
        RenderError: none of many postures settled; a variant is broken.
    """
    mannequin = mannequin_of(body)
    for _ in range(_TRIALS):
        build = draw_build(rng, mannequin, split)
        plan = natural(rng, variant.draw(rng, build))
        settled = Settler(build).settle(plan)
        if settled.depth <= _DEEPEST and settled.gap <= _WIDEST and settled.strain <= _STRAIN:
            return _finish(rng, body, family, variant, build, plan, settled)
    raise RenderError(
        f"no posture of {family}/{variant.name} settled in {_TRIALS} trials.",
        expected="most postures of a variant to settle.",
        action="report this with the seed.",
    )


def _finish(
    rng: Generator, body: BodyModel, family: str, variant: Variant, build: Build, plan: Plan, settled: Settled
) -> Figure:
    """Put the figure on the ground at the origin, perhaps as its mirror image.

    The settled surface is the body's within 1e-9 m, and so is its mirror image of the mirror image: another forward
    pass, which costs as much as a third of the settling, would tell nothing new.
    """
    things = list(plan.furnish(settled)) if plan.furnish else []
    rotations, vertices, root = settled.bones.local, settled.vertices, settled.q[:3]
    x, y, z = vertices.T.copy()
    height = plan.airborne - y.min() if plan.grounded else 0.0
    shift = np.array([-(x.max() + x.min()) / 2, height, -(z.max() + z.min()) / 2])
    translation, vertices, skeleton = root + shift, placed(vertices, np.eye(3), shift), settled.bones.place + shift
    things = [thing.moved(np.eye(3), shift) for thing in things]
    if rng.random() < 0.5:
        rotations = rotations[_FLIP] * np.outer(_MIRROR, _MIRROR)
        translation, skeleton = translation * _MIRROR, skeleton[_FLIP] * _MIRROR
        vertices = placed(vertices[mannequin_of(body).mirror], np.diag(_MIRROR), np.zeros(3))
        things = [_mirrored(thing) for thing in things]
    joints = body.j49(torch.from_numpy(skeleton)[None], torch.from_numpy(vertices)[None])[0].numpy()
    return Figure(
        family, variant.name, build.betas, rotations, vertices, skeleton, joints, translation, tuple(things),
        plan.airborne > 0,
    )  # fmt: skip


def _mirrored(thing: Thing) -> Thing:
    """The thing's mirror image; faces keep winding outward."""
    return replace(thing, vertices=thing.vertices * _MIRROR, faces=np.ascontiguousarray(thing.faces[:, ::-1]))
