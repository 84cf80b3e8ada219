"""Nobody is lost or made up: one person's values are damaged in the annotations, and all others come out as before.

Whoever is damaged is kept under the same key, or counted as dropped, or the file is refused.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest

from pymaf_data.datasets import Raw, Selection, select
from pymaf_data.errors import PymafDataError
from pymaf_data.stages.ingest import IngestOptions, require_raw_data

Damage = Callable[[random.Random], str]
World = Callable[[str], ModuleType]

VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 0.5, 3, 1e9, 1e308, float("inf"), float("nan"), 1 << 31, 1 << 63, 10**400, "", "a", "7", "\0",
    "../../etc/passwd", "/", "\ud800", "x" * 2000, [], {}, [[]], [1], [None] * 60, {"a": 1},
)  # fmt: skip
OF_KIND = {"f": (0.0, -1.0, 0.5, 3.0, 1e9, 1e300, 1e-300, np.inf, -np.inf, np.nan), "U": ("", "x", "../x", "\0")}
#: What a person's key is made of.
KEYS = {"id", "image_id", "file_name", "imgname", "fnames", "img_path"}


class Book(NamedTuple):
    """A world's annotations: for each person what damages one of their values and names it; and what writes all."""

    people: list[Damage]
    save: Callable[[], object]


def below(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in lists and objects."""
    keys = [*value] if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from below(value[key])


def of_values(entry: Any) -> Damage:
    """Any value below an entry of JSON becomes another, or is left out."""

    def damage(rng: random.Random) -> str:
        holder, key = rng.choice([*below(entry)])
        if isinstance(holder, dict) and rng.random() < 0.2:
            del holder[key]
        else:
            holder[key] = copy.deepcopy(rng.choice(VALUES))
        return str(key)

    return damage


def of_arrays(**cells: np.ndarray) -> Damage:
    """Any cell of a person's views into arrays."""

    def damage(rng: random.Random) -> str:
        key = rng.choice([*cells])
        place = np.unravel_index(rng.randrange(cells[key].size), cells[key].shape)
        cells[key][place] = rng.choice(OF_KIND.get(cells[key].dtype.kind, (-1, 3)))
        return key

    return damage


def of_json(path: Path, people: Callable[[Any], list[Any]]) -> Book:
    content = json.loads(path.read_text())
    return Book([*map(of_values, people(content))], lambda: path.write_text(json.dumps(content)))


def of_npz(path: Path) -> Book:
    with np.load(path) as file:
        arrays = dict(file)
    rows = range(len(next(iter(arrays.values()))))
    people = [of_arrays(**{key: array[row : row + 1] for key, array in arrays.items()}) for row in rows]
    return Book(people, lambda: np.savez(path, **arrays))


def of_sequence(path: Path, threedpw: ModuleType) -> Book:
    content = threedpw.sequence(path.stem, 3, "mf", seed=4)
    keys = ("poses", "trans", "jointPositions", "poses2d")
    people = [of_arrays(**{key: content[key][k][i] for key in keys}) for k in (0, 1) for i in range(3)]
    return Book(people, lambda: path.write_bytes(threedpw.pickled(content)))


def of_mpii(root: Path, mpii: ModuleType) -> Book:
    joints, place = np.random.default_rng(0).uniform(20, 70, (3, 16, 2)), np.tile([0.3, 45.0, 40.0], (3, 1))

    def save() -> None:
        people = [mpii.rect(mpii.points(one), s, (x, y)) for one, (s, x, y) in zip(joints, place, strict=True)]
        images = [mpii.image("1.jpg", mpii.struct(*people[:2])), mpii.image("2.jpg", mpii.struct(people[2]))]
        mpii.save(root, images, [1, 1])

    return Book([of_arrays(joints=joints[k], place=place[k]) for k in range(3)], save)


def of_lspet(root: Path, leeds: ModuleType) -> Book:
    places, flags = leeds.people(3), np.ones((3, 14))
    people = [of_arrays(places=places[k], flags=flags[k]) for k in range(3)]
    return Book(people, lambda: leeds.save_joints(root / "hr-lspet" / "joints.mat", places, flags, joints_first=True))


def of_up_3d(root: Path) -> Book:
    arrays = {path: np.load(path) for path in sorted(root.glob("*_joints.npy"))}
    people = [of_arrays(joints=array) for array in arrays.values()]
    return Book(people, lambda: [np.save(path, array) for path, array in arrays.items()])


def annotations(content: Any) -> list[Any]:
    listed: list[Any] = content["annotations"]
    return listed


BOOKS: dict[str, Callable[[Path, World], Book]] = {
    "coco": lambda root, _: of_json(root / "annotations" / "person_keypoints_train2014.json", annotations),
    "own": lambda root, _: of_json(root / "annotations" / "person_keypoints_train2014.json", annotations),
    "crowdpose": lambda root, _: of_json(root / "json" / "crowdpose_train.json", annotations),
    "aic": lambda root, _: of_json(next(root.rglob("*.json")), list),
    "3doh50k": lambda root, _: of_json(root / "testset" / "annots.json", lambda content: [*content.values()]),
    "npz": lambda root, _: of_npz(root / "mpii_train.npz"),
    "ssp-3d": lambda root, _: of_npz(root / "labels.npz"),
    "3dpw": lambda root, load: of_sequence(root / "sequenceFiles" / "test" / "walk_00.pkl", load("threedpw")),
    "mpii": lambda root, load: of_mpii(root, load("mpii")),
    "lspet": lambda root, load: of_lspet(root, load("leeds")),
    "up-3d": lambda root, _: of_up_3d(root),
}


def told(selection: Selection) -> dict[tuple[str, int], str]:
    return {record.key: repr(record) for record in selection.records}


def outcome(raw: Raw, sound: Selection, what: str) -> str:
    """What became of the person; everybody else is asserted to be as before."""
    before = told(sound)
    try:
        found = select(raw)
    except PymafDataError:
        return "refused"
    after = told(found)
    assert found.total == sound.total and found.kept == len(after), (what, found.counts)
    changed = {key for key in before if after.get(key) != before[key]}
    new = after.keys() - before.keys()
    assert len(changed) <= 1 and len(new) <= 1, (what, changed, new)
    assert not new or what in KEYS or (what == "iscrowd" and not changed), (what, new)
    return "dropped" if found.dropped > sound.dropped else "changed" if changed else "same"


@pytest.mark.parametrize("count", [12, pytest.param(100, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", BOOKS)
def test_who_is_damaged_is_accounted_for_and_nobody_else_changes(
    name: str, count: int, worlds: ModuleType, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    root, rng, load = tmp_path / "raw", random.Random(name), request.getfixturevalue
    raw = require_raw_data(IngestOptions(**worlds.write(name, root)))
    BOOKS[name](root, load).save()
    sound, outcomes = select(raw), set()
    files = {path: path.read_bytes() for path in root.rglob("*") if path.suffix in (".json", ".npz", ".npy", ".pkl")}
    for _ in range(count):
        book = BOOKS[name](root, load)
        what = rng.choice(book.people)(rng)
        book.save()
        outcomes.add(outcome(raw, sound, what))
        for path, data in files.items():
            path.write_bytes(data)
    assert "dropped" in outcomes and sound.kept > 1
