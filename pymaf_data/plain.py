"""Text of strangers made fit for a terminal.

File names, annotations and messages of other libraries may hold control characters: an escape code in a file name can
clear the screen or forge a line. What errors say, the command line prints and logging writes goes through
:func:`clean`.
"""

from __future__ import annotations

import codecs
import logging
import re

# C0 but tab and newline, DEL, C1, what reorders or breaks lines in Unicode (bidi controls, separators), and surrogates,
# which no terminal can be sent.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_PLAINER = str.maketrans(
    {
        "→": "->",
        "×": "x",
        "—": "--",
        "–": "-",
        "−": "-",
        "·": "-",
        "•": "*",
        "…": "...",
        "½": "1/2",
        "’": "'",
        "“": '"',
        "”": '"',
        "≥": ">=",
        "≤": "<=",
        "±": "+-",
    }
)
ERRORS = "pymaf_data.plain"
"""Name of the codec error handler that writes what an encoding lacks in plainer characters."""


def clean(text: str, longest: int | None = None) -> str:
    """The text with control characters shown as ``\\x1b``, not obeyed, cut where too long; tabs and newlines stay."""
    if longest is not None and len(text) > longest:
        text = f"{text[: longest - 1]}…"
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


class CleanFormatter(logging.Formatter):
    """A log line, whatever was logged, that cannot command a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """See :meth:`logging.Formatter.format`."""
        return clean(super().format(record))


def _plainer(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return lacking.translate(_PLAINER).encode("ascii", "backslashreplace").decode("ascii"), error.end


codecs.register_error(ERRORS, _plainer)
