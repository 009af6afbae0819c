"""Text as people's programs write it: UTF-8 with or without its mark, or UTF-16 with it, as on Windows; its lines."""

from __future__ import annotations

import codecs
import csv
import io

UTF_8 = codecs.BOM_UTF8
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decode(data: bytes, errors: str = "strict") -> str:
    """The text of a file.

    Args:
        data: the file's bytes.
        errors: what is done about other bytes; "surrogateescape" keeps them, as file names may have any.

    Raises:
        ValueError: neither, with the line's number; what to do is said.
    """
    try:
        if data.startswith(UTF_16):
            return data.decode("utf-16")
        if b"\0" in data:
            raise ValueError("text in UTF-16 without its mark, or no text at all; save it as UTF-8")
        return data.decode("utf-8-sig", errors)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ValueError(f"line {line} is not in UTF-8 (Latin-1, perhaps?); save it as UTF-8") from error


def lines(text: str) -> list[str]:
    r"""The lines of a text, ended by \n, \r\n or \r; names may have whatever else `str.splitlines` ends lines at."""
    return [line.removesuffix("\n") for line in io.StringIO(text, newline=None)]


def rows(text: str, delimiter: str) -> list[list[str]]:
    """The cells of each line of a table; of an empty line none.

    Raises:
        ValueError: a quote that begins a cell is not closed at the cell's end, with the line's number.
    """
    found = []
    for number, line in enumerate(lines(text), start=1):
        try:  # each line alone: a quote that is left open would take the lines after it
            found += csv.reader([line], delimiter=delimiter, strict=True)
        except csv.Error as error:
            raise ValueError(f"line {number}: {error}; a cell that begins with a quote ends with one, too") from error
    return found
