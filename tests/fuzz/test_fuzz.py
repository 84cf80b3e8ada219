"""Thirty mutated files for every reader: a value or an error of ours, soon, and in little memory.

`make fuzz` runs ten thousand.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

HERE = Path(__file__).parent


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"fuzz_{name.strip('_')}", HERE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


fuzzing = load("__main__")
COUNT = 30


@pytest.fixture(scope="module")
def tallies() -> dict[str, Any]:
    found: dict[str, Any] = fuzzing.fuzz(list(fuzzing.READERS), 0, COUNT)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", list(fuzzing.READERS))
def test_mutated_files_give_values_or_our_errors(name: str, tallies: dict[str, Any]) -> None:
    tally = tallies[name]
    assert not tally.faults, "\n".join(tally.faults)
    assert tally.values + tally.refused == COUNT


def test_a_number_names_one_file_for_ever() -> None:
    data = bytes(range(256))
    made = [fuzzing.mutate(data, "x", number) for number in range(40)]
    assert made == [fuzzing.mutate(data, "x", number) for number in range(40)]
    assert len(set(made)) > 35
    assert fuzzing.mutate(b"", "x", 1) is not None


def test_what_a_file_says_is_mutated_under_right_checksums() -> None:
    said = io.BytesIO()
    np.savez_compressed(said, names=np.array(["a", "b"]), numbers=np.arange(6.0).reshape(2, 3))
    made = [fuzzing.mutate(said.getvalue(), "x", number) for number in range(60)]
    assert made == [fuzzing.mutate(said.getvalue(), "x", number) for number in range(60)]
    whole = [data for data in made if zipfile.is_zipfile(io.BytesIO(data)) and intact(data)]
    assert len(set(whole)) > 15
    made = [fuzzing.mutate(b'{"a": [1, 2, {"b": "c"}], "d": null}', "x", number) for number in range(60)]
    parsed = []
    for text in made:
        with contextlib.suppress(ValueError, RecursionError):
            parsed.append(json.loads(text))
    assert len({repr(value) for value in parsed}) > 15


def intact(data: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.testzip() is None
    except Exception:
        return False


def test_faults_of_every_kind_are_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Readers of its own: one that raises, one that hangs, one that dies, one that fills memory, a sound one."""
    script = tmp_path / "fuzz.py"
    text = (HERE / "__main__.py").read_text(encoding="utf-8").replace(
        "str(Path(__file__).parent)", repr(str(HERE))
    ).replace("from readers import READERS, sound", "from readers import READERS, Reader, sound\n" + BAD).replace(
        "SECONDS, MEGABYTES = 10, 1024", "SECONDS, MEGABYTES = 2, 200"
    )  # fmt: skip
    script.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("fuzz_bad", script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "fuzz_bad", module)
    spec.loader.exec_module(module)
    tallies = module.fuzz(["raises", "hangs", "dies", "fills", "sound"], 0, 1)
    told = {name: tally.faults for name, tally in tallies.items()}
    assert [len(told[name]) for name in ("raises", "hangs", "dies", "fills", "sound")] == [1, 1, 1, 1, 0], told
    for name, word in {"raises": "KeyError", "hangs": "took over", "dies": "ended the process", "fills": "MB"}.items():
        assert word in told[name][0]
    assert tallies["sound"].values == 1


BAD = """
import os, signal
def _write(folder):
    (folder / "seed").write_bytes(b"sound")
    yield folder / "seed"
def _only(act):
    def read(folder):
        if (folder / "seed").read_bytes() != b"sound":
            act()
    return Reader(_write, read)
def _raise(): raise KeyError("x")
def _hang():
    while True: pass
READERS.clear()
READERS.update({"raises": _only(_raise), "hangs": _only(_hang), "fills": _only(lambda: b"1" * (1 << 29)),
    "dies": _only(lambda: os.kill(os.getpid(), signal.SIGSEGV)), "sound": _only(lambda: None)})
"""
