"""Names that ``import pymaf_data`` promises: all load, ``dir`` lists them, and type checkers see the same ones."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

LAZY = [f"pymaf_data{room}" for room in ("", ".fits", ".geometry", ".loader", ".model", ".render")]


def typed(package: str) -> set[str]:
    """What stands below ``if TYPE_CHECKING`` in a package."""
    file = import_module(package).__file__
    assert file is not None
    blocks = [node for node in ast.parse(Path(file).read_text()).body if isinstance(node, ast.If)]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name for node in imports for alias in node.names}


@pytest.mark.parametrize("package", LAZY)
def test_public_names_load_and_are_listed(package: str) -> None:
    module, names = import_module(package), typed(package)
    assert names and names <= set(dir(module))
    for name in {*names, *dir(module)}:
        found = getattr(module, name)
        assert getattr(found, "__name__", name).rpartition(".")[2] == name
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        module.nonsense
