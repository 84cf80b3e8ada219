"""YAML: one message for whatever is wrong, soon, and never the whole of what it found."""

from __future__ import annotations

import codecs
import time
from pathlib import Path

import pytest

from pymaf_data.config import StrictModel, load_yaml, read_yaml
from pymaf_data.errors import ConfigError

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
BAD = {
    "aliases": BOMB,
    "alias of itself": "a: &a [*a]",
    "depth": "[" * 20_000,
    "depth of blocks": "".join(" " * i + "a:\n" for i in range(300)),
    "key twice": "a: 1\nb: 2\na: 3",
    "tab": "a:\n\tb: 1",
    "digits": "a: " + "9" * 10_000,
    "tag": "a: !!int x",
    "date": "a: 2001-99-99",
    "no date": "a: !!timestamp x",
    "bool": "a: !!bool maybe",
    "object": "!!python/object/apply:os.system [echo]",
    "escape": "a: \x1b[2J",
    "key of a list": "? [a]\n: b",
    "no anchor": "a: *b",
    "merge of a number": "a: {<<: 3}",
    "binary": "a: !!binary \xff",
    "two documents": "a: 1\n---\nb: 2",
    "length": "[" + "x," * 30_000 + "]",
}


@pytest.mark.parametrize("name", BAD)
def test_one_short_message(name: str) -> None:
    began = time.process_time()
    with pytest.raises(ConfigError, match=r"mine\.yaml") as caught:
        read_yaml(BAD[name], "mine.yaml")
    assert len(str(caught.value)) < 900 and "\x1b" not in str(caught.value)
    assert time.process_time() - began < 10


def test_anchors_and_merges_are_yaml() -> None:
    assert read_yaml("a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: *a", "f") == {
        "a": {"x": 1},
        "b": {"x": 1, "y": 2},
        "c": {"x": 1},
    }
    assert read_yaml("a: &a {x: 1}\nb: &b {y: 1}\nc: {<<: *a, <<: *b}", "f")["c"] == {"x": 1, "y": 1}
    assert read_yaml("1: a\n'1': b", "f") == {1: "a", "1": "b"}


class Named(StrictModel):
    name: str


BIG_ENDIAN = codecs.BOM_UTF16_BE + "name: é".encode("utf-16-be")


@pytest.mark.parametrize(
    "data", ["name: é".encode(), "name: é".encode("utf-8-sig"), "name: é".encode("utf-16"), BIG_ENDIAN]
)
def test_unicode_is_read_by_its_mark(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.yaml").write_bytes(data)
    assert Named.parse(load_yaml(tmp_path / "x.yaml"), "x").name == "é"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("title: a\nname: é".encode("latin1"), "byte 0xe9 in line 2"),
        (b"\xff\xfen\x00a", "utf-16"),
        (b"name: a\0", "special characters"),
        (b"#" * 1_000_000, "1,000,000 bytes"),
    ],
)
def test_other_bytes_are_named(tmp_path: Path, data: bytes, told: str) -> None:
    (tmp_path / "x.yaml").write_bytes(data)
    with pytest.raises(ConfigError, match=told):
        load_yaml(tmp_path / "x.yaml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no file"):
        load_yaml(tmp_path)
    with pytest.raises(ConfigError, match="No such file"):
        load_yaml(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    "text", ["[1]", "3", "", "name: [a]", "1: a\nname: b", "name: {a: b}", "name: 0x" + "f" * 9000]
)
def test_wrong_types_are_said_once(text: str) -> None:
    with pytest.raises(ConfigError, match="does not validate as Named") as caught:
        Named.parse(read_yaml(text, "x"), "x")
    assert len(str(caught.value)) < 600


def test_messages_are_cut() -> None:
    many = {f"key{i}\x1b[31m": "v" * 10_000 for i in range(1000)}
    with pytest.raises(ConfigError, match="and 993 more") as caught:
        Named.parse(many, "x")
    assert len(str(caught.value)) < 4000 and "\x1b" not in str(caught.value)
