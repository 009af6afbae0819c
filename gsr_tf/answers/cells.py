"""Text as it may stand in a cell of a CSV file: one line, and nothing that a spreadsheet would compute."""

from __future__ import annotations

import re

BREAKS = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
WRITTEN_OUT = {pair: character for character, pair in BREAKS.items()}
BEGINNING = r'((?:^|;)[ "]*)'  # many a spreadsheet begins another cell at a semicolon
FORMULA = re.compile(BEGINNING + r"(?=[=+\-@'])")
QUOTED_FORMULA = re.compile(BEGINNING + r"'(?=[=+\-@'])")


def cell(text: str) -> str:
    """The text with backslashes, line breaks and tabs written out, and an apostrophe before what would be a formula.

    Two texts have two cells; an apostrophe that begins a text gets one, too.
    """
    return FORMULA.sub(r"\1'", text.translate(str.maketrans(BREAKS)))


def text_of(cell: str) -> str:
    """The text of a `cell`; those that left backslashes and apostrophes as they are had mostly the same text."""
    line = QUOTED_FORMULA.sub(r"\1", cell)
    return re.sub(r"\\[\\nrt]", lambda pair: WRITTEN_OUT[pair[0]], line)
