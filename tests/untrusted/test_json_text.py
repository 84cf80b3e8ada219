"""JSON of strangers: one value for each key, or an error of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.json_text import read_json


def read(tmp_path: Path, text: str, **more: Any) -> Any:
    path = tmp_path / "a.json"
    path.write_text(text)
    return read_json(path, **more)


@pytest.mark.parametrize("text", ['{"a": 1, "b": 2, "a": 1}', '[{"x": {"a": [], "a": {}}}]', '{"a": 1, "\\u0061": 2}'])
def test_a_key_that_is_there_twice_loses_nobody(text: str, tmp_path: Path) -> None:
    with pytest.raises(RawDataCorrupt, match=r"a\.json.*'a' twice"):
        read(tmp_path, text)


def test_objects_are_packed_from_within(tmp_path: Path) -> None:
    assert read(tmp_path, '{"a": {"b": 1}, "c": [{}]}') == {"a": {"b": 1}, "c": [{}]}
    assert read(tmp_path, '{"a": {"b": 1}, "c": [{}]}', pack=len) == 2
    assert read(tmp_path, '[{"a": 1}, {"a": 1, "b": {"c": 1, "d": 1, "e": 1}}]', pack=lambda one: [*one.values()]) == [
        [1],
        [1, [1, 1, 1]],
    ]


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"a": 1} 2', '"\x00"'])
def test_what_is_not_json_is_said(text: str, tmp_path: Path) -> None:
    with pytest.raises(RawDataCorrupt, match=r"a\.json is not JSON"):
        read(tmp_path, text)
