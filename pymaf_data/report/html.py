"""One self-contained HTML file: template, style, scripts, data and images, and a policy that forbids everything else.

Names in annotation files are other people's input. They reach the page as JSON in a block that no browser runs, with
every ``<``, ``>`` and ``&`` written as an escape, and the scripts make text nodes of them, never markup. The content
security policy names style and script by their hash, so that nothing else would run, and knows no network.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from pymaf_data.digest import digest_json

STYLE = "page.css"
SCRIPTS = (
    *("core.js", "plots.js", "lines.js", "people.js", "filters.js", "gallery.js"),
    *("ridges.js", "sources.js", "verdicts.js", "worst.js", "store.js", "run.js", "evaluation.js", "mesh.js"),
    *("prediction.js", "main.js"),
)
_RESOURCE = "pymaf_data.report.page"
_SHOWS = re.compile(rb'<meta name="shows" content="([0-9a-f]{64})">')
_HEAD = 4096


@dataclass(frozen=True)
class Page:
    """What a page holds.

    Attributes:
        title: its heading.
        shows: a digest of what it shows, by which a page that is there already is recognised.
        meta: JSON values for the scripts.
        blocks: binary data by name.
        images: (name, panel → WebP) one after the other; they are made while the page is written.
        files: what stands beside the page, by what takes the place of its ``.html``; part by part, to be read once.
    """

    title: str
    shows: str
    meta: Mapping[str, Any]
    blocks: Mapping[str, bytes] = field(default_factory=dict)
    images: Iterable[tuple[str, Mapping[str, bytes]]] = ()
    files: Mapping[str, Iterable[bytes]] = field(default_factory=dict)


def render(page: Page) -> Iterator[bytes]:
    """The page, part by part."""
    style, script = _text(STYLE), _script()
    values = {
        "csp": _policy(style, script),
        "shows": page.shows,
        "title": html.escape(page.title),
        "style": style,
        "script": script,
    }
    before, after = _text("page.html").split("{{data}}")
    yield _filled(before, values).encode()
    yield f'<script type="application/json" id="meta">{_json(page.meta)}</script>\n'.encode()
    for name, block in page.blocks.items():
        yield b'<script type="text/plain" id="%s">%s</script>\n' % (name.encode(), base64.b64encode(block))
    for name, panels in page.images:
        lines = [key.encode() + b":" + base64.b64encode(data) for key, data in panels.items()]
        yield b'<script type="text/plain" id="%s">\n%s\n</script>\n' % (name.encode(), b"\n".join(lines))
    yield _filled(after, values).encode()


def shown_by(head: bytes) -> str:
    """The digest of what a page shows, from its first bytes; empty where it says nothing."""
    found = _SHOWS.search(head[:_HEAD])
    return found.group(1).decode() if found else ""


@cache
def design() -> str:
    """Digest of template, style and scripts: another design is another page."""
    return digest_json([_text("page.html"), _text(STYLE), _script()])


def _filled(text: str, values: Mapping[str, str]) -> str:
    # One pass: what was filled in is not looked at again.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match.group(1)], text)


def _policy(style: str, script: str) -> str:
    return "; ".join(
        [
            "default-src 'none'",
            "img-src data:",
            f"style-src '{_source(style)}'",
            f"script-src '{_source(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _source(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _script() -> str:
    return "(() => {\n'use strict';\n" + "\n".join(_text(name) for name in SCRIPTS) + "})();\n"


@cache
def _text(name: str) -> str:
    return (files(_RESOURCE) / name).read_text(encoding="utf-8")


def _json(value: Any) -> str:
    """JSON that may stand in a script block: no character of markup, nothing but ASCII."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
