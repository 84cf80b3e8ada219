"""JSON of strangers: one value for each key, or an error of ours."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted import json_text
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


WHOLE = (
    '{"a": [{"k": 1.5e-3, "l": [-0.25, 12]}, {"k:": "}"}, {}, [1, [2]], -7, "é"], "b" : {"c": {"d": [1e5]}}, "e": 1}',
    '[{"a": "\\ud800"}, {"b": "{:"}, NaN, "\\"}", 123.5e+1 , {"a": {"a": 1}}]',
    "-12.5e-3",
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("text", WHOLE)
def test_a_file_is_the_same_however_it_is_cut(
    text: str, encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text.encode(encoding))
    for pack in (None, lambda entry: ("packed", *entry.items())):
        whole = repr(json_text.parse_json(path.read_bytes(), pack))
        for block in (1, 2, 3, 7, 50, 1 << 20):
            monkeypatch.setattr(json_text, "_BLOCK", block)
            assert repr(read_json(path, pack)) == whole


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1 "b": 2}',
        '{"a": [1, 2}',
        '{"a": [1,]}',
        '{"a"}',
        "{a: 1}",
        '{"x": {"a":1,"a" :2}}',
        '[{"a":1},',
        "[1 2]",
    ],
)
def test_what_is_wrong_is_found_wherever_it_is_cut(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for block in (1, 5, 1 << 20):
        monkeypatch.setattr(json_text, "_BLOCK", block)
        with pytest.raises(RawDataCorrupt, match=r"a\.json is not JSON"):
            read(tmp_path, text)


def test_a_file_that_is_cut_off_is_told_from_one_that_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = '{"a": [{"k": 1.5, "l": [-0.25, 12], "n": {}}, {"k": "ab cd", "z": true}], "b": 1}'
    for block in (7, 1 << 20):
        monkeypatch.setattr(json_text, "_BLOCK", block)
        for size in range(1, len(whole)):
            end = len(whole[:size].rstrip())
            with pytest.raises(RawDataCorrupt, match=rf"cut off: it ends at character {end}, .*(.|\n)*wrote it"):
                read(tmp_path, whole[:size])
        for wrong in ('{"a": 1} 2', '{"a": [1, 2}', '{"a" 1}', '[{"a": "\n"}]'):
            with pytest.raises(RawDataCorrupt, match="at character") as error:
                read(tmp_path, wrong)
            assert "cut off" not in error.value.found


def test_members_of_a_list_are_not_text_together(tmp_path: Path) -> None:
    path, member = tmp_path / "a.json", '{"a": "' + "text " * 20_000 + '"}'
    path.write_text('{"data": [' + ", ".join([member] * 150) + "]}")
    tracemalloc.start()
    read_json(path, lambda entry: len(entry))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < path.stat().st_size / 2


# Text → bytes of it in UTF-8 from which on a list's members can be parsed alone.
HALVED = {
    '{"data": [{"a": 1}, {"b": "}, {"}, {"c": "\\"}, {\\"", "d": [2]} ,\n{"é": {"f": [{}, {}]}}], "w": [{}]}': 6,
    '[{"a": "\ud800"}, {"b": "[{}, {"}, [{"c": 1}, {"d": 2}], {}, {"k": 1, "l": 2}]': 8,
    '[{}, {"a": 1}, {"a": 1, "a": 2}]': 0,
    '[{"a": 1}, {"b": 2}, {"c": 3}] {}': 4,
    '[{"a": 1}, {"b": 2}, {"c": 3}, ]': 0,
    '{"x": [{}, {}], "x": [{}, {}]}': 4,
    '[{}, {"a": [{}, {}': 0,
    '[{}, {"a": 1}}, {"b": 1}]': 0,
    '[{"a": 1}]': 0,
    "[]": 0,
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("text", HALVED)
def test_the_end_of_a_list_may_be_parsed_by_another_wherever_it_may_seem_to_begin(
    text: str, encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text.encode(encoding, "surrogatepass"))
    whole, taken = result(path), []
    for block in (5, 1 << 20):
        monkeypatch.setattr(json_text, "_BLOCK", block)
        for cut in range(path.stat().st_size):
            found = result(path, json_text.Rest(cut, lambda cut=cut: end(path, cut, taken)))
            # Of the faults of a file another may be named; one that is sound is the same.
            assert found == whole or {type(found), type(whole)} == {RawDataCorrupt}, cut
    assert len({*taken}) == (HALVED[text] if encoding == "utf-8" else 0)


def pack(entry: dict[str, Any]) -> Any:
    return ("packed", *entry.items())


def result(path: Path, rest: json_text.Rest | None = None) -> Any:
    try:
        return read_json(path, pack, rest)
    except RawDataCorrupt as error:
        return error


def end(path: Path, cut: int, taken: list[int]) -> Any:
    try:
        found = json_text.read_members(path, cut, pack)
    except (ValueError, RecursionError):
        return None
    taken.append(cut)
    return found
