"""Read XML of strangers: elements, attributes and text. Documents that define anything (a DTD, entities) are refused,
since a definition is how a kilobyte becomes a gigabyte."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.bounds import DEEPEST, read_whole

_MOST = 1 << 24


def read_xml(path: Path) -> Element:
    """The root element of a file.

    Raises:
        RawDataCorrupt: it cannot be opened, is no XML, defines entities, or is nested too deep.
    """
    builder, depth = TreeBuilder(), 0

    def begin(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise ValueError(f"it is nested deeper than {DEEPEST}")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: Any) -> None:
        raise ValueError("it has a document type, which may define anything")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, end, builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(read_whole(path, _MOST), True)
        root: Element = builder.close()
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as error:
        raise RawDataCorrupt(
            f"{path} cannot be read as XML: {str(error)[:200]}", expected="an XML file", action="fetch it again."
        ) from None
    return root
