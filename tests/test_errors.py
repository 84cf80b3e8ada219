"""Messages: whole after a trip between processes, and never what steers a terminal."""

from __future__ import annotations

import pickle

import pytest

from pymaf_data.errors import FitError, PymafDataError
from pymaf_data.plain import clean


def test_an_error_crosses_processes_whole() -> None:
    error = pickle.loads(pickle.dumps(FitError("found \x1b", expected="that", action="do")))
    assert type(error) is FitError and str(error) == "found \\x1b\nExpected: that\nWhat to do: do"


@pytest.mark.parametrize("steering", ["\x1b[2J", "\r", "\x08", "\x9b31m", "\x7f", "\u202e", "\u2066", "\ud800", "\0"])
def test_what_steers_a_terminal_stands_as_its_escape(steering: str) -> None:
    error = PymafDataError(f"a{steering}b", expected=f"c{steering}", action=f"d{steering}")
    for text in (str(error), error.found, error.expected, error.action):
        assert steering not in text and "\\" in text
        text.encode("utf-8")


def test_text_of_people_stays() -> None:
    assert clean("Größe\t½ px\n→ 写真 😀") == "Größe\t½ px\n→ 写真 😀"


def test_long_text_is_cut() -> None:
    assert len(PymafDataError("x" * 10_000).found) == 4000
    assert clean("x" * 10, longest=4) == "xxx…"
