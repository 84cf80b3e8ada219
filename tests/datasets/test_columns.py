"""Persons as columns: what goes in comes out, in row order, in little memory; what nobody says is absent."""

from __future__ import annotations

import pickle
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pymaf_data.datasets import columns
from pymaf_data.datasets.columns import PERSON_COLUMNS, PersonColumns
from pymaf_data.datasets.records import PersonRecord
from pymaf_data.geometry.joints import J24, J49

K = ((500.0, 0.0, 50.5), (0.0, 501.0, 40.25), (0.0, 0.0, 1.0))


def person(name: str, key: int, **more: Any) -> PersonRecord:
    x = key % 100
    said: dict[str, Any] = {"image_size": (64, 48), "box": (x + 0.1, 2.0, 3.0)}
    said["keypoints"] = {"left_wrist": (x + 0.5, 7.25, 2), "openpose:nose": (3.0, x + 0.25, 1)}
    return PersonRecord(image_name=name, annotation_id=key, **(said | more))


def mixed() -> list[PersonRecord]:
    """Records of all kinds, not in row order; names sort by code points."""
    return [
        person("b.jpg", 3, intrinsics=K, joints3d={"head_top_lsp": (0.25, -0.5, 2.0), "pelvis_mpii": (0.0, 0.0, 0.0)}),
        person("é.jpg", 2, frame=2**40, keypoints={}),
        person("b.jpg", 1, subject=5, image_size=(0, 0)),
        person("B.jpg", 2**62, sequence=0, gender="female", confidence={"left_wrist": 0.5}),
        person("𝔞.jpg", 0, mask=b"0o1", parts=(b"1", b"", b"23", b"", b"", b"", b"456")),
        person("\uffee.jpg", 0, camera=3, box_source="detector", mask=b"01"),
    ]


@pytest.mark.parametrize("block", [1, 2, 4096])
def test_records_come_out_as_they_went_in(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "_BLOCK", block)
    records = mixed()
    held = PersonColumns.of(iter(records))
    expected = sorted(records, key=lambda record: record.key)
    assert list(held) == expected and held.row_keys() == [record.key for record in expected]
    assert len(held) == 6 and held[-1] == expected[-1]
    part = held[1:4]
    assert list(part) == expected[1:4] and part.row_keys() == held.row_keys()[1:4]
    names = part.image_names(12)
    assert [bytes(name).rstrip(b"\0").decode() for name in names] == [record.image_name for record in expected[1:4]]
    assert names.shape == (3, 12) and names.dtype == np.uint8


@pytest.mark.parametrize("together", [1, 3, 1000])
def test_blocks_of_columns_and_records_come_out_as_one(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever bring a column, and however many are joined first."""
    monkeypatch.setattr(columns, "_TOGETHER", together)
    one, two, *rest = mixed()
    found = PersonColumns.of([PersonColumns.of(rest[2:]), one, PersonColumns.of([two]), *rest[:2]])
    whole = PersonColumns.of(mixed())
    assert list(found) == list(whole) and found.names == whole.names
    assert {name: (array.dtype, array.tolist()) for name, array in found.columns.items()} == {
        name: (array.dtype, array.tolist()) for name, array in whole.columns.items()
    }


def arrays(**changes: Any) -> PersonColumns:
    keypoints, seen = np.zeros((2, len(J49), 3)), np.zeros((2, len(J49)))
    keypoints[:, 30], seen[:, 30] = [[1.5, 2.5, 1], [3.5, 4.5, 1]], 2
    values = {"image_size": (64, 48), "box": [[1, 2, 3], [4, 5, 6]], "keypoints": keypoints, "visibility": seen}
    return PersonColumns.of_arrays(["b.jpg", "a.jpg"], **values | {"annotation_id": [7, 8], "camera": 3} | changes)


def test_what_a_reader_has_as_arrays_are_the_same_persons() -> None:
    joint = J49.joints[30]
    same: dict[str, Any] = {"image_size": (64, 48), "camera": 3, "intrinsics": K}
    records = [
        PersonRecord(image_name="b.jpg", annotation_id=7, box=(1, 2, 3), keypoints={joint: (1.5, 2.5, 2)}, **same),
        PersonRecord(image_name="a.jpg", annotation_id=8, box=(4, 5, 6), keypoints={joint: (3.5, 4.5, 2)}, **same),
    ]
    assert list(PersonColumns.of([arrays(intrinsics=K, has_intrinsics=True)])) == list(PersonColumns.of(records))


@pytest.mark.parametrize(
    "wrong",
    [
        {"box": [1, 2, 0]},
        {"box": [[1, 2, 3], [np.nan, 2, 3]]},
        {"box": [[1, 2, 3], [1, 2, 2e6]]},
        {"keypoints": np.full((2, len(J49), 3), np.inf)},
        {"joints3d": np.full((2, len(J24), 4), np.nan)},
        {"intrinsics": np.full((3, 3), np.nan)},
    ],
)
def test_arrays_hold_nothing_that_no_record_could(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"boxes without area|a value that is not finite"):
        arrays(**wrong)


def test_what_no_record_brings_is_absent_and_what_one_brings_is_filled() -> None:
    plain = PersonColumns.of([person("a.jpg", 1), person("b.jpg", 2)])
    brought = {"image_size", "box", "keypoints", "visibility", "annotation_id"}
    assert set(plain.columns) == brought
    assert set(PersonColumns.of(mixed()).columns) == {c.name for c in PERSON_COLUMNS} - {
        "image_name",
        "present",
        "reason",
    }
    for column in PERSON_COLUMNS:
        if column.name not in brought:
            assert plain.column(column.name).tolist() == np.full((2, *column.shape), column.missing).tolist()
            assert plain.column(column.name).dtype == np.dtype(column.dtype)
    whole = PersonColumns.of(mixed())
    said = {name: whole.column(name).tolist() for name in ("camera", "gender", "box_source")}
    assert said == {"camera": [-1] * 4 + [3, -1], "gender": [3] + [0] * 5, "box_source": [0] * 4 + [4, 0]}
    assert PersonColumns.of(mixed()).column("keypoints")[0, J49.index("left_wrist"), 2] == 0.5
    assert whole.brought == dict.fromkeys(said, ()) | {"mask": (3,), "parts": (7, 3)} and plain.brought == {}
    assert [row.tobytes() for row in whole.column("mask")[4:]] == [b"01\0", b"0o1"]
    frames = PersonColumns.of(mixed()).column("frame")
    assert sorted(frames.tolist()) == [-1] * 5 + [2**40]


def test_a_slice_takes_no_more_names_than_its_own() -> None:
    """It travels to a worker, and a data set has more names than a shard."""
    whole = PersonColumns.of([person(f"{number:05}.jpg", number) for number in range(3000)])
    part = whole[1000:1010]
    assert len(part.names) == 10 and len(pickle.dumps(part)) < 20_000
    assert [record.key for record in part] == [record.key for record in whole][1000:1010]


def test_of_nobody_there_are_no_columns() -> None:
    empty = PersonColumns.of([])
    assert (len(empty), list(empty), empty.row_keys(), empty.columns) == (0, [], [], {})


def test_persons_take_the_memory_of_their_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """312,188 with all columns stay below 450 MB, and below 700 MB while they come: no column is there three times."""
    monkeypatch.setattr(columns, "_BLOCK", 256)
    count = 6_000
    places = dict.fromkeys(J49.joints[25:42], (1.0, 2.0, 2))
    solid = dict.fromkeys(J24.joints, (0.5, 0.25, 1.0))

    def stream() -> Iterator[PersonRecord]:
        for key in range(count):
            yield PersonRecord.model_construct(
                image_name=f"S1_Directions.54138969_{key:06d}.jpg",
                annotation_id=key,
                image_size=(1000, 1002),
                box=(1.0, 2.0, 3.0),
                keypoints=dict(places),
                joints3d=dict(solid),
                subject=1,
                sequence=2,
                frame=key,
                intrinsics=K,
            )

    tracemalloc.start()
    held = PersonColumns.of(stream())
    current, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held.nbytes * 312_188 / count < 450e6
    assert current * 312_188 / count < 450e6 + 60e6, "names are beside"
    assert peak * 312_188 / count < 700e6
