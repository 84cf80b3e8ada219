"""Packed labels: every bit comes back, and a person of a published data set takes less than a kilobyte."""

from __future__ import annotations

import numpy as np
import pytest

from pymaf_data.body import BodyModel
from pymaf_data.loader import Loader, LoaderOptions
from pymaf_data.loader.columns import Table

N = 5000  # the last hundreds lie beyond the rows that are tried first


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_every_bit_comes_back_and_no_more_is_held_than_needed(dtype: str) -> None:
    rng = np.random.default_rng(0)
    values = np.zeros((N, 4, 2), dtype)
    values[:, 0, 0] = np.nan  # shared, as is what follows it
    values[:, 1, 0] = rng.integers(0, 1000, N) + 0.5  # half
    values[:, 1, 1] = rng.integers(0, 1000, N)
    values[-1, 1, 1] = 2049  # in the last row alone: no half holds it
    values[:, 2, 0] = rng.normal(size=N)  # single or double
    values[:, 2, 1] = np.where(np.arange(N) == N - 1, -0.0, 0.0)  # one sign, which is a bit
    values[:, 3, 0] = np.float32(rng.normal(size=N)) * 1e-3
    values[5, 3, 1] = np.inf
    table = Table.of(values)
    rows = np.array([N - 1, 0, 7, 7])
    for chosen in (rows, slice(None), slice(3, 5)):
        assert table[chosen].tobytes() == values[chosen].tobytes() and table[chosen].dtype == values.dtype
    wide = int(dtype[1])
    assert table.nbytes - 8 - 8 * wide == N * (2 + 4 + wide + 2 + 4 + 2)
    for single in (rng.normal(size=(N, 1)).astype("f4").astype(dtype), rng.normal(size=(1, 1)).astype(dtype)):
        assert Table.of(single).nbytes <= 4 * N + 16 and Table.of(single)[:].tobytes() == single.tobytes()


def test_tables_are_joined_without_a_copy() -> None:
    rng = np.random.default_rng(1)
    parts = [rng.normal(size=(n, 3)).astype("f4") for n in (4, 1, 6)]
    parts[1][:] = 1
    tables = [Table.of(part) for part in parts]
    joined = Table.join([Table.join(tables[:2]), tables[2]])
    rows = np.array([10, 4, 0, 4, 5, 9])
    assert joined[rows].tobytes() == np.concatenate(parts)[rows].tobytes() and len(joined) == 11
    assert joined.parts[2].held[0] is tables[2].parts[0].held[0]


def test_a_person_takes_less_than_a_kilobyte(make_store, persons, body: BodyModel, atlas) -> None:
    """Human3.6M's columns: 17 keypoints and 17 measured joints, known intrinsics, a perspective fit."""
    rng = np.random.default_rng(2)
    keypoints, joints = persons.keypoints.copy(), np.zeros((20, 24, 4), np.float32)
    keypoints[:, :25], keypoints[:, 42:] = 0, 0
    joints[:, :17] = rng.normal(size=(20, 17, 4))
    joints[:, :17, 3] = 1
    intrinsics = np.tile(np.array([[1145.5, 0, 512.3], [0, 1143.8, 515.4], [0, 0, 1]]), (20, 1, 1))
    native = np.concatenate([intrinsics, intrinsics @ rng.uniform(1, 5, (20, 3, 1))], 2)
    measured = {"joints3d": joints, "intrinsics": intrinsics, "has_intrinsics": np.ones(20, bool)}
    store = make_store(
        ingested={"keypoints": keypoints} | measured,
        fitted={"native": native, "frame": np.zeros(20, np.uint8)},
        kind="perspective",
    )
    loader = Loader([store], body, atlas, LoaderOptions(workers=0))
    held = sum(values.nbytes for part in vars(loader.labels).values() for values in _arrays(part)) / 20
    assert 600 < held < 1000


def _arrays(column: object) -> list[np.ndarray]:
    return [values for part in column.parts for values in part.held] if isinstance(column, Table) else [column]


def test_one_person_is_what_they_are_among_others(make_store, body: BodyModel, atlas) -> None:
    """Labels follow from rows one by one: to the bit, however many are asked for."""
    loader = Loader([make_store(unfitted=(3,))], body, atlas, LoaderOptions(workers=0, joints3d="fitted"))
    together = loader.persons(np.arange(20))
    for row in (0, 3, 19):
        alone = loader.persons(np.array([row]))
        for name, values in vars(alone).items():
            assert np.array_equal(np.asarray(values)[0], np.asarray(getattr(together, name))[row]), name
    assert not together.fit_joints[3].any() and not together.fit_root[3].any()
