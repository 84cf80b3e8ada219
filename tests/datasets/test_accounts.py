"""Nobody is lost or made up: one person's values are damaged in the annotations, and all others come out as before.

Whoever is damaged is kept under the same key, or counted as dropped, or the file is refused.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest

from pymaf_data.datasets import Selection, select
from pymaf_data.errors import PymafDataError
from pymaf_data.stages.ingest import IngestOptions, require_raw_data

COUNT = 40
TEXTS = (
    None, True, 0, -1, 0.5, 3, 1e9, 1e308, float("inf"), float("nan"), 1 << 31, 1 << 63, 10**400, "", "a", "7", "\0",
    "../../etc/passwd", "/", "\ud800", "x" * 2000, [], {}, [[]], [1], [None] * 60, {"a": 1},
)  # fmt: skip
NUMBERS = (0.0, -1.0, 0.5, 3.0, 1e9, 1e300, 1e-300, np.inf, -np.inf, np.nan)
#: What a person's key is made of.
KEYS = {"id", "image_id", "file_name", "imgname", "fnames", "img_path", "name"}

Damage = Callable[[random.Random], str]


class Book(NamedTuple):
    """A world's annotations.

    Attributes:
        people: for each person a function that damages one of their values and returns what it is called.
        save: writes the annotations as they now are.
    """

    people: list[Damage]
    save: Callable[[], None]


def below(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in lists and objects."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from below(value[key])


def of_values(entry: Any) -> Damage:
    """Any value below an entry of JSON, or one that is left out."""

    def damage(rng: random.Random) -> str:
        holder, key = rng.choice([*below(entry)])
        if isinstance(holder, dict) and rng.random() < 0.2:
            del holder[key]
        else:
            holder[key] = rng.choice(TEXTS)
        return str(key)

    return damage


def of_arrays(cells: dict[str, np.ndarray]) -> Damage:
    """Any number of a person's views into arrays."""

    def damage(rng: random.Random) -> str:
        key = rng.choice([*cells])
        flat = cells[key].reshape(-1)
        assert np.shares_memory(flat, cells[key])
        flat[rng.randrange(flat.size)] = rng.choice({"f": NUMBERS, "U": ("", "x", "\0")}.get(flat.dtype.kind, (-1, 3)))
        return key

    return damage


def of_json(path: Path, people: Callable[[Any], list[Any]]) -> Book:
    content = json.loads(path.read_text())
    return Book([of_values(one) for one in people(content)], lambda: path.write_text(json.dumps(content)) and None)


def of_npz(path: Path) -> Book:
    with np.load(path) as file:
        arrays = dict(file)
    rows = range(len(next(iter(arrays.values()))))
    people = [of_arrays({key: array[row : row + 1] for key, array in arrays.items()}) for row in rows]
    return Book(people, lambda: np.savez(path, **arrays))


def of_sequence(path: Path, threedpw: ModuleType) -> Book:
    content = threedpw.sequence(path.stem, 3, "mf", seed=4)
    lists = ("poses", "trans", "jointPositions", "poses2d")
    people = [of_arrays({key: content[key][actor][frame] for key in lists}) for actor in (0, 1) for frame in range(3)]
    return Book(people, lambda: path.write_bytes(threedpw.pickled(content)) and None)


def of_mpii(root: Path, mpii: ModuleType) -> Book:
    joints = np.random.default_rng(0).uniform(20, 70, (3, 16, 2))
    place = np.tile([0.3, 45.0, 40.0], (3, 1))

    def save() -> None:
        people = [mpii.rect(mpii.points(one), scale, (x, y)) for one, (scale, x, y) in zip(joints, place, strict=True)]
        mpii.save(
            root, [mpii.image("1.jpg", mpii.struct(*people[:2])), mpii.image("2.jpg", mpii.struct(people[2]))], [1, 1]
        )

    return Book([of_arrays({"joints": joints[k], "place": place[k]}) for k in range(3)], save)


def of_lspet(root: Path, leeds: ModuleType) -> Book:
    places, seen = leeds.people(3), np.ones((3, 14))
    file = root / "hr-lspet" / "joints.mat"
    people = [of_arrays({"places": places[k], "flags": seen[k]}) for k in range(3)]
    return Book(people, lambda: leeds.save_joints(file, places, seen, joints_first=True) and None)


def of_up_3d(root: Path) -> Book:
    files = sorted(root.glob("*_joints.npy"))
    arrays = [np.load(path) for path in files]

    def save() -> None:
        for path, array in zip(files, arrays, strict=True):
            np.save(path, array)

    return Book([of_arrays({"joints": array}) for array in arrays], save)


def annotations(content: Any) -> list[Any]:
    return content["annotations"]


BOOKS: dict[str, Callable[[Path, Any], Book]] = {
    "coco": lambda root, _: of_json(root / "annotations" / "person_keypoints_train2014.json", annotations),
    "crowdpose": lambda root, _: of_json(root / "json" / "crowdpose_train.json", annotations),
    "halpe": lambda root, _: of_json(root / "annotations" / "halpe_train_v1.json", annotations),
    "aic": lambda root, _: of_json(next(root.rglob("*.json")), list),
    "3doh50k": lambda root, _: of_json(root / "testset" / "annots.json", lambda content: [*content.values()]),
    "npz": lambda root, _: of_npz(root / "mpii_train.npz"),
    "ssp-3d": lambda root, _: of_npz(root / "labels.npz"),
    "3dpw": lambda root, ask: of_sequence(root / "sequenceFiles" / "test" / "walk_00.pkl", ask("threedpw")),
    "mpii": lambda root, ask: of_mpii(root, ask("mpii")),
    "lspet": lambda root, ask: of_lspet(root, ask("leeds")),
    "up-3d": lambda root, _: of_up_3d(root),
}


def told(selection: Selection) -> dict[tuple[str, int], dict[str, Any]]:
    return {record.key: record.model_dump() for record in selection.records}


@pytest.mark.parametrize("name", BOOKS)
def test_who_is_damaged_is_accounted_for_and_nobody_else_changes(
    name: str, worlds: ModuleType, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    raw = require_raw_data(IngestOptions(**worlds.write(name, tmp_path / "raw")))
    rng = random.Random(name)
    outcomes = {"kept": 0, "dropped": 0, "refused": 0}
    root, ask = tmp_path / "raw", request.getfixturevalue
    BOOKS[name](root, ask).save()
    files = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    sound = select(raw)
    before = told(sound)
    for _ in range(COUNT):
        for path, data in files.items():
            if path.read_bytes() != data:
                path.write_bytes(data)
        book = BOOKS[name](root, ask)
        which = rng.randrange(len(book.people))
        what = book.people[which](rng)
        book.save()
        try:
            found = select(raw)
        except PymafDataError:
            outcomes["refused"] += 1
            continue
        after = told(found)
        assert found.total == sound.total and found.kept == len(after), (what, found.counts)
        changed = {key for key, value in before.items() if str(after.get(key)) != str(value)}
        assert len(changed) <= 1, (what, changed)
        new = after.keys() - before.keys()
        assert not new or (len(new) == 1 and what in KEYS and changed), (what, new)
        outcomes["dropped" if found.dropped > sound.dropped else "kept"] += 1
    print(name, outcomes)
