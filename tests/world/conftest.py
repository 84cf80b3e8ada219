"""Scenes, pictures and products that the tests of the generated world share."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pymaf_data.world.image import Shown, Studio
from pymaf_data.world.produce import Job, Product, produce, single_thread, studio
from pymaf_data.world.scene import Scene, draw_scene

SIZE = (320, 240)
SEED = 20


@pytest.fixture(scope="session")
def workshop() -> Studio:
    """Body, atlas and wardrobe."""
    return studio()


@pytest.fixture(scope="session")
def scenes(workshop: Studio) -> list[Scene]:
    """Scenes of training."""
    with single_thread():
        drawn = [draw_scene(np.random.default_rng([SEED, n]), workshop.body, SIZE, "train") for n in range(24)]
    return [scene for scene in drawn if scene.people]


class Watched(Studio):
    """A studio that remembers how it dressed the people of its last scene."""

    def __init__(self) -> None:
        super().__init__()
        self.dressed: list[Any] = []

    def _dress(self, rng: np.random.Generator, person: Any) -> Any:
        self.dressed.append(super()._dress(rng, person))
        return self.dressed[-1]

    def shoot(self, rng: np.random.Generator, scene: Scene, *arguments: Any) -> Shown | None:
        """As the studio's own; ``dressed`` then holds what the people of the picture wear, in their order."""
        self.dressed = []
        shown = super().shoot(rng, scene, *arguments)
        if shown is not None:
            numbers = {id(person): number for number, person in enumerate(scene.people)}
            self.dressed = [self.dressed[numbers[id(person)]] for person in shown.scene.people]
        return shown


@pytest.fixture(scope="session")
def watched() -> Watched:
    """A studio whose wardrobe can be looked into."""
    return Watched()


@pytest.fixture(scope="session")
def shots(watched: Watched, scenes: list[Scene]) -> list[tuple[Shown, list[Any]]]:
    """Pictures of the scenes, each with the dressed people."""
    taken = []
    with single_thread():
        for number, scene in enumerate(scenes):
            shown = watched.shoot(np.random.default_rng([SEED, number, 1]), scene, "train")
            if shown is not None:
                taken.append((shown, watched.dressed))
    assert len(taken) >= 18
    return taken


@pytest.fixture(scope="session")
def products() -> list[Product]:
    """Finished pictures of a sample of 320 × 240."""
    return [produce(Job(SEED, "train", number, SIZE)) for number in range(110)]


@pytest.fixture(scope="session")
def rays() -> ModuleType:
    """A ray caster that shares nothing with the renderer, ``tests/measures/rays.py``."""
    path = Path(__file__).resolve().parents[1] / "measures" / "rays.py"
    spec = importlib.util.spec_from_file_location("rays", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
