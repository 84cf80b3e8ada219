"""Naming shards on the command line."""

from __future__ import annotations

import pytest

from pymaf_data.errors import UsageError
from pymaf_data.stages.shard_choice import choose_shards


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("missing", [2, 5]),
        ("0-3", [0, 1, 2, 3]),
        ("7,9", [7, 9]),
        ("9,7,7", [7, 9]),
        ("0-1, 4,1-2", [0, 1, 2, 4]),
        ("9", [9]),
    ],
)
def test_shards_that_are_there(text: str, expected: list[int]) -> None:
    assert choose_shards(text, 10, {5, 2}) == expected


@pytest.mark.parametrize("text", ["", "10", "0-10", "3-1", "-1", "a", "1-", "1;2", "all,1", "1,", "¹", "0x1"])
def test_what_names_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        choose_shards(text, 10, set())
