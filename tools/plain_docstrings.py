"""For the reference: docstrings are written to be read as they stand, which Markdown would not show."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

_ROLE = re.compile(r":\w+:`(~?)([\w.]+)`")
_COLUMNS = re.compile(r"\S {2,}\S")


class PlainDocstrings(Extension):
    """Names without Sphinx's roles, :func:`~a.b.c` → `c`; paragraphs that are tables in columns as they stand."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Of every docstring."""
        if obj.docstring:
            text = _ROLE.sub(_named, obj.docstring.value)
            obj.docstring.value = "\n\n".join(map(_as_it_stands, text.split("\n\n")))


def _named(role: re.Match[str]) -> str:
    return f"`{role[2].rpartition('.')[2] if role[1] else role[2]}`"


def _as_it_stands(paragraph: str) -> str:
    lines = paragraph.split("\n")
    columns = sum(bool(_COLUMNS.search(line)) for line in lines)
    return "\n".join(f"    {line}" for line in lines) if len(lines) > 1 and 2 * columns >= len(lines) else paragraph
