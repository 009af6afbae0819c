"""Lists of files as people's programs write them: which letters their bytes are, and which files are meant."""

from __future__ import annotations

import codecs
import os
import unicodedata
from pathlib import Path

UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decode(data: bytes, errors: str = "strict") -> str:
    """The text of a list: UTF-8 with or without its mark, or UTF-16 with it, as PowerShell and Notepad write.

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


def find(path: Path) -> Path:
    """The file meant by a path: itself, or where there is none the one of the same name in another Unicode form.

    A Mac writes an accent as a letter of its own, others write both as one; disks and archives keep what they get.
    """
    if str(path).isascii() or os.path.lexists(path):
        return path
    folder = find(path.parent)
    name = unicodedata.normalize("NFC", path.name)
    try:
        twins = [entry for entry in os.listdir(folder) if unicodedata.normalize("NFC", entry) == name]
    except OSError:  # no such folder
        twins = []
    return folder / twins[0] if len(twins) == 1 else path
