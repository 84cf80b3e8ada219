"""Parse YAML of strangers: small, in UTF-8 or UTF-16, without what multiplies when it is looked at.

An alias makes a value stand in many places, and some lines of aliases stand for billions of values: PyYAML shares them,
but whoever validates or prints them goes through all. So nodes are counted as often as they stand somewhere.
"""

from __future__ import annotations

import codecs
from typing import Any

import yaml

LARGEST = 1 << 17
"""Bytes. A manifest or recipe has some thousand; the parser takes seconds for a megabyte."""
_MOST_NODES = 20_000
_DEEPEST = 50
_MERGE = "tag:yaml.org,2002:merge"
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def decode(data: bytes) -> str:
    """The text of a file.

    Raises:
        ValueError: it is too large, or no text in UTF-8 or UTF-16.
    """
    if len(data) > LARGEST:
        raise ValueError(f"it has {len(data):,} bytes, where {LARGEST:,} are read at most")
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"byte 0x{data[error.start]:02x} in line {line} is not {encoding}: save it as UTF-8") from None


def parse(text: str) -> Any:
    """The value that a text describes, of builtin types.

    Raises:
        ValueError: it is not YAML, holds a key twice, or is nested or repeated beyond measure.
    """
    if len(text) > LARGEST:
        raise ValueError(f"it has {len(text):,} characters, where {LARGEST:,} are read at most")
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _weigh(node, {}, 0)
        return loader.construct_document(node)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, KeyError, OverflowError) as error:
        # A tag on a value that it does not fit leads the constructors into errors of many kinds.
        raise ValueError(f"{type(error).__name__}: {str(error)[:500]}") from None


def _weigh(node: Any, known: dict[int, int], depth: int) -> int:
    """How many nodes stand below one, aliases counted wherever they stand."""
    if id(node) in known:
        if not known[id(node)]:
            raise ValueError(f"an alias stands within what it names{node.start_mark}")
        return known[id(node)]
    if depth > _DEEPEST:
        raise ValueError(f"it is nested deeper than {_DEEPEST}{node.start_mark}")
    known[id(node)] = 0
    below = []
    if isinstance(node, yaml.MappingNode):
        _refuse_twice(node)
        below = [child for pair in node.value for child in pair]
    elif isinstance(node, yaml.SequenceNode):
        below = node.value
    count = 1
    for child in below:
        count += _weigh(child, known, depth + 1)
        if count > _MOST_NODES:
            raise ValueError(f"it stands for more than {_MOST_NODES:,} values, by aliases or by length")
    known[id(node)] = count
    return count


def _refuse_twice(node: Any) -> None:
    seen: set[tuple[str, str]] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
            continue
        if (key.tag, key.value) in seen:
            raise ValueError(f"the key {key.value[:60]!r} stands twice in one mapping{key.start_mark}")
        seen.add((key.tag, key.value))
