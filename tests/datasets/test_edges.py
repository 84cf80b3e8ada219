"""The last value that a store's columns hold and the first that they do not; files that state no licence."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import ValidationError

from pymaf_data.datasets import Raw, load_manifest, select
from pymaf_data.datasets.records import Licence, PersonRecord

GOOD: dict[str, Any] = {
    "image_name": "a.jpg", "annotation_id": 0, "image_size": (640, 480), "box": (1.0, 2.0, 3.0), "keypoints": {},
}  # fmt: skip
K = ((1.0, 0.5, -3.0), (0.0, 2.0, 4.0), (0.0, 0.0, 1.0))


@pytest.mark.parametrize(
    ("column", "held", "refused"),
    [
        ("annotation_id", 2**63 - 1, 2**63),
        ("annotation_id", 0, -1),
        ("subject", 2**31 - 1, 2**31),
        ("subject", -1, -2),
        ("sequence", 2**31 - 1, 2**31),
        ("sequence", -1, -2),
        ("frame", 2**63 - 1, 2**63),
        ("frame", -1, -2),
        ("image_size", (1, 1), (0, 1)),
        ("image_size", (1, 1), (1, 0)),
        ("image_name", "é" * 512, "é" * 512 + "x"),
        ("box", (-1e6, 1e6, 1e6), (-1.1e6, 0.0, 1.0)),
        ("box", (0.0, 0.0, 1.0), (0.0, 1.1e6, 1.0)),
        ("box", (0.0, 0.0, 1.0), (0.0, 0.0, 1.1e6)),
        ("keypoints", {"nose": (0.0, 0.0, 1)}, {"nose": (0.0, 0.0, 3)}),
        ("keypoints", {"nose": (-1e6, 1e6, 2)}, {"nose": (1.1e6, 0.0, 2)}),
        ("joints3d", {"jaw_h36m": (-1e6, 1e6, 0.0)}, {"jaw_h36m": (0.0, 0.0, -1.1e6)}),
        ("joints3d", {"jaw_h36m": (0.0, 0.0, 0.0)}, {"jaw_h36m": (0.0, float("nan"), 0.0)}),
        ("keypoints", {"nose": (0.0, 0.0, 1)}, {"nose": (0.0, float("nan"), 1)}),
        ("box", (0.0, 0.0, 1.0), (float("nan"), 0.0, 1.0)),
        ("box", (0.0, 0.0, 1.0), (0.0, 0.0, float("nan"))),
        ("box", (0.0, 0.0, 1.0), (0.0, 0.0, 0.99)),
        ("intrinsics", K, ((0.0, 0.0, 1.0), *K[1:])),
        ("intrinsics", K, (K[0], (0.0, -1.0, 1.0), K[2])),
        ("intrinsics", K, (K[0], (0.0, float("inf"), 1.0), K[2])),
        ("intrinsics", K, (*K[:2], (0.0, 0.0, 0.0))),
    ],
)
def test_a_column_holds_what_it_can_and_no_more(column: str, held: Any, refused: Any) -> None:
    assert getattr(PersonRecord(**(GOOD | {column: held})), column) == held
    with pytest.raises(ValidationError, match=column):
        PersonRecord(**(GOOD | {column: refused}))


def test_what_a_data_set_does_not_say_is_said_to_be_missing() -> None:
    record = PersonRecord(**GOOD)
    assert (record.subject, record.sequence, record.frame, record.intrinsics) == (-1, -1, -1, None)
    assert record.key == ("a.jpg", 0)


def test_a_licence_in_one_line() -> None:
    counted = Licence(covers="photographs", name="CC BY", url="http://x", photographs=1234, persons=5678)
    assert counted.sentence() == "CC BY · 1,234 photographs, 5,678 persons"
    assert counted.part == "photographs under http://x"
    plain = Licence(covers="annotations", name="CC BY", note="cite it", url="http://x")
    assert plain.sentence() == "CC BY · cite it · http://x"
    assert plain.part == "annotations"


@pytest.mark.parametrize("stated", [[], None, {}, "CC BY"])
def test_a_file_that_states_no_licence_carries_none(stated: Any, coco: ModuleType, tmp_path: Path) -> None:
    made = coco.small_set(tmp_path, pictures=2, persons=1)
    made.licenses = stated
    made.save()
    selection = select(Raw(tmp_path, load_manifest("coco"), "train"))
    assert (selection.licences, selection.kept, selection.listed) == ((), 2, (2, 2))
