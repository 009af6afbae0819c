"""Text as it may stand in a cell of a CSV file: one line, and nothing that a spreadsheet would compute."""

from __future__ import annotations

BREAKS = str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t"})
FORMULA = ("=", "+", "-", "@")


def cell(text: str) -> str:
    """The text with line breaks and tabs written out, and an apostrophe before what would begin a formula."""
    line = text.translate(BREAKS)
    return f"'{line}" if line.startswith(FORMULA) else line
